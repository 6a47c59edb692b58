import { createStore } from 'zustand/vanilla'
import type { HostClient, PublicErrorData, TelemetryRecord } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

const PAGE = 30
/** A page may be empty and not be the last; so many are asked for before the person has to ask again. */
const PAGES_AT_ONCE = 5

export interface GuardHistoryState {
  /** Newest first; null until the first answer. */
  events: TelemetryRecord[] | null
  /** Where older ones begin; null: there are none. */
  olderBefore: number | null
  loading: boolean
  loadError: PublicErrorData | null
  /** The newest; what is older stays. */
  load(): Promise<void>
  loadOlder(): Promise<void>
}

/** What the sentinel did and what the owner decided, from the telemetry. */
export const createGuardHistoryStore = (client: HostClient) =>
  createStore<GuardHistoryState>()((set, get) => {
    async function read(before: number | null): Promise<{ events: TelemetryRecord[]; next: number | null }> {
      const events: TelemetryRecord[] = []
      let next = before
      for (let page = 0; page < PAGES_AT_ONCE && events.length < PAGE; page += 1) {
        const answer = await client.call('telemetry.query', {
          kinds: ['SentinelStatus', 'OwnerAction'],
          limit: PAGE,
          ...(next === null ? {} : { beforeSeq: next }),
        })
        events.push(...answer.events)
        next = answer.nextBeforeSeq
        if (next === null) break
      }
      return { events, next }
    }

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
      events: null,
      olderBefore: null,
      loading: false,
      loadError: null,
      load: () =>
        guarded(async () => {
          const { events, next } = await read(null)
          const known = get().events
          const newest = known?.[0]?.seq
          const joins = newest !== undefined && events.some(({ seq }) => seq <= newest)
          if (known === null || !joins) set({ events, olderBefore: next })
          else set({ events: [...events.filter(({ seq }) => seq > newest), ...known] })
        }),
      loadOlder: () =>
        guarded(async () => {
          const { events, next } = await read(get().olderBefore)
          set({ events: [...(get().events ?? []), ...events], olderBefore: next })
        }),
    }
  })
