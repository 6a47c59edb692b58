import { createStore } from 'zustand/vanilla'
import type {
  DepthEffort,
  DepthLevel,
  DepthMap,
  HostClient,
  PublicErrorData,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

const HOUR_MS = 3_600_000
export const depthRanges = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '7d': 168 * HOUR_MS, '30d': 720 * HOUR_MS }
export type DepthRange = keyof typeof depthRanges

const BUCKETS: Record<DepthRange, number> = { '1h': 12, '24h': 48, '7d': 56, '30d': 60 }

const MINUTE_MS = 60_000

/** End of the stretch of time that is under way: stretches begin at whole hours, or days, of this place. */
function bucketEnd(bucketMs: number): number {
  const nowMs = Date.now() + 1
  const zoneMs = new Date(nowMs).getTimezoneOffset() * MINUTE_MS
  return Math.ceil((nowMs - zoneMs) / bucketMs) * bucketMs + zoneMs
}

export interface DepthChoice {
  range: DepthRange
  /** Null: both. */
  level: DepthLevel | null
  /** Null: all. */
  effort: DepthEffort | null
}

export interface DepthState {
  choice: DepthChoice
  /** Null until the first answer. */
  map: DepthMap | null
  loading: boolean
  loadError: PublicErrorData | null
  load(): Promise<void>
  choose(change: Partial<DepthChoice>): Promise<void>
}

/** How deep the recursive model thought, over time. */
export const createDepthStore = (client: HostClient) =>
  createStore<DepthState>()((set, get) => {
    let latest = 0
    return {
      choice: { range: '24h', level: null, effort: null },
      map: null,
      loading: false,
      loadError: null,
      load: async () => {
        latest += 1
        const mine = latest
        const { range, level, effort } = get().choice
        const toMs = bucketEnd(depthRanges[range] / BUCKETS[range])
        set({ loading: true })
        try {
          const map = await client.call('depth.map', {
            fromMs: toMs - depthRanges[range],
            toMs,
            buckets: BUCKETS[range],
            ...(level === null ? {} : { level }),
            ...(effort === null ? {} : { effort }),
          })
          if (mine === latest) set({ map, loading: false, loadError: null })
        } catch (error) {
          if (mine === latest) set({ loading: false, loadError: toPublicError(error) })
        }
      },
      choose: async (change) => {
        set({ choice: { ...get().choice, ...change } })
        await get().load()
      },
    }
  })
