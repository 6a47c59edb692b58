import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { callsPerStep, policyOfSteps, withinCalls } from './depth.ts'
import type { Policy } from './policy.ts'
import { createReasoner, type ReasonRequest } from './reasoner.ts'
import { TASKS } from './tasks/index.ts'

const RESOURCES = join(import.meta.dirname, '../../resources/recursion')
const NAMES = ['sudoku-4x4', 'funnel-choice', 'funnel-classification']
const reasoner = createReasoner(
  NAMES.map((name) => ({
    weights: readFileSync(join(RESOURCES, `${name}.safetensors`)),
    manifest: JSON.parse(readFileSync(join(RESOURCES, `${name}.json`), 'utf8')),
  })),
)
const question = (task: string): Pick<ReasonRequest, 'task' | 'input'> => ({
  task,
  input: TASKS.get(task)?.testItems(1, 7)[0]?.input,
})
/** Two equal digits in a row: nothing can be right, so every step is done. */
const HARD = { task: 'sudoku-4x4', input: { cells: [1, 1, ...Array(14).fill(0)] } }
const MIDDLE = { innerCycles: 5, outerSteps: 6, haltThreshold: 0.6 }

describe('depth that the host chooses', () => {
  it('is deeper with more inner cycles and with more steps, in what is done and in what is reserved', () => {
    for (const knob of ['innerCycles', 'outerSteps'] as const) {
      let before = { flop: 0, bound: 0 }
      for (const value of [2, 4, 6, 8]) {
        const request = { ...HARD, depth: { ...MIDDLE, [knob]: value } }
        const [{ flop }, bound] = [reasoner.reason(request), reasoner.maximumFlop(request)]
        expect(flop).toBeGreaterThan(before.flop)
        expect(bound).toBeGreaterThan(before.bound)
        expect(flop).toBeLessThanOrEqual(bound)
        before = { flop, bound }
      }
    }
  })

  it('waits longer for a higher halting threshold', () => {
    const stepsAt = (haltThreshold: number) =>
      reasoner.reason({ ...question('funnel-choice'), depth: { ...MIDDLE, haltThreshold } }).steps.length
    expect(stepsAt(0)).toBe(1)
    expect(stepsAt(1)).toBe(MIDDLE.outerSteps)
  })

  it('has the efforts of a request on its line', () => {
    expect(policyOfSteps(4)).toMatchObject({ rollouts: 0 })
    const trained = reasoner.manifests.find(({ task }) => task === HARD.task)?.cycles.inner ?? 0
    for (const [effort, steps] of [
      ['low', 4],
      ['medium', 8],
      ['high', 16],
    ] as const) {
      const plain = reasoner.maximumFlop({ ...HARD, effort })
      const depth = { innerCycles: trained, outerSteps: steps, haltThreshold: 0.5 }
      expect(reasoner.maximumFlop({ ...HARD, depth })).toBe(plain)
    }
  })
})

describe('the bound on calls of the network', () => {
  it('is kept by every effort, number of steps and depth', () => {
    const request = fc.oneof(
      fc.record({
        effort: fc.constantFrom('low' as const, 'medium' as const, 'high' as const, 'full' as const),
      }),
      fc.record({ steps: fc.integer({ min: 1, max: 64 }) }),
      fc.record({
        depth: fc.record({
          innerCycles: fc.integer({ min: 1, max: 12 }),
          outerSteps: fc.integer({ min: 1, max: 12 }),
          haltThreshold: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
      }),
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        request,
        fc.integer({ min: 18, max: 900 }),
        (task, how, most) => {
          const asked = { ...(task === HARD.task ? HARD : question(task)), ...how, maximumCycles: most }
          const { cycles, flop } = reasoner.reason(asked)
          expect(cycles).toBeLessThanOrEqual(most)
          expect(flop).toBeLessThanOrEqual(reasoner.maximumFlop(asked))
        },
      ),
      { seed: 20261201, numRuns: 150 },
    )
  })

  it('changes nothing where it does not bind', () => {
    for (const effort of ['low', 'medium', 'full'] as const) {
      const free = reasoner.reason({ ...HARD, effort })
      expect(reasoner.reason({ ...HARD, effort, maximumCycles: free.cycles })).toEqual(free)
    }
  })

  it('takes voices before steps, and steps before inner cycles', () => {
    const plan = { cycles: { inner: 6, outer: 3 }, policy: policyOfSteps(8) as Policy }
    expect(withinCalls(plan, 1, (8 + 5 * 16) * 21).policy).toMatchObject({ reflexSteps: 8, rollouts: 5 })
    expect(withinCalls(plan, 1, 3 * 21)).toMatchObject({ policy: { reflexSteps: 3, rollouts: 0 } })
    expect(withinCalls(plan, 1, 12)).toMatchObject({ cycles: { inner: 3 }, policy: { reflexSteps: 1 } })
    expect(callsPerStep({ inner: 3, outer: 3 })).toBe(12)
  })

  it('refuses a question of which not one step may be done', () => {
    for (const maximumCycles of [1, 5]) {
      expect(() => reasoner.maximumFlop({ ...HARD, maximumCycles })).toThrow(
        expect.objectContaining({ code: 'DEPTH_IMPOSSIBLE' }),
      )
    }
    expect(reasoner.reason({ ...HARD, maximumCycles: 6 }).cycles).toBe(6)
  })
})

it('a thought ends where its watcher throws', () => {
  let steps = 0
  const watch = () => {
    steps++
    if (steps === 3) throw new Error('the asker has left')
  }
  expect(() => reasoner.reason({ ...HARD, effort: 'high' }, watch)).toThrow('the asker has left')
  expect(steps).toBe(3)
  expect(reasoner.reason({ ...HARD, effort: 'low' })).toEqual(reasoner.reason({ ...HARD, effort: 'low' }))
})
