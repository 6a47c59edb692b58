import type { ApiKey } from '../../../src-preload/contract/index.ts'
import { formatTrm } from '../../format/index.ts'
import { i18n } from '../../i18n/index.ts'

export type Scope = ApiKey['scope']

/** From the one that most guests need to the one that few should have. */
export const scopes = ['inference', 'readonly', 'economy', 'admin'] as const satisfies readonly Scope[]

export const scopeWords = (scope: Scope): { name: string; may: string } => ({
  name: i18n.t(`keys:scopes.${scope}.name`),
  may: i18n.t(`keys:scopes.${scope}.may`),
})

/** Where the account behind a key stands. */
export function balanceWords(balanceTrm: string): string {
  const balance = BigInt(balanceTrm)
  if (balance < 0n) return i18n.t('keys:onCredit', { amount: formatTrm((-balance).toString()) })
  return balance === 0n
    ? i18n.t('keys:nothingOwed')
    : i18n.t('keys:ofItsOwn', { amount: formatTrm(balanceTrm) })
}

/** Days; null for a key without an end. */
export const expiries = [7, 30, 90, 365, null] as const
