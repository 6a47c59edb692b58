import type { SafetyEvent, SafetyEventOf } from './safety-events.ts'
import { APPROVAL_TTL_MS, type SpendPolicy } from './safety-policy.ts'
import { type CallerSpend, type Hold, policyOf, type SafetyState, spendOf } from './safety-state.ts'
import { activeTrip, attemptsInWindow, restampedSpend, withSpend } from './safety-window.ts'
import { emptyTable, type Table, tableDelete, tableEntries, tableGet, tableSet } from './table.ts'

/**
 * The state after an event that a decision returned. Pure: live events and replayed events go through here.
 * @throws Error when the event contradicts the state: the journal is not the one that the state came from
 */
export function applySafetyEvent(state: SafetyState, event: SafetyEvent): SafetyState {
  if (event.kind === 'safety.clock-accepted') return withClock(state, event.atMs)
  const next = applied(state, event)
  return { ...next, atMs: Math.max(state.atMs, event.atMs) }
}

function applied(
  state: SafetyState,
  event: Exclude<SafetyEvent, { kind: 'safety.clock-accepted' }>,
): SafetyState {
  switch (event.kind) {
    case 'safety.kill-switch':
      return withKillSwitch(state, event)
    case 'safety.policy':
      return withPolicy(state, event)
    case 'safety.held':
      return withHold(state, event)
    case 'safety.spent':
      return withSettled(state, event)
    case 'safety.released':
      return withoutHold(state, event.holdId, (spend) => spend)
    case 'safety.attempted':
      return withCaller(state, event.caller, (spend) =>
        attempted(spend, event.atMs, policyOf(state, event.caller)),
      )
    case 'safety.error':
      return withCaller(state, event.caller, (spend) => failed(spend, event.atMs))
    case 'safety.tripped':
      return withCaller(state, event.caller, (spend) => ({
        ...spend,
        trip: { cause: event.cause, atMs: event.atMs },
      }))
    case 'safety.breaker-reset':
      return withCaller(state, event.caller, (spend) => ({
        ...spend,
        trip: null,
        consecutiveErrors: 0,
        attemptsMs: [],
      }))
    case 'safety.approval-requested':
      return withRequest(state, event)
    case 'safety.approval-answered':
      return withAnswer(state, event)
  }
}

function withKillSwitch(state: SafetyState, event: SafetyEventOf<'safety.kill-switch'>): SafetyState {
  const { active, reason, operator, atMs } = event
  return {
    ...state,
    killSwitch: active
      ? { active, reason, operator, activatedAtMs: atMs }
      : { active, reason: null, operator: null, activatedAtMs: null },
  }
}

function withPolicy(state: SafetyState, event: SafetyEventOf<'safety.policy'>): SafetyState {
  const { caller, policy: text } = event
  const policy = text && {
    requestLimitTrm: BigInt(text.requestLimitTrm),
    hourLimitTrm: BigInt(text.hourLimitTrm),
    lifetimeLimitTrm: BigInt(text.lifetimeLimitTrm),
    approvalThresholdTrm: text.approvalThresholdTrm === null ? null : BigInt(text.approvalThresholdTrm),
    attemptsPerMinute: text.attemptsPerMinute,
  }
  if (caller === null) {
    if (policy === null) throw new Error('the default policy cannot be taken away')
    return { ...state, defaultPolicy: policy }
  }
  const { policies } = state
  return { ...state, policies: policy ? tableSet(policies, caller, policy) : tableDelete(policies, caller) }
}

function withCaller(
  state: SafetyState,
  caller: string,
  change: (spend: CallerSpend) => CallerSpend,
): SafetyState {
  return { ...state, callers: tableSet(state.callers, caller, change(spendOf(state, caller))) }
}

function attempted(spend: CallerSpend, atMs: number, policy: SpendPolicy): CallerSpend {
  if (policy.attemptsPerMinute === null) return { ...spend, attemptsMs: [] }
  return { ...spend, attemptsMs: [...attemptsInWindow(spend.attemptsMs, atMs), atMs] }
}

/** A breaker whose time is over starts counting anew. */
function failed(spend: CallerSpend, atMs: number): CallerSpend {
  const over = spend.trip !== null && activeTrip(spend, atMs) === null
  const trip = over ? null : spend.trip
  return { ...spend, trip, consecutiveErrors: (over ? 0 : spend.consecutiveErrors) + 1 }
}

