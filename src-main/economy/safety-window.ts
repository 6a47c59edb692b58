import { clockUnreadable } from './safety-errors.ts'
import { BREAKER_RESET_MS, BUDGET_WINDOW_MS, VELOCITY_WINDOW_MS } from './safety-policy.ts'
import type { CallerSpend, MinuteSpend, Trip } from './safety-state.ts'

const MINUTE_MS = 60_000

/**
 * The time that every rule goes by: never earlier than the last event, so that turning the clock back neither
 * resets a budget nor closes a breaker. An unreadable clock refuses: a comparison with NaN would let everything pass.
 * @throws TiramiError CLOCK_UNREADABLE
 */
export function effectiveNowMs(state: { atMs: number }, nowMs: number): number {
  if (!Number.isSafeInteger(nowMs) || nowMs < 0) throw clockUnreadable()
  return Math.max(state.atMs, nowMs)
}

/** An entry leaves only when all that it may hold is older than an hour: a caller cannot straddle a boundary. */
function minutesInWindow(minutes: readonly MinuteSpend[], nowMs: number): readonly MinuteSpend[] {
  return minutes.filter(({ minute }) => nowMs - ((minute + 1) * MINUTE_MS - 1) <= BUDGET_WINDOW_MS)
}

/** Settled within the last hour, in TRM. A spend frees its budget 60 to 61 minutes later. */
export function hourSpentTrm(spend: CallerSpend, nowMs: number): bigint {
  return minutesInWindow(spend.minutes, nowMs).reduce((sumTrm, { amountTrm }) => sumTrm + amountTrm, 0n)
}

/** The list with one spend more and without what is too old. `atMs` is never earlier than the last entry. */
export function withSpend(
  minutes: readonly MinuteSpend[],
  amountTrm: bigint,
  atMs: number,
): readonly MinuteSpend[] {
  const minute = Math.floor(atMs / MINUTE_MS)
  const kept = minutesInWindow(minutes, atMs)
  const last = kept.at(-1)
  return last?.minute === minute
    ? [...kept.slice(0, -1), { minute, amountTrm: last.amountTrm + amountTrm }]
    : [...kept, { minute, amountTrm }]
}

export function attemptsInWindow(attemptsMs: readonly number[], nowMs: number): readonly number[] {
  return attemptsMs.filter((atMs) => nowMs - atMs <= VELOCITY_WINDOW_MS)
}

/** The breaker's trip, or null when it never tripped or its time is over. */
export function activeTrip(spend: CallerSpend, nowMs: number): Trip | null {
  return spend.trip !== null && nowMs - spend.trip.atMs <= BREAKER_RESET_MS ? spend.trip : null
}

/** Nothing lies after `nowMs`, and nothing became older than it was: what was spent counts for a full hour more. */
export function restampedSpend(spend: CallerSpend, nowMs: number): CallerSpend {
  const nowMinute = Math.floor(nowMs / MINUTE_MS)
  const past = spend.minutes.filter(({ minute }) => minute < nowMinute)
  const rest = spend.minutes.slice(past.length)
  const amountTrm = rest.reduce((sumTrm, entry) => sumTrm + entry.amountTrm, 0n)
  return {
    ...spend,
    minutes: rest.length === 0 ? past : [...past, { minute: nowMinute, amountTrm }],
    attemptsMs: spend.attemptsMs.map((atMs) => Math.min(atMs, nowMs)),
    trip: spend.trip && { ...spend.trip, atMs: Math.min(spend.trip.atMs, nowMs) },
  }
}
