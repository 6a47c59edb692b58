// Accuracy on questions that no training set holds, with Wilson 95 % intervals, by supervision step.
// With --effort, the policy that the host sells by that name: few steps first, a noisy council where they do not suffice.
// Usage: node training/recursion/evaluate.ts TASK [--count N] [--side N] [--steps N | --effort low|medium|high]

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type AnyTask,
  type Checkpoint,
  type Cycles,
  deliberate,
  EFFORT_POLICIES,
  type Effort,
  InferenceEngine,
  loadCheckpoint,
  type Policy,
  type ReasoningStep,
  TASKS,
  type TrainedModel,
} from '../../src-main/recursion/index.ts'

export const RESOURCES = join(import.meta.dirname, '../../resources/recursion')

/** Seed of the questions that figures are quoted for; training never draws from it. */
export const TEST_SEED = 20_261_129

export interface Proportion {
  readonly successes: number
  readonly count: number
  readonly rate: number
  /** Wilson score interval, 95 %. */
  readonly low: number
  readonly high: number
}

const NORMAL_QUANTILE = 1.959963984540054

/** A proportion with its Wilson score interval (Wilson 1927). */
export function proportion(successes: number, count: number): Proportion {
  const rate = successes / count
  const z2 = NORMAL_QUANTILE ** 2
  const centre = rate + z2 / (2 * count)
  const spread = NORMAL_QUANTILE * Math.sqrt((rate * (1 - rate)) / count + z2 / (4 * count ** 2))
  const scale = 1 + z2 / count
  return { successes, count, rate, low: (centre - spread) / scale, high: (centre + spread) / scale }
}

export function formatProportion({ rate, low, high, count }: Proportion): string {
  const percent = (value: number): string => (100 * value).toFixed(1)
  return `${percent(rate)} % [${percent(low)}, ${percent(high)}] of ${count}`
}

export interface QuestionOptions {
  readonly count: number
  /** Side of a grid; the task's own where absent. */
  readonly side?: number
  readonly seed?: number
}

/** When a question may stop: the head was surer than `haltProbability` so many steps in a row. */
export interface HaltingRule {
  readonly haltProbability: number
  readonly patience: number
  readonly maximumSteps: number
}

export interface HaltingResult {
  readonly accuracy: Proportion
  readonly meanSteps: number
}

/** Questions and what the network thought of them after every step. */
export interface Traces {
  /** Accuracy of the answer after 1, 2, 3, … supervision steps. */
  byStep(): Proportion[]
  /** Accuracy and mean steps where each question stops by `rule`. */
  halting(rule: HaltingRule): HaltingResult
}

