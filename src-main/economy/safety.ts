import { MAX_AMOUNT_TRM, type TiramiError } from '../kernel/index.ts'
import { judgeApproval } from './safety-approvals.ts'
import {
  approvalNotPending,
  approvalRequired,
  breakerTripped,
  checkedEvent,
  commandInvalid,
  holdsFull,
  holdUnknown,
  hourLimitExceeded,
  killSwitchActive,
  lifetimeLimitReached,
  requestLimitExceeded,
  spendExceedsHold,
  velocityAnomaly,
} from './safety-errors.ts'
import { SafetyEvent, type SafetyEventOf } from './safety-events.ts'
import {
  APPROVAL_TTL_MS,
  BREAKER_RESET_MS,
  CONSECUTIVE_ERRORS_MAX,
  HOLDS_MAX,
  type SpendPolicy,
} from './safety-policy.ts'
import { type Hold, policyOf, type SafetyState, spendOf, tableSize } from './safety-state.ts'
import { activeTrip, attemptsInWindow, effectiveNowMs, hourSpentTrm } from './safety-window.ts'
import { tableEntries, tableGet } from './table.ts'

export { applySafetyEvent } from './safety-apply.ts'
export { liveApprovals } from './safety-approvals.ts'
export { SafetyEvent } from './safety-events.ts'
export { type SafetyGauges, safetyGauges } from './safety-gauges.ts'
export { DEFAULT_SPEND_POLICY, type SpendPolicy } from './safety-policy.ts'
export {
  type Hold,
  initialSafetyState,
  type SafetyState,
  SafetyStateCodec,
} from './safety-state.ts'

export interface SafetyContext {
  /** Milliseconds since the Unix epoch. It may run backwards: the state's own time does not. */
  nowMs: number
}

export interface SpendContext extends SafetyContext {
  /** 16 random bytes as hex: names the hold, or the question to the owner. */
  freshId: string
}

export interface SpendCommand {
  /** Public key or token hash that the budget belongs to. */
  caller: string
  /** The most that the job can cost. */
  amountTrm: bigint
  /** Presented by the caller; looked at only when the owner has to be asked. */
  approvalId?: string
  /** Shown to the owner when he is asked. Never the prompt. */
  purpose?: string
}

/**
 * Granted or not, the events must be journaled: a refusal may trip the breaker or ask the owner. The refusal is
 * returned rather than thrown so that those events cannot get lost.
 */
export type SpendDecision =
  | { granted: true; events: SafetyEvent[]; holdId: string }
  | { granted: false; events: SafetyEvent[]; refusal: TiramiError; approvalId: string | null }

const INVALID = 'SAFETY_COMMAND_INVALID'
const checked = (event: SafetyEvent): SafetyEvent => checkedEvent(SafetyEvent, event, INVALID)
const invalid = (field: string, problem: string): TiramiError => commandInvalid(INVALID, field, problem)

/**
 * May the caller spend this, before any work is done? The order of spec section 4; the first rule that fails wins.
 * A granted amount is held: it counts against every budget until `decideSpent` or `decideRelease`, so jobs that
 * run side by side cannot overspend together.
 * @throws TiramiError SAFETY_COMMAND_INVALID, CLOCK_UNREADABLE
 */
export function decideSpend(state: SafetyState, command: SpendCommand, context: SpendContext): SpendDecision {
  const atMs = effectiveNowMs(state, context.nowMs)
  const { caller, amountTrm } = command
  if (amountTrm < 1n || amountTrm > MAX_AMOUNT_TRM) {
    throw invalid('amountTrm', 'it must be a whole number of TRM above zero')
  }
  const attempt = checked({ kind: 'safety.attempted', caller, atMs })
  const limit = limitRefusal(state, command, atMs)
  if (limit) return { granted: false, events: [], refusal: limit, approvalId: null }
  const { approvalThresholdTrm: thresholdTrm, attemptsPerMinute } = policyOf(state, caller)
  const attempts = attemptsInWindow(spendOf(state, caller).attemptsMs, atMs).length
  if (attemptsPerMinute !== null && attempts >= attemptsPerMinute) {
    const tripped = checked({ kind: 'safety.tripped', caller, cause: 'velocity', atMs })
    return {
      granted: false,
      events: [tripped],
      refusal: velocityAnomaly(attemptsPerMinute),
      approvalId: null,
    }
  }
  if (thresholdTrm === null || amountTrm <= thresholdTrm) {
    return grant(state, command, context.freshId, null, atMs)
  }
  const { approvalId } = command
  const verdict = judgeApproval(state, { caller, amountTrm, thresholdTrm, approvalId }, atMs)
  switch (verdict.verdict) {
    case 'approved':
      return grant(state, command, context.freshId, verdict.approvalId, atMs)
    case 'ask':
      return ask(state, command, thresholdTrm, context.freshId, atMs)
    case 'refused':
      return { granted: false, events: [attempt], refusal: verdict.refusal, approvalId: verdict.approvalId }
  }
}

