import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OwnerValues } from '../../src-preload/contract/index.ts'
import { EarningEvent, type JobEvent } from './events.ts'
import { returnOf } from './roi.ts'
import {
  applyToSentinel,
  assertNotRed,
  decideResume,
  decideReview,
  INITIAL_SENTINEL,
  sentinelView,
} from './sentinel.ts'
import { Trials } from './testing/host-of-trials.ts'
import { job, randomOf, T0, VARIANT_A, variantACost } from './testing/presets.ts'

const DAY_MS = 86_400_000
const limits = VARIANT_A.sentinel
const viewOf = (trials: Trials, nowMs = T0) =>
  sentinelView(trials.sentinel, trials.values.sentinel, 'EUR', nowMs)
const healthy = (trials: Trials, jobs: number) => {
  for (let i = 0; i < jobs; i++) expect(trials.run()).toBe(false)
}

describe('goldens of spec/recursion.md §5', () => {
  it('L1: the simulated cost of a call', () => {
    expect([0, 1, 6, 12, 18].map(variantACost)).toEqual([0.001, 0.0011, 0.0016, 0.0022, 0.0028])
  })

  it('L3: gross and net return are told apart', () => {
    const { value, cost, gross, net } = returnOf([
      { value: 10, cost: 0.2 },
      { value: 0, cost: 0.1 },
    ])
    expect(value).toBe(10)
    expect(cost).toBeCloseTo(0.3, 12)
    expect(gross).toBeCloseTo(33.33, 2)
    expect(net).toBeCloseTo(32.33, 2)
    // The original turns both into 0.
    expect(returnOf([])).toMatchObject({ gross: null, net: null })
    expect(returnOf([{ value: 1, cost: 0 }])).toMatchObject({ gross: Number.POSITIVE_INFINITY })
  })

  it('S1: five failures in a row pause on the fifth, with a healthy return', () => {
    const trials = new Trials(VARIANT_A)
    healthy(trials, 50)
    for (let i = 1; i <= 5; i++) expect(trials.run({ ok: false })).toBe(i === 5)
    expect(trials.sentinel.pause).toMatchObject({
      guardrail: 'failure_streak',
      reason: '5 jobs in a row have failed.',
    })
  })

  // The original judges one call and pauses on the first failure; here nothing is judged below the minimum of samples.
  it('S2: a first call that fails does not pause; the return is judged from the tenth on', () => {
    const trials = new Trials(VARIANT_A)
    expect(trials.run({ ok: false })).toBe(false)
    for (let i = 2; i <= 9; i++) expect(trials.run({ value: 0 })).toBe(false)
    expect(trials.run({ value: 0 })).toBe(true)
    expect(trials.sentinel.pause?.guardrail).toBe('roi_floor')
  })

  it('S3: a latency of 2000 ms passes, 2001 ms pauses', () => {
    const trials = new Trials(VARIANT_A)
    expect(trials.run({ latencyMs: 2000 })).toBe(false)
    expect(trials.run({ latencyMs: 2001 })).toBe(true)
  })
})

describe('200 default trials', () => {
  // The original stops itself at call 29: its thermostat drives the depth past its sentinel’s limit.
  it.each([0.92, 0.69, 0.385])(
    'a correct share of %d never pauses, whatever the thermostat does',
    (share) => {
      for (let seed = 1; seed <= 60; seed++) {
        const random = randomOf(seed)
        const trials = new Trials(VARIANT_A)
        for (let i = 0; i < 200; i++) {
          const { innerCycles, outerSteps } = trials.settings
          const cycles = innerCycles * Math.ceil(random() * outerSteps)
          const correct = random() < share
          const red = trials.run({
            atMs: T0 + i * 1000,
            cycles,
            latencyMs: 5 + cycles * random() * 4,
            value: correct ? 100 : 0,
            cost: variantACost(cycles),
          })
          expect(red).toBe(false)
        }
        expect(viewOf(trials).level).toBe('green')
      }
    },
  )

  it('nor with the values that a new host has, with and without figures', () => {
    for (const known of [true, false]) {
      const trials = new Trials(OwnerValues.parse({}))
      for (let i = 0; i < 200; i++) {
        const red = trials.run({ latencyMs: 30_000, value: known ? 2e-6 : null, cost: known ? 1e-6 : null })
        expect(red).toBe(false)
      }
      expect(viewOf(trials).roi.samples).toBe(known ? 50 : 0)
    }
  })
})

