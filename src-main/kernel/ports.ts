import { randomBytes } from 'node:crypto'

/** Wall clock, injected so that a whole host can run under a seeded simulator. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
}

/** Source of randomness; cryptographically strong in production. */
export interface Rng {
  bytes(length: number): Uint8Array
}

export const systemClock: Clock = { nowMs: () => Date.now() }

export const systemRng: Rng = { bytes: (length) => new Uint8Array(randomBytes(length)) }
