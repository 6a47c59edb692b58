import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { TiramiError } from '../kernel/index.ts'
import {
  applySafetyEvent,
  assertNotKilled,
  DEFAULT_SPEND_POLICY,
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
  SafetyEvent,
  type SafetyState,
  SafetyStateCodec,
  type SpendDecision,
  type SpendPolicy,
  safetyGauges,
} from './safety.ts'

const ALICE = 'aa'.repeat(32)
const BOB = 'bb'.repeat(32)
const START_MS = 1_700_000_000_000
const HOUR_MS = 3_600_000

const UNLIMITED: SpendPolicy = {
  requestLimitTrm: 10n ** 12n,
  hourLimitTrm: 10n ** 12n,
  lifetimeLimitTrm: 10n ** 12n,
  approvalThresholdTrm: null,
  attemptsPerMinute: 30,
}

/** A host in small: journals what is decided, folds it, and can be restarted from its journal. */
class SafetyDesk {
  state: SafetyState = initialSafetyState()
  nowMs = START_MS
  readonly journal: string[] = []
  #ids = 0

  append(events: SafetyEvent[]): void {
    for (const event of events) {
      this.journal.push(JSON.stringify(event))
      this.state = applySafetyEvent(this.state, event)
    }
  }

  policy(policy: Partial<SpendPolicy>, caller: string | null = ALICE): this {
    const command = { caller, policy: { ...DEFAULT_SPEND_POLICY, ...policy }, operator: 'owner' }
    this.append(decidePolicy(this.state, command, this))
    return this
  }

  check(amountTrm: bigint, caller = ALICE, approvalId?: string): SpendDecision {
    const freshId = (this.#ids++).toString(16).padStart(32, '0')
    const command = { caller, amountTrm, ...(approvalId === undefined ? {} : { approvalId }) }
    const decision = decideSpend(this.state, command, { nowMs: this.nowMs, freshId })
    this.append(decision.events)
    return decision
  }

  /** `ok`, or the code of the refusal; what is granted is spent at once. */
  spend(amountTrm: bigint, caller = ALICE, approvalId?: string): string {
    const decision = this.check(amountTrm, caller, approvalId)
    if (!decision.granted) return decision.refusal.code
    this.append(decideSpent(this.state, { holdId: decision.holdId, actualTrm: amountTrm }, this))
    return 'ok'
  }

  fail(caller = ALICE): void {
    this.append(decideError(this.state, { caller }, this))
  }

  kill(active: boolean): void {
    this.append(decideKillSwitch(this.state, { active, reason: 'drill', operator: 'owner' }, this))
  }

  answer(approvalId: string, approved: boolean): void {
    this.append(decideApprovalAnswer(this.state, { approvalId, approved, operator: 'owner' }, this))
  }

  restarted(): SafetyState {
    return this.journal
      .map((line) => SafetyEvent.parse(JSON.parse(line)))
      .reduce(applySafetyEvent, initialSafetyState())
  }
}

function holdOf(decision: SpendDecision): string {
  if (!decision.granted) throw decision.refusal
  return decision.holdId
}

function approvalOf(decision: SpendDecision): string {
  if (decision.granted || decision.approvalId === null) throw new Error('the owner was not asked')
  return decision.approvalId
}

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof TiramiError) return error.code
    throw error
  }
  return 'ok'
}

