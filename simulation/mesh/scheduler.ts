import type { Clock, Timers } from '../../src-main/kernel/index.ts'

/** Virtual time: timers run in order, each after everything that the one before had set off. */
export class Scheduler implements Clock, Timers {
  #nowMs: number
  #count = 0
  readonly #due: { atMs: number; order: number; action: () => void }[] = []

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, Math.floor(delayMs)), order: this.#count++, action }
    // Insertion from the end: most timers are due late.
    let at = this.#due.length
    while (at > 0 && (this.#due[at - 1]?.atMs ?? 0) > timer.atMs) at--
    this.#due.splice(at, 0, timer)
    return () => {
      const place = this.#due.indexOf(timer)
      if (place !== -1) this.#due.splice(place, 1)
    }
  }

  /** Lets `ms` pass, or as much as it takes until `until` holds. */
  async pass(ms: number, until: () => boolean = () => false): Promise<void> {
    const endMs = this.#nowMs + ms
    await settled()
    for (let next = this.#due[0]; next && next.atMs <= endMs && !until(); next = this.#due[0]) {
      this.#due.shift()
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.action()
      await settled()
    }
    if (!until()) this.#nowMs = endMs
  }
}

/** Everything that is ready to run has run: promises, and the turns that the ledger takes. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
