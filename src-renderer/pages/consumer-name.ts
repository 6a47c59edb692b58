import type { Trade } from '../../src-preload/contract/index.ts'
import { i18n } from '../i18n/index.ts'

/** The host's own keys, by the labels that it gives them in English. */
const ownKeys = { 'Local API key': 'local', 'This window': 'window' } as const
/** Of what this host asked of another one for its owner. */
const THIS_HOST = 'This host'

/** Who asked. Guests are called what their owner called them; the host's own keys have a name in every language. */
export function consumerName({ ownKey, consumerLabel }: Pick<Trade, 'ownKey' | 'consumerLabel'>): string {
  if (consumerLabel === THIS_HOST) return i18n.t('ownKeys.host')
  const known = Object.entries(ownKeys).find(([label]) => ownKey && label === consumerLabel)
  return known === undefined ? consumerLabel : i18n.t(`ownKeys.${known[1]}`)
}