describe('vectors V9', () => {
  it('a kill switch denies even amount 1', () => {
    const desk = new SafetyDesk()
    desk.kill(true)
    expect(desk.spend(1n)).toBe('KILL_SWITCH_ACTIVE')
    expect(desk.spend(1n, BOB)).toBe('KILL_SWITCH_ACTIVE')
    desk.kill(false)
    expect(desk.spend(1n)).toBe('ok')
  })

  it('request 999 ok, 1001 denied (approval off)', () => {
    const desk = new SafetyDesk().policy({ approvalThresholdTrm: null })
    expect(desk.spend(999n)).toBe('ok')
    expect(desk.spend(1000n)).toBe('ok')
    expect(desk.spend(1001n)).toBe('REQUEST_LIMIT_EXCEEDED')
  })

  // Corrected vector: the published default (approval above 5,000, limit 1,000) lets 999 pass and can never ask.
  it('request 999 asks the owner with the defaults', () => {
    expect(new SafetyDesk().spend(500n)).toBe('ok')
    expect(new SafetyDesk().spend(999n)).toBe('APPROVAL_REQUIRED')
    expect(new SafetyDesk().spend(1001n)).toBe('REQUEST_LIMIT_EXCEEDED')
  })

  it('hour limit 500: 200, 200, third 200 denied', () => {
    const desk = new SafetyDesk().policy({ hourLimitTrm: 500n })
    expect([desk.spend(200n), desk.spend(200n), desk.spend(200n)]).toEqual([
      'ok',
      'ok',
      'HOURLY_LIMIT_EXCEEDED',
    ])
  })

  it('exactly 1,000 at hourly 1,000, then 1 denied', () => {
    const desk = new SafetyDesk().policy({ hourLimitTrm: 1000n, approvalThresholdTrm: null })
    expect([desk.spend(1000n), desk.spend(1n)]).toEqual(['ok', 'HOURLY_LIMIT_EXCEEDED'])
  })

  it('hourly 0 or lifetime 0 denies everything', () => {
    expect(new SafetyDesk().policy({ hourLimitTrm: 0n }).spend(1n)).toBe('HOURLY_LIMIT_EXCEEDED')
    expect(new SafetyDesk().policy({ lifetimeLimitTrm: 0n }).spend(1n)).toBe('LIFETIME_CAP_REACHED')
  })

  it('30 spends, then the 31st within 60 s is an anomaly and trips the breaker', () => {
    const desk = new SafetyDesk()
    for (let i = 0; i < 30; i++) expect(desk.spend(1n)).toBe('ok')
    expect(desk.spend(1n)).toBe('VELOCITY_ANOMALY')
    expect(desk.spend(1n)).toBe('CIRCUIT_BREAKER_TRIPPED')
    expect(desk.spend(1n, BOB)).toBe('ok')
  })

  it('5 errors trip the breaker', () => {
    const desk = new SafetyDesk()
    for (let i = 0; i < 4; i++) desk.fail()
    expect(desk.spend(1n)).toBe('ok')
    for (let i = 0; i < 4; i++) desk.fail()
    expect(desk.spend(1n)).toBe('ok')
    for (let i = 0; i < 5; i++) desk.fail()
    expect(desk.spend(1n)).toBe('CIRCUIT_BREAKER_TRIPPED')
  })

  it('custom policy: 25 ok, 51 over the request limit, 35 needs approval', () => {
    const desk = new SafetyDesk().policy({ requestLimitTrm: 50n, approvalThresholdTrm: 30n })
    expect([desk.spend(25n), desk.spend(51n), desk.spend(35n)]).toEqual([
      'ok',
      'REQUEST_LIMIT_EXCEEDED',
      'APPROVAL_REQUIRED',
    ])
  })

  it('lifetime 300: 200 ok, then 200 denied', () => {
    const desk = new SafetyDesk().policy({ lifetimeLimitTrm: 300n })
    expect([desk.spend(200n), desk.spend(200n)]).toEqual(['ok', 'LIFETIME_CAP_REACHED'])
  })
})

describe('with the defaults, every rule can be reached', () => {
  it('kill switch, request limit, breaker, velocity, approval', () => {
    const desk = new SafetyDesk()
    const codes = [desk.spend(1001n), desk.spend(501n)]
    for (let i = 0; i < 29; i++) desk.spend(1n)
    codes.push(desk.spend(1n), desk.spend(1n))
    desk.kill(true)
    codes.push(desk.spend(1n))
    expect(codes).toEqual([
      'REQUEST_LIMIT_EXCEEDED',
      'APPROVAL_REQUIRED',
      'VELOCITY_ANOMALY',
      'CIRCUIT_BREAKER_TRIPPED',
      'KILL_SWITCH_ACTIVE',
    ])
  })

  it('hour and lifetime limits', () => {
    const desk = new SafetyDesk()
    const codes = new Set<string>()
    for (let spends = 0; spends < 4_000 && !codes.has('LIFETIME_CAP_REACHED'); spends++) {
      codes.add(desk.spend(500n))
      desk.nowMs += spends % 20 === 19 ? HOUR_MS : 2_500
    }
    expect(codes).toEqual(new Set(['ok', 'HOURLY_LIMIT_EXCEEDED', 'LIFETIME_CAP_REACHED']))
    expect(safetyGauges(desk.state, ALICE, desk.nowMs).lifetimeTrm).toEqual({
      used: 1_000_000n,
      limit: 1_000_000n,
      fullness: 1,
    })
  })
})

