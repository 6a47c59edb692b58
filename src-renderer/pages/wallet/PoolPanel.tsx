import { type FormEvent, type ReactNode, useState } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatMoment, formatTrm, parseTypedAmount, shortHex } from '../../format/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { useWallet } from '../../stores/context.tsx'
import { AmountField, Button, Card, ErrorState, QuestionBar, Stat, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useSubject } from '../use-subject.ts'
import { BorrowForm } from './BorrowForm.tsx'
import { formatScore, ratePerHour, ratePerYear } from './words.ts'

export function PoolPanel({ view: { pool, loans, availableTrm } }: { view: WalletView }) {
  const { t } = useTranslation('wallet')
  const { totalTrm, yourDepositTrm, maxBorrowTrm, offeredRatePerHour, creditScore } = pool
  return (
    <Card id="pool" title={t('pool.title')}>
      <p className="muted hint">{t('pool.about')}</p>
      <dl className="stats">
        <Stat label={t('pool.total')}>
          {formatTrm(totalTrm)}
          <span className="stat__note">{t('pool.notLent', { amount: formatTrm(pool.availableTrm) })}</span>
        </Stat>
        <Stat label={t('pool.yours')}>{formatTrm(yourDepositTrm)}</Stat>
        <Stat label={t('pool.rate')}>
          {ratePerHour(offeredRatePerHour)}
          <span className="stat__note">{t('simple', { rate: ratePerYear(offeredRatePerHour) })}</span>
        </Stat>
        <Stat label={t('pool.credit')}>{formatScore(creditScore)}</Stat>
        <Stat label={t('pool.mayBorrow')}>{t('pool.upTo', { amount: formatTrm(maxBorrowTrm) })}</Stat>
      </dl>
      <div className="pool__forms">
        <MoveForm
          subject="deposit"
          procedure="wallet.deposit"
          verb={t('pool.deposit')}
          label={t('pool.depositAmount')}
          hint={t('available', { amount: formatTrm(availableTrm) })}
          question={(amount) => t('pool.depositQuestion', { amount })}
        />
        <MoveForm
          subject="withdraw"
          procedure="wallet.withdraw"
          verb={t('pool.withdraw')}
          label={t('pool.withdrawAmount')}
          hint={t('pool.withdrawHint', {
            yours: formatTrm(yourDepositTrm),
            free: formatTrm(pool.availableTrm),
          })}
          question={null}
        />
        <BorrowForm pool={pool} />
      </div>
      <Loans loans={loans} />
    </Card>
  )
}

interface MoveFormProps {
  subject: string
  procedure: 'wallet.deposit' | 'wallet.withdraw'
  verb: string
  label: string
  hint: string
  /** Asked first; null where nothing is bound by it. */
  question: ((amount: string) => ReactNode) | null
}

function MoveForm({ subject, procedure, verb, label, hint, question }: MoveFormProps) {
  const { t } = useTranslation('wallet')
  const [text, setText] = useState('')
  const { blocked, running, error, run, forgive } = useSubject(useWallet, subject)
  const confirming = useQuestion()
  const { amountTrm, problem } = parseTypedAmount(text)

  async function commit() {
    if (amountTrm !== null && (await run(procedure, { amountTrm }))) setText('')
    focusIfLost('pool')
  }

  function submit(event: FormEvent) {
    event.preventDefault()
    if (amountTrm === null || blocked) return
    if (question === null) void commit()
    else confirming.ask()
  }

  return (
    <form className="wallet__form" onSubmit={submit} noValidate>
      <h3>{verb}</h3>
      <AmountField
        label={label}
        hint={hint}
        value={text}
        problem={text === '' ? null : problem}
        disabled={confirming.open}
        onChange={(amount) => {
          setText(amount)
          forgive()
        }}
      />
      <Button
        ref={confirming.trigger}
        type="submit"
        busy={running !== null}
        disabled={blocked || amountTrm === null}
        aria-expanded={question === null ? undefined : confirming.open}
      >
        {verb}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open && question !== null && amountTrm !== null ? (
        <QuestionBar question={confirming} yes={verb} no={t('notNow')} onYes={() => void commit()}>
          {question(formatTrm(amountTrm))}
        </QuestionBar>
      ) : null}
    </form>
  )
}

function Loans({ loans }: { loans: WalletView['loans'] }) {
  const { t } = useTranslation('wallet')
  return (
    <section className="loans" aria-labelledby="loans-title">
      <h3 id="loans-title" tabIndex={-1}>
        {t('loans.title')}
      </h3>
      {loans.length === 0 ? (
        <p className="muted">{t('loans.none')}</p>
      ) : (
        <ul className="wallet__rows">
          {loans.map((loan) => (
            <LoanRow key={loan.loanId} loan={loan} />
          ))}
        </ul>
      )}
    </section>
  )
}

function LoanRow({ loan }: { loan: WalletView['loans'][number] }) {
  const { t } = useTranslation('wallet')
  const { loanId, principalTrm, collateralTrm, dueAtMs } = loan
  const { blocked, running, error, run } = useSubject(useWallet, `loan ${loanId}`)
  const confirming = useQuestion()
  return (
    <li className="wallet__row" aria-label={t('loans.loan', { id: shortHex(loanId) })}>
      <p className="figures">
        <Trans
          t={t}
          i18nKey="loans.due"
          values={{ amount: formatTrm(principalTrm), when: formatMoment(dueAtMs) }}
          components={{ b: <strong />, when: <time dateTime={new Date(dueAtMs).toISOString()} /> }}
        />
        <span className="muted stat__note">{t('loans.against', { amount: formatTrm(collateralTrm) })}</span>
      </p>
      <Button
        ref={confirming.trigger}
        busy={running !== null}
        disabled={blocked}
        aria-expanded={confirming.open}
        onClick={confirming.ask}
      >
        {t('loans.repay')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open ? (
        <QuestionBar
          question={confirming}
          yes={t('loans.repay')}
          no={t('notNow')}
          onYes={() =>
            void run('wallet.repay', { loanId }).then((done) => done && focusIfLost('loans-title'))
          }
        >
          {t('loans.question', { amount: formatTrm(principalTrm) })}
        </QuestionBar>
      ) : null}
    </li>
  )
}
