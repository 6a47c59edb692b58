/** What of one origin was heard. */
interface Heard {
  /** Everything up to here counts as heard. */
  floor: number
  above: Set<number>
}

export interface ReplayRules {
  /** How far a message may be dated from now, either way, in milliseconds. */
  toleranceMs: number
  originsMax: number
  /** Messages of one origin that are told apart; older ones count as heard. */
  perOrigin: number
}

export const REPLAY_RULES: ReplayRules = { toleranceMs: 120_000, originsMax: 10_000, perOrigin: 512 }

export type Freshness = 'fresh' | 'replayed' | 'stale' | 'future'

/**
 * A signed message counts once. It is known by its origin and `seq`, the time at which it was signed. After a restart,
 * however the last process ended, nothing counts that was signed before the start: it may have been heard then. What is
 * saved closes the rest: clocks that run ahead of this one.
 */
export class ReplayWindow {
  readonly #rules: ReplayRules
  /** Nothing of an origin that is not known counts up to here. */
  #strangersFloor: number
  /** Longest unheard first. */
  readonly #heard = new Map<string, Heard>()

  constructor(bornMs: number, saved: readonly [string, number][] = [], rules: ReplayRules = REPLAY_RULES) {
    this.#rules = rules
    this.#strangersFloor = bornMs - 1
    for (const [origin, floor] of saved) {
      this.#heard.set(origin, { floor: Math.max(floor, this.#strangersFloor), above: new Set() })
    }
  }

  accept(origin: string, seq: number, nowMs: number): Freshness {
    const { toleranceMs, perOrigin, originsMax } = this.#rules
    if (seq > nowMs + toleranceMs) return 'future'
    if (seq < nowMs - toleranceMs) return 'stale'
    const heard = this.#heard.get(origin) ?? { floor: this.#strangersFloor, above: new Set<number>() }
    if (seq <= heard.floor || heard.above.has(seq)) return 'replayed'
    heard.above.add(seq)
    if (heard.above.size > perOrigin) {
      const oldest = Math.min(...heard.above)
      heard.above.delete(oldest)
      heard.floor = oldest
    }
    this.#heard.delete(origin)
    this.#heard.set(origin, heard)
    if (this.#heard.size > originsMax) this.#forgetOne()
    return 'fresh'
  }

  /** What it said could be replayed to a window that has forgotten it: that counts for no stranger any more. */
  #forgetOne(): void {
    for (const [origin, { floor, above }] of this.#heard) {
      this.#heard.delete(origin)
      this.#strangersFloor = Math.max(this.#strangersFloor, floor, ...above)
      return
    }
  }

  /** The highest `seq` of each origin. */
  save(): [string, number][] {
    return [...this.#heard].map(([origin, { floor, above }]) => [origin, Math.max(floor, ...above)])
  }
}
