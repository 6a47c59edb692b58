import { HandCoins } from 'lucide-react'
import { type FormEvent, useEffect, useState } from 'react'
import type { MeshLoan, MeshLoanOffer, MeshLoansView } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatTrm } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useMeshLoans } from '../../stores/context.tsx'
import {
  Badge,
  Button,
  Card,
  EmptyState,
  ErrorState,
  QuestionBar,
  Select,
  useQuestion,
} from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { LoanFields, useLoanTerms } from '../LoanFields.tsx'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { useSubject } from '../use-subject.ts'
import { interestTrm, ratePerHour } from '../wallet/words.ts'
import { hostName } from './words.ts'

const CARD = 'market-loans'

/** Loans that this host has given to others or taken from them, and offers that wait for an answer. */
export function LoansPanel() {
  const { t } = useTranslation('market')
  const { view, loadError, load } = useMeshLoans((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  useEffect(() => {
    if (offline) return
    return readNowAndThen(() => void load(), document)
  }, [offline, load])
  return (
    <Card id={CARD} title={t('loans.title')}>
      <p className="muted market__hint">{t('loans.text')}</p>
      {view === null ? (
        <Pending what={t('loans.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          <Loans view={view} />
          <LendForm view={view} />
        </>
      )}
    </Card>
  )
}

function Loans({ view: { offers, loans } }: { view: MeshLoansView }) {
  const { t } = useTranslation('market')
  if (offers.length === 0 && loans.length === 0) {
    return (
      <EmptyState icon={HandCoins} title={t('loans.none')}>
        {t('loans.noneText')}
      </EmptyState>
    )
  }
  return (
    <>
      {offers.length === 0 ? null : (
        <>
          <h3 className="market__sub">{t('loans.offers')}</h3>
          <ul className="loan-rows">
            {offers.map((offer) => (
              <OfferRow key={offer.loanId} offer={offer} />
            ))}
          </ul>
        </>
      )}
      {loans.length === 0 ? null : (
        <>
          <h3 className="market__sub">{t('loans.list')}</h3>
          <ul className="loan-rows">
            {loans.map((loan) => (
              <LoanRow key={loan.loanId} loan={loan} />
            ))}
          </ul>
        </>
      )}
    </>
  )
}

/** Principal, other side, rate, what is due and when, collateral. */
function Terms({ of: terms, offered = false }: { of: MeshLoan | MeshLoanOffer; offered?: boolean }) {
  const { t } = useTranslation('market')
  const { role, other, principalTrm, dueTrm, dueAtMs, collateralTrm } = terms
  return (
    <p className="loan-rows__terms figures">
      <strong>{formatTrm(principalTrm)}</strong>{' '}
      <span>{t(`loans.${offered ? 'offered' : 'agreed'}.${role}`, { host: hostName(other) })}</span>
      <span className="muted loan-rows__more">
        {t('loans.terms', {
          rate: ratePerHour(terms.ratePerHour),
          due: formatTrm(dueTrm),
          when: formatDateTime(dueAtMs),
          collateral: formatTrm(collateralTrm),
        })}
      </span>
    </p>
  )
}

const tones = { active: 'plain', overdue: 'warn', repaid: 'earning', defaulted: 'bad' } as const

function LoanRow({ loan }: { loan: MeshLoan }) {
  const { t } = useTranslation('market')
  const { loanId, role, state, dueTrm } = loan
  const { blocked, running, error, run } = useSubject(useMeshLoans, `loan ${loanId}`)
  const confirming = useQuestion()
  const isOwed = role === 'borrowed' && (state === 'active' || state === 'overdue')
  return (
    <li className="loan-rows__row">
      <Terms of={loan} />
      <span className="loan-rows__side">
        <Badge tone={tones[state]}>{t(`loans.states.${state}`)}</Badge>
        {isOwed ? (
          <Button
            ref={confirming.trigger}
            busy={running !== null}
            disabled={blocked}
            aria-expanded={confirming.open}
            onClick={confirming.ask}
          >
            {t('loans.repay')}
          </Button>
        ) : null}
      </span>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open ? (
        <QuestionBar
          question={confirming}
          yes={t('loans.repay')}
          no={t('loans.notNow')}
          onYes={() => void run('mesh.repayLoan', { loanId }).then((done) => done && focusIfLost(CARD))}
        >
          {t('loans.repayQuestion', { amount: formatTrm(dueTrm), host: hostName(loan.other) })}
        </QuestionBar>
      ) : null}
    </li>
  )
}

function OfferRow({ offer }: { offer: MeshLoanOffer }) {
  const { t } = useTranslation('market')
  const { loanId, role, other, collateralTrm, expiresAtMs } = offer
  const { blocked, running, error, run } = useSubject(useMeshLoans, `offer ${loanId}`)
  const confirming = useQuestion()
  const answer = (accept: boolean) =>
    void run('mesh.answerLoan', { loanId, accept }).then((done) => done && focusIfLost(CARD))
  return (
    <li className="loan-rows__row">
      <Terms of={offer} offered />
      <span className="loan-rows__side">
        <Badge>{t('loans.until', { when: formatDateTime(expiresAtMs) })}</Badge>
        {role === 'lent' ? null : (
          <>
            <Button
              ref={confirming.trigger}
              look="accent"
              busy={running !== null}
              disabled={blocked}
              aria-expanded={confirming.open}
              onClick={confirming.ask}
            >
              {t('loans.accept')}
            </Button>
            <Button disabled={blocked} onClick={() => answer(false)}>
              {t('loans.decline')}
            </Button>
          </>
        )}
      </span>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open ? (
        <QuestionBar
          question={confirming}
          yes={t('loans.accept')}
          no={t('loans.notNow')}
          onYes={() => answer(true)}
        >
          {t('loans.acceptQuestion', { host: hostName(other), amount: formatTrm(collateralTrm) })}
        </QuestionBar>
      ) : null}
    </li>
  )
}

function LendForm({ view }: { view: MeshLoansView }) {
  const { t } = useTranslation('market')
  const { enabled, borrowers, availableTrm, loanToValue, termHoursMax } = view
  const [chosen, setChosen] = useState<string | null>(null)
  const { blocked, running, error, run, forgive } = useSubject(useMeshLoans, 'lend')
  const terms = useLoanTerms(termHoursMax, forgive)
  const confirming = useQuestion()
  const borrower = borrowers.find(({ nodeId }) => nodeId === chosen) ?? borrowers[0]
  if (!enabled || borrower === undefined) {
    return <p className="muted market__hint">{t(enabled ? 'loans.nobody' : 'loans.meshOff')}</p>
  }
  const { order, collateral } = terms

  function submit(event: FormEvent) {
    event.preventDefault()
    if (order !== null && !blocked) confirming.ask()
  }

  async function commit(to: string) {
    if (order !== null && (await run('mesh.lend', { borrower: to, ...order }))) terms.clear()
    focusIfLost(CARD)
  }

  const host = hostName(borrower.nodeId)
  return (
    <form className="market__rules lend" onSubmit={submit} noValidate>
      <h3 className="market__sub">{t('loans.lend')}</h3>
      <div className="mesh-setup">
        <Select
          label={t('loans.borrower')}
          options={borrowers.map(({ nodeId, earnedTrm }) => ({
            value: nodeId,
            label: t('loans.borrowerOption', { host: hostName(nodeId), amount: formatTrm(earnedTrm) }),
          }))}
          value={borrower.nodeId}
          disabled={confirming.open}
          onChange={(nodeId) => {
            setChosen(nodeId)
            forgive()
          }}
        />
        <LoanFields
          terms={terms}
          amountLabel={t('loans.amount')}
          amountHint={t('loans.amountHint', { amount: formatTrm(availableTrm) })}
          collateralHint={t('loans.collateralHint', {
            amount: formatTrm(borrower.earnedTrm),
            most: formatTrm(carried(collateral.amountTrm ?? borrower.earnedTrm, loanToValue)),
          })}
          disabled={confirming.open}
        />
      </div>
      <Button
        ref={confirming.trigger}
        type="submit"
        busy={running !== null}
        disabled={blocked || order === null}
        aria-expanded={confirming.open}
      >
        {t('loans.offer')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open && order !== null ? (
        <QuestionBar
          question={confirming}
          yes={t('loans.offer')}
          no={t('loans.notNow')}
          onYes={() => void commit(borrower.nodeId)}
        >
          {t('loans.offerQuestion', {
            host,
            amount: formatTrm(order.amountTrm),
            rate: ratePerHour(borrower.ratePerHour),
            interest: formatTrm(interestTrm(order.amountTrm, borrower.ratePerHour, order.termHours)),
          })}
        </QuestionBar>
      ) : null}
    </form>
  )
}

const MILLION = 1_000_000n

/** The principal that so much collateral carries, in TRM, rounded down. */
const carried = (collateralTrm: string, loanToValue: number): string =>
  String((BigInt(collateralTrm) * BigInt(Math.round(loanToValue * 1e6))) / MILLION)