describe('budgets', () => {
  it('a caller cannot straddle an hour boundary to spend twice', () => {
    const desk = new SafetyDesk().policy({ hourLimitTrm: 400n })
    desk.nowMs = Math.ceil(START_MS / HOUR_MS) * HOUR_MS - 1
    expect(desk.spend(400n)).toBe('ok')
    desk.nowMs += 2
    expect(desk.spend(1n)).toBe('HOURLY_LIMIT_EXCEEDED')
    desk.nowMs += HOUR_MS - 2
    expect(desk.spend(1n)).toBe('HOURLY_LIMIT_EXCEEDED')
    desk.nowMs += 60_000
    expect(desk.spend(400n)).toBe('ok')
  })

  it('what is held counts, what is released does not, what is settled counts as it was', () => {
    const desk = new SafetyDesk().policy({ hourLimitTrm: 500n })
    const first = holdOf(desk.check(300n))
    expect(desk.spend(300n)).toBe('HOURLY_LIMIT_EXCEEDED')
    const second = holdOf(desk.check(200n))
    desk.append(decideRelease(desk.state, { holdId: second, reason: 'cancelled' }, desk))
    desk.append(decideSpent(desk.state, { holdId: first, actualTrm: 50n }, desk))
    expect(desk.spend(451n)).toBe('HOURLY_LIMIT_EXCEEDED')
    expect(desk.spend(450n)).toBe('ok')
    expect(safetyGauges(desk.state, ALICE, desk.nowMs)).toMatchObject({
      heldTrm: 0n,
      lifetimeTrm: { used: 500n },
    })
  })

  it('what is held counts against the lifetime too', () => {
    const desk = new SafetyDesk().policy({ lifetimeLimitTrm: 300n })
    expect([desk.check(200n).granted, desk.check(100n).granted]).toEqual([true, true])
    expect(desk.spend(1n)).toBe('LIFETIME_CAP_REACHED')
  })

  it('a hold is used once and for at most its amount', () => {
    const desk = new SafetyDesk()
    const holdId = holdOf(desk.check(10n))
    expect(openHolds(desk.restarted())).toEqual([[holdId, { caller: ALICE, amountTrm: 10n, atMs: START_MS }]])
    expect(codeOf(() => decideSpent(desk.state, { holdId, actualTrm: 11n }, desk))).toBe('SPEND_EXCEEDS_HOLD')
    desk.append(decideSpent(desk.state, { holdId, actualTrm: 10n }, desk))
    expect(codeOf(() => decideSpent(desk.state, { holdId, actualTrm: 1n }, desk))).toBe('HOLD_UNKNOWN')
    expect(codeOf(() => decideRelease(desk.state, { holdId, reason: 'again' }, desk))).toBe('HOLD_UNKNOWN')
  })

  it('the number of open holds is bounded', () => {
    const desk = new SafetyDesk().policy(UNLIMITED, null)
    const codes = Array.from({ length: 1_100 }, (_, i) => {
      const decision = desk.check(1n, (1_000 + (i % 50)).toString(16).padStart(64, '0'))
      return decision.granted ? 'ok' : decision.refusal.code
    })
    expect(codes.filter((code) => code === 'ok')).toHaveLength(1_024)
    expect(codes.at(-1)).toBe('HOLDS_FULL')
  })

  it('one caller’s policy leaves the others alone, and taking it away restores the default', () => {
    const desk = new SafetyDesk().policy({ requestLimitTrm: 10n, approvalThresholdTrm: null })
    expect([desk.spend(11n), desk.spend(11n, BOB)]).toEqual(['REQUEST_LIMIT_EXCEEDED', 'ok'])
    desk.append(decidePolicy(desk.state, { caller: ALICE, policy: null, operator: 'owner' }, desk))
    expect(desk.spend(11n)).toBe('ok')
  })

  it('refuses a threshold that could never fire, and limits that are no amounts', () => {
    const desk = new SafetyDesk()
    for (const bad of [
      { approvalThresholdTrm: 1000n },
      { hourLimitTrm: -1n },
      { requestLimitTrm: 10n ** 50n },
    ]) {
      expect(codeOf(() => desk.policy(bad))).toBe('SAFETY_COMMAND_INVALID')
    }
    expect(SafetyEvent.safeParse({ kind: 'safety.policy', policy: { requestLimitTrm: 'x' } }).success).toBe(
      false,
    )
  })

  it.each([0n, -1n, 1n << 64n])('refuses the amount %s', (amountTrm) => {
    expect(codeOf(() => new SafetyDesk().check(amountTrm))).toBe('SAFETY_COMMAND_INVALID')
  })

  it('refuses callers that are no ids', () => {
    for (const caller of ['', '__proto__', 'AA'.repeat(32), 'aa'.repeat(31)]) {
      expect(codeOf(() => new SafetyDesk().check(1n, caller))).toBe('SAFETY_COMMAND_INVALID')
    }
  })
})

