import type { InferenceEngine, Rollout, RolloutJob } from './inference.ts'
import { type Cycles, flopPerStep, type NetworkShape } from './shape.ts'
import type { AnyTask } from './tasks/index.ts'
import type { ReasoningStep } from './tasks/task.ts'

/**
 * Think little first: a few deterministic steps that stop as soon as the network is sure. Only where it is not, a
 * council of noisy rollouts searches wider, and one of them is chosen (PTRM).
 */
export interface Policy {
  readonly reflexSteps: number
  /** K: noisy rollouts of the council; 0 for none. */
  readonly rollouts: number
  /** Most steps of each rollout. */
  readonly rolloutSteps: number
  /** Standard deviation of the noise that y gets before every step. */
  readonly deviation: number
  /**
   * Who decides when to stop: the halting head alone, the task's rules where they can be checked, or nobody, so that
   * every reflex step is done.
   */
  readonly judge: 'head' | 'rules' | 'nobody'
  /** The head is sure when its probability exceeds this in so many steps in a row. */
  readonly haltProbability: number
  readonly patience: number
}

export interface DeliberationStep {
  readonly answer: unknown
  readonly haltProbability: number
  /** How far the latent of every token moved, all instances one after the other. */
  readonly latentChange: readonly number[]
}

export interface Deliberation {
  readonly answer: unknown
  /** The judge's verdict on the answer. */
  readonly sure: boolean
  /** The steps that led to the answer. */
  readonly steps: readonly DeliberationStep[]
  readonly councilSteps: number
  /** Supervision steps of everything that was run. */
  readonly totalSteps: number
  readonly flop: number
}

/** Most floating-point operations that `policy` can spend on one question. */
export function maximumFlop(
  shape: NetworkShape,
  tokens: number,
  instances: number,
  cycles: Cycles,
  policy: Policy,
): number {
  const steps = instances * policy.reflexSteps + policy.rollouts * policy.rolloutSteps
  return steps * flopPerStep(shape, tokens, cycles)
}

/**
 * Answers one question. The same question, policy and seed give the same result.
 * @param watch called after every step of every rollout; what it throws ends the thought
 */
export function deliberate(
  engine: InferenceEngine,
  cycles: Cycles,
  task: AnyTask,
  input: unknown,
  policy: Policy,
  seed: number,
  watch: () => void = () => undefined,
): Deliberation {
  const instances = task.encode(input)
  const [instance] = instances
  if (!instance) throw new RangeError(`${task.name} asks nothing`)
  const isSure = (steps: readonly ReasoningStep[]): boolean => {
    const verified =
      policy.judge === 'rules' && instances.length === 1
        ? task.verify(input, task.decode(input, steps.slice(-1)))
        : undefined
    return verified ?? headIsSure(steps, policy)
  }
  const reflex = engine.run(
    instances.map((one) => ({
      instance: one,
      maximumSteps: policy.reflexSteps,
      halts: (steps) => {
        watch()
        return policy.judge !== 'nobody' && isSure(steps)
      },
    })),
    cycles,
  )
  const first = traceOf(task, input, reflex)
  const reflexIsSure = reflex.every(({ steps }) => isSure(steps))
  const mayConvene = task.deliberates && instances.length === 1 && policy.rollouts > 0
  if (reflexIsSure || !mayConvene) return summary(first, reflexIsSure, reflex, [])
  const council = convene(engine, cycles, instance, policy, seed, (steps) => {
    watch()
    return isSure(steps)
  })
  // Among those that the judge is sure of, or else among all, the highest halting probability decides.
  const candidates = [...reflex, ...council]
  const sure = candidates.filter(({ steps }) => isSure(steps))
  const best = (sure.length > 0 ? sure : candidates).reduce(higherHalt)
  return summary(traceOf(task, input, [best]), sure.length > 0, reflex, council)
}

function headIsSure(steps: readonly ReasoningStep[], { haltProbability, patience }: Policy): boolean {
  const last = steps.slice(-patience)
  return last.length === patience && last.every((step) => step.haltProbability > haltProbability)
}

function higherHalt(a: Rollout, b: Rollout): Rollout {
  return (a.steps.at(-1)?.haltProbability ?? 0) >= (b.steps.at(-1)?.haltProbability ?? 0) ? a : b
}

/** Rollouts that differ in their noise only; all stop when one of them is sure. */
function convene(
  engine: InferenceEngine,
  cycles: Cycles,
  instance: RolloutJob['instance'],
  { rollouts, rolloutSteps, deviation }: Policy,
  seed: number,
  isSure: RolloutJob['halts'],
): Rollout[] {
  let found = false
  const jobs = Array.from({ length: rollouts }, (_, voice): RolloutJob => {
    const halts = (steps: readonly ReasoningStep[]): boolean => {
      if (!found) found = isSure(steps)
      return found
    }
    return { instance, maximumSteps: rolloutSteps, noise: { deviation, seed: seed + voice + 1 }, halts }
  })
  return engine.run(jobs, cycles)
}

/** The decoded answer after each step; instances that stopped earlier keep their last reading. */
function traceOf(task: AnyTask, input: unknown, rollouts: readonly Rollout[]): Deliberation['steps'] {
  const longest = Math.max(...rollouts.map(({ steps }) => steps.length))
  return Array.from({ length: longest }, (_, step) => {
    const readings = rollouts.map(({ steps }) => steps[Math.min(step, steps.length - 1)] as ReasoningStep)
    const haltProbability = Math.min(...readings.map((reading) => reading.haltProbability))
    const latentChange = readings.flatMap((reading) => [...reading.latentChange])
    return { answer: task.decode(input, readings), haltProbability, latentChange }
  })
}

function summary(
  steps: Deliberation['steps'],
  sure: boolean,
  reflex: readonly Rollout[],
  council: readonly Rollout[],
): Deliberation {
  const count = (rollouts: readonly Rollout[]): number =>
    rollouts.reduce((sum, rollout) => sum + rollout.steps.length, 0)
  const flop = [...reflex, ...council].reduce((sum, rollout) => sum + rollout.flop, 0)
  const councilSteps = count(council)
  return {
    answer: steps.at(-1)?.answer,
    sure,
    steps,
    councilSteps,
    totalSteps: count(reflex) + councilSteps,
    flop,
  }
}
