import {
  applySafetyEvent,
  assertNotKilled,
  decideAcceptClock,
  decideApprovalAnswer,
  decideBreakerReset,
  decideError,
  decideKillSwitch,
  decidePolicy,
  decideRelease,
  decideSpend,
  decideSpent,
  initialSafetyState,
  liveApprovals,
  openHolds,
  ownPolicy,
  SafetyEvent,
  type SafetyGauges,
  type SafetyState,
  type SpendPolicy,
  safetyGauges,
} from '../economy/index.ts'
import { type Clock, hexFromBytes, type Rng, TiramiError } from '../kernel/index.ts'
import type { JournalEvent, Ledger } from '../ledger/index.ts'
import type { Consumer } from './keys.ts'

/** One question to the owner. */
export interface ApprovalView {
  approvalId: string
  caller: string
  amountTrm: bigint
  purpose: string
  requestedAtMs: number
  expiresAtMs: number
}

/** The rules of spec section 4 in force: state, journal and the jobs under way. */
export interface Safety {
  /** Folds one event of the journal. Others' events are not for here. */
  observe(event: JournalEvent): void
  /** Instead of observing what led to `saved`, which is a `state()`. */
  restore(saved: SafetyState): void
  /** Settles what the last process left open and gives the owner's own keys their limits. */
  recover(ownKeys: readonly Consumer[]): Promise<void>
  /**
   * Asks every rule before any work is done. The amount is held until `spent` or `release`.
   * @throws TiramiError the refusal of the first rule that fails
   */
  hold(caller: string, amountTrm: bigint, approvalId?: string): string
  spent(holdId: string, actualTrm: bigint): void
  release(holdId: string, reason: string): void
  /** A job of the caller failed through no wish of his own. */
  failed(caller: string): void
  /** @throws KILL_SWITCH_ACTIVE with the reason, when it is on */
  assertNotKilled(): void
  /** Aborts when the kill switch goes on; a new one after it goes off. */
  killSignal(): AbortSignal
  killSwitch(command: { active: boolean; reason: string; operator: string }): Promise<void>
  setPolicy(caller: string | null, policy: SpendPolicy, operator: string): Promise<void>
  resetBreaker(caller: string, operator: string): Promise<void>
  /** After a wrong date was corrected: budgets count from now on, instead of standing still until that date. */
  acceptClock(operator: string): Promise<void>
  gauges(caller: string): SafetyGauges
  approvals(): ApprovalView[]
  answerApproval(command: { approvalId: string; approved: boolean; operator: string }): Promise<void>
  state(): SafetyState
  /** Why everything is stopped; null while the kill switch is off. */
  stoppedBecause(): string | null
  /** Fires when what the owner sees changes: kill switch, questions. */
  onChange(listener: () => void): void
  /** Resolves with the owner's answer, or rejects when `signal` aborts. */
  whenAnswered(approvalId: string, signal: AbortSignal): Promise<boolean>
}

/** Limits of keys that belong to the owner: they guard against a runaway program, not against a stranger. */
const OWN_KEY_POLICY: SpendPolicy = {
  requestLimitTrm: 1_000_000n,
  hourLimitTrm: 10_000_000n,
  lifetimeLimitTrm: 10n ** 15n,
  approvalThresholdTrm: null,
  attemptsPerMinute: null,
}

const OPERATOR_HOST = 'host'
const VISIBLE_KINDS = /^safety\.(kill-switch|approval-)/