describe('kill switch', () => {
  it('stops everything that moves TRM, records what was under way, and says who and why', () => {
    const desk = new SafetyDesk()
    const holdId = holdOf(desk.check(10n))
    desk.kill(true)
    expect(codeOf(() => assertNotKilled(desk.state))).toBe('KILL_SWITCH_ACTIVE')
    expect(desk.state.killSwitch).toEqual({
      active: true,
      reason: 'drill',
      operator: 'owner',
      activatedAtMs: START_MS,
    })
    desk.append(decideSpent(desk.state, { holdId, actualTrm: 10n }, desk))
    desk.kill(false)
    expect(codeOf(() => assertNotKilled(desk.state))).toBe('ok')
    expect(decideKillSwitch(desk.state, { active: false, reason: 'again', operator: 'owner' }, desk)).toEqual(
      [],
    )
  })

  it('survives a restart', () => {
    const desk = new SafetyDesk()
    desk.kill(true)
    desk.state = desk.restarted()
    expect(desk.spend(1n)).toBe('KILL_SWITCH_ACTIVE')
  })
})

describe('breaker', () => {
  it('closes by itself after more than 5 minutes, and the error count starts anew', () => {
    const desk = new SafetyDesk()
    for (let i = 0; i < 5; i++) desk.fail()
    desk.nowMs += 300_000
    expect(desk.spend(1n)).toBe('CIRCUIT_BREAKER_TRIPPED')
    expect(safetyGauges(desk.state, ALICE, desk.nowMs).breaker).toMatchObject({
      cause: 'errors',
      resetsInMs: 1,
    })
    desk.nowMs += 1
    for (let i = 0; i < 4; i++) desk.fail()
    expect(desk.spend(1n)).toBe('ok')
  })

  it('the owner may reset it', () => {
    const desk = new SafetyDesk()
    for (let i = 0; i < 31; i++) desk.spend(1n)
    expect(desk.spend(1n)).toBe('CIRCUIT_BREAKER_TRIPPED')
    desk.append(decideBreakerReset(desk.state, { caller: ALICE, operator: 'owner' }, desk))
    expect(desk.spend(1n)).toBe('ok')
  })

  it('the list of attempts stays short', () => {
    const desk = new SafetyDesk().policy({ requestLimitTrm: 50n, approvalThresholdTrm: 1n })
    for (let i = 0; i < 500; i++) {
      desk.spend(i % 2 === 0 ? 1n : 2n)
      desk.nowMs += 1_999
    }
    expect(desk.state.callers.get('aa')?.get(ALICE)?.attemptsMs.length).toBeLessThanOrEqual(31)
  })
})

