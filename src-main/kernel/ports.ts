import { randomBytes } from 'node:crypto'
import { TiramiError } from './errors.ts'

/** Wall clock, injected so that a whole host can run under a seeded simulator. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
}

/** The last millisecond of the year 9999: later times have no usual notation, and adding to them loses digits. */
export const LATEST_MS = 253_402_300_799_999

/**
 * The clock in whole milliseconds, as every record stores it.
 * @throws TiramiError CLOCK_UNREADABLE (503) for NaN, and before 1970 or after 9999
 */
export function readClockMs(clock: Clock): number {
  const nowMs = Math.floor(clock.nowMs())
  if (nowMs >= 0 && nowMs <= LATEST_MS) return nowMs
  throw new TiramiError('CLOCK_UNREADABLE', 'The time cannot be read, so nothing can be dated.', {
    nextStep: 'Set this computer’s clock.',
    httpStatus: 503,
  })
}

/** Source of randomness; cryptographically strong in production. */
export interface Rng {
  bytes(length: number): Uint8Array
}

export const systemClock: Clock = { nowMs: () => Date.now() }

export const systemRng: Rng = { bytes: (length) => new Uint8Array(randomBytes(length)) }

/** One-shot timers, injected so that tests and simulations need not wait. */
export interface Timers {
  /** @param delayMs milliseconds. @returns a function that cancels it. */
  after(delayMs: number, action: () => void): () => void
}

export const systemTimers: Timers = {
  after: (delayMs, action) => {
    const handle = setTimeout(action, delayMs)
    return () => clearTimeout(handle)
  },
}
