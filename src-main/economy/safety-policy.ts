import { z } from 'zod'
import { Whole, WholeText } from './schema.ts'
import { HOUR_MS } from './types.ts'

/** What one caller may spend (spec section 4). Amounts in whole TRM; a limit of 0 refuses everything. */
export interface SpendPolicy {
  /** The most that one request may cost. An approval does not lift it: that takes a new policy. */
  requestLimitTrm: bigint
  /** The most within any 60 minutes. */
  hourLimitTrm: bigint
  /** The most ever. */
  lifetimeLimitTrm: bigint
  /** Above this the owner is asked first; null asks never. Below the request limit, or it could never fire. */
  approvalThresholdTrm: bigint | null
  /** One attempt more within a minute trips the caller's breaker; null counts none. */
  attemptsPerMinute: number | null
}

/**
 * Limits of spec section 4. Its approval threshold of 5,000 lies above its request limit of 1,000 and could
 * never fire; ours is half the request limit, so the owner is asked in the upper half of what is possible at all.
 */
export const DEFAULT_SPEND_POLICY: SpendPolicy = {
  requestLimitTrm: 1_000n,
  hourLimitTrm: 10_000n,
  lifetimeLimitTrm: 1_000_000n,
  approvalThresholdTrm: 500n,
  attemptsPerMinute: 30,
}

/** The hour budget counts what was spent within this time (spec section 4). */
export const BUDGET_WINDOW_MS = HOUR_MS
/** Attempts older than this no longer count towards the velocity. */
export const VELOCITY_WINDOW_MS = 60_000
/** Every attempt of a minute is remembered by its time. */
const ATTEMPTS_PER_MINUTE_MAX = 6_000
/** This many failures in a row trip the caller's breaker. */
export const CONSECUTIVE_ERRORS_MAX = 5
/** A tripped breaker closes by itself once more than this has passed. */
export const BREAKER_RESET_MS = 300_000
/** How long an approval may be answered, and after a yes, spent. */
export const APPROVAL_TTL_MS = HOUR_MS
/** Open questions of one caller; answers of “no” count until they expire, so that nobody can nag. */
export const APPROVALS_PER_CALLER_MAX = 4
export const APPROVALS_MAX = 256
/** Jobs that may be under way at once, over all callers. */
export const HOLDS_MAX = 1_024

const AttemptsPerMinute = z.number().int().min(0).max(ATTEMPTS_PER_MINUTE_MAX).nullable()

/** A policy on disk; in memory its amounts are bigint. */
export const SpendPolicyCodec = z.strictObject({
  requestLimitTrm: Whole,
  hourLimitTrm: Whole,
  lifetimeLimitTrm: Whole,
  approvalThresholdTrm: Whole.nullable(),
  attemptsPerMinute: AttemptsPerMinute,
})

/** A policy as events carry it. A threshold that nothing could ever reach is refused. */
export const SpendPolicyText = z
  .strictObject({
    requestLimitTrm: WholeText,
    hourLimitTrm: WholeText,
    lifetimeLimitTrm: WholeText,
    approvalThresholdTrm: WholeText.nullable(),
    attemptsPerMinute: AttemptsPerMinute,
  })
  .refine(
    ({ approvalThresholdTrm, requestLimitTrm }) =>
      approvalThresholdTrm === null || BigInt(approvalThresholdTrm) < BigInt(requestLimitTrm),
    { path: ['approvalThresholdTrm'], message: 'it must be below the request limit, or it could never fire' },
  )
