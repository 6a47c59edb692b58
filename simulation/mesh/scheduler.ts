import type { Clock, Timers } from '../../src-main/kernel/index.ts'

interface Timer {
  action: (() => unknown) | null
}

/**
 * Virtual time: what is due in one millisecond runs together, in the order in which it was asked for, and all that it
 * sets off has run before the next millisecond.
 */
export class Scheduler implements Clock, Timers {
  #nowMs: number
  readonly #due = new Map<number, Timer[]>()
  /** The keys of `#due` as a binary heap: the first is the least. */
  readonly #times: number[] = []

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, action: () => unknown): () => void {
    const atMs = this.#nowMs + Math.max(0, Math.floor(delayMs))
    const timer: Timer = { action }
    const due = this.#due.get(atMs)
    if (due) due.push(timer)
    else {
      this.#due.set(atMs, [timer])
      insert(this.#times, atMs)
    }
    return () => {
      timer.action = null
    }
  }

  /** Lets `ms` pass, or as much as it takes until `until` holds. */
  async pass(ms: number, until: () => boolean = () => false): Promise<void> {
    const endMs = this.#nowMs + ms
    await settled()
    for (let next = this.#times[0]; next !== undefined && next <= endMs && !until(); next = this.#times[0]) {
      this.#nowMs = Math.max(this.#nowMs, next)
      const due = this.#due.get(next) ?? []
      let ran = false
      for (let index = 0; index < due.length; index++) {
        const { action } = due[index] as Timer
        // An action that gives `false` has set off nothing.
        if (action && action() !== false) ran = true
      }
      this.#due.delete(next)
      removeFirst(this.#times)
      if (ran) await settled()
    }
    if (!until()) this.#nowMs = endMs
  }
}

function insert(heap: number[], value: number): void {
  let place = heap.push(value) - 1
  while (place > 0) {
    const parent = (place - 1) >> 1
    const above = heap[parent] as number
    if (above <= value) break
    heap[place] = above
    place = parent
  }
  heap[place] = value
}

function removeFirst(heap: number[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let place = 0
  for (let child = 1; child < heap.length; child = 2 * place + 1) {
    if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++
    const below = heap[child] as number
    if (below >= last) break
    heap[place] = below
    place = child
  }
  heap[place] = last
}

/** Everything that is ready to run has run: promises, and the turns that the ledger takes. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
