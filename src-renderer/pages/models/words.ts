import type { InstalledModel } from '../../../src-preload/contract/index.ts'
import { formatLicense } from '../../format/index.ts'
import { i18n } from '../../i18n/index.ts'

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
