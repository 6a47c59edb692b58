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
  if (typed === '') return { amountTrm: null, problem: 'Give an amount.' }
  if (!PLAIN.test(typed) && !GROUPED.test(typed)) {
    return { amountTrm: null, problem: 'Give whole TRM, such as 1,500: digits only, no fractions.' }
  }
  const amountTrm = typed.replaceAll(/\D/g, '').replace(/^0+(?=\d)/, '')
  if (amountTrm.length > DIGITS_MAX) return { amountTrm: null, problem: 'That is more than TRM can exist.' }
  if (BigInt(amountTrm) < minTrm) {
    return { amountTrm: null, problem: `Give at least ${groupDigits(minTrm.toString())} TRM.` }
  }
  return { amountTrm, problem: null }
}
