import { CircleCheck, ReceiptText, TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import type { Trade } from '../../../src-preload/contract/index.ts'
import {
  formatDateTime,
  formatDuration,
  formatFlop,
  formatRelative,
  groupDigits,
  plural,
} from '../../format/index.ts'
import { useStatus, useTrades } from '../../stores/context.tsx'
import { TRADES_KEPT } from '../../stores/trades.ts'
import { Badge, Button, Card, EmptyState, ErrorState, useNow } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { TradeDialog } from './TradeDialog.tsx'

export function TradesPanel() {
  const { trades, total, loadError, load } = useTrades((state) => state)
  return (
    <Card
      id="trades"
      title="Trades"
      aside={
        trades === null ? null : (
          <p className="muted figures trades__count">
            {trades.length === total
              ? plural(total, 'trade')
              : `newest ${trades.length} of ${plural(total, 'trade')}`}
          </p>
        )
      }
    >
      {trades === null ? (
        <Pending what="trades" error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null ? null : <ErrorState error={loadError} onRetry={() => void load()} />}
          {trades.length === 0 ? <NoTrades /> : <TradesTable trades={trades} total={total} />}
        </>
      )}
    </Card>
  )
}

function NoTrades() {
  return (
    <EmptyState icon={ReceiptText} title="Nothing sold yet">
      Every answer that this machine gives is listed here, signed by both sides. Yours counts too: ask the
      model something.
    </EmptyState>
  )
}

function TradesTable({ trades, total }: { trades: Trade[]; total: number }) {
  const [opened, setOpened] = useState<Trade | null>(null)
  const liveIds = useTrades((state) => state.liveIds)
  const loadingOlder = useTrades((state) => state.loadingOlder)
  const loadOlder = useTrades((state) => state.loadOlder)
  const modelName = useStatus((state) => state.status?.model)
  const now = useNow(10_000)
  return (
    <>
      <div className="trades__scroll">
        <table className="trades figures">
          <caption className="visually-hidden">Trades, newest first. Open one for its details.</caption>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Who</th>
              <th scope="col" className="trades__wide">
                Model
              </th>
              <th scope="col" className="trades__number trades__medium">
                Tokens in / out
              </th>
              <th scope="col" className="trades__number trades__wide">
                Work
              </th>
              <th scope="col" className="trades__number trades__medium">
                Took
              </th>
              <th scope="col" className="trades__number">
                TRM
              </th>
              <th scope="col">Signed</th>
            </tr>
          </thead>
          <tbody>
            {trades.map((trade) => (
              <TradeRow
                key={trade.tradeId}
                trade={trade}
                modelName={modelName?.id === trade.modelId ? modelName.name : trade.modelId}
                isNew={liveIds.has(trade.tradeId)}
                now={now}
                onOpen={() => setOpened(trade)}
              />
            ))}
          </tbody>
        </table>
      </div>
      {trades.length < Math.min(total, TRADES_KEPT) ? (
        <Button
          className="trades__older"
          busy={loadingOlder}
          disabled={loadingOlder}
          onClick={() => void loadOlder()}
        >
          Show older trades
        </Button>
      ) : null}
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
  const when = formatDateTime(trade.timestampMs)
  return (
    <tr className={isNew ? 'trades__new' : undefined}>
      <td>
        <button type="button" className="trades__open" onClick={onOpen} aria-label={`Trade of ${when}`}>
          <time dateTime={new Date(trade.timestampMs).toISOString()} title={when}>
            {formatRelative(trade.timestampMs, now)}
          </time>
        </button>
      </td>
      <td className="trades__who">
        {trade.consumerLabel} {trade.ownKey ? <Badge>own key</Badge> : null}
      </td>
      <td className="trades__wide trades__model">{modelName}</td>
      <td className="trades__number trades__medium">
        {groupDigits(trade.promptTokens)} / {groupDigits(trade.completionTokens)}
      </td>
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
  const signatures = Number(trade.providerSigned) + Number(trade.consumerSigned)
  if (signatures === 2) {
    return (
      <span className="signed">
        <CircleCheck size={15} aria-hidden="true" />
        <span className="signed__words">Both signed</span>
      </span>
    )
  }
  return (
    <span className="signed signed--lacking">
      <TriangleAlert size={15} aria-hidden="true" />
      <span className="signed__words">{signatures === 1 ? 'One signature' : 'Unsigned'}</span>
    </span>
  )
}
