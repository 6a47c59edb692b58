import { clockUnreadable } from './safety-errors.ts'

/** A token bucket: `capacity` at once, then `refill` per `periodMs`. */
export interface RateRule {
  capacity: number
  refill: number
  periodMs: number
}

/** Requests of one caller (spec section 1.1, where all callers shared one bucket). */
export const REQUEST_RATE: RateRule = { capacity: 30, refill: 30, periodMs: 1_000 }
/** Failed logins of one source (spec section 1.1, where ten failures of anyone locked out everyone). */
export const AUTH_FAILURE_RATE: RateRule = { capacity: 10, refill: 10, periodMs: 60_000 }

/** Callers remembered at once; the longest idle is forgotten first, and his bucket is then as good as full. */
export const RATE_CALLERS_MAX = 1_024

interface Bucket {
  /** In parts of 1/`periodMs` of a request, so that refilling by the millisecond is exact. */
  level: number
  atMs: number
}

/** Kept in memory only. Oldest use first. */
export type RateState = ReadonlyMap<string, Bucket>

export const NO_RATES: RateState = new Map()

export interface RateVerdict {
  allowed: boolean
  /** When the next request will be allowed; 0 when one is now. */
  retryAfterMs: number
}

function levelOf(bucket: Bucket | undefined, nowMs: number, rule: RateRule): number {
  const full = rule.capacity * rule.periodMs
  if (!bucket) return full
  return Math.min(full, bucket.level + Math.max(0, nowMs - bucket.atMs) * rule.refill)
}

function verdictAt(level: number, rule: RateRule): RateVerdict {
  const missing = Math.max(0, rule.periodMs - level)
  return { allowed: missing === 0, retryAfterMs: Math.ceil(missing / rule.refill) }
}

/** Whole milliseconds. @throws TiramiError CLOCK_UNREADABLE, because NaN would poison the bucket */
function wholeMs(nowMs: number): number {
  if (!Number.isFinite(nowMs) || nowMs < 0) throw clockUnreadable()
  return Math.floor(nowMs)
}

/**
 * Would a request of the caller be allowed?
 * @param nowMs from a monotonic clock: these buckets do not outlive the process
 */
export function peekRate(state: RateState, caller: string, nowMs: number, rule: RateRule): RateVerdict {
  return verdictAt(levelOf(state.get(caller), wholeMs(nowMs), rule), rule)
}

/** Counts one request of the caller, if it is allowed. A refused one costs nothing and is remembered all the same. */
export function takeRate(
  state: RateState,
  caller: string,
  nowMs: number,
  rule: RateRule,
): RateVerdict & { state: RateState } {
  const bucket = state.get(caller)
  const level = levelOf(bucket, wholeMs(nowMs), rule)
  const verdict = verdictAt(level, rule)
  const next = new Map(state)
  next.delete(caller)
  const atMs = Math.max(bucket?.atMs ?? 0, wholeMs(nowMs))
  next.set(caller, { level: verdict.allowed ? level - rule.periodMs : level, atMs })
  for (const oldest of next.keys()) {
    if (next.size <= RATE_CALLERS_MAX) break
    next.delete(oldest)
  }
  return { ...verdict, state: next }
}
