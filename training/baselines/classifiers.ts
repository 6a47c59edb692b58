import LogisticRegression from 'ml-logistic-regression'
import { Matrix } from 'ml-matrix'
import { RandomForestRegression } from 'ml-random-forest'
import { seededRandom } from '../../src-main/tensor/index.ts'

/** Examples as the baselines read them. */
export interface LabelledVectors {
  readonly vectors: readonly (readonly number[])[]
  /** Class of each, from 0. */
  readonly labels: readonly number[]
  /** How many classes there are. */
  readonly classes: number
}

/** A trained classifier of the field's standard kind. */
export interface Classifier {
  /** Probability of each class for each vector; every row adds up to 1. */
  probabilities(vectors: readonly (readonly number[])[]): number[][]
  /** Products, additions and comparisons of one answer: exact for regressions, for a forest those on its longest ways. */
  readonly flopPerAnswer: number
}

/** The class with the highest probability. */
export const mostLikely = (probabilities: readonly number[]): number =>
  probabilities.indexOf(Math.max(...probabilities))

/** Always the class that most examples have. */
export function trainMajority({ labels, classes }: LabelledVectors): Classifier {
  const shares = Array.from(
    { length: classes },
    (_, label) => labels.filter((one) => one === label).length / labels.length,
  )
  return { probabilities: (vectors) => vectors.map(() => shares), flopPerAnswer: 0 }
}

/** The library's descent goes over the whole set each time: fewer steps where that is large. */
const [LOGISTIC_STEPS, LOGISTIC_STEPS_OF_MANY, MANY] = [1000, 200, 4000]
const LOGISTIC_RATE = 1

/** What a logistic regression multiplies unscaled inputs with. */
export interface Coefficients {
  readonly intercept: number
  readonly weights: readonly number[]
}

/** Logistic regression by a library (ml-logistic-regression) on standardised inputs, one class against all others. */
export function trainLogistic({
  vectors,
  labels,
  classes,
}: LabelledVectors): Classifier & { readonly coefficients: readonly Coefficients[] } {
  const scale = scaleOf(vectors)
  const inputs = (some: readonly (readonly number[])[]): number[][] =>
    some.map((vector) => [
      1,
      ...vector.map((value, i) => (value - (scale[i]?.mean ?? 0)) / (scale[i]?.deviation ?? 1)),
    ])
  const model = new LogisticRegression({
    numSteps: vectors.length < MANY ? LOGISTIC_STEPS : LOGISTIC_STEPS_OF_MANY,
    learningRate: LOGISTIC_RATE / vectors.length,
  })
  model.train(new Matrix(inputs(vectors)), Matrix.columnVector([...labels]))
  // The library's classifiers tell "another class" from "this class". It makes one per class that it saw.
  const weights = model.classifiers.slice(0, classes).map((one) => one.weights.getRow(0))
  const score = (input: readonly number[], own: readonly number[]): number =>
    -input.reduce((sum, value, i) => sum + value * (own[i] ?? 0), 0)
  return {
    coefficients: weights.map(([intercept = 0, ...own]) => {
      const unscaled = own.map((weight, i) => -weight / (scale[i]?.deviation ?? 1))
      const shift = unscaled.reduce((sum, weight, i) => sum + weight * (scale[i]?.mean ?? 0), 0)
      return { intercept: -intercept - shift, weights: unscaled }
    }),
    probabilities: (some) =>
      inputs(some).map((input) =>
        normalised(
          weights.map((own) => 1 / (1 + Math.exp(-score(input, own)))),
          classes,
        ),
      ),
    flopPerAnswer: 2 * (scale.length + weights.length * (scale.length + 1)),
  }
}

function scaleOf(vectors: readonly (readonly number[])[]): { mean: number; deviation: number }[] {
  return (vectors[0] ?? []).map((_, i) => {
    const mean = vectors.reduce((sum, vector) => sum + (vector[i] ?? 0), 0) / vectors.length
    const variance = vectors.reduce((sum, vector) => sum + ((vector[i] ?? 0) - mean) ** 2, 0) / vectors.length
    return { mean, deviation: variance > 0 ? Math.sqrt(variance) : 1 }
  })
}

function normalised(scores: readonly number[], classes: number): number[] {
  const sum = scores.reduce((total, value) => total + value, 0)
  return Array.from({ length: classes }, (_, i) => (sum > 0 ? (scores[i] ?? 0) / sum : 1 / classes))
}

/** Examples that one tree sees at most: the library tries every value of every feature, in quadratic time. */
const TREE_EXAMPLES_MAX = 1000
/** Parts of a forest that see different examples, where there are more than one tree may see. */
const PARTS_OF_MANY = 10
/** Least examples of a leaf, with few examples and with many. */
const [LEAF, LEAF_OF_MANY] = [2, 25]
/** Part of the features that a tree sees; the library draws them once per tree, not per node. */
const FEATURE_SHARE = 2 / 3
/** The library takes a split without any error for none: some examples' labels are moved by so little that none is perfect. */
const [MOVED_EXAMPLES, MOVED_BY] = [8, 1e-3]

/**
 * A random forest by a library (ml-random-forest), one per class: trees on resampled examples whose leaves hold the share
 * of the class, averaged. The library's own classifier only counts votes, which was worse on both funnels; its own limit
 * on examples takes the first ones, so that they are drawn here.
 */
export function trainForest(
  { vectors, labels, classes }: LabelledVectors,
  { trees, seed }: { trees: number; seed: number },
): Classifier {
  const random = seededRandom(seed)
  const many = vectors.length > TREE_EXAMPLES_MAX
  const parts = many ? Math.min(PARTS_OF_MANY, trees) : 1
  // Two classes need one forest: the other's probability is what is left.
  const told = classes === 2 ? [1] : Array.from({ length: classes }, (_, label) => label)
  const forests = told.map((label) =>
    Array.from({ length: parts }, (_, part) => {
      const drawn = many
        ? Array.from({ length: TREE_EXAMPLES_MAX }, () => Math.floor(random() * vectors.length))
        : [...vectors.keys()]
      const forest = new RandomForestRegression({
        seed: seed + label + classes * part,
        nEstimators: Math.ceil(trees / parts),
        maxFeatures: Math.max(1, Math.round(FEATURE_SHARE * (vectors[0]?.length ?? 1))),
        replacement: false,
        useSampleBagging: true,
        noOOB: true,
        treeOptions: { minNumSamples: many ? LEAF_OF_MANY : LEAF },
      })
      forest.train(
        drawn.map((i) => [...(vectors[i] ?? [])]),
        drawn.map((i, place) =>
          Math.abs(Number(labels[i] === label) - (place < MOVED_EXAMPLES ? MOVED_BY : 0)),
        ),
      )
      return forest
    }),
  )
  return {
    probabilities(some) {
      if (some.length === 0) return []
      const rows = some.map((vector) => [...vector])
      const shares = forests.map((own) => {
        const predictions = own.map((forest) => forest.predict(rows))
        return rows.map((_, row) => predictions.reduce((sum, values) => sum + (values[row] ?? 0), 0) / parts)
      })
      return some.map((_, row) => {
        const own = shares.map((values) => values[row] ?? 0)
        return classes === 2 ? [1 - (own[0] ?? 0), own[0] ?? 0] : normalised(own, classes)
      })
    },
    flopPerAnswer:
      told.length *
      parts *
      Math.ceil(trees / parts) *
      (Math.ceil(Math.log2(Math.min(TREE_EXAMPLES_MAX, vectors.length))) + 1),
  }
}
