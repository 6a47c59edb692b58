import type {
  EarningDecision,
  EarningReasonCode,
  EarningRuleName,
  EarningRuleView,
  ReasonParams,
} from '../../src-preload/contract/index.ts'
import { type Finding, findings, type PolicyInput } from './policy-rules.ts'
import { reasonSentence } from './policy-sentences.ts'

interface RuleState {
  /** It keeps guests away. */
  inForce: boolean
  blockedSinceMs: number | null
  lastBlockedAtMs: number
}

/** What one decision hands to the next. */
export interface PolicyState {
  rules: Partial<Record<EarningRuleName, RuleState>>
  /** Null: serving. */
  stoppedSinceMs: number | null
  code: EarningReasonCode | null
  sinceMs: number
}

export const INITIAL_POLICY_STATE: PolicyState = { rules: {}, stoppedSinceMs: null, code: null, sinceMs: 0 }

export interface PolicyResult {
  state: PolicyState
  decision: EarningDecision
  rules: EarningRuleView[]
  ownUseNow: boolean
  /** When running guests' answers are cancelled; null while there is no such need. */
  drainUntilMs: number | null
}

/** Running answers may take this long to end when the owner needs the machine; with the kill, memory is free in 3 s. */
const URGENT_GRACE_MS = 1_000

/** A sensor that has just been asked for is given this long to answer. */
const PENDING_MS = 10_000

/**
 * Whether to earn now. Pure: the same state and input give the same result. Order of the reasons: the owner's word, the
 * hours, what protects the machine, what protects its user, the money.
 */
export function decideEarning(before: PolicyState, input: PolicyInput): PolicyResult {
  const rules: PolicyState['rules'] = {}
  const views: EarningRuleView[] = []
  const stopping: { finding: Finding; state: RuleState; settling: boolean }[] = []
  for (const finding of findings(input, (name) => before.rules[name]?.inForce === true)) {
    if (!finding.enabled) {
      views.push(viewOf(finding, false, false))
      continue
    }
    const state = smoothed(before.rules[finding.name], finding, input.nowMs)
    rules[finding.name] = state
    const settling = state.inForce && !isBlocked(finding)
    if (state.inForce) stopping.push({ finding, state, settling })
    views.push(viewOf(finding, state.inForce, settling))
  }
  const reason = ownersWord(input) ?? rulesReason(stopping)
  const serves = reason === null
  const stoppedSinceMs = serves ? null : (before.stoppedSinceMs ?? input.nowMs)
  const isUrgent =
    input.paused || input.snoozedUntilMs !== null || stopping.some(({ finding }) => finding.urgent)
  // Finishing waits as long as it takes, unless something urgent comes up.
  const graceMs = isUrgent
    ? URGENT_GRACE_MS
    : input.finishing
      ? Number.POSITIVE_INFINITY
      : input.policy.drainSeconds * 1000
  const drains = stoppedSinceMs !== null && input.runningJobs > 0
  const drainUntilMs = drains ? stoppedSinceMs + graceMs : null
  const code = reason?.code ?? 'earning'
  const sinceMs = before.code === code ? before.sinceMs : input.nowMs
  const hasUrgentRule = stopping.some(({ finding }) => finding.urgent)
  const unloadModel = !serves && (isUrgent || (!input.finishing && !input.policy.keepModelLoaded))
  const params = reason?.params ?? {}
  return {
    state: { rules, stoppedSinceMs, code, sinceMs },
    decision: {
      action: serves ? 'serve' : drains && input.nowMs < (drainUntilMs ?? 0) ? 'drain' : 'stop',
      unloadModel,
      code,
      params,
      sentence: reasonSentence(code, params),
      nextChangeAtMs: serves ? servingUntilMs(input) : (reason?.clearAtMs ?? null),
      sinceMs,
    },
    rules: views,
    ownUseNow: serves || (input.policy.ownUse && !input.paused && !input.finishing && !hasUrgentRule),
    drainUntilMs: drainUntilMs !== null && Number.isFinite(drainUntilMs) ? drainUntilMs : null,
  }
}

interface Reason {
  code: EarningReasonCode
  params: ReasonParams
  clearAtMs: number | null
}

/** What the owner has said by hand goes before every rule. */
function ownersWord({ paused, finishing, snoozedUntilMs, runningJobs }: PolicyInput): Reason | null {
  if (paused) return { code: 'paused', params: {}, clearAtMs: null }
  if (finishing) return { code: 'finishing', params: { jobs: runningJobs }, clearAtMs: null }
  if (snoozedUntilMs !== null)
    return { code: 'snoozed', params: { untilMs: snoozedUntilMs }, clearAtMs: snoozedUntilMs }
  return null
}

function rulesReason(
  stopping: readonly { finding: Finding; state: RuleState; settling: boolean }[],
): Reason | null {
  const blocked = stopping.find(({ settling }) => !settling)
  if (blocked) {
    const { code, params, clearAtMs } = blocked.finding
    return { code: code ?? 'settling', params, clearAtMs }
  }
  const [first] = stopping
  if (!first) return null
  const clearAtMs = Math.max(
    ...stopping.map(({ finding, state }) => state.lastBlockedAtMs + finding.settleMs),
  )
  return { code: 'settling', params: { rule: first.finding.name, untilMs: clearAtMs }, clearAtMs }
}

const servingUntilMs = ({ policy, schedule }: PolicyInput): number | null =>
  policy.mode === 'schedule' ? schedule.nextChangeAtMs : null

const isBlocked = ({ verdict, unknownStops }: Finding): boolean =>
  verdict === 'blocked' || (verdict === 'cannot-tell' && unknownStops)

function smoothed(before: RuleState | undefined, finding: Finding, nowMs: number): RuleState {
  // A clock that was set back must not hold anything for longer than it would have been held.
  const lastBlockedAtMs = Math.min(before?.lastBlockedAtMs ?? Number.NEGATIVE_INFINITY, nowMs)
  if (isBlocked(finding)) {
    const blockedSinceMs = Math.min(before?.blockedSinceMs ?? nowMs, nowMs)
    const isNew = before === undefined && !finding.pending
    const enterMs = finding.pending ? PENDING_MS : finding.enterMs
    const inForce = isNew || before?.inForce === true || nowMs - blockedSinceMs >= enterMs
    return { inForce, blockedSinceMs, lastBlockedAtMs: finding.nearlyBlocked ? nowMs : lastBlockedAtMs }
  }
  const last = finding.nearlyBlocked ? nowMs : lastBlockedAtMs
  const inForce = before?.inForce === true && nowMs - last < finding.settleMs
  return { inForce, blockedSinceMs: null, lastBlockedAtMs: last }
}

function viewOf(finding: Finding, inForce: boolean, settling: boolean): EarningRuleView {
  const { name, enabled } = finding
  const code = enabled && !settling ? finding.code : null
  const params = code === null ? {} : finding.params
  return {
    name,
    enabled,
    verdict: verdictOf(finding, inForce, settling),
    stops: inForce,
    code,
    params,
    sentence: code === null ? null : reasonSentence(code, params),
  }
}

function verdictOf({ enabled, verdict }: Finding, inForce: boolean, settling: boolean) {
  if (!enabled) return 'allows'
  if (verdict === 'cannot-tell') return 'cannot-tell'
  if (settling) return 'settling'
  return inForce ? 'stops' : 'allows'
}
