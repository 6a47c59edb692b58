import { Network } from 'lucide-react'
import { useTranslation } from '../../i18n/index.ts'
import { Card } from '../../widgets/index.ts'

const POINTS = ['sell', 'buy', 'prompts', 'known', 'never'] as const

/** What taking part means, before anybody does. */
export function OffPanel() {
  const { t } = useTranslation('market')
  return (
    <Card id="market-off" title={t('off.title')}>
      <div className="market-off">
        <Network size={40} strokeWidth={1.25} aria-hidden="true" />
        <p className="market-off__lead">{t('off.lead')}</p>
        <dl className="market-off__points">
          {POINTS.map((point) => (
            <div key={point}>
              <dt>{t(`off.points.${point}.title`)}</dt>
              <dd>{t(`off.points.${point}.text`)}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Card>
  )
}
