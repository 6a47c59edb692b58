import { type FormEvent, useState } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatMoment, formatTrm, groupDigits, parseTypedAmount } from '../../format/index.ts'
import { i18n, useTranslation } from '../../i18n/index.ts'
import { useWallet } from '../../stores/context.tsx'
import { AmountField, Button, ErrorState, QuestionBar, useNow, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useSubject } from '../use-subject.ts'
import { interestTrm, ratePerHour } from './words.ts'

const TERM_HOURS_MAX = 8_760
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

export function BorrowForm({ pool }: Pick<WalletView, 'pool'>) {
  const { t } = useTranslation('wallet')
  const [texts, setTexts] = useState({ amount: '', collateral: '', hours: '24' })
  const { blocked, running, error, run, forgive } = useSubject(useWallet, 'borrow')
  const confirming = useQuestion()
  const now = useNow(MINUTE_MS)
  const amount = parseTypedAmount(texts.amount)
  const collateral = parseTypedAmount(texts.collateral)
  const termHours = parseHours(texts.hours)
  const loan =
    amount.amountTrm === null || collateral.amountTrm === null || termHours === null
      ? null
      : { amountTrm: amount.amountTrm, collateralTrm: collateral.amountTrm, termHours }

  const type = (field: keyof typeof texts) => (text: string) => {
    setTexts((before) => ({ ...before, [field]: text }))
    forgive()
  }

  function submit(event: FormEvent) {
    event.preventDefault()
    if (loan !== null && !blocked) confirming.ask()
  }

  async function commit() {
    if (loan !== null && (await run('wallet.borrow', loan))) {
      setTexts({ amount: '', collateral: '', hours: '24' })
    }
    focusIfLost('pool')
  }

  return (
    <form className="wallet__form pool__borrow" onSubmit={submit} noValidate>
      <h3>{t('borrow.title')}</h3>
      <div className="pool__fields">
        <AmountField
          label={t('borrow.amount')}
          hint={t('pool.upTo', { amount: formatTrm(pool.maxBorrowTrm) })}
          value={texts.amount}
          problem={texts.amount === '' ? null : amount.problem}
          disabled={confirming.open}
          onChange={type('amount')}
        />
        <AmountField
          label={t('borrow.collateral')}
          hint={t('borrow.collateralHint')}
          value={texts.collateral}
          problem={texts.collateral === '' ? null : collateral.problem}
          disabled={confirming.open}
          onChange={type('collateral')}
        />
        <AmountField
          label={t('borrow.for')}
          unit={t('borrow.hours')}
          hint={t('borrow.hoursHint', { most: groupDigits(TERM_HOURS_MAX) })}
          value={texts.hours}
          problem={termHours === null ? t('borrow.hoursProblem') : null}
          disabled={confirming.open}
          onChange={type('hours')}
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

function parseHours(text: string): number | null {
  if (!/^\d{1,4}$/.test(text.trim())) return null
  const hours = Number(text)
  return hours >= 1 && hours <= TERM_HOURS_MAX ? hours : null
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
