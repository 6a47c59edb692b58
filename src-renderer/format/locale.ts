import { spoken } from '../i18n/index.ts'

/** How figures and dates are written; English dates put the day first and use 24 hours. */
const locales = {
  en: { figures: 'en-US', dates: 'en-GB' },
  ja: { figures: 'ja-JP', dates: 'ja-JP' },
} as const

export const figureLocale = (): string => locales[spoken()].figures
export const dateLocale = (): string => locales[spoken()].dates
