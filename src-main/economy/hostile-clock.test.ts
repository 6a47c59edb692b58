import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { hexFromBytes, sha256, TiramiError, utf8 } from '../kernel/index.ts'
import {
  type AccessState,
  AccessStateCodec,
  applyAccessEvent,
  decideIssue,
  decideRevoke,
  decideRotate,
  INITIAL_ACCESS,
  identifyToken,
  tokenHash,
} from './access.ts'
import {
  applySafetyEvent,
  decidePolicy,
  decideSpend,
  decideSpent,
  initialSafetyState,
  type SafetyState,
  SafetyStateCodec,
  safetyGauges,
} from './safety.ts'

const T0 = 1_700_000_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const CALLER = 'c'.repeat(64)
const ATTEMPTS = 4
const POLICY = {
  requestLimitTrm: 60n,
  hourLimitTrm: 100n,
  lifetimeLimitTrm: 1_500n,
  approvalThresholdTrm: null,
  attemptsPerMinute: ATTEMPTS,
}
const UNREADABLE = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 0.5, 2 ** 53, 1e300]

const id = (number: number) => hexFromBytes(sha256(utf8(`id ${number}`))).slice(0, 32)
const token = (number: number) => hexFromBytes(sha256(utf8(`token ${number}`)))

/** To and fro around the windows of the rules, and far away. */
const offsets = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(0, 1, 1_000, MINUTE, 61_000, 59 * MINUTE, HOUR, HOUR + MINUTE, 2 * HOUR),
  },
  { weight: 3, arbitrary: fc.constantFrom(-1, -MINUTE, -HOUR, -2 * HOUR, -DAY, -3_650 * DAY) },
  { weight: 1, arbitrary: fc.constantFrom(DAY, 3_650 * DAY) },
)

function refusalOf(run: () => unknown): string | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof TiramiError) return error.code
    throw error
  }
}

const restarted = (state: SafetyState): SafetyState =>
  z.decode(SafetyStateCodec, JSON.parse(JSON.stringify(z.encode(SafetyStateCodec, state))))

describe('budgets under a hostile clock', () => {
  const spends = fc.array(
    fc.record({ by: offsets, amountTrm: fc.bigInt({ min: 1n, max: 70n }), restart: fc.boolean() }),
    { minLength: 40, maxLength: 120 },
  )

  it('no hour and no minute, counted by the latest reading so far, holds more than its limit', () => {
    let granted = 0
    let refused = 0
    fc.assert(
      fc.property(spends, (steps) => {
        const fold = (state: SafetyState, events: Parameters<typeof applySafetyEvent>[1][]) =>
          events.reduce(applySafetyEvent, state)
        const policy = { caller: CALLER, policy: POLICY, operator: 'owner' }
        let state = fold(initialSafetyState(), decidePolicy(initialSafetyState(), policy, { nowMs: T0 }))
        let [clockMs, latestMs] = [T0, T0]
        const spent: { atMs: number; amountTrm: bigint }[] = []
        for (const [number, { by, amountTrm, restart }] of steps.entries()) {
          clockMs = Math.max(0, clockMs + by)
          if (restart) state = restarted(state)
          const decision = decideSpend(
            state,
            { caller: CALLER, amountTrm },
            { nowMs: clockMs, freshId: id(number) },
          )
          state = fold(state, decision.events)
          if (decision.events.length > 0) latestMs = Math.max(latestMs, clockMs)
          if (!decision.granted) {
            refused++
            continue
          }
          granted++
          spent.push({ atMs: latestMs, amountTrm })
          const holdId = decision.holdId
          state = fold(state, decideSpent(state, { holdId, actualTrm: amountTrm }, { nowMs: clockMs }))
          const within = (windowMs: number) => spent.filter(({ atMs }) => latestMs - atMs <= windowMs)
          const sumTrm = (list: typeof spent) => list.reduce((sum, entry) => sum + entry.amountTrm, 0n)
          expect(sumTrm(within(HOUR))).toBeLessThanOrEqual(POLICY.hourLimitTrm)
          expect(sumTrm(spent)).toBeLessThanOrEqual(POLICY.lifetimeLimitTrm)
          expect(within(MINUTE).length).toBeLessThanOrEqual(ATTEMPTS)
          expect(safetyGauges(state, CALLER, clockMs).clockBehindMs).toBe(latestMs - clockMs)
        }
      }),
      { numRuns: 100 },
    )
    expect(Math.min(granted, refused)).toBeGreaterThan(500)
  })

  it('refuses to spend by a clock that cannot be read, and changes nothing', () => {
    const state = initialSafetyState()
    for (const nowMs of UNREADABLE) {
      const spend = () => decideSpend(state, { caller: CALLER, amountTrm: 1n }, { nowMs, freshId: id(0) })
      expect(refusalOf(spend)).toBe('CLOCK_UNREADABLE')
      expect(refusalOf(() => safetyGauges(state, CALLER, nowMs))).toBe('CLOCK_UNREADABLE')
    }
  })
})