/** Asks unseen questions, `steps` supervision steps each, none of which stops early. */
export function ask(
  task: AnyTask,
  model: TrainedModel,
  cycles: Cycles,
  { count, steps, side, seed = TEST_SEED }: QuestionOptions & { readonly steps: number },
): Traces {
  const items = task.testItems(count, seed, side === undefined ? {} : { side })
  const questions = items.map((item) => task.encode(item.input))
  const [first] = questions.flat()
  if (!first) throw new RangeError('nothing to evaluate')
  const engine = new InferenceEngine(model, first.height * first.width)
  const jobs = questions.flat().map((instance) => ({ instance, maximumSteps: steps, halts: () => false }))
  const rollouts = engine.run(jobs, cycles)
  let next = 0
  const traces = questions.map((instances) => instances.map(() => rollouts[next++]?.steps ?? []))
  const accuracy = (stepsOf: (trace: readonly ReasoningStep[]) => number): Proportion => {
    const scores = items.map((item, question): number => {
      const readings = traces[question]?.map((trace) => trace[stepsOf(trace) - 1] as ReasoningStep) ?? []
      return item.score(task.decode(item.input, readings))
    })
    return proportion(sum(scores), items.length)
  }
  return {
    byStep: () => Array.from({ length: steps }, (_, step) => accuracy(() => step + 1)),
    halting(rule) {
      const used = traces.flat().map((trace) => stepsUntilHalt(trace, rule))
      return {
        accuracy: accuracy((trace) => stepsUntilHalt(trace, rule)),
        meanSteps: sum(used) / used.length,
      }
    },
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function stepsUntilHalt(
  trace: readonly ReasoningStep[],
  { haltProbability, patience, maximumSteps }: HaltingRule,
): number {
  let sure = 0
  for (const [index, step] of trace.slice(0, maximumSteps).entries()) {
    sure = step.haltProbability > haltProbability ? sure + 1 : 0
    if (sure === patience) return index + 1
  }
  return Math.min(trace.length, maximumSteps)
}

export interface Evaluation {
  /** Accuracy of the answer after 1, 2, 3, … supervision steps. */
  readonly byStep: readonly Proportion[]
  /** Accuracy, and mean steps, when each question stops as soon as its halting head says so. */
  readonly halting: Proportion
  readonly haltingSteps: number
}

/** Asks `count` unseen questions, `steps` supervision steps each. */
export function evaluate(
  task: AnyTask,
  model: TrainedModel,
  cycles: Cycles,
  options: QuestionOptions & { readonly steps: number },
): Evaluation {
  const traces = ask(task, model, cycles, options)
  // Surer than not that the answer is right.
  const rule = { haltProbability: 0.5, patience: 1, maximumSteps: options.steps }
  const { accuracy, meanSteps } = traces.halting(rule)
  return { byStep: traces.byStep(), halting: accuracy, haltingSteps: meanSteps }
}

export function printEvaluation({ byStep, halting, haltingSteps }: Evaluation): void {
  for (let step = 1; step <= byStep.length; step *= 2) {
    const accuracy = byStep[step - 1]
    if (accuracy) console.log(`  after ${step} steps: ${formatProportion(accuracy)}`)
  }
  console.log(
    `  halting by itself: ${formatProportion(halting)}, ${haltingSteps.toFixed(2)} steps on average`,
  )
}

export function readCheckpoint(name: string) {
  const manifest: unknown = JSON.parse(readFileSync(join(RESOURCES, `${name}.json`), 'utf8'))
  return loadCheckpoint(readFileSync(join(RESOURCES, `${name}.safetensors`)), manifest)
}

export function taskNamed(name: string | undefined): AnyTask {
  const task = TASKS.get(name ?? '')
  if (!task) throw new Error(`no task ${name}; there are ${[...TASKS.keys()].join(', ')}`)
  return task
}

export interface GatedEvaluation {
  readonly accuracy: Proportion
  /** Supervision steps per question, everything that was run included. */
  readonly meanSteps: number
  /** Questions that the council was convened for. */
  readonly councils: number
  /** Answers that the judge was sure of although they are wrong. */
  readonly wronglySure: number
}

/** Asks `count` unseen questions under `policy`. */
export function evaluateGated(
  task: AnyTask,
  { model, cycles }: Checkpoint,
  policy: Policy,
  { count, side, seed = TEST_SEED }: QuestionOptions,
): GatedEvaluation {
  const items = task.testItems(count, seed, side === undefined ? {} : { side })
  const [first] = items.flatMap(({ input }) => task.encode(input))
  if (!first) throw new RangeError('nothing to evaluate')
  const engine = new InferenceEngine(model, first.height * first.width)
  let [right, steps, councils, wronglySure] = [0, 0, 0, 0]
  for (const [index, { input, score }] of items.entries()) {
    const result = deliberate(engine, cycles, task, input, policy, index * (policy.rollouts + 1))
    const isRight = score(result.answer) === 1
    right += Number(isRight)
    steps += result.totalSteps
    councils += Number(result.councilSteps > 0)
    wronglySure += Number(result.sure && !isRight)
  }
  return { accuracy: proportion(right, items.length), meanSteps: steps / items.length, councils, wronglySure }
}

function main(): void {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: 'string', default: '512' },
      steps: { type: 'string', default: '16' },
      side: { type: 'string' },
      effort: { type: 'string' },
    },
  })
  const task = taskNamed(positionals[0])
  const checkpoint = readCheckpoint(task.name)
  const side = values.side === undefined ? {} : { side: Number(values.side) }
  const count = Number(values.count)
  if (values.effort === undefined) {
    const options = { count, steps: Number(values.steps), ...side }
    printEvaluation(evaluate(task, checkpoint.model, checkpoint.cycles, options))
    return
  }
  const policy = EFFORT_POLICIES[values.effort as Effort]
  if (!policy)
    throw new Error(`no effort ${values.effort}; there are ${Object.keys(EFFORT_POLICIES).join(', ')}`)
  const { accuracy, meanSteps, councils, wronglySure } = evaluateGated(task, checkpoint, policy, {
    count,
    ...side,
  })
  console.log(`  gated: ${formatProportion(accuracy)}, ${meanSteps.toFixed(2)} steps on average`)
  console.log(`  council convened for ${councils} questions, judge wrongly sure of ${wronglySure}`)
}

if (import.meta.main) main()
