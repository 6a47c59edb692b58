import { z } from 'zod'
import { seededNormal, seededRandom } from '../../tensor/index.ts'
import { parseInput } from './parse.ts'
import type { Instance, Task, TestItem } from './task.ts'
import { trainingItems, trainingSetOf } from './training-set.ts'

export const FUNNEL_FEATURES = 12
const INFORMATIVE = 10
const CLUSTERS_PER_CLASS = 2
const FLIPPED_SHARE = 0.01
/** The problem is one of many that the generator makes; every training and test set is drawn from this one. */
const PROBLEM_SEED = 21
const TRAINING_SIZE = 300

const schema = z.strictObject({ features: z.array(z.number().min(-100).max(100)).length(FUNNEL_FEATURES) })

/** A lead described by twelve numbers; will it convert? */
export type Lead = z.infer<typeof schema>

interface LabelledLead {
  readonly features: readonly number[]
  readonly converts: boolean
}

interface Cluster {
  readonly converts: boolean
  readonly centre: readonly number[]
  /** Mixes independent normals into the cluster's own covariance. */
  readonly mixing: readonly (readonly number[])[]
}

interface Problem {
  readonly clusters: readonly Cluster[]
  /** Position of each generated feature. */
  readonly order: readonly number[]
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/**
 * A two-class problem after Guyon (2003), the design behind "Madelon": each class is two normal clusters at random
 * vertices of a cube of side 2 in ten dimensions, each with random linear dependence; two features are pure noise.
 */
function makeProblem(seed: number): Problem {
  const random = seededRandom(seed)
  const vertices = new Set<number>()
  while (vertices.size < 2 * CLUSTERS_PER_CLASS) vertices.add(Math.floor(random() * 2 ** INFORMATIVE))
  const clusters = [...vertices].map((vertex, index) => ({
    converts: index % 2 === 1,
    centre: range(INFORMATIVE).map((bit) => ((vertex >> bit) & 1) * 2 - 1),
    mixing: range(INFORMATIVE).map(() => range(INFORMATIVE).map(() => 2 * random() - 1)),
  }))
  const order = range(FUNNEL_FEATURES)
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [order[i] ?? 0, order[j] ?? 0]
    order[i] = b
    order[j] = a
  }
  return { clusters, order }
}

function drawLead({ clusters, order }: Problem, random: () => number): LabelledLead {
  const cluster = clusters[Math.floor(random() * clusters.length)]
  if (!cluster) throw new Error('a problem has clusters')
  const normals = range(INFORMATIVE).map(() => seededNormal(random))
  const informative = cluster.centre.map((centre, i) =>
    normals.reduce((sum, normal, j) => sum + normal * (cluster.mixing[j]?.[i] ?? 0), centre),
  )
  const generated = [...informative, ...range(FUNNEL_FEATURES - INFORMATIVE).map(() => seededNormal(random))]
  const flipped = random() < FLIPPED_SHARE
  return {
    features: order.map((from) => generated[from] ?? 0),
    converts: flipped ? random() < 0.5 : cluster.converts,
  }
}

export const FUNNEL_CLASSIFICATION_SIZES = {
  vocabulary: FUNNEL_FEATURES,
  classes: 2,
  tokens: FUNNEL_FEATURES,
}

function instanceOf(features: readonly number[]): Instance {
  const values = Float32Array.from(features)
  return { height: 1, width: values.length, tokens: Int32Array.from(values.keys()), values }
}

/** Standard deviation of the noise that training adds to every feature, so that 300 leads are not learned by heart. */
const TRAINING_NOISE = 0.7

/** The leads that `trainingSet(seed)` draws from, for who learns from them in another way. */
export function trainingLeads(seed: number): LabelledLead[] {
  const problem = makeProblem(PROBLEM_SEED)
  return trainingItems(TRAINING_SIZE, seed, (random) => drawLead(problem, random))
}

const TEST_STREAM = 0x7e57

export const funnelClassificationTask: Task<Lead, { readonly converts: boolean }> = {
  name: 'funnel-classification',
  deliberates: false,
  trainingSet(seed) {
    const problem = makeProblem(PROBLEM_SEED)
    const make = (random: () => number): LabelledLead => drawLead(problem, random)
    return trainingSetOf(TRAINING_SIZE, seed, make, ({ features, converts }, random) => {
      const noisy = features.map((value) => value + TRAINING_NOISE * seededNormal(random))
      const targets = new Int32Array(FUNNEL_FEATURES).fill(-1)
      targets[0] = Number(converts)
      return { instance: instanceOf(noisy), targets }
    })
  },
  testItems(count, seed) {
    const random = seededRandom(seed ^ (TEST_STREAM << 16))
    const problem = makeProblem(PROBLEM_SEED)
    return Array.from({ length: count }, (): TestItem<Lead, { readonly converts: boolean }> => {
      const { features, converts } = drawLead(problem, random)
      return { input: { features: [...features] }, score: (answer) => (answer.converts === converts ? 1 : 0) }
    })
  },
  parse: (input) => parseInput(schema, input),
  encode: ({ features }) => [instanceOf(features)],
  decode: (_input, [reading]) => ({ converts: reading?.answer[0] === 1 }),
  verify: () => undefined,
}