/** Rules 1 to 5 of spec section 4. None of them leaves a trace: refusing costs no disk write. */
function limitRefusal(
  state: SafetyState,
  { caller, amountTrm }: SpendCommand,
  nowMs: number,
): TiramiError | null {
  const { killSwitch } = state
  if (killSwitch.active) return killSwitchActive(killSwitch.reason ?? 'emergency halt')
  const policy = policyOf(state, caller)
  if (amountTrm > policy.requestLimitTrm) return requestLimitExceeded(amountTrm, policy.requestLimitTrm)
  const spend = spendOf(state, caller)
  const trip = activeTrip(spend, nowMs)
  if (trip) return breakerTripped(trip.atMs + BREAKER_RESET_MS + 1 - nowMs)
  const hourTrm = hourSpentTrm(spend, nowMs) + spend.heldTrm
  if (hourTrm + amountTrm > policy.hourLimitTrm) return hourLimitExceeded(hourTrm, policy.hourLimitTrm)
  const lifetimeTrm = spend.lifetimeTrm + spend.heldTrm
  if (lifetimeTrm + amountTrm > policy.lifetimeLimitTrm) {
    return lifetimeLimitReached(lifetimeTrm, policy.lifetimeLimitTrm)
  }
  return null
}

function grant(
  state: SafetyState,
  command: SpendCommand,
  holdId: string,
  approvalId: string | null,
  atMs: number,
): SpendDecision {
  if (tableSize(state.holds) >= HOLDS_MAX) {
    return { granted: false, events: [], refusal: holdsFull(), approvalId: null }
  }
  if (tableGet(state.holds, holdId)) throw invalid('freshId', 'it is in use')
  const { caller } = command
  const amountTrm = command.amountTrm.toString()
  const held = checked({ kind: 'safety.held', holdId, caller, amountTrm, approvalId, atMs })
  return { granted: true, events: [held], holdId }
}

function ask(
  state: SafetyState,
  command: SpendCommand,
  thresholdTrm: bigint,
  approvalId: string,
  atMs: number,
): SpendDecision {
  if (tableGet(state.approvals, approvalId)) throw invalid('freshId', 'it is in use')
  const { caller, amountTrm } = command
  const requested = checked({
    kind: 'safety.approval-requested',
    approvalId,
    caller,
    amountTrm: amountTrm.toString(),
    purpose: command.purpose ?? '',
    expiresAtMs: atMs + APPROVAL_TTL_MS,
    atMs,
  })
  const refusal = approvalRequired(approvalId, amountTrm, thresholdTrm)
  return { granted: false, events: [requested], refusal, approvalId }
}

/**
 * The job has ended and costs `actualTrm`: the hold becomes spend, the rest is free again, the error count is cleared.
 * Not refused while the kill switch is on, because hiding a spend is worse than recording it; whoever settles a
 * trade asks `assertNotKilled` first.
 * @throws TiramiError HOLD_UNKNOWN, SPEND_EXCEEDS_HOLD, CLOCK_UNREADABLE
 */
export function decideSpent(
  state: SafetyState,
  command: { holdId: string; actualTrm: bigint },
  context: SafetyContext,
): SafetyEvent[] {
  const { holdId, actualTrm } = command
  const hold = tableGet(state.holds, holdId)
  if (!hold) throw holdUnknown()
  if (actualTrm > hold.amountTrm) throw spendExceedsHold(actualTrm, hold.amountTrm)
  const atMs = effectiveNowMs(state, context.nowMs)
  return [checked({ kind: 'safety.spent', holdId, amountTrm: actualTrm.toString(), atMs })]
}

/**
 * The job has ended and costs nothing. A used approval does not come back: it was for one try.
 * @throws TiramiError HOLD_UNKNOWN, CLOCK_UNREADABLE, SAFETY_COMMAND_INVALID
 */
export function decideRelease(
  state: SafetyState,
  command: { holdId: string; reason: string },
  context: SafetyContext,
): SafetyEvent[] {
  const { holdId, reason } = command
  if (!tableGet(state.holds, holdId)) throw holdUnknown()
  const atMs = effectiveNowMs(state, context.nowMs)
  return [checked({ kind: 'safety.released', holdId, reason, atMs })]
}

/**
 * A job of the caller has failed through no wish of his own. The fifth in a row trips his breaker.
 * @throws TiramiError CLOCK_UNREADABLE, SAFETY_COMMAND_INVALID
 */
