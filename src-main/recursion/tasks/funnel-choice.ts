import { z } from 'zod'
import { exactExp, seededRandom } from '../../tensor/index.ts'
import { parseInput } from './parse.ts'
import type { Instance, Task, TestItem } from './task.ts'
import { trainingItems, trainingSetOf } from './training-set.ts'

export const CANDIDATE_FEATURES = [
  'impact',
  'cultureFit',
  'velocity',
  'complexity',
  'learningRate',
  'valueDensity',
] as const

/** Weights of the six features and of the products impact·cultureFit, velocity·learningRate, complexity·valueDensity. */
const TRUE_WEIGHTS = [1.45, 1.1, 0.82, -0.62, 0.95, 0.55, 0.42, -0.38, 0.28]
const TRUE_BIAS = -0.35
const CANDIDATES = 3

const feature = z.number().min(-1).max(1)
const schema = z.strictObject({
  candidates: z
    .array(
      z.strictObject({
        impact: feature,
        cultureFit: feature,
        velocity: feature,
        complexity: feature,
        learningRate: feature,
        valueDensity: feature,
      }),
    )
    .length(CANDIDATES),
})

/** An opportunity: three candidates, of which one may be contacted. */
export type Opportunity = z.infer<typeof schema>
type Candidate = Opportunity['candidates'][number]

/** The six features and the three products that the true probability is made of. */
export function candidateFeatures(candidate: Candidate): number[] {
  const { impact, cultureFit, velocity, complexity, learningRate, valueDensity } = candidate
  const products = [impact * cultureFit, velocity * learningRate, complexity * valueDensity]
  return [...CANDIDATE_FEATURES.map((name) => candidate[name]), ...products]
}

/** Probability that a candidate converts. The network never sees it. */
export function conversionProbability(candidate: Candidate): number {
  const score = candidateFeatures(candidate).reduce(
    (sum, x, i) => sum + x * (TRUE_WEIGHTS[i] ?? 0),
    TRUE_BIAS,
  )
  return 1 / (1 + exactExp(-score))
}

export const FUNNEL_CHOICE_SIZES = {
  vocabulary: TRUE_WEIGHTS.length,
  classes: 2,
  tokens: TRUE_WEIGHTS.length,
}

function instanceOf(candidate: Candidate): Instance {
  const values = Float32Array.from(candidateFeatures(candidate))
  return { height: 1, width: values.length, tokens: Int32Array.from(values.keys()), values }
}

function randomCandidate(random: () => number): Candidate {
  const draw = (): number => 2 * random() - 1
  return {
    impact: draw(),
    cultureFit: draw(),
    velocity: draw(),
    complexity: draw(),
    learningRate: draw(),
    valueDensity: draw(),
  }
}

const LOGGED_OUTCOMES = 16_384

interface LoggedOutcome {
  readonly candidate: Candidate
  readonly converted: boolean
}

function logOutcome(random: () => number): LoggedOutcome {
  const candidate = randomCandidate(random)
  return { candidate, converted: random() < conversionProbability(candidate) }
}

/** The log that `trainingSet(seed)` draws from, for who learns from it in another way. */
export const loggedOutcomes = (seed: number): LoggedOutcome[] =>
  trainingItems(LOGGED_OUTCOMES, seed, logOutcome)

/** Test opportunities come from another range of seeds than logged ones, from which they differ with certainty. */
const TEST_STREAM = 0x7e57

export const funnelChoiceTask: Task<Opportunity, { readonly choice: number }> = {
  name: 'funnel-choice',
  deliberates: false,
  /** A log: candidates contacted at random, and whether each converted, 0 or 1. */
  trainingSet(seed) {
    return trainingSetOf(LOGGED_OUTCOMES, seed, logOutcome, ({ candidate, converted }) => {
      const targets = new Int32Array(FUNNEL_CHOICE_SIZES.tokens).fill(-1)
      targets[0] = Number(converted)
      return { instance: instanceOf(candidate), targets }
    })
  },
  /**
   * Every candidate carries a uniform number of its own, and converts if that is below its probability: whichever
   * policy chooses it meets the same outcome (common random numbers).
   */
  testItems(count, seed) {
    const random = seededRandom(seed ^ (TEST_STREAM << 16))
    return Array.from({ length: count }, (): TestItem<Opportunity, { readonly choice: number }> => {
      const candidates = Array.from({ length: CANDIDATES }, () => randomCandidate(random))
      const converts = candidates.map((candidate) => random() < conversionProbability(candidate))
      return { input: { candidates }, score: ({ choice }) => (converts[choice] ? 1 : 0) }
    })
  },
  parse: (input) => parseInput(schema, input),
  encode: ({ candidates }) => candidates.map(instanceOf),
  decode(_input, readings) {
    const probabilities = readings.map(({ answer, confidence }) => {
      const probability = confidence[0] ?? 0
      return answer[0] === 1 ? probability : 1 - probability
    })
    return { choice: probabilities.indexOf(Math.max(...probabilities)) }
  },
  verify: () => undefined,
}
