import type { InstalledModel } from '../../../src-preload/contract/index.ts'
import { formatLicense, formatNumber } from '../../format/index.ts'
import { hostWords, i18n } from '../../i18n/index.ts'

/** How a model fits, in the person's language. */
export function fitWords({ code, params, sentence }: InstalledModel['fit']): string {
  const figures = Object.entries(params).map(([name, value]) => {
    return [name, typeof value === 'number' ? formatNumber(value) : value]
  })
  return hostWords(`fit.${code}`, sentence, Object.fromEntries(figures))
}

/** `llama3.2` as its models write it: `Llama 3.2`. */
export function familyName(family: string, model: string): string {
  const plain = (text: string) => text.toLowerCase().replaceAll(' ', '')
  const words = model.split(' ')
  const length = words.findIndex((_, end) => plain(words.slice(0, end + 1).join(' ')) === plain(family))
  return length < 0 ? family : words.slice(0, length + 1).join(' ')
}

type HashOrigin = NonNullable<InstalledModel['hashOrigin']>

/** Who vouches for a file. */
export const hashWords = (origin: HashOrigin): { short: string; sentence: string } => ({
  short: i18n.t(origin === 'server' ? 'models:hash.server' : 'models:hash.pinned'),
  sentence: i18n.t(`models:hash.${origin}Sentence`),
})

/** SPDX's mark for a licence that is not on its list: none of those here is an open-source licence. */
export const hasOwnTerms = (license: string): boolean => license.startsWith('LicenseRef-')

/** What to know before a download. */
export const termsSentence = (license: string): string =>
  i18n.t('models:terms', { name: formatLicense(license) })
