import { formatDuration, formatNumber } from '../../format/index.ts'
import { i18n } from '../../i18n/index.ts'

const NAME_DIGITS = 6

/** Hosts have no names of their own: the first digits of the key tell them apart. */
export const hostName = (nodeId: string): string =>
  i18n.t('market:host', { id: nodeId.slice(0, NAME_DIGITS) })

export const reputationWords = (reputation: number): string =>
  formatNumber(reputation, { minimumFractionDigits: 2, maximumFractionDigits: 2 })

export const latencyWords = (latencyMs: number | null): string =>
  latencyMs === null ? i18n.t('market:notAsked') : formatDuration(latencyMs)

/** Times the base price. */
export const priceWords = (multiplier: number): string =>
  `×${formatNumber(multiplier, { maximumFractionDigits: 3 })}`
