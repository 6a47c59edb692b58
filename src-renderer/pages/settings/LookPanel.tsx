import { languageNames, useTranslation } from '../../i18n/index.ts'
import { useLanguage, useSettings, useTheme } from '../../stores/context.tsx'
import { languageChoices } from '../../stores/language.ts'
import { themes } from '../../stores/theme.ts'
import { Button, Card, Segmented, Select } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'

/** Language and theme belong to this window, not to the host. */
export function LookPanel() {
  const { t } = useTranslation(['settings', 'shell'])
  const { theme, select } = useTheme((state) => state)
  const language = useLanguage((state) => state)
  const guide = useSubject(useSettings, 'guide')
  return (
    <Card id="look" title={t('look.title')}>
      <p className="muted hint">{t('look.text')}</p>
      <div className="fields">
        <div className="setting">
          <p className="setting__label">{t('shell:theme.label')}</p>
          <div className="setting__fields">
            <Segmented
              label={t('look.theme')}
              options={themes.map((value) => ({ value, content: t(`shell:theme.${value}`) }))}
              value={theme}
              onChange={select}
            />
          </div>
        </div>
        <Select
          label={t('look.language')}
          options={languageChoices.map((value) => ({
            value,
            label: value === 'system' ? t('shell:language.system') : languageNames[value],
            ...(value === 'system' ? {} : { lang: value }),
          }))}
          value={language.choice}
          onChange={(next) => void language.select(next)}
        />
        <div className="setting">
          <div className="setting__fields">
            <Button
              disabled={guide.blocked}
              onClick={() => void guide.run('settings.guide', { state: 'open', step: 'machine' })}
            >
              {t('guide.again')}
            </Button>
          </div>
          <p className="setting__hint">{t('guide.againText')}</p>
        </div>
      </div>
    </Card>
  )
}
