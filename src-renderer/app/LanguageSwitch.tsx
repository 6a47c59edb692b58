import { Languages } from 'lucide-react'
import { languageNames, useTranslation } from '../i18n/index.ts'
import { useLanguage } from '../stores/context.tsx'
import { languageChoices } from '../stores/language.ts'
import { Select } from '../widgets/index.ts'

export function LanguageSwitch() {
  const { t } = useTranslation('shell')
  const { choice, select } = useLanguage((state) => state)
  const options = languageChoices.map((value) => ({
    value,
    label: value === 'system' ? t('language.system') : languageNames[value],
    ...(value === 'system' ? {} : { lang: value }),
  }))
  return (
    <div className="language">
      <Languages size={16} aria-hidden="true" />
      <Select
        label={t('language.label')}
        labelHidden
        options={options}
        value={choice}
        onChange={(next) => void select(next)}
      />
    </div>
  )
}
