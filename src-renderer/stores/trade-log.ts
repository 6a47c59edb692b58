import { createStore } from 'zustand/vanilla'
import type { HostClient, PublicErrorData, Trade } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

const PAGE = 100
/** Home keeps the latest; this is the whole list, as far as anybody scrolls. */
const KEPT = 20_000

export interface TradeLogState {
  /** Newest first; null until the first answer. */
  trades: Trade[] | null
  total: number
  loading: boolean
  loadError: PublicErrorData | null
  load(): Promise<void>
  loadOlder(): Promise<void>
  /** Trades that the host has told of since. */
  add(trades: readonly Trade[]): void
}

const merged = (...lists: (readonly Trade[])[]): Trade[] =>
  [...new Map(lists.flat().map((trade) => [trade.index, trade])).values()]
    .sort((a, b) => b.index - a.index)
    .slice(0, KEPT)

export const createTradeLogStore = (client: HostClient) =>
  createStore<TradeLogState>()((set, get) => {
    async function guarded(action: () => Promise<void>): Promise<void> {
      if (get().loading) return
      set({ loading: true })
      try {
        await action()
        set({ loading: false, loadError: null })
      } catch (error) {
        set({ loading: false, loadError: toPublicError(error) })
      }
    }
    return {
      trades: null,
      total: 0,
      loading: false,
      loadError: null,
      load: () =>
        guarded(async () => {
          const { trades, total } = await client.call('trades.list', { limit: PAGE })
          const known = get().trades ?? []
          // A list that no longer joins what was shown begins anew.
          const joins = known.length > 0 && trades.some(({ index }) => index <= (known[0]?.index ?? -1))
          set({ trades: joins ? merged(trades, known) : trades, total })
        }),
      loadOlder: () =>
        guarded(async () => {
          const oldest = get().trades?.at(-1)
          if (oldest === undefined || oldest.index === 0) return
          const { trades } = await client.call('trades.list', { limit: PAGE, beforeIndex: oldest.index })
          set({ trades: merged(get().trades ?? [], trades) })
        }),
      add: (trades) => {
        const known = get().trades
        const newest = known?.[0]?.index ?? -1
        if (known === null || !trades.some(({ index }) => index > newest)) return
        const all = merged(known, trades)
        const isWhole = (all[0]?.index ?? 0) - newest === all.length - known.length
        if (isWhole) set({ trades: all, total: Math.max(get().total, (all[0]?.index ?? -1) + 1) })
        else void get().load()
      },
    }
  })
