import { createStore } from 'zustand/vanilla'
import type {
  HostClient,
  PublicErrorData,
  TelemetryCheck,
  TelemetryKind,
  TelemetryRecord,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

const PAGE = 200
/** A page may be empty and not be the last; so many are asked for before the person has to ask again. */
const PAGES_AT_ONCE = 4
/** Rows beyond this are given up at the far end: narrow the filter instead. */
const KEPT = 20_000
const HOUR_MS = 3_600_000
export const telemetryRanges = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '7d': 168 * HOUR_MS }
export type TelemetryRange = keyof typeof telemetryRanges

export interface TelemetryWish {
  kind: TelemetryKind | null
  range: TelemetryRange | null
  text: string
}

export interface TelemetryState {
  wish: TelemetryWish
  /** Newest first; null until the first answer. */
  events: TelemetryRecord[] | null
  /** Where older ones begin; null: there are none. */
  olderBefore: number | null
  loading: boolean
  loadError: PublicErrorData | null
  /** Follows what is written. */
  live: boolean
  check: TelemetryCheck | null
  checking: boolean
  checkError: PublicErrorData | null
  /** Events that the export has taken so far; null: none is under way. */
  exported: number | null
  exportError: PublicErrorData | null
  load(): Promise<void>
  loadOlder(): Promise<void>
  /** What was written since the newest that is shown. */
  tail(): Promise<void>
  wishFor(change: Partial<TelemetryWish>): Promise<void>
  setLive(live: boolean): void
  verify(): Promise<void>
  /** @returns the CSV of all that fits; null: it failed, or one is under way */
  exportCsv(): Promise<string | null>
}

export const createTelemetryStore = (client: HostClient) =>
  createStore<TelemetryState>()((set, get) => {
    /** Answers to an older wish are not shown. */
    let latest = 0
    const filter = () => {
      const { kind, range, text } = get().wish
      return {
        ...(kind === null ? {} : { kinds: [kind] }),
        ...(range === null ? {} : { fromMs: Date.now() - telemetryRanges[range] }),
        ...(text.trim() === '' ? {} : { text: text.trim() }),
      }
    }
    async function read(before: number | null): Promise<{ events: TelemetryRecord[]; next: number | null }> {
      const events: TelemetryRecord[] = []
      let next = before
      for (let page = 0; page < PAGES_AT_ONCE && events.length < PAGE; page += 1) {
        const answer = await client.call('telemetry.query', {
          ...filter(),
          limit: PAGE,
          ...(next === null ? {} : { beforeSeq: next }),
        })
        events.push(...answer.events)
        next = answer.nextBeforeSeq
        if (next === null) break
      }
      return { events, next }
    }
    return {
      wish: { kind: null, range: null, text: '' },
      events: null,
      olderBefore: null,
      loading: false,
      loadError: null,
      live: true,
      check: null,
      checking: false,
      checkError: null,
      exported: null,
      exportError: null,
      load: async () => {
        latest += 1
        const mine = latest
        set({ loading: true })
        try {
          const { events, next } = await read(null)
          if (mine === latest) set({ events, olderBefore: next, loading: false, loadError: null })
        } catch (error) {
          if (mine === latest) set({ loading: false, loadError: toPublicError(error) })
        }
      },
      loadOlder: async () => {
        const { loading, olderBefore } = get()
        if (loading || olderBefore === null) return
        const mine = latest
        set({ loading: true })
        try {
          const { events, next } = await read(olderBefore)
          if (mine !== latest) return
          const all = [...(get().events ?? []), ...events].slice(0, KEPT)
          set({ events: all, olderBefore: all.length >= KEPT ? null : next, loading: false })
        } catch (error) {
          if (mine === latest) set({ loading: false, loadError: toPublicError(error) })
        }
      },
      tail: async () => {
        const known = get().events
        if (known === null || get().loading) return
        const mine = latest
        const newest = known[0]?.seq ?? 0
        try {
          const { events, next } = await read(null)
          if (mine !== latest || get().loading) return
          const fresh = events.filter(({ seq }) => seq > newest)
          if (fresh.length === 0) return
          // More has been written than one look holds: begin anew rather than show a gap.
          if (fresh.length === events.length && known.length > 0) set({ events, olderBefore: next })
          else set({ events: [...fresh, ...known].slice(0, KEPT) })
        } catch (error) {
          if (mine === latest) set({ loadError: toPublicError(error) })
        }
      },
      wishFor: async (change) => {
        set({ wish: { ...get().wish, ...change } })
        await get().load()
      },
      setLive: (live) => set({ live }),
      verify: async () => {
        if (get().checking) return
        set({ checking: true, checkError: null })
        try {
          set({ check: await client.call('telemetry.verify', {}), checking: false })
        } catch (error) {
          set({ checking: false, checkError: toPublicError(error) })
        }
      },
      exportCsv: async () => {
        if (get().exported !== null) return null
        set({ exported: 0, exportError: null })
        try {
          const wanted = filter()
          const parts: string[] = []
          for (let fromSeq: number | null = 1; fromSeq !== null; ) {
            const part: { text: string; events: number; nextSeq: number | null } = await client.call(
              'telemetry.csv',
              { ...wanted, fromSeq },
            )
            parts.push(part.text)
            set({ exported: (get().exported ?? 0) + part.events })
            fromSeq = part.nextSeq
          }
          return parts.join('')
        } catch (error) {
          set({ exportError: toPublicError(error) })
          return null
        } finally {
          set({ exported: null })
        }
      },
    }
  })
