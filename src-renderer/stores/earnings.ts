import { createStore } from 'zustand/vanilla'
import type {
  Earnings,
  EarningsRange,
  HostClient,
  PublicErrorData,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

/** Trades come in bursts; the totals are asked for once per burst. */
const REFRESH_DELAY_MS = 400

export interface EarningsState {
  range: EarningsRange
  /** Of `range`, or of the range before it while the new one loads. */
  earnings: Earnings | null
  loading: boolean
  loadError: PublicErrorData | null
  load(): Promise<void>
  selectRange(range: EarningsRange): Promise<void>
  onTradeBooked(): void
}

export const createEarningsStore = (client: HostClient) =>
  createStore<EarningsState>()((set, get) => {
    let latestRequest = 0
    let refresh: ReturnType<typeof setTimeout> | null = null

    return {
      range: '24h',
      earnings: null,
      loading: false,
      loadError: null,
      load: async () => {
        latestRequest += 1
        const request = latestRequest
        set({ loading: true, loadError: null })
        try {
          const earnings = await client.call('earnings.get', { range: get().range })
          if (request === latestRequest) set({ earnings, loading: false })
        } catch (error) {
          if (request === latestRequest) set({ loading: false, loadError: toPublicError(error) })
        }
      },
      selectRange: (range) => {
        set({ range })
        return get().load()
      },
      onTradeBooked: () => {
        if (refresh !== null) return
        refresh = setTimeout(() => {
          refresh = null
          void get().load()
        }, REFRESH_DELAY_MS)
      },
    }
  })
