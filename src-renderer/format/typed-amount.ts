import { i18n } from '../i18n/index.ts'
import { groupDigits } from './amounts.ts'

/** The contract carries amounts of at most twenty digits. */
const DIGITS_MAX = 20
const PLAIN = /^\d+$/
/** Groups of three, parted by the same sign throughout. */
const GROUPED = /^\d{1,3}(?:([,_'’ \u00a0\u202f])\d{3})(?:\1\d{3})*$/

type TypedAmount = { amountTrm: string; problem: null } | { amountTrm: null; problem: string }

/**
 * Reads a whole amount of TRM as people type it: `1234567`, `1,234,567`, `1 234 567 TRM`. What could be meant in two
 * ways (`1.5`, `1,5`) is refused, never guessed.
 */
export function parseTypedAmount(text: string, minTrm = 1n): TypedAmount {
  const typed = text.trim().replace(/\s*TRM$/i, '')
  if (typed === '') return { amountTrm: null, problem: i18n.t('amount.missing') }
  if (!PLAIN.test(typed) && !GROUPED.test(typed)) {
    return { amountTrm: null, problem: i18n.t('amount.notWhole') }
  }
  const amountTrm = typed.replaceAll(/\D/g, '').replace(/^0+(?=\d)/, '')
  if (amountTrm.length > DIGITS_MAX) return { amountTrm: null, problem: i18n.t('amount.tooLarge') }
  if (BigInt(amountTrm) < minTrm) {
    return { amountTrm: null, problem: i18n.t('amount.tooSmall', { least: groupDigits(minTrm.toString()) }) }
  }
  return { amountTrm, problem: null }
}
