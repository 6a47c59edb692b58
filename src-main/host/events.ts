import { type EventData, type EventName, type HostEvent, resync } from '../../src-preload/contract/index.ts'

/** Events a reader that lost its connection can still catch up on. */
const REPLAY_EVENTS_MAX = 512

/** Numbered events with a bounded memory, so that a reader can resume where it was cut off. */
export class EventLog {
  readonly #listeners = new Set<(event: HostEvent) => void>()
  readonly #recent: HostEvent[] = []
  /** Tells this run's numbers from those of another, which begin at 1 as well. */
  readonly #run: string
  #nextSeq = 1

  constructor(run: string) {
    this.#run = run
  }

  emit<E extends EventName>(name: E, data: EventData<E>): void {
    const event = { seq: this.#nextSeq++, name, data } as HostEvent
    this.#recent.push(event)
    if (this.#recent.length > REPLAY_EVENTS_MAX) this.#recent.shift()
    for (const listener of this.#listeners) listener(event)
  }

  /** @param after where the reader was cut off, by `placeOf`: what it missed comes first, or a `resync` */
  subscribe(listener: (event: HostEvent) => void, after?: string): () => void {
    for (const event of after === undefined ? [] : this.#since(after)) listener(event)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The place of an event in this run; begins with its number. */
  placeOf(event: HostEvent): string {
    return `${event.seq}-${this.#run}`
  }

  #since(place: string): HostEvent[] {
    const [, digits = '', run] = /^(\d{1,15})-(\w{1,64})$/.exec(place) ?? []
    const seq = Number(digits)
    const newest = this.#nextSeq - 1
    const oldest = this.#recent[0]?.seq ?? this.#nextSeq
    if (run !== this.#run || seq > newest) return [resync(newest, null)]
    if (seq + 1 < oldest) return [resync(newest, newest - seq)]
    return this.#recent.filter((event) => event.seq > seq)
  }
}
