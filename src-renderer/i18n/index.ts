import { createInstance } from 'i18next'
import { initReactI18next } from 'react-i18next'
import type { PublicErrorData } from '../../src-preload/contract/index.ts'
import { en } from './en/index.ts'

export { Trans, useTranslation } from 'react-i18next'

/** The languages that the window speaks, each by its own name. */
export const languageNames = { en: 'English', ja: '日本語' } as const
export type Language = keyof typeof languageNames
export const languages = Object.keys(languageNames) as Language[]

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common'
    // A key that English lacks does not compile.
    resources: typeof en
  }
}

/** Further languages are fetched when somebody reads them. */
const fetched = {
  ja: () => import('./ja/index.ts').then(({ ja }) => ja),
} satisfies Record<Exclude<Language, 'en'>, () => Promise<object>>

export const i18n = createInstance()

void i18n.use(initReactI18next).init({
  lng: 'en',
  fallbackLng: 'en',
  defaultNS: 'common',
  ns: Object.keys(en),
  resources: { en },
  initAsync: false,
  // React escapes what it shows; twice would show the escapes.
  interpolation: { escapeValue: false },
  react: { useSuspense: false },
})

/** Fetches the words of a language and speaks it. */
export async function speak(language: Language): Promise<void> {
  if (language !== 'en' && !i18n.hasResourceBundle(language, 'common')) {
    const words = await fetched[language]()
    for (const [namespace, texts] of Object.entries(words)) {
      i18n.addResourceBundle(language, namespace, texts)
    }
  }
  await i18n.changeLanguage(language)
}

/** The language in which words and figures stand now. */
export const spoken = (): Language => languages.find((language) => language === i18n.language) ?? 'en'

/** The first language of the person's list that the window speaks. */
export function preferred(tags: readonly string[]): Language {
  const bases = tags.map((tag) => tag.toLowerCase().split('-')[0])
  return bases.flatMap((base) => languages.filter((language) => language === base))[0] ?? 'en'
}

/**
 * A sentence of the host in the person's language. The host writes English; other languages know it by its stable code
 * (`host.json`), and a code that is not known there is said in English.
 *
 * @param code such as `errors.HOST_PAUSED.message`
 * @param values what the sentence mentions, as they are to be read
 */
export function hostWords(
  code: string,
  sentence: string,
  values: Record<string, string | number> = {},
): string {
  const language = spoken()
  const bundle: Record<string, unknown> = { ns: 'host', lng: language, fallbackLng: false, ...values }
  const { exists, t } = i18n as unknown as Untyped
  if (language === 'en' || !exists(code, bundle)) return sentence
  // A place that stayed empty would say something else.
  const places = t(code, { ...bundle, skipInterpolation: true }).matchAll(/{{(\w+)}}/g)
  return [...places].every(([, name = '']) => name in values) ? t(code, bundle) : sentence
}

/** An error of the host: what happened, and what to do. */
export function errorWords({ code, message, nextStep, params = {} }: PublicErrorData): {
  message: string
  nextStep: string
} {
  // To the owner's own keys a rule says the same as to the owner.
  const rule = /^EARNING_(?!PAUSED$)(\w+)$/.exec(code)?.[1]?.toLowerCase().replaceAll('_', '-')
  const text = rule === undefined ? `errors.${code}.message` : `earning.${rule}`
  return {
    message: hostWords(text, message, params),
    nextStep: hostWords(`errors.${rule === undefined ? code : 'EARNING'}.nextStep`, nextStep, params),
  }
}

/** The codes come from the host, so no compiler knows them. */
interface Untyped {
  exists(code: string, options: Record<string, unknown>): boolean
  t(code: string, options: Record<string, unknown>): string
}
