import type { InstalledModel } from '../../../src-preload/contract/index.ts'

type HashOrigin = NonNullable<InstalledModel['hashOrigin']>

/** Who vouches for a file. */
export const hashWords: Record<HashOrigin, { short: string; sentence: string }> = {
  catalogue: { short: 'hash pinned', sentence: 'This app names the SHA-256 that the file must have.' },
  owner: { short: 'hash pinned', sentence: 'You named the SHA-256 that the file must have.' },
  server: {
    short: 'hash from the server',
    sentence: 'Only the server that the file comes from says which SHA-256 it must have.',
  },
}

/** SPDX's mark for a licence that is not on its list: none of those here is an open-source licence. */
export const hasOwnTerms = (license: string): boolean => license.startsWith('LicenseRef-')

export const licenseName = (license: string): string =>
  hasOwnTerms(license) ? license.slice('LicenseRef-'.length).replaceAll('-', ' ') : license

/** What to know before a download. */
export const termsSentence = (license: string): string =>
  `“${licenseName(license)}” is not an open-source licence and has conditions of its own: it may forbid paid use. ` +
  'Read it before you serve this model to others.'