describe('a breach pauses within the call that makes it', () => {
  const breaches: [string, Partial<JobEvent>, string][] = [
    ['daily_budget', { cost: 75, value: 1e6 }, 'Electricity cost'],
    ['recursion', { cycles: 19 }, '19 network calls; at most 18'],
    ['metrics', { valid: false }, 'figures that cannot be'],
    ['latency', { latencyMs: 2001 }, '2001 ms'],
    ['roi_floor', { cost: 70, value: 0 }, 'below the floor of 0.25'],
  ]
  it.each(breaches)('%s', (guardrail, breach, words) => {
    const trials = new Trials(VARIANT_A)
    for (let i = 0; i < 50; i++) expect(trials.run({ value: 1 })).toBe(false)
    expect(viewOf(trials).level).toBe('green')
    expect(trials.run(breach)).toBe(true)
    const view = viewOf(trials)
    expect(view.level).toBe('red')
    expect(view.reason).toContain(words)
    expect(view.nextStep).toContain('resume')
    expect(view.guardrails.filter(({ level }) => level === 'red').map(({ name }) => name)).toEqual([
      guardrail,
    ])
    expect(() => assertNotRed(trials.sentinel)).toThrow(
      expect.objectContaining({
        code: 'SENTINEL_RED',
        httpStatus: 503,
        message: expect.stringContaining(words),
      }),
    )
  })

  it('the limit itself is no breach', () => {
    const trials = new Trials(VARIANT_A)
    healthy(trials, 10)
    expect(trials.run({ cycles: 18, latencyMs: 2000 })).toBe(false)
    const exact = new Trials(VARIANT_A)
    expect(exact.run({ cost: 75, value: 1e6 })).toBe(false)
  })
})

describe('amber comes before red', () => {
  it('for the budget, the latency, the return and failures', () => {
    const budget = new Trials(VARIANT_A)
    budget.run({ cost: 60, value: 1e6 })
    expect(viewOf(budget)).toMatchObject({ level: 'amber', reason: 'Electricity cost 60 of 75 today.' })
    const latency = new Trials(VARIANT_A)
    latency.run({ latencyMs: 1600 })
    expect(viewOf(latency).level).toBe('amber')
    for (let i = 0; i < 20; i++) latency.run()
    expect(viewOf(latency).level).toBe('green')
    const failures = new Trials(VARIANT_A)
    for (let i = 0; i < 3; i++) failures.run({ ok: false })
    expect(viewOf(failures).level).toBe('amber')
    failures.run()
    expect(viewOf(failures).level).toBe('green')
    const roi = new Trials(VARIANT_A)
    for (let i = 0; i < 10; i++) roi.run({ value: 1.4, cost: 1 })
    expect(viewOf(roi)).toMatchObject({ level: 'amber', roi: { samples: 10, energy: 'measured' } })
  })

  it('a return that sinks slowly is amber for a while before it is red', () => {
    const trials = new Trials(VARIANT_A)
    const levels: string[] = []
    for (let value = 2; !trials.run({ value, cost: 1 }); value -= 0.01) levels.push(viewOf(trials).level)
    expect([...new Set(levels)]).toEqual(['green', 'amber'])
  })
})

