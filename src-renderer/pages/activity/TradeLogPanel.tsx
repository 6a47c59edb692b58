import { CircleCheck, ReceiptText, TriangleAlert } from 'lucide-react'
import { useCallback, useEffect, useState } from 'react'
import type { Trade } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatDuration, formatFlop, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useStatus, useTradeLog, useTrades } from '../../stores/context.tsx'
import { Badge, Card, EmptyState, ErrorState } from '../../widgets/index.ts'
import { consumerName } from '../consumer-name.ts'
import { TradeDialog } from '../home/TradeDialog.tsx'
import { Pending } from '../Pending.tsx'
import { VirtualTable } from './VirtualTable.tsx'

/** Every paid job, with both signatures one click deeper. */
export function TradeLogPanel() {
  const { t } = useTranslation(['activity', 'common'])
  const { trades, total, loadError, load, loadOlder, add } = useTradeLog((state) => state)
  const booked = useTrades((state) => state.trades)
  const offline = useConnection((state) => state.phase === 'offline')
  const [opened, setOpened] = useState<Trade | null>(null)

  useEffect(() => {
    if (booked !== null) add(booked)
  }, [booked, add])

  return (
    <Card
      id="activity-trades"
      title={t('trades.title')}
      aside={trades === null ? null : <p className="muted figures">{t('common:trades', { count: total })}</p>}
    >
      {trades === null ? (
        <Pending what={t('trades.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          {trades.length === 0 ? (
            <EmptyState icon={ReceiptText} title={t('trades.none')}>
              {t('trades.noneText')}
            </EmptyState>
          ) : (
            <TradeTable trades={trades} total={total} onOpen={setOpened} onNearEnd={loadOlder} />
          )}
        </>
      )}
      {opened === null ? null : <TradeDialog trade={opened} onClose={() => setOpened(null)} />}
    </Card>
  )
}

interface TradeTableProps {
  trades: readonly Trade[]
  total: number
  onOpen: (trade: Trade) => void
  onNearEnd: () => Promise<void>
}

function TradeTable({ trades, total, onOpen, onNearEnd }: TradeTableProps) {
  const { t } = useTranslation('activity')
  const model = useStatus((state) => state.status?.model)
  const nearEnd = useCallback(() => {
    if (trades.length < total) void onNearEnd()
  }, [trades.length, total, onNearEnd])
  return (
    <VirtualTable
      look="trades"
      label={t('trades.title')}
      columns={[
        { key: 'when', name: t('trades.when') },
        { key: 'who', name: t('trades.who') },
        { key: 'model', name: t('trades.model'), wide: true },
        { key: 'tokens', name: t('trades.tokens'), number: true, wide: true },
        { key: 'work', name: t('trades.work'), number: true },
        { key: 'took', name: t('trades.took'), number: true, wide: true },
        { key: 'amount', name: 'TRM', number: true },
        { key: 'signed', name: t('trades.signed') },
      ]}
      rows={trades}
      keyOf={({ index }) => index}
      total={total}
      onNearEnd={nearEnd}
      cells={(trade) => {
        const when = formatDateTime(trade.timestampMs)
        return [
          <button
            key="when"
            type="button"
            className="log__open"
            aria-label={t('trades.open', { when })}
            onClick={() => onOpen(trade)}
          >
            <time dateTime={new Date(trade.timestampMs).toISOString()}>{when}</time>
          </button>,
          <span key="who" title={consumerName(trade)}>
            {consumerName(trade)} {trade.ownKey ? <Badge>{t('trades.own')}</Badge> : null}
          </span>,
          model?.id === trade.modelId ? model.name : trade.modelId,
          `${groupDigits(trade.promptTokens)} / ${groupDigits(trade.completionTokens)}`,
          formatFlop(trade.flop),
          formatDuration(trade.latencyMs),
          groupDigits(trade.amountTrm),
          <Signed key="signed" trade={trade} />,
        ]
      }}
    />
  )
}

function Signed({ trade }: { trade: Trade }) {
  const { t } = useTranslation('activity')
  const both = trade.providerSigned && trade.consumerSigned
  const Icon = both ? CircleCheck : TriangleAlert
  return (
    <span className={both ? 'signed' : 'signed signed--lacking'}>
      <Icon size={15} aria-hidden="true" />
      <span className="signed__words">{both ? t('trades.both') : t('trades.lacking')}</span>
    </span>
  )
}
