import { Monitor, Moon, Sun } from 'lucide-react'
import { useTranslation } from '../i18n/index.ts'
import { useTheme } from '../stores/context.tsx'
import { themes } from '../stores/theme.ts'
import { Segmented, Tooltip } from '../widgets/index.ts'

const icons = { system: Monitor, light: Sun, dark: Moon } as const

export function ThemeSwitch() {
  const { t } = useTranslation('shell')
  const { theme, select } = useTheme((state) => state)
  const options = themes.map((value) => {
    const Icon = icons[value]
    const name = t(`theme.${value}`)
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
  return <Segmented label={t('theme.label')} options={options} value={theme} onChange={select} />
}
