import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OwnerValues } from '../../src-preload/contract/index.ts'
import type { DepthSettings } from './events.ts'
import { depthLadder } from './ladder.ts'
import { Trials } from './testing/host-of-trials.ts'
import { randomOf, T0, VARIANT_A, variantACost } from './testing/presets.ts'
import { decideBounds, fullDepth, thermostatView } from './thermostat.ts'

const cyclesOf = ({ innerCycles, outerSteps }: DepthSettings) => innerCycles * outerSteps
const text = (settings: DepthSettings) => Object.values(settings).join(' ')

function started(settings: DepthSettings, values = VARIANT_A): Trials {
  const trials = new Trials(values)
  const sentence = 'Start.'
  trials.apply([
    {
      kind: 'earning.adjusted',
      atMs: T0,
      settings,
      direction: 'bounds',
      windows: 0,
      holdoffWindows: 0,
      sentence,
    },
  ])
  trials.moves.length = 0
  return trials
}

/** One full window of jobs that bring `gross` times their cost. */
function windowOf(trials: Trials, gross: number): void {
  const { window_jobs } = trials.values.thermostat
  for (let i = 0; i < window_jobs; i++) trials.run({ value: gross, cost: 1 })
}

/** A machine whose jobs bring `value` and cost what their depth costs. */
function plant(trials: Trials, windows: number, value: () => number): void {
  for (let i = 0; i < windows; i++) {
    const cycles = cyclesOf(trials.settings)
    // Settings change at the end of a window only.
    for (let j = 0; j < trials.values.thermostat.window_jobs; j++) {
      trials.run({ cycles, value: value(), cost: variantACost(cycles) })
    }
  }
}

/** Depth that was given and taken back. */
function reversals(trials: Trials): number {
  return trials.moves.filter(
    ({ direction }, i) => direction === 'shallower' && trials.moves[i - 1]?.direction === 'deeper',
  ).length
}

const grossOf = (trials: Trials, value: number) => value / variantACost(cyclesOf(trials.settings))
const withHysteresis = (hysteresis: number) =>
  OwnerValues.parse({ ...VARIANT_A, thermostat: { ...VARIANT_A.thermostat, hysteresis } })

describe('golden traces of spec/recursion.md §5, corrected', () => {
  // The original goes to 8 × 5 = 40 cycles and so past its own sentinel's 18; it lowers the halting threshold while it
  // adds cycles, which undo each other; it moves four knobs at once, so that none of them can be judged. Here one knob
  // moves per window, more depth always means more certainty, and the product stays within the sentinel's limit.
  it('T1: a high return buys depth, one step per window, up to the sentinel’s limit', () => {
    const trials = started({ innerCycles: 6, outerSteps: 3, haltThreshold: 0.55, concurrency: 1 })
    const trace: string[] = [text(trials.settings)]
    for (let i = 0; i < 20; i++) {
      windowOf(trials, 1000)
      if (trace.at(-1) !== text(trials.settings)) trace.push(text(trials.settings))
    }
    expect(trace).toEqual([
      '4 3 0.5 1',
      '4 3 0.5 2',
      '4 3 0.55 2',
      '5 3 0.55 2',
      '5 3 0.55 3',
      '5 3 0.6 3',
      '5 3 0.65 3',
      '6 3 0.65 3',
      '6 3 0.65 4',
      '6 3 0.7 4',
      '6 3 0.7 5',
      '6 3 0.75 5',
      '6 3 0.8 5',
      '6 3 0.8 6',
      '6 3 0.85 6',
    ])
  })

  it('T2: a low return takes depth back down to the least, and the threshold goes down with it', () => {
    const trials = started({ innerCycles: 6, outerSteps: 3, haltThreshold: 0.65, concurrency: 3 })
    const trace: string[] = []
    for (let i = 0; i < 12; i++) {
      windowOf(trials, 0.5)
      if (trace.at(-1) !== text(trials.settings)) trace.push(text(trials.settings))
    }
    expect(trace).toEqual([
      '5 3 0.65 3',
      '5 3 0.6 3',
      '5 3 0.55 3',
      '5 3 0.55 2',
      '4 3 0.55 2',
      '4 3 0.5 2',
      '4 3 0.5 1',
      '4 3 0.45 1',
      '4 2 0.45 1',
      '3 2 0.45 1',
    ])
  })

  // T3 (variant C) is the same controller with a step of 0.02 and no concurrency; its bounds give a ladder of ours.
  it('T3: variant C’s bounds are kept at both ends', () => {
    const thermostat = { ...VARIANT_A.thermostat, min_halt_threshold: 0.5, max_concurrency: 1 }
    const ladder = depthLadder(thermostat, 18)
    expect(ladder[0]).toEqual({ innerCycles: 3, outerSteps: 2, haltThreshold: 0.5, concurrency: 1 })
    expect(ladder.at(-1)).toEqual({ innerCycles: 6, outerSteps: 3, haltThreshold: 0.85, concurrency: 1 })
  })
})