describe('tokens under a hostile clock', () => {
  const TTL_SECS = 3_600
  const acts = fc.array(
    fc.record({
      by: offsets,
      act: fc.constantFrom('issue', 'rotate', 'revoke', 'use', 'use', 'restart'),
      pick: fc.nat(),
    }),
    { minLength: 30, maxLength: 90 },
  )

  it('by the latest entry so far none is good beyond its time, and none once it was revoked', () => {
    let [used, expired] = [0, 0]
    fc.assert(
      fc.property(acts, (steps) => {
        let state: AccessState = INITIAL_ACCESS
        let [clockMs, latestMs, made] = [T0, 0, 0]
        /** Latest moment at which the token may be good, by number. */
        const goodUntilMs = new Map<number, number>()
        for (const { by, act, pick } of steps) {
          clockMs = Math.max(0, clockMs + by)
          const context = { nowMs: clockMs }
          const nowMs = Math.max(clockMs, latestMs)
          const number = pick % Math.max(1, made)
          const record = (events: Parameters<typeof applyAccessEvent>[1][]) => {
            state = events.reduce(applyAccessEvent, state)
            latestMs = nowMs
          }
          if (act === 'issue') {
            record(decideIssue(state, { token: token(made), scope: 'inference', ttlSecs: TTL_SECS }, context))
            goodUntilMs.set(made++, nowMs + TTL_SECS * 1_000)
          } else if (act === 'revoke') {
            const revoke = () => decideRevoke(state, { tokenHash: tokenHash(token(number)) }, context)
            if (refusalOf(revoke) === null) record(revoke())
            goodUntilMs.set(number, 0)
          } else if (act === 'rotate') {
            const command = { tokenHash: tokenHash(token(number)), newToken: token(made), graceMs: MINUTE }
            const rotate = () => decideRotate(state, command, context)
            if (refusalOf(rotate) !== null) continue
            record(rotate())
            goodUntilMs.set(number, Math.min(nowMs + MINUTE, goodUntilMs.get(number) ?? 0))
            goodUntilMs.set(made++, nowMs + TTL_SECS * 1_000)
          } else if (act === 'use') {
            const good = nowMs < (goodUntilMs.get(number) ?? 0)
            expect(identifyToken(state, token(number), context) !== null).toBe(good)
            if (good) used++
            else expired++
          } else {
            state = z.decode(AccessStateCodec, JSON.parse(JSON.stringify(z.encode(AccessStateCodec, state))))
          }
        }
      }),
      { numRuns: 100 },
    )
    expect(Math.min(used, expired)).toBeGreaterThan(100)
  })

  it('none is issued, used or rotated by a clock that cannot be read', () => {
    const [issued] = decideIssue(INITIAL_ACCESS, { token: token(0), scope: 'inference' }, { nowMs: T0 })
    if (!issued) throw new Error('nothing was issued')
    const state = applyAccessEvent(INITIAL_ACCESS, issued)
    for (const nowMs of UNREADABLE) {
      const context = { nowMs }
      const rotation = { tokenHash: tokenHash(token(0)), newToken: token(1), graceMs: 0 }
      const attempts = [
        () => decideIssue(state, { token: token(1), scope: 'inference' }, context),
        () => identifyToken(state, token(0), context),
        () => decideRotate(state, rotation, context),
      ]
      for (const attempt of attempts) expect(refusalOf(attempt)).toBe('CLOCK_UNREADABLE')
    }
  })
})
