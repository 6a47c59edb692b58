import { createStore } from 'zustand/vanilla'
import { type Language, languages, preferred, speak } from '../i18n/index.ts'

export const languageChoices = ['system', ...languages] as const
export type LanguageChoice = (typeof languageChoices)[number]

const STORAGE_KEY = 'tirami.language'

export interface LanguageState {
  choice: LanguageChoice
  /** What is spoken now; the choice may have to be fetched first. */
  language: Language
  select(choice: LanguageChoice): Promise<void>
}

function remembered(): LanguageChoice {
  try {
    const value = localStorage.getItem(STORAGE_KEY)
    return languageChoices.find((choice) => choice === value) ?? 'system'
  } catch {
    return 'system'
  }
}

const languageOf = (choice: LanguageChoice): Language =>
  choice === 'system' ? preferred(navigator.languages) : choice

async function show(choice: LanguageChoice): Promise<Language> {
  const language = languageOf(choice)
  await speak(language)
  document.documentElement.lang = language
  return language
}

/** Resolves when the window can be shown in the person's language; in English where its words do not come. */
export async function createLanguageStore() {
  let latest = 0
  const store = createStore<LanguageState>()((set) => ({
    choice: remembered(),
    language: 'en',
    select: async (choice) => {
      latest += 1
      const request = latest
      set({ choice })
      try {
        localStorage.setItem(STORAGE_KEY, choice)
      } catch {
        // It holds until the window closes, then.
      }
      const language = await show(choice)
      if (request === latest) set({ language })
    },
  }))
  await show(store.getState().choice).then(
    (language) => store.setState({ language }),
    () => undefined,
  )
  return store
}
