import type { TFunction } from 'i18next'

/** Says what this page says in the person's language. */
export type Words = TFunction<'playground'>
