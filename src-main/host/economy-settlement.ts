import { type Clock, readClockMs, TiramiError } from '../kernel/index.ts'
import { exportStatement, type Ledger, type Statement } from '../ledger/index.ts'

interface SettlementQuery {
  /** Before the end, when there is no start; 24 by default. */
  hours?: number | undefined
  startMs?: number | undefined
  /** Now, when absent. */
  endMs?: number | undefined
  /** Decimal digits, such as 0.25. */
  referencePrice?: string | undefined
}

/**
 * @throws TiramiError STATEMENT_INVALID, SETTLEMENT_TOO_LARGE (400), SETTLEMENT_BUSY (429), CLOCK_UNREADABLE,
 *   and what reading the journal throws
 */
export type Settlement = (query: SettlementQuery) => Promise<Statement>

const HOUR_MS = 3_600_000
const DEFAULT_HOURS = 24
/** Beyond it the host would stand still for too long while a statement is written. */
const LEDGER_TRADES_MAX = 20_000

/**
 * Settlement statements of the ledger in `directory` (spec section 1.3). Each one reads the
 * whole journal and checks it, so there is one at a time, and none of a ledger that is too long for it.
 */
export function createSettlement(ports: {
  directory: string
  ledger: Pick<Ledger, 'tradeCount'>
  clock: Clock
}): Settlement {
  const { directory, ledger, clock } = ports
  let busy = false
  return async ({ hours = DEFAULT_HOURS, startMs, endMs, referencePrice }) => {
    if (ledger.tradeCount() > LEDGER_TRADES_MAX) throw settlementTooLarge()
    if (busy) throw settlementBusy()
    busy = true
    try {
      const nowMs = readClockMs(clock)
      const toMs = endMs ?? nowMs
      const fromMs = startMs ?? Math.max(0, toMs - hours * HOUR_MS)
      const [from, to] = [fromMs, toMs].map((atMs) => new Date(atMs).toISOString())
      return await exportStatement(directory, { from, to, price: referencePrice, nowMs })
    } finally {
      busy = false
    }
  }
}

function settlementTooLarge(): TiramiError {
  return new TiramiError('SETTLEMENT_TOO_LARGE', 'This ledger is too long for a statement over HTTP.', {
    nextStep: 'Run “npm run ledger -- export” on the host: it needs no stop.',
    httpStatus: 400,
  })
}

function settlementBusy(): TiramiError {
  return new TiramiError('SETTLEMENT_BUSY', 'Another settlement statement is being made.', {
    nextStep: 'Try again in a few seconds.',
    httpStatus: 429,
  })
}
