import { Monitor, Moon, Sun } from 'lucide-react'
import { type StoreApi, useStore } from 'zustand'
import { type ThemeState, themes } from '../stores/theme.ts'
import { Segmented, Tooltip } from '../widgets/index.ts'

const looks = {
  system: { icon: Monitor, name: 'As the system' },
  light: { icon: Sun, name: 'Light' },
  dark: { icon: Moon, name: 'Dark' },
} as const

const options = themes.map((value) => {
  const { icon: Icon, name } = looks[value]
  return {
    value,
    content: (
      <Tooltip text={name}>
        <Icon size={15} aria-hidden="true" />
        <span className="visually-hidden">{name}</span>
      </Tooltip>
    ),
  }
})

export function ThemeSwitch({ store }: { store: StoreApi<ThemeState> }) {
  const { theme, select } = useStore(store)
  return <Segmented label="Theme" options={options} value={theme} onChange={select} />
}
