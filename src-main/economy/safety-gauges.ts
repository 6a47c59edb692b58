import { liveApprovals } from './safety-approvals.ts'
import { BREAKER_RESET_MS, CONSECUTIVE_ERRORS_MAX } from './safety-policy.ts'
import { type KillSwitch, policyOf, type SafetyState, spendOf, type Trip } from './safety-state.ts'
import { activeTrip, attemptsInWindow, effectiveNowMs, hourSpentTrm } from './safety-window.ts'

interface Gauge<Quantity> {
  used: Quantity
  limit: Quantity
  /** 0 to 1; above 1 where the owner has lowered the limit below what is used. A limit of 0 is full. */
  fullness: number
}

/** How much of each limit a caller has used. Open holds count as used. */
export interface SafetyGauges {
  killSwitch: KillSwitch
  hourTrm: Gauge<bigint>
  lifetimeTrm: Gauge<bigint>
  /** Part of both: held for jobs that are under way. */
  heldTrm: bigint
  /** A limit of null counts none. */
  attemptsLastMinute: { used: number; limit: number | null; fullness: number }
  consecutiveErrors: Gauge<number>
  /** Null while the caller may spend. */
  breaker: { cause: Trip['cause']; trippedAtMs: number; resetsInMs: number } | null
  requestLimitTrm: bigint
  approvalThresholdTrm: bigint | null
  pendingApprovals: number
  /** Above zero the clock has gone back and time stands still for every limit. */
  clockBehindMs: number
}

const PARTS_PER_MILLION = 1_000_000n

const trmGauge = (used: bigint, limit: bigint): Gauge<bigint> => ({
  used,
  limit,
  fullness: limit === 0n ? 1 : Number((used * PARTS_PER_MILLION) / limit) / Number(PARTS_PER_MILLION),
})
const countGauge = (used: number, limit: number): Gauge<number> => ({
  used,
  limit,
  fullness: limit === 0 ? 1 : used / limit,
})

const attemptsGauge = (used: number, limit: number | null): SafetyGauges['attemptsLastMinute'] =>
  limit === null ? { used, limit, fullness: 0 } : countGauge(used, limit)

/** @throws TiramiError CLOCK_UNREADABLE */
export function safetyGauges(state: SafetyState, caller: string, clockMs: number): SafetyGauges {
  const nowMs = effectiveNowMs(state, clockMs)
  const spend = spendOf(state, caller)
  const policy = policyOf(state, caller)
  const trip = activeTrip(spend, nowMs)
  const pending = liveApprovals(state, nowMs).filter(
    ([, approval]) => approval.caller === caller && approval.status === 'pending',
  )
  return {
    killSwitch: state.killSwitch,
    hourTrm: trmGauge(hourSpentTrm(spend, nowMs) + spend.heldTrm, policy.hourLimitTrm),
    lifetimeTrm: trmGauge(spend.lifetimeTrm + spend.heldTrm, policy.lifetimeLimitTrm),
    heldTrm: spend.heldTrm,
    attemptsLastMinute: attemptsGauge(
      attemptsInWindow(spend.attemptsMs, nowMs).length,
      policy.attemptsPerMinute,
    ),
    consecutiveErrors: countGauge(spend.consecutiveErrors, CONSECUTIVE_ERRORS_MAX),
    breaker: trip && {
      cause: trip.cause,
      trippedAtMs: trip.atMs,
      resetsInMs: trip.atMs + BREAKER_RESET_MS + 1 - nowMs,
    },
    requestLimitTrm: policy.requestLimitTrm,
    approvalThresholdTrm: policy.approvalThresholdTrm,
    pendingApprovals: pending.length,
    clockBehindMs: nowMs - clockMs,
  }
}
