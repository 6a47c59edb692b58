import { type ReactNode, useState } from 'react'
import { groupDigits, parseTypedAmount } from '../format/index.ts'
import { useTranslation } from '../i18n/index.ts'
import { AmountField } from '../widgets/index.ts'

/** What a loan is asked for by. */
interface LoanOrder {
  amountTrm: string
  collateralTrm: string
  termHours: number
}

const EMPTY = { amount: '', collateral: '', hours: '24' }

/** The fields of a loan while they are typed. */
export function useLoanTerms(termHoursMax: number, onType: () => void) {
  const [texts, setTexts] = useState(EMPTY)
  const amount = parseTypedAmount(texts.amount)
  const collateral = parseTypedAmount(texts.collateral)
  const termHours = parseHours(texts.hours, termHoursMax)
  /** Null until everything is given. */
  const order: LoanOrder | null =
    amount.amountTrm === null || collateral.amountTrm === null || termHours === null
      ? null
      : { amountTrm: amount.amountTrm, collateralTrm: collateral.amountTrm, termHours }
  return {
    texts,
    termHoursMax,
    amount,
    collateral,
    termHours,
    order,
    type: (field: keyof typeof EMPTY) => (text: string) => {
      setTexts((before) => ({ ...before, [field]: text }))
      onType()
    },
    clear: () => setTexts(EMPTY),
  }
}

interface LoanFieldsProps {
  terms: ReturnType<typeof useLoanTerms>
  amountLabel: string
  amountHint: ReactNode
  collateralHint: ReactNode
  disabled: boolean
}

export function LoanFields({ terms, amountLabel, amountHint, collateralHint, disabled }: LoanFieldsProps) {
  const { t } = useTranslation('common')
  const { texts, termHoursMax, amount, collateral, termHours, type } = terms
  return (
    <>
      <AmountField
        label={amountLabel}
        hint={amountHint}
        value={texts.amount}
        problem={texts.amount === '' ? null : amount.problem}
        disabled={disabled}
        onChange={type('amount')}
      />
      <AmountField
        label={t('loan.collateral')}
        hint={collateralHint}
        value={texts.collateral}
        problem={texts.collateral === '' ? null : collateral.problem}
        disabled={disabled}
        onChange={type('collateral')}
      />
      <AmountField
        label={t('loan.for')}
        unit={t('loan.hours')}
        hint={t('loan.hoursHint', { most: groupDigits(termHoursMax) })}
        value={texts.hours}
        problem={termHours === null ? t('loan.hoursProblem') : null}
        disabled={disabled}
        onChange={type('hours')}
      />
    </>
  )
}

function parseHours(text: string, most: number): number | null {
  if (!/^\d{1,4}$/.test(text.trim())) return null
  const hours = Number(text)
  return hours >= 1 && hours <= most ? hours : null
}
