import { Users } from 'lucide-react'
import type { MeshPeer, MeshView } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatTrm, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { Badge, Card, CopyField, Dialog, EmptyState, Stat } from '../../widgets/index.ts'
import { VirtualTable } from '../activity/VirtualTable.tsx'
import { hostName, latencyWords, priceWords, reputationWords } from './words.ts'

export function HostsPanel({ view, onOpen }: { view: MeshView; onOpen: (peer: MeshPeer) => void }) {
  const { t } = useTranslation('market')
  return (
    <Card
      id="market-hosts"
      title={t('hosts.title')}
      aside={<p className="muted figures market__count">{t('hosts.count', { count: view.peersKnown })}</p>}
    >
      {view.peers.length === 0 ? (
        <EmptyState icon={Users} title={t('hosts.none')}>
          {t('hosts.noneText')}
        </EmptyState>
      ) : (
        <VirtualTable
          look="hosts"
          label={t('hosts.title')}
          columns={[
            { key: 'host', name: t('hosts.host') },
            { key: 'state', name: t('hosts.state') },
            { key: 'models', name: t('hosts.models') },
            { key: 'trust', name: t('hosts.trust') },
            { key: 'reputation', name: t('hosts.reputation'), number: true },
            { key: 'latency', name: t('hosts.latency'), number: true, wide: true },
            { key: 'traded', name: t('hosts.trades'), number: true },
            { key: 'price', name: t('hosts.price'), number: true, wide: true },
          ]}
          rows={view.peers}
          keyOf={({ nodeId }) => nodeId}
          total={view.peers.length}
          cells={(peer) => [
            <button
              key="host"
              type="button"
              className="log__open"
              aria-label={t('hosts.open', { host: hostName(peer.nodeId) })}
              onClick={() => onOpen(peer)}
            >
              {hostName(peer.nodeId)}
            </button>,
            <Connected key="state" connected={peer.connected} />,
            <span key="models" title={peer.models.map(({ id }) => id).join(', ')}>
              {peer.models.length === 0 ? t('hosts.servesNone') : peer.models.map(({ id }) => id).join(', ')}
            </span>,
            <Trust key="trust" peer={peer} />,
            reputationWords(peer.reputation),
            latencyWords(peer.latencyMs),
            groupDigits(peer.verifiedTrades),
            priceWords(peer.priceMultiplier),
          ]}
        />
      )}
    </Card>
  )
}

function Connected({ connected }: { connected: boolean }) {
  const { t } = useTranslation('market')
  return connected ? <Badge tone="earning">{t('hosts.connected')}</Badge> : <Badge>{t('hosts.heard')}</Badge>
}

function Trust({ peer: { auditTier } }: { peer: MeshPeer }) {
  const { t } = useTranslation('market')
  return <Badge tone={auditTier === 'trusted' ? 'earning' : 'plain'}>{t(`tiers.${auditTier}`)}</Badge>
}

/** All that is known of one host; its whole key is here. */
export function HostDialog({ peer, onClose }: { peer: MeshPeer; onClose: () => void }) {
  const { t } = useTranslation('market')
  const { load } = peer
  return (
    <Dialog title={hostName(peer.nodeId)} open wide onClose={onClose}>
      <p className="host-dialog__state">
        <Connected connected={peer.connected} /> <Trust peer={peer} />{' '}
        <span className="muted">{t('hosts.seen', { when: formatDateTime(peer.lastSeenMs) })}</span>
      </p>
      <dl className="trade__stats">
        <Stat label={t('hosts.reputation')}>{reputationWords(peer.reputation)}</Stat>
        <Stat label={t('hosts.trades')}>{groupDigits(peer.verifiedTrades)}</Stat>
        <Stat label={t('hosts.latency')}>{latencyWords(peer.latencyMs)}</Stat>
        <Stat label={t('hosts.price')}>{priceWords(peer.priceMultiplier)}</Stat>
        <Stat label={t('hosts.load')}>
          {t('hosts.loadText', { running: load.running, queued: load.queued, slots: load.slots })}
        </Stat>
      </dl>
      <p className="muted market__hint">{t(`tiersText.${peer.auditTier}`)}</p>
      {peer.models.length === 0 ? (
        <p>{t('hosts.servesNone')}</p>
      ) : (
        <ul className="host-dialog__models">
          {peer.models.map(({ id, contextTokens, trmPer1000Tokens, demonstration }) => (
            <li key={id}>
              <strong>{id}</strong> {demonstration ? <Badge>{t('offers.demonstration')}</Badge> : null}
              <span className="muted">
                {t('hosts.offer', {
                  cost: formatTrm(trmPer1000Tokens),
                  tokens: groupDigits(contextTokens),
                })}
              </span>
            </li>
          ))}
        </ul>
      )}
      <dl className="ids">
        <CopyField name={t('hosts.key')} value={peer.nodeId} />
      </dl>
    </Dialog>
  )
}
