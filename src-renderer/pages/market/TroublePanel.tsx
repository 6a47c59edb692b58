import type { MeshView } from '../../../src-preload/contract/index.ts'
import { formatDateTime } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { Card } from '../../widgets/index.ts'
import { hostName } from './words.ts'

/** What went wrong with others; nothing where nothing did. */
export function TroublePanel({ view: { disputes, banned } }: { view: MeshView }) {
  const { t } = useTranslation('market')
  if (disputes.length === 0 && banned.length === 0) return null
  return (
    <Card id="market-trouble" title={t('trouble.title')}>
      <ul className="market__seen">
        {banned.map(({ nodeId, untilMs }) => (
          <li key={nodeId}>
            <span>{hostName(nodeId)}</span>
            <span>{t('trouble.banned', { when: formatDateTime(untilMs) })}</span>
          </li>
        ))}
        {disputes.map(({ provider, atMs, reason, model }) => (
          <li key={`${atMs} ${provider} ${reason}`}>
            <span>{hostName(provider)}</span>
            <span>{t(`trouble.reasons.${reason}`)}</span>
            <span className="muted">
              {model} · {formatDateTime(atMs)}
            </span>
          </li>
        ))}
      </ul>
      <p className="muted market__hint">{t('trouble.text')}</p>
    </Card>
  )
}
