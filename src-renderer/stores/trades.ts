import { createStore } from 'zustand/vanilla'
import type { HostClient, PublicErrorData, Trade, TradeProof } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

/** More rows than this help nobody and slow the window down. */
export const TRADES_KEPT = 200
const PAGE = 25

export type ProofState =
  | { phase: 'checking' }
  | { phase: 'checked'; proof: TradeProof }
  | { phase: 'failed'; error: PublicErrorData }

export interface TradesState {
  /** Newest first; null until the first answer. */
  trades: Trade[] | null
  /** Trades in the ledger, of which `trades` is the newest part. */
  total: number
  loadError: PublicErrorData | null
  loadingOlder: boolean
  /** Trades that came in while the window was watching. */
  liveIds: ReadonlySet<string>
  proofs: Readonly<Record<string, ProofState>>
  load(): Promise<void>
  loadOlder(): Promise<void>
  prove(tradeId: string): Promise<void>
  onTradeBooked(trade: Trade): void
}

/** Newest first, each trade once, at most `TRADES_KEPT`. */
function merge(...lists: readonly Trade[][]): Trade[] {
  const byId = new Map(lists.flat().map((trade) => [trade.tradeId, trade]))
  return [...byId.values()].sort((a, b) => b.index - a.index).slice(0, TRADES_KEPT)
}

export const createTradesStore = (client: HostClient) =>
  createStore<TradesState>()((set, get) => {
    /** Trades booked since the list was asked for, which the answer may lack. Null while nothing is asked. */
    let bookedMeanwhile: Trade[] | null = null

    return {
      trades: null,
      total: 0,
      loadError: null,
      loadingOlder: false,
      liveIds: new Set(),
      proofs: {},
      load: async () => {
        const booked: Trade[] = []
        bookedMeanwhile = booked
        set({ loadError: null })
        try {
          const { trades, total } = await client.call('trades.list', { limit: PAGE })
          if (bookedMeanwhile !== booked) return
          const merged = merge(trades, booked)
          set({ trades: merged, total: Math.max(total, (merged[0]?.index ?? -1) + 1) })
        } catch (error) {
          if (bookedMeanwhile === booked) set({ loadError: toPublicError(error) })
        } finally {
          if (bookedMeanwhile === booked) bookedMeanwhile = null
        }
      },
      loadOlder: async () => {
        const oldest = get().trades?.at(-1)
        if (oldest === undefined || get().loadingOlder) return
        set({ loadingOlder: true, loadError: null })
        try {
          const older = await client.call('trades.list', { limit: PAGE, beforeIndex: oldest.index })
          set((state) => ({ trades: merge(state.trades ?? [], older.trades) }))
        } catch (error) {
          set({ loadError: toPublicError(error) })
        } finally {
          set({ loadingOlder: false })
        }
      },
      prove: async (tradeId) => {
        const put = (proof: ProofState) => set((state) => ({ proofs: { ...state.proofs, [tradeId]: proof } }))
        put({ phase: 'checking' })
        try {
          put({ phase: 'checked', proof: await client.call('trades.prove', { tradeId }) })
        } catch (error) {
          put({ phase: 'failed', error: toPublicError(error) })
        }
      },
      onTradeBooked: (trade) => {
        bookedMeanwhile?.push(trade)
        set((state) => {
          // Before the list has come, one trade alone would read as if it were all there is.
          if (state.trades === null) return state
          if (state.trades.some(({ tradeId }) => tradeId === trade.tradeId)) return state
          const trades = merge(state.trades, [trade])
          return {
            trades,
            total: Math.max(state.total, trade.index + 1),
            liveIds: new Set(
              trades
                .filter(({ tradeId }) => tradeId === trade.tradeId || state.liveIds.has(tradeId))
                .map(({ tradeId }) => tradeId),
            ),
          }
        })
      },
    }
  })
