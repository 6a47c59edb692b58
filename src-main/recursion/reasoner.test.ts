import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { TiramiError } from '../kernel/index.ts'
import { loadCheckpoint } from './checkpoint.ts'
import { InferenceEngine } from './inference.ts'
import { deliberate, type Policy } from './policy.ts'
import { createReasoner, type ReasonerFile } from './reasoner.ts'
import { flopPerStep } from './shape.ts'
import { type AnyTask, TASKS } from './tasks/index.ts'

const RESOURCES = join(import.meta.dirname, '../../resources/recursion')
const names = readdirSync(RESOURCES)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length))

const MAXIMUM_FILE_BYTES = 300 * 1024

const read = (name: string): ReasonerFile => ({
  weights: readFileSync(join(RESOURCES, `${name}.safetensors`)),
  manifest: JSON.parse(readFileSync(join(RESOURCES, `${name}.json`), 'utf8')),
})

function taskNamed(name: string): AnyTask {
  const task = TASKS.get(name)
  if (!task) throw new Error(`no task ${name}`)
  return task
}

const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return error instanceof TiramiError ? error.code : `not expected: ${error}`
  }
  return 'none'
}

describe('the weights that ship', () => {
  it.each(names)('%s is small, whole and belongs to its task', (name) => {
    const { manifest } = loadCheckpoint(read(name).weights, read(name).manifest)
    expect(manifest.task).toBe(name)
    expect(manifest.file).toBe(`${name}.safetensors`)
    expect(statSync(join(RESOURCES, manifest.file)).size).toBeLessThanOrEqual(MAXIMUM_FILE_BYTES)
  })

  it.each(names.filter((name) => !name.startsWith('funnel')))(
    '%s answers questions it never saw',
    (name) => {
      const reasoner = createReasoner([read(name)])
      const items = taskNamed(name).testItems(20, 4242)
      const right = items.filter(
        ({ input, score }) => score(reasoner.reason({ task: name, input }).answer) === 1,
      )
      expect(right.length).toBeGreaterThanOrEqual(17)
    },
    240_000,
  )
})

describe('reasoner', () => {
  const name = 'sudoku-4x4'
  const task = taskNamed(name)
  const reasoner = createReasoner([read(name)])
  const [item] = task.testItems(1, 99)
  const input = item?.input

  it('shows how the answer came about, and what it cost', () => {
    const { manifest, model, cycles } = loadCheckpoint(read(name).weights, read(name).manifest)
    const result = reasoner.reason({ task: name, input, effort: 'low' })
    expect(reasoner.manifests).toEqual([manifest])
    expect(result.steps.at(-1)?.answer).toEqual(result.answer)
    expect(result.verified).toBe(task.verify(input, result.answer))
    for (const { haltProbability } of result.steps) expect(haltProbability).toBeLessThanOrEqual(1)
    expect(result.cycles).toBe(result.steps.length * cycles.outer * (cycles.inner + 1))
    expect(result.flop).toBe(result.steps.length * flopPerStep(model.shape, 16, cycles))
  })

  it('goes the whole way at full depth, right or wrong, and shows how the latent comes to rest', () => {
    const { steps, flop, councilSteps } = reasoner.reason({ task: name, input, effort: 'full' })
    const request = { task: name, input, effort: 'full' } as const
    expect({ steps: steps.length, flop, councilSteps }).toEqual({
      steps: 16,
      flop: reasoner.maximumFlop(request),
      councilSteps: 0,
    })
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const moved = steps.map(({ latentChange }) => mean(latentChange))
    for (const { latentChange } of steps) expect(latentChange).toHaveLength(16)
    expect(moved.at(-1)).toBeLessThan((moved[0] ?? 0) / 2)
    const low = reasoner.reason({ task: name, input, effort: 'low' }).steps
    expect(steps.slice(0, low.length)).toEqual(low)
  })

  it('repeats with its seed', () => {
    const request = { task: name, input, effort: 'high', seed: 5 } as const
    expect(reasoner.reason(request)).toEqual(createReasoner([read(name)]).reason(request))
  })

  it('never spends more than it announces', () => {
    for (const { input } of task.testItems(20, 100)) {
      for (const effort of ['low', 'medium', 'high', 'full'] as const) {
        const request = { task: name, input, effort }
        expect(reasoner.reason(request).flop).toBeLessThanOrEqual(reasoner.maximumFlop(request))
      }
    }
  }, 240_000)

  it('says so where a puzzle has no answer', () => {
    const impossible = { cells: [1, 1, ...new Array<number>(14).fill(0)] }
    const { verified, councilSteps } = reasoner.reason({ task: name, input: impossible, effort: 'medium' })
    expect(verified).toBe(false)
    expect(councilSteps).toBeGreaterThan(0)
  })

  it('refuses unknown tasks, wrong questions and wrong settings', () => {
    expect(codeOf(() => reasoner.reason({ task: 'chess', input }))).toBe('TASK_UNKNOWN')
    expect(codeOf(() => reasoner.reason({ task: 'maze', input }))).toBe('TASK_UNKNOWN')
    expect(codeOf(() => reasoner.reason({ task: name, input: { cells: [] } }))).toBe('INVALID_INPUT')
    expect(codeOf(() => reasoner.reason({ task: name, input, seed: -1 }))).toBe('INVALID_INPUT')
    expect(codeOf(() => reasoner.reason({ task: name, input, effort: 'most' as 'high' }))).toBe(
      'INVALID_INPUT',
    )
    expect(codeOf(() => reasoner.maximumFlop({ task: name, input: null }))).toBe('INVALID_INPUT')
  })

  it('refuses damaged weights', () => {
    const { weights, manifest } = read(name)
    expect(codeOf(() => createReasoner([{ weights: weights.subarray(1), manifest }]))).toBe(
      'CHECKPOINT_INVALID',
    )
  })
})

