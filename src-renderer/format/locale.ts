import { spoken } from '../i18n/index.ts'

/** How figures and dates are written; English dates put the day first and use 24 hours. */
const locales = {
  en: { figures: 'en-US', dates: 'en-GB', percent: ' %' },
  ja: { figures: 'ja-JP', dates: 'ja-JP', percent: '%' },
} as const

/** What follows a figure in percent. */
export const percentSign = (): string => locales[spoken()].percent

const figureLocale = (): string => locales[spoken()].figures
const dateLocale = (): string => locales[spoken()].dates

/** What writes a figure is costly to make and cheap to use; there are few kinds, and each is made once. */
const numberFormats = new Map<string, Intl.NumberFormat>()
const dateFormats = new Map<string, Intl.DateTimeFormat>()

function kept<T>(formats: Map<string, T>, key: string, make: () => T): T {
  const known = formats.get(key)
  if (known !== undefined) return known
  const format = make()
  formats.set(key, format)
  return format
}

/** @throws RangeError for a currency that is none */
export function numberFormat(options: Intl.NumberFormatOptions = {}): Intl.NumberFormat {
  const locale = figureLocale()
  return kept(
    numberFormats,
    `${locale} ${JSON.stringify(options)}`,
    () => new Intl.NumberFormat(locale, options),
  )
}

export function dateFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const locale = dateLocale()
  // One that was made before a journey would go on writing the time of home.
  const zone = new Date().getTimezoneOffset()
  return kept(
    dateFormats,
    `${locale} ${zone} ${JSON.stringify(options)}`,
    () => new Intl.DateTimeFormat(locale, options),
  )
}
