import type { EventData, EventName, HostEvent } from '../../src-preload/contract/index.ts'

/** Events a reader that lost its connection can still catch up on. */
const REPLAY_EVENTS_MAX = 512

/** Numbered events with a bounded memory, so that a reader can resume where it was cut off. */
export class EventLog {
  readonly #listeners = new Set<(event: HostEvent) => void>()
  readonly #recent: HostEvent[] = []
  #nextSeq = 1

  emit<E extends EventName>(name: E, data: EventData<E>): void {
    const event = { seq: this.#nextSeq++, name, data } as HostEvent
    this.#recent.push(event)
    if (this.#recent.length > REPLAY_EVENTS_MAX) this.#recent.shift()
    for (const listener of this.#listeners) listener(event)
  }

  subscribe(listener: (event: HostEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Events after `seq`, or null when some of them are no longer kept: the reader must fetch anew. */
  since(seq: number): HostEvent[] | null {
    const oldest = this.#recent[0]?.seq ?? this.#nextSeq
    if (seq + 1 < oldest || seq >= this.#nextSeq) return null
    return this.#recent.filter((event) => event.seq > seq)
  }
}