describe('approval by the owner', () => {
  const asking = () => {
    const desk = new SafetyDesk()
    return { desk, approvalId: approvalOf(desk.check(800n)) }
  }

  it('asks, is approved, and is spent once', () => {
    const { desk, approvalId } = asking()
    expect(desk.spend(800n, ALICE, approvalId)).toBe('APPROVAL_NOT_USABLE')
    desk.answer(approvalId, true)
    expect(desk.spend(700n, ALICE, approvalId)).toBe('ok')
    expect(desk.spend(700n, ALICE, approvalId)).toBe('APPROVAL_NOT_USABLE')
  })

  it('covers neither more, nor another key, nor the request limit', () => {
    const { desk, approvalId } = asking()
    desk.answer(approvalId, true)
    expect(desk.spend(801n, ALICE, approvalId)).toBe('APPROVAL_NOT_USABLE')
    expect(desk.spend(800n, BOB, approvalId)).toBe('APPROVAL_NOT_USABLE')
    expect(desk.spend(1001n, ALICE, approvalId)).toBe('REQUEST_LIMIT_EXCEEDED')
    expect(desk.spend(800n, ALICE, approvalId)).toBe('ok')
  })

  it('the same request sent again finds its answer without naming it', () => {
    const { desk, approvalId } = asking()
    expect(approvalOf(desk.check(800n))).toBe(approvalId)
    desk.answer(approvalId, true)
    expect(desk.spend(800n)).toBe('ok')
    expect(desk.spend(800n)).toBe('APPROVAL_REQUIRED')
  })

  it('a released job does not bring its approval back', () => {
    const { desk, approvalId } = asking()
    desk.answer(approvalId, true)
    const holdId = holdOf(desk.check(800n, ALICE, approvalId))
    desk.append(decideRelease(desk.state, { holdId, reason: 'cancelled' }, desk))
    expect(desk.spend(800n, ALICE, approvalId)).toBe('APPROVAL_NOT_USABLE')
  })

  it('other budgets still hold for an approved spend, and the approval is kept', () => {
    const { desk, approvalId } = asking()
    desk.answer(approvalId, true)
    desk.policy({ hourLimitTrm: 700n })
    expect(desk.spend(800n, ALICE, approvalId)).toBe('HOURLY_LIMIT_EXCEEDED')
    desk.policy({})
    expect(desk.spend(800n, ALICE, approvalId)).toBe('ok')
  })

  it('a refusal lasts an hour and cannot be answered again', () => {
    const { desk, approvalId } = asking()
    desk.answer(approvalId, false)
    expect(desk.spend(800n)).toBe('APPROVAL_DENIED')
    expect(codeOf(() => desk.answer(approvalId, true))).toBe('APPROVAL_NOT_PENDING')
    desk.nowMs += HOUR_MS + 1
    expect(desk.spend(800n)).toBe('APPROVAL_REQUIRED')
  })

  it('expires, both before and after the answer', () => {
    const { desk, approvalId } = asking()
    desk.nowMs += HOUR_MS + 1
    expect(codeOf(() => desk.answer(approvalId, true))).toBe('APPROVAL_NOT_PENDING')
    const second = approvalOf(desk.check(800n))
    desk.answer(second, true)
    desk.nowMs += HOUR_MS + 1
    expect(desk.spend(800n, ALICE, second)).toBe('APPROVAL_NOT_USABLE')
  })

  it('questions are bounded per caller and in all, and old ones are forgotten', () => {
    const desk = new SafetyDesk()
    const callers = Array.from({ length: 100 }, (_, i) => (i + 16).toString(16).padStart(2, '0').repeat(32))
    const codes = callers.flatMap((caller) =>
      [501n, 502n, 503n, 504n, 505n].map((trm) => desk.spend(trm, caller)),
    )
    expect(codes.filter((code) => code === 'APPROVAL_REQUIRED')).toHaveLength(256)
    expect(codes[4]).toBe('APPROVAL_QUEUE_FULL')
    desk.nowMs += HOUR_MS + 1
    expect(desk.spend(501n)).toBe('APPROVAL_REQUIRED')
    expect(liveApprovals(desk.state, desk.nowMs)).toHaveLength(1)
    expect([...desk.state.approvals.values()].flatMap((shard) => [...shard])).toHaveLength(1)
  })
})

