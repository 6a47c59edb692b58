import { TiramiError } from '../../kernel/index.ts'
import { seededNormal, seededRandom } from '../../tensor/index.ts'
import { InferenceEngine, type Rollout, type RolloutJob } from '../inference.ts'
import { type NetworkShape, parameterCount } from '../shape.ts'
import type { Example } from '../tasks/task.ts'
import { RecursionTrainer, type TrainedModel, type TrainingRecipe, type TrainingReport } from '../trainer.ts'
import type { Encoding } from './encoding.ts'
import { type DatasetSplit, type LabelledRow, splitRows } from './split.ts'

export interface DatasetAnswers {
  /** The class of every test row, in their order. */
  readonly classes: readonly number[]
  readonly parameters: number
  /** Supervision steps per answer. */
  readonly meanSteps: number
  /** Floating-point operations per answer. */
  readonly meanFlop: number
  readonly trainingFlop: number
  /** Of the training steps, the one whose weights were taken. */
  readonly bestStep: number
}

export interface DatasetTraining {
  readonly classes: number
  readonly seed: number
  readonly steps: number
  readonly threads: number
  readonly report: (report: TrainingReport) => void
}

const CYCLES = { inner: 2, outer: 2 }
const MAXIMUM_STEPS = 4
const HALT_PROBABILITY = 0.5
/** How often the weights are tried on the rows that were kept back. */
const CHECKS = 20
const PROBABILITY_MIN = 1e-6
/** Cells that each example hides, so that no single one is relied on and a missing one is known. */
const HIDDEN_SHARE = 0.1
/** Few rows would be learned by heart: their numbers are blurred more. In standard deviations. */
const [NOISE, NOISE_OF_FEW, FEW_ROWS] = [0.2, 0.5, 1000]

function recipeOf(shape: NetworkShape, { seed, steps }: DatasetTraining): TrainingRecipe {
  return {
    seed,
    shape,
    steps,
    cycles: CYCLES,
    curriculum: [
      { from: 0, cycles: { inner: 1, outer: 1 } },
      { from: 0.3, cycles: CYCLES },
    ],
    slots: 64,
    supervisionSteps: MAXIMUM_STEPS,
    exploration: 0.1,
    warmUpSteps: Math.min(100, Math.ceil(steps / 10)),
    peakLearningRate: 1e-3,
    finalLearningRateFraction: 0.1,
    weightDecay: 1,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    gradientNormLimit: 1,
    haltLossWeight: 0.5,
    averageDecay: 0.995,
  }
}

/**
 * Trains a recursive classifier on the training rows and asks it the test rows. A fifth of the training rows is kept back
 * to tell which of the weights on the way forecast best; the last ones may have learned the rows by heart. The same seed
 * gives the same answers.
 * @throws TiramiError DATASET_TOO_SMALL
 */
export async function trainClassifier(
  encoding: Encoding,
  { train, test }: DatasetSplit,
  options: DatasetTraining,
): Promise<DatasetAnswers> {
  const shape: NetworkShape = {
    mixer: { kind: 'mlp', tokens: encoding.tokens },
    width: 48,
    layers: 2,
    expansion: 2,
    vocabulary: encoding.vocabulary,
    classes: options.classes,
    output: 'softmax',
  }
  const { train: learned, test: keptBack } = splitRows(train, options.seed + 1)
  if (test.length === 0 || keptBack.length === 0) {
    throw new TiramiError('DATASET_TOO_SMALL', 'Too few rows differ from one another to train and to test.', {
      nextStep: 'Add rows that differ.',
      httpStatus: 400,
    })
  }
  let [trainingFlop, bestLoss] = [0, Number.POSITIVE_INFINITY]
  let best: TrainedModel | null = null
  let bestStep = 0
  const draw = examplesOf(encoding, learned, options.seed)
  const trainer = new RecursionTrainer(recipeOf(shape, options), draw, options.threads)
  try {
    await trainer.train(Math.max(1, Math.round(options.steps / CHECKS)), (report, current) => {
      trainingFlop += report.flop
      options.report(report)
      const model = current()
      const loss = lossOf(ask(model, encoding, keptBack), keptBack, options.classes)
      if (loss < bestLoss) [best, bestLoss, bestStep] = [model, loss, report.step]
    })
  } finally {
    await trainer.close()
  }
  if (best === null) throw new RangeError('nothing was trained')
  const rollouts = ask(best, encoding, test)
  const mean = (of: (rollout: Rollout) => number): number =>
    rollouts.reduce((sum, rollout) => sum + of(rollout), 0) / rollouts.length
  return {
    classes: rollouts.map(({ steps }) => steps.at(-1)?.answer[0] ?? -1),
    parameters: parameterCount(shape),
    meanSteps: mean(({ steps }) => steps.length),
    meanFlop: mean(({ flop }) => flop),
    trainingFlop,
    bestStep,
  }
}

function ask(model: TrainedModel, encoding: Encoding, rows: readonly LabelledRow[]): Rollout[] {
  const jobs = rows.map(
    ({ values }): RolloutJob => ({
      instance: encoding.instance(values),
      maximumSteps: MAXIMUM_STEPS,
      halts: (steps) => (steps.at(-1)?.haltProbability ?? 0) > HALT_PROBABILITY,
    }),
  )
  return new InferenceEngine(model, encoding.tokens).run(jobs, CYCLES)
}

/** Mean cross-entropy; where the answer is wrong, what is left of its probability is shared by the other classes. */
function lossOf(rollouts: readonly Rollout[], rows: readonly LabelledRow[], classes: number): number {
  const sum = rollouts.reduce((total, { steps }, i) => {
    const { answer, confidence } = steps.at(-1) ?? {}
    const sure = confidence?.[0] ?? 0
    const probability = answer?.[0] === rows[i]?.class ? sure : (1 - sure) / (classes - 1)
    return total - Math.log(Math.max(probability, PROBABILITY_MIN))
  }, 0)
  return sum / rows.length
}

function examplesOf(encoding: Encoding, rows: readonly LabelledRow[], seed: number): () => Example {
  const random = seededRandom(seed + 1)
  const deviation = rows.length < FEW_ROWS ? NOISE_OF_FEW : NOISE
  return () => {
    const row = rows[Math.floor(random() * rows.length)] as LabelledRow
    const values = row.values.map((value) => (random() < HIDDEN_SHARE ? null : value))
    const targets = new Int32Array(encoding.tokens).fill(-1)
    targets[0] = row.class
    return { instance: encoding.instance(values, () => deviation * seededNormal(random)), targets }
  }
}
