import { type Clock, type Rng, sha256, utf8 } from '../src-main/kernel/index.ts'

/** sfc32, seeded by a name: small, fast, and the same on every machine. Never for secrets. */
export class SeededRandom implements Rng {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(name: string) {
    const seed = new DataView(sha256(utf8(name)).buffer)
    this.#a = seed.getInt32(0)
    this.#b = seed.getInt32(4)
    this.#c = seed.getInt32(8)
    for (let round = 0; round < 12; round++) this.#next()
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() >>> 24)
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#next() / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** Both ends included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  /** Whole TRM, both ends included. */
  trm(low: number, high: number): bigint {
    return BigInt(this.integer(low, high))
  }

  /** Exponentially distributed, never below one. */
  waiting(mean: number): number {
    return 1 + Math.floor(-Math.log(1 - this.fraction()) * mean)
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.integer(0, items.length - 1)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** @param weighted pairs of weight and item; at least one weight above zero */
  weighted<Item>(weighted: readonly (readonly [weight: number, item: Item])[]): Item {
    let left = this.fraction() * weighted.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, item] of weighted) {
      left -= weight
      if (left < 0) return item
    }
    return this.pick(weighted)[1]
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const out = [...items]
    for (let at = out.length - 1; at > 0; at--) {
      const other = this.integer(0, at)
      const [left, right] = [out[at], out[other]]
      if (left !== undefined && right !== undefined) [out[at], out[other]] = [right, left]
    }
    return out
  }
}

/** Time in the simulation's hand. */
export class VirtualClock implements Clock {
  ms: number

  constructor(startMs: number) {
    this.ms = startMs
  }

  nowMs(): number {
    return this.ms
  }
}