describe('red is latched', () => {
  const red = () => {
    const trials = new Trials(VARIANT_A)
    trials.run({ latencyMs: 5000 })
    return trials
  }

  it('no good job, no other breach and no new day ends it or changes its reason', () => {
    const trials = red()
    const { pause } = trials.sentinel
    for (let i = 0; i < 30; i++) trials.run({ atMs: T0 + DAY_MS, cycles: i })
    expect(trials.sentinel.pause).toEqual(pause)
    expect(viewOf(trials, T0 + 3 * DAY_MS).level).toBe('red')
  })

  it('the owner ends it, and what led to it is forgotten', () => {
    const trials = red()
    trials.apply(decideResume(trials.sentinel, limits, T0))
    expect(viewOf(trials).level).toBe('green')
    expect(() => assertNotRed(trials.sentinel)).not.toThrow()
    expect(decideResume(trials.sentinel, limits, T0)).toEqual([])
  })

  it('a spent budget cannot be resumed on the same day, but on the next or with a larger one', () => {
    const trials = new Trials(VARIANT_A)
    expect(trials.run({ cost: 76, value: 1e6 })).toBe(true)
    expect(() => decideResume(trials.sentinel, limits, T0)).toThrow(
      expect.objectContaining({ code: 'SENTINEL_STILL_RED', httpStatus: 409 }),
    )
    expect(decideResume(trials.sentinel, { ...limits, daily_budget: 100 }, T0)).toHaveLength(1)
    trials.apply(decideResume(trials.sentinel, limits, T0 + DAY_MS))
    expect(trials.run({ atMs: T0 + DAY_MS, cost: 74, value: 1e6 })).toBe(false)
  })

  it('lowered limits are judged at once', () => {
    const trials = new Trials(VARIANT_A)
    trials.run({ cost: 50, value: 1e6 })
    expect(decideReview(trials.sentinel, limits, T0)).toEqual([])
    expect(decideReview(trials.sentinel, { ...limits, daily_budget: 40 }, T0)).toMatchObject([
      { kind: 'earning.paused', guardrail: 'daily_budget' },
    ])
  })
})

describe('the day', () => {
  it('begins at 00:00 UTC, and a clock set back begins none', () => {
    const midnight = Math.ceil(T0 / DAY_MS) * DAY_MS
    const trials = new Trials(VARIANT_A)
    trials.run({ atMs: midnight - 1, cost: 70, value: 1e6 })
    expect(viewOf(trials, midnight - 1).costToday).toBe(70)
    expect(viewOf(trials, midnight).costToday).toBe(0)
    expect(trials.run({ atMs: midnight, cost: 70, value: 1e6 })).toBe(false)
    expect(trials.run({ atMs: midnight - DAY_MS, cost: 4, value: 1e6 })).toBe(false)
    expect(viewOf(trials, 0).costToday).toBe(74)
    expect(trials.run({ atMs: 0, cost: 2, value: 1e6 })).toBe(true)
  })
})

const anyJob = fc.record({
  atMs: fc.integer({ min: T0, max: T0 + 3 * DAY_MS }),
  ok: fc.boolean(),
  valid: fc.constant(true),
  pending: fc.boolean(),
  latencyMs: fc.integer({ min: 0, max: 2100 }),
  cycles: fc.integer({ min: 0, max: 19 }),
  ownKey: fc.boolean(),
  value: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
  cost: fc.option(fc.double({ min: 0, max: 10, noNaN: true })),
  energySource: fc.constantFrom('measured' as const, 'declared' as const, null),
  forced: fc.boolean(),
})

it('the state follows from the journaled events alone', () => {
  fc.assert(
    fc.property(fc.array(anyJob, { maxLength: 80 }), (jobs) => {
      const trials = new Trials(VARIANT_A)
      const journal: string[] = []
      for (const changes of jobs) {
        const { sentinel } = trials
        trials.run(changes)
        journal.push(JSON.stringify(job(changes)))
        if (trials.sentinel.pause && !sentinel.pause) {
          const { atMs, ...pause } = trials.sentinel.pause
          journal.push(JSON.stringify({ kind: 'earning.paused', atMs, ...pause }))
        }
      }
      const replayed = journal
        .map((line) => EarningEvent.parse(JSON.parse(line)))
        .reduce(applyToSentinel, INITIAL_SENTINEL)
      expect(replayed).toEqual(trials.sentinel)
    }),
    { seed: 20261125 },
  )
})

it('the owner’s own use costs electricity and is no part of the return', () => {
  const trials = new Trials(VARIANT_A)
  for (let i = 0; i < 30; i++) expect(trials.run({ ownKey: true, value: 0, cost: 1 })).toBe(false)
  expect(viewOf(trials)).toMatchObject({ costToday: 30, roi: { net: null, samples: 0, energy: 'unknown' } })
})