const anyThermostat = fc
  .record({
    inner: fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 8 })),
    outer: fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 8 })),
    halt: fc.tuple(fc.integer({ min: 5, max: 60 }), fc.integer({ min: 0, max: 39 })),
    concurrency: fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 8 })),
    spare: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ inner, outer, halt, concurrency, spare }) =>
    OwnerValues.parse({
      thermostat: {
        window_jobs: 5,
        min_inner_cycles: inner[0],
        max_inner_cycles: inner[0] + inner[1],
        min_outer_steps: outer[0],
        max_outer_steps: outer[0] + outer[1],
        min_halt_threshold: halt[0] / 100,
        max_halt_threshold: (halt[0] + halt[1]) / 100,
        min_concurrency: concurrency[0],
        max_concurrency: concurrency[0] + concurrency[1],
      },
      sentinel: { max_cycles: inner[0] * outer[0] + spare },
    }),
  )

describe('whatever is measured', () => {
  it('the settings stay within the owner’s and the sentinel’s bounds, one knob and one step at a time', () => {
    fc.assert(
      fc.property(
        anyThermostat,
        fc.array(fc.double({ min: 0, max: 8, noNaN: true }), { maxLength: 60 }),
        (values, grosses) => {
          const trials = new Trials(values)
          const { thermostat, sentinel } = values
          let before = trials.settings
          for (const gross of grosses) {
            windowOf(trials, gross)
            const now = trials.settings
            const { innerCycles, outerSteps, haltThreshold, concurrency } = now
            expect(innerCycles * outerSteps).toBeLessThanOrEqual(sentinel.max_cycles)
            expect(innerCycles).toBeGreaterThanOrEqual(thermostat.min_inner_cycles)
            expect(innerCycles).toBeLessThanOrEqual(thermostat.max_inner_cycles)
            expect(outerSteps).toBeGreaterThanOrEqual(thermostat.min_outer_steps)
            expect(outerSteps).toBeLessThanOrEqual(thermostat.max_outer_steps)
            expect(haltThreshold).toBeGreaterThanOrEqual(thermostat.min_halt_threshold)
            expect(haltThreshold).toBeLessThanOrEqual(thermostat.max_halt_threshold)
            expect(concurrency).toBeGreaterThanOrEqual(thermostat.min_concurrency)
            expect(concurrency).toBeLessThanOrEqual(thermostat.max_concurrency)
            const differing = (Object.keys(now) as (keyof DepthSettings)[]).filter(
              (knob) => now[knob] !== before[knob],
            )
            expect(differing.length).toBeLessThanOrEqual(1)
            before = now
          }
          for (const { sentence } of trials.moves) {
            expect(sentence).toMatch(
              /^(Inner cycles|Outer steps|Halting threshold|Thoughts side by side) [\d.]+ → [\d.]+: .+\.$/,
            )
          }
        },
      ),
      { seed: 20261121, numRuns: 150 },
    )
  })

  it('there is no dead band: outside the hysteresis every window moves one step, to the end of the ladder', () => {
    fc.assert(
      fc.property(anyThermostat, fc.boolean(), (values, high) => {
        const trials = new Trials(values)
        const ladder = depthLadder(values.thermostat, values.sentinel.max_cycles)
        const start = Math.floor((ladder.length - 1) / 2)
        const steps = high ? ladder.length - 1 - start : start
        for (let i = 0; i < steps; i++) {
          // Just outside: 2 is the target, 0.2 the hysteresis.
          windowOf(trials, high ? 2.4001 : 1.5999)
          expect(trials.moves.length).toBe(i + 1)
        }
        expect(trials.settings).toEqual(high ? ladder.at(-1) : ladder[0])
      }),
      { seed: 20261122, numRuns: 100 },
    )
  })

  it('inside the hysteresis nothing moves', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1.6001, max: 2.3999, noNaN: true }), { maxLength: 50 }),
        (grosses) => {
          const trials = new Trials(VARIANT_A)
          for (const gross of grosses) windowOf(trials, gross)
          expect(trials.moves).toEqual([])
        },
      ),
      { seed: 20261123 },
    )
  })
})

