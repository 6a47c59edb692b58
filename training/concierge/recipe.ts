import type { BatchLimits, LlamaShape } from './model.ts'

/** Everything that decides the trained file, besides the corpus and the code. */
export interface Recipe {
  readonly seed: number
  readonly vocabularySize: number
  readonly shape: Omit<LlamaShape, 'vocabularySize'>
  readonly steps: number
  readonly warmUpSteps: number
  readonly peakLearningRate: number
  /** The cosine ends at this fraction of the peak. */
  readonly finalLearningRateFraction: number
  readonly weightDecay: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly gradientNormLimit: number
  readonly dropout: number
  readonly labelSmoothing: number
  /** Weight of a new value in the moving average of the weights, which is what is exported. */
  readonly averageWeight: number
  /** Sequences per step; they are split into MICRO_BATCHES parts. */
  readonly sequencesPerStep: number
  /** One in this many sequences carries its answer's text; the others stop after the topic token. */
  readonly answerInterval: number
  /** Probability that a merge is skipped, and of sequences it is applied to (BPE-dropout). */
  readonly mergeDropout: number
  readonly mergeDropoutShare: number
  /** Weight of predicting the question's own tokens, relative to the topic. */
  readonly questionLossWeight: number
  readonly answerLossWeight: number
}

/** Fixed, so that the sums of gradients are the same with one thread or two. */
export const MICRO_BATCHES = 2

export const RECIPE: Recipe = {
  seed: 20261121,
  vocabularySize: 1280,
  shape: { embeddingLength: 192, blockCount: 4, headCount: 6, feedForwardLength: 512 },
  steps: 1500,
  warmUpSteps: 100,
  peakLearningRate: 2e-3,
  finalLearningRateFraction: 0.02,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  gradientNormLimit: 1,
  dropout: 0.1,
  labelSmoothing: 0.05,
  averageWeight: 0.01,
  sequencesPerStep: 64,
  answerInterval: 2,
  mergeDropout: 0.1,
  mergeDropoutShare: 0.3,
  questionLossWeight: 0.1,
  answerLossWeight: 1.5,
}

export const BATCH_LIMITS: BatchLimits = { rows: 3072, sequences: 64, sequenceLength: 160 }

/** Longest question in tokens; what is beyond is cut off before training. */
export const MAXIMUM_QUESTION_TOKENS = 96
