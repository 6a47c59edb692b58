import { describe, expect, it } from 'vitest'
import { TASKS } from '../../src-main/recursion/index.ts'
import { evaluate, evaluateGated, proportion, readCheckpoint, taskNamed } from './evaluate.ts'
import { RECIPES } from './recipes.ts'

describe('proportion', () => {
  it('has the Wilson interval of published examples', () => {
    // Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29, without continuity correction.
    for (const [successes, count, low, high] of [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ] as const) {
      const interval = proportion(successes, count)
      expect(interval.low).toBeCloseTo(low, 4)
      expect(interval.high).toBeCloseTo(high, 4)
    }
  })
})

describe('recipes', () => {
  it('exist for every task, with a shape that its examples fit', () => {
    expect([...RECIPES.keys()].sort()).toEqual([...TASKS.keys()].sort())
    for (const [name, { shape }] of RECIPES) {
      const { instance, targets } = taskNamed(name).trainingSet(1).draw()
      expect(Math.max(...instance.tokens)).toBeLessThan(shape.vocabulary)
      expect(Math.max(...targets)).toBeLessThan(shape.classes)
      if (shape.mixer.kind === 'mlp') expect(instance.tokens.length).toBe(shape.mixer.tokens)
    }
  })
})

describe('evaluation', () => {
  const checkpoint = readCheckpoint('sudoku-4x4')
  const task = taskNamed('sudoku-4x4')

  it('counts what the shipped weights get right, step by step', () => {
    const { byStep, halting, haltingSteps } = evaluate(task, checkpoint.model, checkpoint.cycles, {
      count: 60,
      steps: 8,
    })
    expect(byStep.map(({ count }) => count)).toEqual(new Array(8).fill(60))
    expect(byStep.at(-1)?.successes).toBeGreaterThanOrEqual(56)
    expect(halting.successes).toBeGreaterThanOrEqual(55)
    expect(haltingSteps).toBeLessThan(4)
  }, 240_000)

  it('counts steps and councils of the gated policy', () => {
    const judge = { judge: 'rules', haltProbability: 0.5, patience: 1 } as const
    const policy = { reflexSteps: 2, rollouts: 4, rolloutSteps: 4, deviation: 0.2, ...judge }
    const { accuracy, meanSteps, councils, wronglySure } = evaluateGated(task, checkpoint, policy, {
      count: 60,
    })
    expect(accuracy.successes).toBeGreaterThanOrEqual(56)
    expect(meanSteps).toBeGreaterThanOrEqual(1)
    expect(meanSteps).toBeLessThanOrEqual(2 + 16 * (councils / 60))
    // Rules cannot be wrong about a puzzle with one solution.
    expect(wronglySure).toBe(0)
  }, 240_000)
})