describe('clock', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 1.5])('refuses to decide at %s', (nowMs) => {
    const desk = new SafetyDesk()
    desk.nowMs = nowMs
    expect(codeOf(() => desk.check(1n))).toBe('CLOCK_UNREADABLE')
  })

  it('an unreadable one cannot keep the kill switch off, nor turn it off', () => {
    const desk = new SafetyDesk()
    desk.spend(1n)
    desk.nowMs = Number.NaN
    desk.kill(true)
    expect(desk.state.killSwitch).toMatchObject({ active: true, activatedAtMs: START_MS })
    expect(codeOf(() => desk.kill(false))).toBe('CLOCK_UNREADABLE')
  })

  it('going back resets no budget, closes no breaker and revives no approval', () => {
    const desk = new SafetyDesk().policy({ hourLimitTrm: 900n })
    const approvalId = approvalOf(desk.check(600n))
    desk.answer(approvalId, true)
    desk.nowMs += HOUR_MS + 60_001
    expect(desk.spend(500n)).toBe('ok')
    desk.nowMs -= 10 * 24 * HOUR_MS
    expect(desk.spend(600n, ALICE, approvalId)).toBe('HOURLY_LIMIT_EXCEEDED')
    desk.policy({})
    expect(desk.spend(600n, ALICE, approvalId)).toBe('APPROVAL_NOT_USABLE')
    for (let i = 0; i < 5; i++) desk.fail()
    desk.nowMs += 5 * 24 * HOUR_MS
    expect(desk.spend(1n)).toBe('CIRCUIT_BREAKER_TRIPPED')
    expect(safetyGauges(desk.state, ALICE, desk.nowMs).clockBehindMs).toBe(5 * 24 * HOUR_MS)
  })

  it('after a wrong date the owner can accept the right one; budgets then count for a full hour more', () => {
    const desk = new SafetyDesk().policy({ hourLimitTrm: 500n })
    expect(decideAcceptClock(desk.state, { operator: 'owner' }, desk)).toEqual([])
    desk.nowMs += 70 * 365 * 24 * HOUR_MS
    expect(desk.spend(500n)).toBe('ok')
    const approvalId = approvalOf(desk.policy({}).check(600n))
    desk.policy({ hourLimitTrm: 500n })
    for (let i = 0; i < 5; i++) desk.fail()
    desk.nowMs = START_MS
    desk.append(decideAcceptClock(desk.state, { operator: 'owner' }, desk))
    expect(desk.spend(1n)).toBe('CIRCUIT_BREAKER_TRIPPED')
    desk.nowMs += 300_001
    expect(desk.spend(1n)).toBe('HOURLY_LIMIT_EXCEEDED')
    desk.answer(approvalId, true)
    desk.nowMs += HOUR_MS + 60_000
    expect(desk.spend(1n)).toBe('ok')
    expect(liveApprovals(desk.state, desk.nowMs)).toEqual([])
    expect(desk.restarted()).toEqual(desk.state)
  })
})

type Step =
  | { do: 'check'; caller: number; amountTrm: bigint }
  | { do: 'settle' | 'release'; pick: number; part: number }
  | { do: 'error' | 'reset'; caller: number }
  | { do: 'answer'; approved: boolean }
  | { do: 'wait'; ms: number }

const caller = fc.nat(2)
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('check' as const), caller, amountTrm: fc.bigInt(1n, 120n) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('settle' as const, 'release' as const),
        pick: fc.nat(),
        part: fc.nat(100),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('error' as const, 'reset' as const), caller }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('answer' as const), approved: fc.boolean() }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: -HOUR_MS, max: 2 * HOUR_MS })),
      }),
    },
  ),
  { maxLength: 150 },
)

const HOUR_LIMIT_TRM = 300n
const LIFETIME_LIMIT_TRM = 900n

/** Every settled spend, kept apart from the state under test. */
class Model {
  readonly settled: { caller: string; atMs: number; amountTrm: bigint }[] = []

