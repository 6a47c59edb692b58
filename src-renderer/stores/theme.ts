import { createStore } from 'zustand/vanilla'

export const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const STORAGE_KEY = 'tirami.theme'

export interface ThemeState {
  theme: Theme
  select(theme: Theme): void
}

function remembered(): Theme {
  try {
    const value = localStorage.getItem(STORAGE_KEY)
    return themes.find((theme) => theme === value) ?? 'system'
  } catch {
    // Storage may be forbidden; the system's theme is a good one.
    return 'system'
  }
}

function show(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}

export const createThemeStore = () => {
  const store = createStore<ThemeState>()((set) => ({
    theme: remembered(),
    select: (theme) => {
      set({ theme })
      show(theme)
      try {
        localStorage.setItem(STORAGE_KEY, theme)
      } catch {
        // It holds until the window closes, then.
      }
    },
  }))
  show(store.getState().theme)
  return store
}