export function createSafety(ports: { ledger: () => Ledger; clock: Clock; rng: Rng }): Safety {
  const { clock, rng } = ports
  let state = initialSafetyState()
  let killed = new AbortController()
  const answers = new EventTarget()
  const changes = new EventTarget()
  const now = () => ({ nowMs: Math.floor(clock.nowMs()) })

  const observe = (event: JournalEvent): void => {
    if (!event.kind.startsWith('safety.')) return
    const parsed = SafetyEvent.parse(event)
    state = applySafetyEvent(state, parsed)
    if (parsed.kind === 'safety.kill-switch') {
      if (parsed.active) killed.abort()
      else killed = new AbortController()
    }
    if (VISIBLE_KINDS.test(parsed.kind)) changes.dispatchEvent(new Event('change'))
    if (parsed.kind === 'safety.approval-answered') answers.dispatchEvent(new Event(parsed.approvalId))
  }
  /** The ledger calls `observe` before `post` returns, so two decisions never see the same budget. */
  const post = async (events: SafetyEvent[]): Promise<void> => {
    if (events.length > 0) await ports.ledger().post(events)
  }
  /** For events that nobody was promised: a journal that fails stops all selling by itself. */
  const note = (events: SafetyEvent[]): void => void post(events).catch(() => {})

  return {
    observe,
    restore: (saved) => {
      state = saved
      if (saved.killSwitch.active) killed.abort()
    },
    recover: async (ownKeys) => {
      for (const [holdId] of openHolds(state)) {
        await post(decideRelease(state, { holdId, reason: 'restart' }, now()))
      }
      for (const { publicKeyHex: caller } of ownKeys) {
        if (ownPolicy(state, caller)) continue
        await post(decidePolicy(state, { caller, policy: OWN_KEY_POLICY, operator: OPERATOR_HOST }, now()))
      }
    },
    hold: (caller, amountTrm, approvalId) => {
      const decision = decideSpend(
        state,
        { caller, amountTrm, ...(approvalId === undefined ? {} : { approvalId }) },
        { ...now(), freshId: hexFromBytes(rng.bytes(16)) },
      )
      note(decision.events)
      if (decision.granted) return decision.holdId
      if (decision.approvalId === null) throw decision.refusal
      throw new ApprovalNeeded(decision.refusal, decision.approvalId)
    },
    spent: (holdId, actualTrm) => note(decideSpent(state, { holdId, actualTrm }, now())),
    release: (holdId, reason) => note(decideRelease(state, { holdId, reason: reason.slice(0, 256) }, now())),
    failed: (caller) => note(decideError(state, { caller }, now())),
    assertNotKilled: () => assertNotKilled(state),
    killSignal: () => killed.signal,
    killSwitch: async (command) => {
      const events = decideKillSwitch(state, command, now())
      // Stopping must work even where the journal does not.
      if (command.active) killed.abort()
      await post(events)
    },
    setPolicy: (caller, policy, operator) => post(decidePolicy(state, { caller, policy, operator }, now())),
    resetBreaker: (caller, operator) => post(decideBreakerReset(state, { caller, operator }, now())),
    acceptClock: (operator) => post(decideAcceptClock(state, { operator }, now())),
    gauges: (caller) => safetyGauges(state, caller, now().nowMs),
    approvals: () =>
      liveApprovals(state, now().nowMs)
        .filter(([, approval]) => approval.status === 'pending')
        .map(([approvalId, { caller, amountTrm, purpose, requestedAtMs, expiresAtMs }]) => {
          return { approvalId, caller, amountTrm, purpose, requestedAtMs, expiresAtMs }
        }),
    state: () => state,
    stoppedBecause: () => (state.killSwitch.active ? (state.killSwitch.reason ?? 'no reason given') : null),
    onChange: (listener) => changes.addEventListener('change', listener),
    answerApproval: (command) => post(decideApprovalAnswer(state, command, now())),
    whenAnswered: (approvalId, signal) =>
      new Promise((resolve, reject) => {
        const status = () => liveApprovals(state, now().nowMs).find(([id]) => id === approvalId)?.[1].status
        const settle = () => resolve(status() === 'approved')
        if (status() !== 'pending') return settle()
        answers.addEventListener(approvalId, settle, { once: true, signal })
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  }
}

/** The owner has to be asked first. */
export class ApprovalNeeded extends TiramiError {
  readonly approvalId: string

  constructor(refusal: TiramiError, approvalId: string) {
    super(refusal.code, refusal.message, { nextStep: refusal.nextStep, httpStatus: refusal.httpStatus })
    this.approvalId = approvalId
  }
}
