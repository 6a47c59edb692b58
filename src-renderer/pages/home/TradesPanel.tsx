import { ArrowRight, CircleCheck, ReceiptText, TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import type { Trade } from '../../../src-preload/contract/index.ts'
import {
  formatDateTime,
  formatDuration,
  formatFlop,
  formatRelative,
  groupDigits,
} from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useStatus, useTrades } from '../../stores/context.tsx'
import { Badge, Card, EmptyState, ErrorState, useNow } from '../../widgets/index.ts'
import { consumerName } from '../consumer-name.ts'
import { Pending } from '../Pending.tsx'
import { TradeDialog } from './TradeDialog.tsx'

/** The whole list is on the page Activity. */
const SHOWN = 8

export function TradesPanel() {
  const { t } = useTranslation(['home', 'common'])
  const { trades, total, loadError, load } = useTrades((state) => state)
  return (
    <Card
      id="trades"
      title={t('trades.title')}
      aside={
        trades === null ? null : (
          <p className="muted figures">
            {total <= SHOWN
              ? t('common:trades', { count: total })
              : t('trades.count', { shown: SHOWN, total: t('common:trades', { count: total }) })}
          </p>
        )
      }
    >
      {trades === null ? (
        <Pending what={t('trades.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null ? null : <ErrorState error={loadError} onRetry={() => void load()} />}
          {trades.length === 0 ? <NoTrades /> : <TradesTable trades={trades.slice(0, SHOWN)} />}
          <a className="more" href="#/activity">
            {t('trades.all')}
            <ArrowRight size={15} aria-hidden="true" />
          </a>
        </>
      )}
    </Card>
  )
}

function NoTrades() {
  const { t } = useTranslation('home')
  return (
    <EmptyState icon={ReceiptText} title={t('trades.empty.title')}>
      {t('trades.empty.text')}
    </EmptyState>
  )
}

function TradesTable({ trades }: { trades: Trade[] }) {
  const { t } = useTranslation('home')
  const [opened, setOpened] = useState<Trade | null>(null)
  const liveIds = useTrades((state) => state.liveIds)
  const model = useStatus((state) => state.status?.model)
  const now = useNow(10_000)
  return (
    <>
      <table className="trades figures">
        <caption className="visually-hidden">{t('trades.caption')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('trades.when')}</th>
            <th scope="col">{t('trades.who')}</th>
            <th scope="col" className="trades__wide">
              {t('trades.model')}
            </th>
            <th scope="col" className="trades__number trades__wide">
              {t('trades.work')}
            </th>
            <th scope="col" className="trades__number trades__medium">
              {t('trades.took')}
            </th>
            <th scope="col" className="trades__number">
              TRM
            </th>
            <th scope="col">{t('trades.signed')}</th>
          </tr>
        </thead>
        <tbody>
          {trades.map((trade) => (
            <TradeRow
              key={trade.tradeId}
              trade={trade}
              modelName={model?.id === trade.modelId ? model.name : trade.modelId}
              isNew={liveIds.has(trade.tradeId)}
              now={now}
              onOpen={() => setOpened(trade)}
            />
          ))}
        </tbody>
      </table>
      {opened === null ? null : <TradeDialog trade={opened} onClose={() => setOpened(null)} />}
    </>
  )
}

interface TradeRowProps {
  trade: Trade
  modelName: string
  isNew: boolean
  now: number
  onOpen: () => void
}

function TradeRow({ trade, modelName, isNew, now, onOpen }: TradeRowProps) {
  const { t } = useTranslation('home')
  const when = formatDateTime(trade.timestampMs)
  return (
    <tr className={isNew ? 'trades__new' : undefined}>
      <td>
        <button type="button" className="trades__open" onClick={onOpen}>
          <time dateTime={new Date(trade.timestampMs).toISOString()} title={when}>
            {formatRelative(trade.timestampMs, now)}
          </time>
          <span className="visually-hidden">, {t('trades.open', { when })}</span>
        </button>
      </td>
      <td className="trades__who">
        {consumerName(trade)} {trade.ownKey ? <Badge>{t('trades.ownKey')}</Badge> : null}
      </td>
      <td className="trades__wide trades__model">{modelName}</td>
      <td className="trades__number trades__wide">{formatFlop(trade.flop)}</td>
      <td className="trades__number trades__medium">{formatDuration(trade.latencyMs)}</td>
      <td className="trades__number trades__amount">{groupDigits(trade.amountTrm)}</td>
      <td>
        <SignatureState trade={trade} />
      </td>
    </tr>
  )
}

function SignatureState({ trade }: { trade: Trade }) {
  const { t } = useTranslation('home')
  const signatures = Number(trade.providerSigned) + Number(trade.consumerSigned)
  if (signatures === 2) {
    return (
      <span className="signed">
        <CircleCheck size={15} aria-hidden="true" />
        <span className="signed__words">{t('trades.bothSigned')}</span>
      </span>
    )
  }
  return (
    <span className="signed signed--lacking">
      <TriangleAlert size={15} aria-hidden="true" />
      <span className="signed__words">{signatures === 1 ? t('trades.oneSigned') : t('trades.unsigned')}</span>
    </span>
  )
}
