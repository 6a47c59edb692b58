import type { NetworkShape, TrainingRecipe } from '../../src-main/recursion/index.ts'
import { SIZES } from '../../src-main/recursion/index.ts'

/** A recipe but for its seed. */
export type TaskRecipe = Omit<TrainingRecipe, 'seed'>

/** Depth grows during training, which reaches the same accuracy with about half the operations (CGAR). */
function deepening(inner: number, outer: number): Pick<TrainingRecipe, 'cycles' | 'curriculum'> {
  const cycles = { inner, outer }
  return {
    cycles,
    curriculum: [
      { from: 0, cycles: { inner: Math.ceil(inner / 3), outer: Math.min(1, outer) } },
      { from: 0.3, cycles: { inner: Math.ceil((2 * inner) / 3), outer: Math.min(2, outer) } },
      { from: 0.6, cycles },
    ],
  }
}

const common = {
  supervisionSteps: 16,
  exploration: 0.1,
  warmUpSteps: 100,
  peakLearningRate: 1e-3,
  finalLearningRateFraction: 0.1,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  gradientNormLimit: 1,
  haltLossWeight: 0.5,
  averageDecay: 0.995,
}

type Sizes = { readonly vocabulary: number; readonly classes: number; readonly tokens: number }

const network = { layers: 2, expansion: 2, output: 'softmax' } as const

/** A network that mixes tokens as the paper's does on Sudoku. */
function mlpShape({ vocabulary, classes, tokens }: Sizes, width: number): NetworkShape {
  return { ...network, mixer: { kind: 'mlp', tokens }, width, vocabulary, classes }
}

function groupShape(boxHeight: number, boxWidth: number, width: number): NetworkShape {
  const classes = boxHeight * boxWidth
  return {
    ...network,
    mixer: { kind: 'group', boxHeight, boxWidth },
    width,
    vocabulary: classes + 1,
    classes,
  }
}

/** Everything that decides the weights in resources/recursion, besides seed, tasks and code. */
export const RECIPES: ReadonlyMap<string, TaskRecipe> = new Map<string, TaskRecipe>([
  [
    'sudoku-4x4',
    {
      ...common,
      ...deepening(6, 3),
      shape: mlpShape({ vocabulary: 5, classes: 4, tokens: 16 }, 64),
      slots: 64,
      steps: 1000,
    },
  ],
  ['sudoku-6x6', { ...common, ...deepening(4, 3), shape: groupShape(2, 3, 64), slots: 64, steps: 1200 }],
  [
    'sudoku-9x9',
    {
      ...common,
      // The rules are learned just as well by shallow recursions, at a third of the operations.
      cycles: { inner: 4, outer: 3 },
      curriculum: [
        { from: 0, cycles: { inner: 2, outer: 1 } },
        { from: 0.4, cycles: { inner: 3, outer: 2 } },
        { from: 0.7, cycles: { inner: 4, outer: 3 } },
      ],
      shape: groupShape(3, 3, 64),
      slots: 16,
      steps: 18_000,
      averageDecay: 0.998,
    },
  ],
  [
    'maze',
    {
      ...common,
      // A path is found by many recursions in a row, so n is full from the start; what grows is how long a maze stays.
      cycles: { inner: 4, outer: 3 },
      curriculum: [
        { from: 0, cycles: { inner: 4, outer: 3 }, supervisionSteps: 3 },
        { from: 0.25, cycles: { inner: 4, outer: 3 }, supervisionSteps: 8 },
        { from: 0.5, cycles: { inner: 4, outer: 3 }, supervisionSteps: 16 },
      ],
      // What follows is for mazes larger than these: a state that any beginning leads to, that stays, and that mends itself.
      variesOuter: true,
      exploration: 0.6,
      startDeviation: 1,
      damageProbability: 0.15,
      keptStartProbability: 0.25,
      shape: { ...network, mixer: { kind: 'convolution' }, width: 48, vocabulary: 4, classes: 2 },
      slots: 16,
      steps: 12_000,
      // Weights from a small last stretch of small steps do worse on larger mazes than an average over a long one.
      finalLearningRateFraction: 0.3,
      averageDecay: 0.9995,
    },
  ],
  [
    'op-sequence',
    {
      ...common,
      cycles: { inner: 4, outer: 2 },
      curriculum: [
        { from: 0, cycles: { inner: 3, outer: 1 } },
        { from: 0.6, cycles: { inner: 4, outer: 2 } },
      ],
      shape: {
        ...network,
        mixer: { kind: 'convolution' },
        width: 64,
        vocabulary: SIZES.opSequence.vocabulary,
        classes: SIZES.opSequence.classes,
      },
      slots: 32,
      steps: 14_000,
      // Four operations need few steps; fewer per sample let more samples be seen.
      supervisionSteps: 6,
      // What is right after two steps stays so: solved samples are looked at longer, and some start from noise.
      exploration: 0.3,
      startDeviation: 1,
      peakLearningRate: 2e-3,
      averageDecay: 0.998,
    },
  ],
  [
    'pattern-world',
    {
      ...common,
      ...deepening(2, 2),
      shape: mlpShape(SIZES.patternWorld, 64),
      slots: 32,
      steps: 5000,
      // The rule shows at once or not at all; what was seen must only not be lost again.
      supervisionSteps: 4,
      exploration: 0.3,
      startDeviation: 1,
    },
  ],
  [
    'funnel-classification',
    {
      ...common,
      // Forecasts get worse where more is computed.
      cycles: { inner: 2, outer: 1 },
      curriculum: [],
      shape: mlpShape(SIZES.funnelClassification, 48),
      slots: 64,
      steps: 2000,
      // 300 leads are few: a strong pull to small weights, and a long average.
      weightDecay: 1,
      averageDecay: 0.998,
    },
  ],
  [
    'funnel-choice',
    {
      ...common,
      ...deepening(2, 1),
      shape: mlpShape(SIZES.funnelChoice, 24),
      slots: 128,
      steps: 2000,
      // A logged outcome says little: what it says that others do not is chance.
      weightDecay: 2,
      averageDecay: 0.999,
    },
  ],
])