export function decideError(
  state: SafetyState,
  { caller }: { caller: string },
  context: SafetyContext,
): SafetyEvent[] {
  const atMs = effectiveNowMs(state, context.nowMs)
  const spend = spendOf(state, caller)
  const over = spend.trip !== null && activeTrip(spend, atMs) === null
  const errors = (over ? 0 : spend.consecutiveErrors) + 1
  const failed = checked({ kind: 'safety.error', caller, atMs })
  if (errors < CONSECUTIVE_ERRORS_MAX) return [failed]
  return [failed, checked({ kind: 'safety.tripped', caller, cause: 'errors', atMs })]
}

/** After a restart no job is under way: whatever is listed here must be settled or released by the host. */
export function openHolds(state: SafetyState): [string, Hold][] {
  return tableEntries(state.holds)
}

/** The caller's own policy, or null where the default holds. */
export function ownPolicy(state: SafetyState, caller: string): SpendPolicy | null {
  return tableGet(state.policies, caller) ?? null
}

/** The gate of everything else that moves TRM: settling, lending, staking, transfers. @throws KILL_SWITCH_ACTIVE */
export function assertNotKilled({ killSwitch }: SafetyState): void {
  if (killSwitch.active) throw killSwitchActive(killSwitch.reason ?? 'emergency halt')
}

/**
 * Turning the switch on works even with an unreadable clock: the event then carries the last known time.
 * @returns no event when it is to be turned off and is off already
 * @throws TiramiError SAFETY_COMMAND_INVALID; CLOCK_UNREADABLE only when turning it off
 */
export function decideKillSwitch(
  state: SafetyState,
  command: { active: boolean; reason: string; operator: string },
  context: SafetyContext,
): SafetyEventOf<'safety.kill-switch'>[] {
  const { active, reason, operator } = command
  if (!active && !state.killSwitch.active) return []
  const clockReads = Number.isSafeInteger(context.nowMs) && context.nowMs >= 0
  const atMs = active && !clockReads ? state.atMs : effectiveNowMs(state, context.nowMs)
  const event = { kind: 'safety.kill-switch', active, reason, operator, atMs } as const
  checked(event)
  return [event]
}

/**
 * @param command `caller: null` sets what holds for callers without a policy of their own; `policy: null` takes a
 *   caller's own policy away
 * @throws TiramiError SAFETY_COMMAND_INVALID, also for an approval threshold that could never fire
 */
export function decidePolicy(
  state: SafetyState,
  command: { caller: string | null; policy: SpendPolicy | null; operator: string },
  context: SafetyContext,
): SafetyEvent[] {
  const { caller, policy, operator } = command
  if (caller === null && policy === null) throw invalid('policy', 'the default cannot be removed')
  const text = policy && {
    requestLimitTrm: policy.requestLimitTrm.toString(),
    hourLimitTrm: policy.hourLimitTrm.toString(),
    lifetimeLimitTrm: policy.lifetimeLimitTrm.toString(),
    approvalThresholdTrm: policy.approvalThresholdTrm?.toString() ?? null,
    attemptsPerMinute: policy.attemptsPerMinute,
  }
  const atMs = effectiveNowMs(state, context.nowMs)
  return [checked({ kind: 'safety.policy', caller, policy: text, operator, atMs })]
}

/** The owner's answer. @throws TiramiError APPROVAL_NOT_PENDING, CLOCK_UNREADABLE, SAFETY_COMMAND_INVALID */
export function decideApprovalAnswer(
  state: SafetyState,
  command: { approvalId: string; approved: boolean; operator: string },
  context: SafetyContext,
): SafetyEvent[] {
  const { approvalId, approved, operator } = command
  const atMs = effectiveNowMs(state, context.nowMs)
  const approval = tableGet(state.approvals, approvalId)
  if (approval?.status !== 'pending' || atMs > approval.expiresAtMs) throw approvalNotPending()
  const expiresAtMs = atMs + APPROVAL_TTL_MS
  return [checked({ kind: 'safety.approval-answered', approvalId, approved, operator, expiresAtMs, atMs })]
}

/** The owner lets a stopped caller go on before its time is over. @throws CLOCK_UNREADABLE, SAFETY_COMMAND_INVALID */
export function decideBreakerReset(
  state: SafetyState,
  command: { caller: string; operator: string },
  context: SafetyContext,
): SafetyEvent[] {
  const atMs = effectiveNowMs(state, context.nowMs)
  return [checked({ kind: 'safety.breaker-reset', ...command, atMs })]
}

/**
 * After a wrong date has been corrected, time would stand still until the wrong date is reached. The owner may say
 * that the clock is right: all times are moved back to now, so every budget counts for a full window more.
 * @returns no event when the clock is not behind. @throws CLOCK_UNREADABLE, SAFETY_COMMAND_INVALID
 */
export function decideAcceptClock(
  state: SafetyState,
  { operator }: { operator: string },
  context: SafetyContext,
): SafetyEvent[] {
  if (effectiveNowMs(state, context.nowMs) === context.nowMs) return []
  return [checked({ kind: 'safety.clock-accepted', operator, atMs: context.nowMs })]
}