describe('convergence', () => {
  it('settles where the return is at its target, and stays', () => {
    for (const value of [0.0036, 0.0044, 0.005, 0.0055]) {
      const trials = new Trials(withHysteresis(0.1))
      plant(trials, 40, () => value)
      const moves = trials.moves.length
      plant(trials, 200, () => value)
      expect(trials.moves.length).toBe(moves)
      expect(Math.abs(grossOf(trials, value) / 2 - 1)).toBeLessThanOrEqual(0.1)
    }
  })

  it('follows a step in what work is worth, down and up again', () => {
    const trials = new Trials(withHysteresis(0.1))
    for (const value of [0.0055, 0.0036, 0.0055, 0.0036]) {
      plant(trials, 60, () => value)
      expect(Math.abs(grossOf(trials, value) / 2 - 1)).toBeLessThanOrEqual(0.1)
    }
  })

  it('goes to its bounds where the target cannot be met', () => {
    const rich = new Trials(VARIANT_A)
    plant(rich, 40, () => 100)
    expect(rich.settings).toEqual(fullDepth(rich.bounds))
    const poor = new Trials(VARIANT_A)
    plant(poor, 40, () => 0)
    expect(poor.settings).toEqual(depthLadder(VARIANT_A.thermostat, 18)[0])
  })

  it('finds the same place through noise and swings seldom', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = randomOf(seed)
      const trials = new Trials(VARIANT_A)
      // Every job brings between nothing and twice the mean.
      plant(trials, 400, () => 0.0044 * 2 * random())
      expect(Math.abs(grossOf(trials, 0.0044) / 2 - 1)).toBeLessThanOrEqual(0.45)
      expect(reversals(trials)).toBeLessThanOrEqual(16)
    }
  })

  it('does not swing between two rungs that lie on either side of the band', () => {
    const trials = new Trials(withHysteresis(0.05))
    // 15 cycles are worth 2.12 times their cost and 18 are worth 1.893; the band is 1.9 to 2.1.
    plant(trials, 640, () => 0.0053)
    const early = reversals(trials)
    plant(trials, 640, () => 0.0053)
    expect(early).toBeLessThanOrEqual(16)
    expect(reversals(trials) - early).toBeLessThanOrEqual(11)
  })
})

describe('an adversary', () => {
  it('who alternates job by job moves nothing', () => {
    const trials = new Trials(VARIANT_A)
    for (let i = 0; i < 2000; i++) trials.run({ value: i % 2 === 0 ? 4 : 0, cost: 1 })
    expect(trials.moves).toEqual([])
  })

  it('who sees the settings and always answers with the opposite is waited out', () => {
    const trials = new Trials(VARIANT_A)
    for (let i = 0; i < 1000; i++) windowOf(trials, trials.moves.at(-1)?.direction === 'deeper' ? 0 : 1000)
    // Waits of 1, 2, 4 … 64 windows, then one try in 64 or more.
    expect(reversals(trials)).toBeLessThanOrEqual(7 + 1000 / 64)
  })

  it('with any sequence of good and bad windows gets at most a few swings', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 300, maxLength: 400 }), (good) => {
        const trials = new Trials(
          OwnerValues.parse({ ...VARIANT_A, thermostat: { ...VARIANT_A.thermostat, window_jobs: 5 } }),
        )
        for (const isGood of good) windowOf(trials, isGood ? 1000 : 0)
        expect(reversals(trials)).toBeLessThanOrEqual(16)
      }),
      { seed: 20261124, numRuns: 50 },
    )
  })
})

describe('what else it obeys', () => {
  it('a job close to the sentinel’s latency ceiling takes depth back at once, and none is added while jobs are slow', () => {
    const trials = new Trials(VARIANT_A)
    const before = trials.settings
    trials.run({ latencyMs: 1601 })
    expect(trials.moves.map(({ direction }) => direction)).toEqual(['shallower'])
    expect(trials.settings).not.toEqual(before)
    expect(trials.moves[0]?.sentence).toContain('1601 ms')
    const slow = new Trials(VARIANT_A)
    for (let i = 0; i < 100; i++) slow.run({ latencyMs: 1300, value: 1000, cost: 1 })
    expect(slow.moves).toEqual([])
  })

  it('the owner’s own use, jobs without figures and jobs at forced depth teach it nothing', () => {
    const trials = new Trials(VARIANT_A)
    for (let i = 0; i < 100; i++) {
      trials.run({ ownKey: true })
      trials.run({ cost: null })
      trials.run({ value: null })
      trials.run({ forced: true })
    }
    expect(trials.moves).toEqual([])
    expect(thermostatView(trials.thermostat, trials.bounds, false).sentence).toContain(
      'Nothing has been measured yet',
    )
  })

  it('forced depth is the most that the bounds allow, and no more', () => {
    const trials = new Trials(VARIANT_A)
    const { innerCycles, outerSteps, haltThreshold, forced } = thermostatView(
      trials.thermostat,
      trials.bounds,
      true,
    )
    expect([innerCycles * outerSteps, haltThreshold, forced]).toEqual([18, 0.85, true])
  })

  it('new bounds hold at once, and never by more depth', () => {
    const trials = new Trials(VARIANT_A)
    for (let i = 0; i < 20; i++) windowOf(trials, 1000)
    const tight = new Trials(
      OwnerValues.parse({ ...VARIANT_A, thermostat: { ...VARIANT_A.thermostat, max_inner_cycles: 4 } }),
    )
    const [event] = decideBounds(trials.thermostat, tight.bounds, T0)
    expect(event).toMatchObject({ direction: 'bounds', settings: { innerCycles: 4, outerSteps: 3 } })
    expect(decideBounds(trials.thermostat, trials.bounds, T0)).toEqual([])
  })
})
