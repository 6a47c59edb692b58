import type { StatementPeriod, WalletStatement } from '../../src-preload/contract/index.ts'
import { trmValue } from '../earning/index.ts'
import { type Clock, readClockMs } from '../kernel/index.ts'
import { type Statement, statementJson, statementTradesCsv } from '../ledger/index.ts'
import type { Settlement } from './economy-settlement.ts'
import type { Handlers } from './handlers.ts'

interface StatementPorts {
  settlement: Settlement
  clock: Clock
  nodeId: string
  prices(): { per_trm: number | null; currency: string }
}

const DAY_MS = 86_400_000
const DAYS = { '24h': 1, '7d': 7, '30d': 30 } as const

/** The statement of a period for the window: its sums as seen from this node, and the files. */
export function statementHandlers(ports: StatementPorts): Pick<Handlers, 'wallet.statement'> {
  return {
    'wallet.statement': async ({ period }) => {
      const endMs = readClockMs(ports.clock)
      const statement = await ports.settlement({ startMs: startOf(period, endMs), endMs })
      return statementView(statement, ports)
    },
  }
}

/** A month begins at midnight where the host is. */
function startOf(period: StatementPeriod, endMs: number): number {
  if (period !== 'month') return Math.max(0, endMs - DAYS[period] * DAY_MS)
  const end = new Date(endMs)
  return Math.max(0, new Date(end.getFullYear(), end.getMonth()).getTime())
}

function statementView(statement: Statement, { nodeId, prices }: StatementPorts): WalletStatement {
  const sums = { fromOthersTrm: 0n, ownUseTrm: 0n, spentTrm: 0n }
  for (const { terms, facts } of statement.trades) {
    // What only passed through is neither earned nor spent.
    const ownTrm = terms.amountTrm - (facts.passedOnTrm ?? 0n)
    if (terms.provider === nodeId) sums[facts.ownKey ? 'ownUseTrm' : 'fromOthersTrm'] += ownTrm
    if (terms.consumer === nodeId) sums.spentTrm += ownTrm
  }
  const { per_trm: perTrm, currency } = prices()
  const amount = trmValue(sums.fromOthersTrm, perTrm)
  return {
    ...statement.window,
    trades: statement.trades.length,
    fromOthersTrm: String(sums.fromOthersTrm),
    ownUseTrm: String(sums.ownUseTrm),
    spentTrm: String(sums.spentTrm),
    value: amount === null || !Number.isFinite(amount) ? null : { amount, currency },
    json: statementJson(statement),
    tradesCsv: statementTradesCsv(statement),
  }
}