function withHold(state: SafetyState, event: SafetyEventOf<'safety.held'>): SafetyState {
  const { holdId, caller, atMs, approvalId } = event
  const amountTrm = BigInt(event.amountTrm)
  if (tableGet(state.holds, holdId)) throw new Error('the hold exists already')
  if (approvalId !== null && !tableGet(state.approvals, approvalId)) {
    throw new Error('the approval of the hold does not exist')
  }
  const next = withCaller(state, caller, (spend) => {
    const reset = spend.trip === null ? spend : { ...spend, trip: null, consecutiveErrors: 0 }
    return { ...attempted(reset, atMs, policyOf(state, caller)), heldTrm: spend.heldTrm + amountTrm }
  })
  return {
    ...next,
    holds: tableSet(state.holds, holdId, { caller, amountTrm, atMs }),
    approvals: approvalId === null ? state.approvals : tableDelete(state.approvals, approvalId),
  }
}

function withoutHold(
  state: SafetyState,
  holdId: string,
  change: (spend: CallerSpend, hold: Hold) => CallerSpend,
): SafetyState {
  const hold = tableGet(state.holds, holdId)
  if (!hold) throw new Error('the hold does not exist')
  const next = withCaller(state, hold.caller, (spend) =>
    change({ ...spend, heldTrm: spend.heldTrm - hold.amountTrm }, hold),
  )
  return { ...next, holds: tableDelete(state.holds, holdId) }
}

function withSettled(state: SafetyState, event: SafetyEventOf<'safety.spent'>): SafetyState {
  const amountTrm = BigInt(event.amountTrm)
  return withoutHold(state, event.holdId, (spend, hold) => {
    if (amountTrm > hold.amountTrm) throw new Error('the spend exceeds its hold')
    return {
      ...spend,
      lifetimeTrm: spend.lifetimeTrm + amountTrm,
      minutes: withSpend(spend.minutes, amountTrm, event.atMs),
      consecutiveErrors: 0,
    }
  })
}

function withRequest(state: SafetyState, event: SafetyEventOf<'safety.approval-requested'>): SafetyState {
  const { approvalId, caller, amountTrm, purpose, atMs, expiresAtMs } = event
  if (tableGet(state.approvals, approvalId)) throw new Error('the approval exists already')
  const next = withCaller(state, caller, (spend) => attempted(spend, atMs, policyOf(state, caller)))
  const live = tableEntries(state.approvals)
    .filter(([, approval]) => approval.expiresAtMs < atMs)
    .reduce((approvals, [id]) => tableDelete(approvals, id), state.approvals)
  const request = { caller, amountTrm: BigInt(amountTrm), purpose, requestedAtMs: atMs, expiresAtMs }
  return { ...next, approvals: tableSet(live, approvalId, { ...request, status: 'pending' }) }
}

function withAnswer(state: SafetyState, event: SafetyEventOf<'safety.approval-answered'>): SafetyState {
  const { approvalId, approved, expiresAtMs } = event
  const approval = tableGet(state.approvals, approvalId)
  if (approval?.status !== 'pending') throw new Error('the approval is not pending')
  const status = approved ? 'approved' : 'denied'
  return {
    ...state,
    approvals: tableSet(state.approvals, approvalId, { ...approval, status, expiresAtMs }),
  }
}

const mapped = <Value>(table: Table<Value>, change: (value: Value) => Value): Table<Value> =>
  tableEntries(table).reduce((next, [id, value]) => tableSet(next, id, change(value)), emptyTable<Value>())

function withClock(state: SafetyState, nowMs: number): SafetyState {
  const { killSwitch } = state
  return {
    ...state,
    atMs: nowMs,
    killSwitch: killSwitch.active
      ? { ...killSwitch, activatedAtMs: Math.min(killSwitch.activatedAtMs ?? nowMs, nowMs) }
      : killSwitch,
    callers: mapped(state.callers, (spend) => restampedSpend(spend, nowMs)),
    holds: mapped(state.holds, (hold) => ({ ...hold, atMs: Math.min(hold.atMs, nowMs) })),
    approvals: mapped(state.approvals, (approval) => ({
      ...approval,
      requestedAtMs: Math.min(approval.requestedAtMs, nowMs),
      expiresAtMs: Math.min(approval.expiresAtMs, nowMs + APPROVAL_TTL_MS),
    })),
  }
}