describe('the gated policy', () => {
  const { model, cycles } = loadCheckpoint(read('sudoku-4x4').weights, read('sudoku-4x4').manifest)
  const task = taskNamed('sudoku-4x4')
  const engine = new InferenceEngine(model, 16)
  const policy: Policy = {
    reflexSteps: 1,
    rollouts: 6,
    rolloutSteps: 3,
    deviation: 0.3,
    judge: 'rules',
    haltProbability: 0.5,
    patience: 1,
  }

  it('convenes the council only where the judge is not sure, and takes the answer that the rules confirm', () => {
    let convened = 0
    for (const { input } of task.testItems(60, 321)) {
      const result = deliberate(engine, cycles, task, input, policy, 7)
      const reflex = deliberate(engine, cycles, task, input, { ...policy, rollouts: 0 }, 7)
      expect(reflex.councilSteps).toBe(0)
      if (reflex.sure) expect(result).toEqual(reflex)
      else {
        convened++
        expect(result.councilSteps).toBeGreaterThan(0)
      }
      expect(result.sure).toBe(task.verify(input, result.answer))
    }
    expect(convened).toBeLessThan(60)
  }, 240_000)

  it('lets the halting head judge alone', () => {
    for (const { input } of task.testItems(20, 322)) {
      const { sure, steps } = deliberate(engine, cycles, task, input, { ...policy, judge: 'head' }, 7)
      expect(sure).toBe((steps.at(-1)?.haltProbability ?? 0) > 0.5)
    }
  }, 240_000)

  it('waits until the head is sure so many times in a row', () => {
    const patient = {
      ...policy,
      reflexSteps: 8,
      rollouts: 0,
      judge: 'head',
      haltProbability: 0.9,
      patience: 3,
    } as const
    for (const { input } of task.testItems(20, 323)) {
      const { sure, steps } = deliberate(engine, cycles, task, input, patient, 7)
      const last = steps.slice(-3).map(({ haltProbability }) => haltProbability)
      expect(sure).toBe(last.length === 3 && last.every((probability) => probability > 0.9))
      if (!sure) expect(steps.length).toBe(8)
    }
  }, 240_000)
})
