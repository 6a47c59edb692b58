import type { ApiKey } from '../../../src-preload/contract/index.ts'
import { formatTrm } from '../../format/index.ts'

export type Scope = ApiKey['scope']

export const scopes: readonly { value: Scope; name: string; may: string }[] = [
  {
    value: 'inference',
    name: 'Ask for answers',
    may: 'May use the model and see its own account. Right for an app or a friend.',
  },
  {
    value: 'readonly',
    name: 'Read only',
    may: 'May read models, trades and prices. Cannot ask for answers.',
  },
  {
    value: 'economy',
    name: 'Act in the economy',
    may: 'May do both of these, and stake, lend, refer and vote.',
  },
  {
    value: 'admin',
    name: 'Everything',
    may: 'May do all that you may: settings, limits, other keys, the kill switch.',
  },
]

export const scopeOf = (scope: Scope) =>
  scopes.find(({ value }) => value === scope) ?? { name: scope, may: '' }

/** Where the account behind a key stands. */
export function balanceWords(balanceTrm: string): string {
  const balance = BigInt(balanceTrm)
  if (balance < 0n) return `${formatTrm((-balance).toString())} on the credit you gave`
  return balance === 0n ? 'nothing owed' : `${formatTrm(balanceTrm)} of its own`
}

/** Null for a key without an end. */
export const expiries: readonly { days: number | null; name: string }[] = [
  { days: 7, name: '7 days' },
  { days: 30, name: '30 days' },
  { days: 90, name: '90 days' },
  { days: 365, name: 'a year' },
  { days: null, name: 'never' },
]
