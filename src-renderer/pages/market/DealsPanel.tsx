import { ReceiptText } from 'lucide-react'
import { useState } from 'react'
import type { MeshTrade, MeshView } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatTrm, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { Badge, Card, CopyField, Dialog, EmptyState, Stat } from '../../widgets/index.ts'
import { VirtualTable } from '../activity/VirtualTable.tsx'
import { Signatures } from '../home/TradeDialog.tsx'
import { hostName } from './words.ts'

/** Trades with other hosts, with both signatures one click deeper. */
export function DealsPanel({ view }: { view: MeshView }) {
  const { t } = useTranslation(['market', 'common'])
  const [opened, setOpened] = useState<MeshTrade | null>(null)
  const { trades, standing } = view
  return (
    <Card
      id="market-trades"
      title={t('deals.title')}
      aside={<p className="muted figures market__count">{t('common:trades', { count: standing.trades })}</p>}
    >
      {trades.length === 0 ? (
        <EmptyState icon={ReceiptText} title={t('deals.none')}>
          {t('deals.noneText')}
        </EmptyState>
      ) : (
        <VirtualTable
          look="mesh-trades"
          label={t('deals.title')}
          columns={[
            { key: 'when', name: t('deals.when') },
            { key: 'role', name: t('deals.role') },
            { key: 'host', name: t('deals.host') },
            { key: 'model', name: t('deals.model') },
            { key: 'count', name: t('deals.tokens'), number: true, wide: true },
            { key: 'amount', name: 'TRM', number: true },
          ]}
          rows={trades}
          keyOf={({ tradeId }) => tradeId}
          total={trades.length}
          cells={(trade) => {
            const when = formatDateTime(trade.atMs)
            return [
              <button
                key="when"
                type="button"
                className="log__open"
                aria-label={t('deals.open', { when })}
                onClick={() => setOpened(trade)}
              >
                <time dateTime={new Date(trade.atMs).toISOString()}>{when}</time>
              </button>,
              <Role key="role" trade={trade} />,
              hostName(trade.other),
              <span key="model" title={trade.model}>
                {trade.model}
              </span>,
              groupDigits(trade.tokens),
              groupDigits(trade.amountTrm),
            ]
          }}
        />
      )}
      {standing.unconfirmedTrades === 0 ? null : (
        <p className="muted market__hint">{t('deals.unconfirmed', { count: standing.unconfirmedTrades })}</p>
      )}
      {view.observedTrades === 0 ? null : (
        <p className="muted market__hint">{t('deals.observed', { count: view.observedTrades })}</p>
      )}
      {opened === null ? null : <DealDialog trade={opened} onClose={() => setOpened(null)} />}
    </Card>
  )
}

function Role({ trade: { role } }: { trade: MeshTrade }) {
  const { t } = useTranslation('market')
  return <Badge tone={role === 'sold' ? 'earning' : 'plain'}>{t(`deals.roles.${role}`)}</Badge>
}

function DealDialog({ trade, onClose }: { trade: MeshTrade; onClose: () => void }) {
  const { t } = useTranslation('market')
  return (
    <Dialog
      title={t(`deals.dialog.${trade.role}`, { host: hostName(trade.other) })}
      open
      wide
      onClose={onClose}
    >
      <p className="muted">{formatDateTime(trade.atMs)}</p>
      <dl className="trade__stats">
        <Stat label={t('deals.amount')}>{formatTrm(trade.amountTrm)}</Stat>
        <Stat label={t('deals.tokens')}>{groupDigits(trade.tokens)}</Stat>
        <Stat label={t('deals.model')}>{trade.model}</Stat>
      </dl>
      <Signatures tradeId={trade.tradeId} />
      <dl className="ids">
        <CopyField name={t('deals.id')} value={trade.tradeId} />
        <CopyField name={t('deals.other')} value={trade.other} />
      </dl>
    </Dialog>
  )
}
