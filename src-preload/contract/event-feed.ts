import type { HostEvent } from './schemas.ts'

/** Events that wait for a slow reader, before they are left out and it is told to ask anew. */
const WAITING_EVENTS_MAX = 512

/** Carries the number of the newest event that it stands for. */
export function resync(seq: number, missed: number | null): HostEvent {
  return { seq, name: 'resync', data: { missed } }
}

/**
 * Hands events to one reader at its own pace. What waits is bounded: beyond that everything that waits is left out,
 * and one `resync` takes its place.
 * @param send resolves when the reader can take more; must not reject
 */
export function eventFeed(
  send: (event: HostEvent) => Promise<void>,
  waitingMax = WAITING_EVENTS_MAX,
): (event: HostEvent) => void {
  let waiting: HostEvent[] = []
  let sending = false
  const work = async () => {
    sending = true
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await send(next)
    sending = false
  }
  return (event) => {
    if (waiting.length < waitingMax) waiting.push(event)
    else waiting = [resync(event.seq, missedIn(waiting) + 1)]
    if (!sending) void work()
  }
}

function missedIn(events: readonly HostEvent[]): number {
  return events.reduce((sum, event) => sum + (event.name === 'resync' ? (event.data.missed ?? 1) : 1), 0)
}
