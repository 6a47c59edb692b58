import { Eye } from 'lucide-react'
import type { MeshView } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatTrm, groupDigits } from '../../format/index.ts'
import { errorWords, useTranslation } from '../../i18n/index.ts'
import { useConnection, useStatus } from '../../stores/context.tsx'
import { describeHost } from '../../stores/host-state.ts'
import { Badge, Card, EmptyState, Notice, Stat } from '../../widgets/index.ts'
import { hostName, priceWords, reputationWords } from './words.ts'

/** This host as others find it. */
export function StandingPanel({ view }: { view: MeshView }) {
  const { t } = useTranslation('market')
  const { standing, trades } = view
  const partners = new Set(trades.map(({ other }) => other)).size
  return (
    <Card id="market-standing" title={t('standing.title')} aside={<Offering view={view} />}>
      <NotOffering standing={standing} />
      <dl className="market__stats">
        <Stat label={t('standing.reputation')}>{reputationWords(standing.reputation)}</Stat>
        <Stat label={t('standing.stake')}>{formatTrm(standing.stakedTrm)}</Stat>
        <Stat label={t('standing.price')}>{priceWords(standing.priceMultiplier)}</Stat>
        <Stat label={t('standing.trades')}>{groupDigits(standing.trades)}</Stat>
        <Stat label={t('standing.partners')}>{groupDigits(partners)}</Stat>
      </dl>
      <Gate gate={standing.gate} />
      <p className="muted market__hint">
        {t('standing.text')} <a href="#/wallet">{t('standing.toWallet')}</a>
      </p>
      <h3 className="market__sub">{t('standing.seen')}</h3>
      {standing.seenBy.length === 0 ? (
        <EmptyState icon={Eye} title={t('standing.seenNone')}>
          {t('standing.seenNoneText')}
        </EmptyState>
      ) : (
        <ul className="market__seen">
          {standing.seenBy.map(({ observer, reputation, trades: count, atMs }) => (
            <li key={observer}>
              <span>{hostName(observer)}</span>
              <strong className="figures">{reputationWords(reputation)}</strong>
              <span className="muted">
                {t('standing.after', { count })} · {formatDateTime(atMs)}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function Offering({ view: { standing } }: { view: MeshView }) {
  const { t } = useTranslation('market')
  return standing.offered.length === 0 ? (
    <Badge>{t('standing.notOffering')}</Badge>
  ) : (
    <Badge tone="earning">{t('standing.offering', { models: standing.offered.join(', ') })}</Badge>
  )
}

function NotOffering({ standing: { notOffering } }: Pick<MeshView, 'standing'>) {
  const { t } = useTranslation('market')
  const phase = useConnection((state) => state.phase)
  const status = useStatus((state) => state.status)
  if (notOffering === null || notOffering.code === 'MESH_OFF') return null
  const { message, nextStep } = errorWords(notOffering)
  return (
    <Notice title={t('standing.why')}>
      {notOffering.code === 'HOST_RESTING'
        ? describeHost(phase, { status, loadError: null }).reason
        : `${message} ${nextStep}`}
    </Notice>
  )
}

/** How much strangers may pay a host that has nothing at stake. */
function Gate({ gate: { capTrm, earnedTrm, stakeTrm } }: Pick<MeshView['standing'], 'gate'>) {
  const { t } = useTranslation('market')
  if (capTrm === null) return null
  return (
    <p className="market__hint">
      {t('standing.gate', {
        cap: formatTrm(capTrm),
        earned: formatTrm(earnedTrm),
        stake: formatTrm(stakeTrm),
      })}
    </p>
  )
}
