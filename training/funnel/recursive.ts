import {
  type Cycles,
  decodeWeights,
  encodeWeights,
  InferenceEngine,
  RecursionTrainer,
  type TrainedModel,
} from '../../src-main/recursion/index.ts'
import { evaluate } from '../recursion/evaluate.ts'
import { RECIPES } from '../recursion/recipes.ts'
import type { Funnel } from './funnels.ts'

export interface CurvePoint {
  readonly step: number
  readonly loss: number
  /** On other unseen questions than the study's; null where it was not asked. */
  readonly accuracy: number | null
}

export interface Training {
  readonly seed: number
  readonly curve: readonly CurvePoint[]
  readonly flop: number
  readonly minutes: number
  readonly model: TrainedModel
  readonly cycles: Cycles
  /** The weights as they would ship. */
  readonly file: Uint8Array
}

const REPORTS = 20
/** Questions of the training curve; figures are quoted for others. */
const CURVE = { steps: 4, seed: 78 }

/** Trains the recursive model of a funnel by its recipe. The same seed gives the same file. */
export async function train(
  funnel: Funnel,
  seed: number,
  { steps, curveCount, threads }: { steps: number | null; curveCount: number; threads: number },
): Promise<Training> {
  const recipe = RECIPES.get(funnel.task.name)
  if (!recipe) throw new RangeError(`no recipe for ${funnel.task.name}`)
  const used = { ...recipe, steps: steps ?? recipe.steps, seed }
  const set = funnel.task.trainingSet(seed)
  const curve: CurvePoint[] = []
  let flop = 0
  const startMs = performance.now()
  const trainer = new RecursionTrainer(used, set.draw, threads)
  try {
    const interval = Math.max(1, Math.round(used.steps / REPORTS))
    const model = await trainer.train(interval, (report, current) => {
      flop += report.flop
      const { byStep } = evaluate(funnel.task, current(), used.cycles, { ...CURVE, count: curveCount })
      curve.push({ step: report.step, loss: report.loss, accuracy: byStep[0]?.rate ?? null })
    })
    const file = encodeWeights(model, 'F16')
    // What ships is what is judged: the weights as rounded for the file.
    const shipped = decodeWeights(file, used.shape)
    const minutes = (performance.now() - startMs) / 60_000
    return { seed, curve, flop, minutes, model: shipped, cycles: used.cycles, file }
  } finally {
    await trainer.close()
  }
}

/** Most steps of the host's middle effort, and when its head is believed. */
const [MAXIMUM_STEPS, HALT_PROBABILITY] = [8, 0.5]

/** What the host's middle effort answers: every instance stops when its head is sure. Operations per question. */
export function askRecursive(
  { task }: Funnel,
  { model, cycles }: Pick<Training, 'model' | 'cycles'>,
  inputs: readonly unknown[],
): { answers: unknown[]; flopPerDecision: number } {
  const questions = inputs.map((input) => task.encode(input))
  const [first] = questions.flat()
  if (!first) throw new RangeError('nothing to ask')
  const jobs = questions.flat().map((instance) => ({
    instance,
    maximumSteps: MAXIMUM_STEPS,
    halts: (steps: readonly { readonly haltProbability: number }[]) =>
      (steps.at(-1)?.haltProbability ?? 0) > HALT_PROBABILITY,
  }))
  const rollouts = new InferenceEngine(model, first.height * first.width).run(jobs, cycles)
  let next = 0
  const answers = inputs.map((input, i) => {
    const own = rollouts.slice(next, next + (questions[i]?.length ?? 0))
    next += own.length
    return task.decode(
      input,
      own.flatMap(({ steps }) => steps.slice(-1)),
    )
  })
  return { answers, flopPerDecision: rollouts.reduce((sum, { flop }) => sum + flop, 0) / inputs.length }
}
