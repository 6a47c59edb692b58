import type { FormEvent } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatMoment, formatTrm } from '../../format/index.ts'
import { i18n, useTranslation } from '../../i18n/index.ts'
import { useWallet } from '../../stores/context.tsx'
import { Button, ErrorState, QuestionBar, useNow, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { LoanFields, useLoanTerms } from '../LoanFields.tsx'
import { useSubject } from '../use-subject.ts'
import { interestTrm, ratePerHour } from './words.ts'

const TERM_HOURS_MAX = 8_760
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

export function BorrowForm({ pool }: Pick<WalletView, 'pool'>) {
  const { t } = useTranslation('wallet')
  const { blocked, running, error, run, forgive } = useSubject(useWallet, 'borrow')
  const confirming = useQuestion()
  const now = useNow(MINUTE_MS)
  const terms = useLoanTerms(TERM_HOURS_MAX, forgive)
  const loan = terms.order

  function submit(event: FormEvent) {
    event.preventDefault()
    if (loan !== null && !blocked) confirming.ask()
  }

  async function commit() {
    if (loan !== null && (await run('wallet.borrow', loan))) terms.clear()
    focusIfLost('pool')
  }

  return (
    <form className="wallet__form pool__borrow" onSubmit={submit} noValidate>
      <h3>{t('borrow.title')}</h3>
      <div className="pool__fields">
        <LoanFields
          terms={terms}
          amountLabel={t('borrow.amount')}
          amountHint={t('pool.upTo', { amount: formatTrm(pool.maxBorrowTrm) })}
          collateralHint={t('borrow.collateralHint')}
          disabled={confirming.open}
        />
      </div>
      <p className="wallet__outcome" role="status">
        {loan === null ? null : costSentence(loan, pool.offeredRatePerHour, now)}
      </p>
      <Button
        ref={confirming.trigger}
        type="submit"
        busy={running !== null}
        disabled={blocked || loan === null}
        aria-expanded={confirming.open}
      >
        {t('borrow.title')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open && loan !== null ? (
        <QuestionBar
          question={confirming}
          yes={t('borrow.title')}
          no={t('notNow')}
          onYes={() => void commit()}
        >
          {costSentence(loan, pool.offeredRatePerHour, now)}{' '}
          {t('borrow.risk', { amount: formatTrm(loan.collateralTrm) })}
        </QuestionBar>
      ) : null}
    </form>
  )
}

function costSentence(
  { amountTrm, termHours }: { amountTrm: string; termHours: number },
  rate: number,
  nowMs: number,
): string {
  const interest = interestTrm(amountTrm, rate, termHours)
  const total = (BigInt(amountTrm) + BigInt(interest)).toString()
  const due = formatMoment(nowMs + termHours * HOUR_MS)
  return i18n.t('wallet:borrow.cost', {
    total: formatTrm(total),
    due,
    interest: formatTrm(interest),
    count: termHours,
    rate: ratePerHour(rate),
  })
}