  assertWithinLimits(): void {
    const callers = new Set(this.settled.map((entry) => entry.caller))
    for (const one of callers) {
      const own = this.settled.filter((entry) => entry.caller === one)
      const sum = (entries: typeof own) => entries.reduce((total, { amountTrm }) => total + amountTrm, 0n)
      expect(sum(own)).toBeLessThanOrEqual(LIFETIME_LIMIT_TRM)
      for (const last of own) {
        const within = own.filter(({ atMs }) => atMs <= last.atMs && atMs > last.atMs - HOUR_MS)
        expect(sum(within)).toBeLessThanOrEqual(HOUR_LIMIT_TRM)
      }
    }
  }
}

function runStep(
  desk: SafetyDesk,
  step: Step,
  open: { holdId: string; caller: string; amountTrm: bigint }[],
  model: Model,
): void {
  const name = (index: number) => ['11', '22', '33'][index]?.repeat(32) ?? ALICE
  switch (step.do) {
    case 'check': {
      const decision = desk.check(step.amountTrm, name(step.caller))
      if (decision.granted) open.push({ ...step, caller: name(step.caller), holdId: decision.holdId })
      return
    }
    case 'settle':
    case 'release': {
      const [job] = open.splice(step.pick % Math.max(1, open.length), 1)
      if (!job) return
      if (step.do === 'release') {
        desk.append(decideRelease(desk.state, { holdId: job.holdId, reason: 'cancelled' }, desk))
        return
      }
      const amountTrm = (job.amountTrm * BigInt(step.part)) / 100n
      desk.append(decideSpent(desk.state, { holdId: job.holdId, actualTrm: amountTrm }, desk))
      // The rules' time passes no faster than real time: a limit that holds in it holds in real time.
      model.settled.push({ caller: job.caller, atMs: desk.state.atMs, amountTrm })
      return
    }
    case 'error':
      desk.fail(name(step.caller))
      return
    case 'reset':
      desk.append(decideBreakerReset(desk.state, { caller: name(step.caller), operator: 'owner' }, desk))
      return
    case 'answer': {
      const pending = liveApprovals(desk.state, Math.max(desk.nowMs, desk.state.atMs)).find(
        ([, approval]) => approval.status === 'pending',
      )
      if (pending) desk.answer(pending[0], step.approved)
      return
    }
    case 'wait':
      desk.nowMs += step.ms
  }
}

describe('random histories', () => {
  it('parallel jobs never exceed the limits, and a restart gives the same state', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const desk = new SafetyDesk().policy(
          {
            requestLimitTrm: 110n,
            approvalThresholdTrm: 100n,
            hourLimitTrm: HOUR_LIMIT_TRM,
            lifetimeLimitTrm: LIFETIME_LIMIT_TRM,
          },
          null,
        )
        const model = new Model()
        const open: { holdId: string; caller: string; amountTrm: bigint }[] = []
        for (const step of history) runStep(desk, step, open, model)
        model.assertWithinLimits()
        expect(desk.restarted()).toEqual(desk.state)
        const json = JSON.parse(JSON.stringify(z.encode(SafetyStateCodec, desk.state)))
        expect(z.decode(SafetyStateCodec, json)).toEqual(desk.state)
      }),
      { numRuns: 300 },
    )
  })

  it('with the kill switch on nothing is granted, whatever came before', () => {
    fc.assert(
      fc.property(steps, fc.bigInt(1n, 10n ** 12n), (history, amountTrm) => {
        const desk = new SafetyDesk()
        const model = new Model()
        for (const step of history) runStep(desk, step, [], model)
        desk.kill(true)
        expect(desk.spend(amountTrm)).toBe('KILL_SWITCH_ACTIVE')
      }),
      { numRuns: 50 },
    )
  })

  it('an event that contradicts the state stops the replay', () => {
    const state = initialSafetyState()
    const holdId = '00'.repeat(16)
    expect(() => applySafetyEvent(state, { kind: 'safety.spent', holdId, amountTrm: '1', atMs: 1 })).toThrow()
    expect(() => applySafetyEvent(state, { kind: 'safety.released', holdId, reason: 'x', atMs: 1 })).toThrow()
  })
})
