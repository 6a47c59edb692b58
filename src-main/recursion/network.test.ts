import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Arena,
  createSharedMemory,
  FLOAT_BYTES,
  seededNormal,
  seededRandom,
  type Tensor,
} from '../tensor/index.ts'
import { encodeWeights } from './checkpoint.ts'
import { InferenceEngine } from './inference.ts'
import { RecursiveNetwork } from './network.ts'
import {
  type Cycles,
  flopPerCall,
  flopPerStep,
  initialParameters,
  initialState,
  type Mixer,
  type NetworkShape,
  parameterCount,
  reserveParameters,
} from './shape.ts'
import { generatePuzzle, sudokuExample } from './tasks/sudoku.ts'
import type { Instance } from './tasks/task.ts'
import { averageDecayAt, RecursionTrainer, type TrainedModel, type TrainingRecipe } from './trainer.ts'

const mixers: readonly Mixer[] = [
  { kind: 'mlp', tokens: 16 },
  { kind: 'attention', heads: 2 },
  { kind: 'convolution' },
  { kind: 'group', boxHeight: 2, boxWidth: 2 },
]

const shapeOf = (mixer: Mixer, output: NetworkShape['output'] = 'softmax'): NetworkShape => ({
  mixer,
  width: 32,
  layers: 2,
  expansion: 2,
  vocabulary: 5,
  classes: 5,
  output,
})

const [height, width, samples, inner] = [4, 4, 3, 2]
const rows = samples * height * width

/** One supervision step with gradients, on fixed data, as a function of the weights. */
function laboratory(shape: NetworkShape) {
  const limits = { samples, rows, tokens: height * width }
  const memory = createSharedMemory(8 << 20)
  const [floats, integers] = [new Float32Array(memory.buffer), new Int32Array(memory.buffer)]
  const arena = new Arena()
  const [weights, gradients] = [reserveParameters(shape, arena), reserveParameters(shape, arena)]
  const network = new RecursiveNetwork(memory, arena, shape, limits, inner + 1)
  const random = seededRandom(5)
  const fill = ({ offset, rows, columns }: Tensor, value: () => number): void => {
    for (let i = 0; i < rows * columns; i++) floats[offset / FLOAT_BYTES + i] = value()
  }
  const integer = (limit: number): number => {
    const offset = arena.bytes(rows * FLOAT_BYTES)
    for (let i = 0; i < rows; i++) integers[offset / FLOAT_BYTES + i] = Math.floor(random() * limit)
    return offset
  }
  for (const [name, values] of initialParameters(shape, 3)) {
    // The halting head starts at zero, where half of the gradients through it vanish.
    const moved = values.map((value) => value + (name.startsWith('halt') ? 0.3 * seededNormal(random) : 0))
    floats.set(moved, (weights.tensors.get(name)?.offset ?? 0) / FLOAT_BYTES)
  }
  const scales = arena.tensor(rows, 1)
  fill(scales, () => Math.sqrt(shape.width) * (0.5 + random()))
  const question = { tokens: integer(shape.vocabulary), scales: scales.offset }
  const [targets, rowWeights] = [integer(shape.classes), arena.tensor(rows, 1)]
  const counted = height * width - 1
  fill(rowWeights, () => 1 / (counted * samples))
  // One token of each sample does not count.
  for (let s = 0; s < samples; s++) floats[rowWeights.offset / FLOAT_BYTES + s * height * width + 2] = 0
  const [y, z] = [arena.tensor(rows, shape.width), arena.tensor(rows, shape.width)]
  const state = Float32Array.from({ length: 2 * rows * shape.width }, () => seededNormal(random))
  const haltWeight = 0.5 / samples

  const step = () => {
    floats.set(state.subarray(0, rows * shape.width), y.offset / FLOAT_BYTES)
    floats.set(state.subarray(rows * shape.width), z.offset / FLOAT_BYTES)
    network.ops.zero(gradients.flat)
    const supervision = { targets, weights: rowWeights, haltWeight }
    const grid = { samples, height, width }
    const cycles = { inner, outer: 1 }
    return network.gradient(weights.tensors, gradients.tensors, question, { y, z }, grid, cycles, supervision)
  }
  const verdicts = step().map(({ correct }) => correct)
  const loss = (): number =>
    step().reduce((sum, { loss, haltProbability }, sample) => {
      const right = verdicts[sample] ? haltProbability : 1 - haltProbability
      return sum + loss / samples - haltWeight * Math.log(right)
    }, 0)
  const read = (tensor: Tensor): Float32Array =>
    floats.slice(tensor.offset / FLOAT_BYTES, tensor.offset / FLOAT_BYTES + tensor.rows * tensor.columns)
  const write = (tensor: Tensor, values: Float32Array): void =>
    floats.set(values, tensor.offset / FLOAT_BYTES)
  return { weights, gradients, step, loss, read, write }
}

/** Compares the gradient along `direction` with a central difference. */
function expectDirectional(
  lab: ReturnType<typeof laboratory>,
  tensor: Tensor,
  gradient: Float32Array,
  direction: Float32Array,
): void {
  const length = Math.hypot(...direction)
  const start = lab.read(tensor)
  const distance = 4e-3
  const lossAt = (by: number): number => {
    lab.write(
      tensor,
      start.map((value, i) => value + (by * (direction[i] ?? 0)) / length),
    )
    return lab.loss()
  }
  const numeric = (lossAt(distance) - lossAt(-distance)) / (2 * distance)
  lab.write(tensor, start)
  const analytic = gradient.reduce((sum, value, i) => sum + (value * (direction[i] ?? 0)) / length, 0)
  expect(Math.abs(numeric - analytic)).toBeLessThan(2e-4 + 2e-3 * Math.abs(analytic))
}

describe('gradients of a supervision step', () => {
  for (const mixer of mixers) {
    for (const output of ['softmax', 'stable-max'] as const) {
      it(`agree with finite differences for every parameter: ${mixer.kind}, ${output}`, () => {
        const lab = laboratory(shapeOf(mixer, output))
        lab.step()
        const random = seededRandom(11)
        for (const [name, tensor] of lab.weights.tensors) {
          const target = lab.gradients.tensors.get(name) as Tensor
          lab.step()
          const gradient = lab.read(target)
          expect(Math.hypot(...gradient), name).toBeGreaterThan(1e-4)
          expectDirectional(lab, tensor, gradient, gradient)
          expectDirectional(
            lab,
            tensor,
            gradient,
            gradient.map(() => seededNormal(random)),
          )
        }
      })
    }
  }
})

const recipe = (mixer: Mixer, changes: Partial<TrainingRecipe> = {}): TrainingRecipe => ({
  seed: 4,
  shape: { ...shapeOf(mixer), classes: 4 },
  cycles: { inner: 2, outer: 2 },
  curriculum: [],
  slots: 8,
  steps: 6,
  supervisionSteps: 4,
  exploration: 0.1,
  warmUpSteps: 2,
  peakLearningRate: 1e-3,
  finalLearningRateFraction: 0.1,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  gradientNormLimit: 1,
  haltLossWeight: 0.5,
  averageDecay: 0.995,
  ...changes,
})

const size = { boxHeight: 2, boxWidth: 2 }

function examples(seed: number) {
  const random = seededRandom(seed)
  return () => sudokuExample(size, generatePuzzle(size, 8, random))
}

async function trained(recipe: TrainingRecipe, threads: number): Promise<TrainedModel> {
  const trainer = new RecursionTrainer(recipe, examples(9), threads)
  try {
    return await trainer.train(recipe.steps, () => undefined)
  } finally {
    await trainer.close()
  }
}

const digest = ({ parameters, start }: TrainedModel): string => {
  const hash = createHash('sha256').update(new Uint8Array(start.buffer))
  for (const values of parameters.values()) hash.update(new Uint8Array(values.buffer))
  return hash.digest('hex')
}

describe('training', () => {
  it('gives the same weights for the same seed, with one thread and with two', async () => {
    for (const mixer of mixers) {
      const [one, two] = [await trained(recipe(mixer), 1), await trained(recipe(mixer), 2)]
      expect(digest(one), mixer.kind).toBe(digest(two))
    }
    const [a, b] = [recipe(mixers[0] as Mixer), recipe(mixers[0] as Mixer, { seed: 5 })]
    expect(digest(await trained(a, 1))).not.toBe(digest(await trained(b, 1)))
  })

  it.each([{ damageProbability: 0.5 }, { keptStartProbability: 0.5 }])(
    'draws noise, depth and %o from the same seed, however many threads there are',
    async (change) => {
      // Samples of two steps, so that every slot gets a second one.
      const rough = { exploration: 1, startDeviation: 1, variesOuter: true, supervisionSteps: 2 }
      const mixer = mixers[2] as Mixer
      const [plain, rougher] = [recipe(mixer, rough), recipe(mixer, { ...rough, ...change })]
      const digests = [await trained(rougher, 1), await trained(rougher, 2), await trained(plain, 1)].map(
        digest,
      )
      expect(digests[0]).toBe(digests[1])
      expect(digests[0]).not.toBe(digests[2])
    },
  )

  it('gives this checkpoint on every machine, so that the weights that ship can be trained again', async () => {
    const file = encodeWeights(await trained(recipe(mixers[3] as Mixer), 2), 'F16')
    expect(createHash('sha256').update(file).digest('hex')).toBe(
      'b736eb70edf527a3130c516c83ed69b1c7c0edb76896fb787f06dada761aa703',
    )
  })

  it('follows a depth curriculum', async () => {
    const curriculum = [
      { from: 0, cycles: { inner: 1, outer: 1 } },
      { from: 0.5, cycles: { inner: 3, outer: 2 } },
    ]
    const trainer = new RecursionTrainer(recipe(mixers[3] as Mixer, { curriculum }), examples(9), 1)
    const flop: number[] = []
    await trainer.train(1, (report) => flop.push(report.flop))
    await trainer.close()
    const perCall = 8 * flopPerCall(shapeOf(mixers[3] as Mixer), 16)
    // One recursion of 2 calls, 3 times (forward and backward), then two of 4 calls, one of them with gradients.
    expect(flop).toEqual([6, 6, 16, 16, 16, 16].map((calls) => calls * perCall))
  })

  it('learns: a small network solves 4×4 puzzles with 12 givens that it never saw', async () => {
    const changes = {
      slots: 32,
      steps: 260,
      warmUpSteps: 20,
      cycles: { inner: 2, outer: 1 },
      peakLearningRate: 3e-3,
    }
    const random = seededRandom(1)
    const draw = () => sudokuExample(size, generatePuzzle(size, 12, random))
    const trainer = new RecursionTrainer(recipe(mixers[3] as Mixer, changes), draw, 1)
    const model = await trainer.train(260, () => undefined)
    await trainer.close()
    const unseen = Array.from({ length: 100 }, draw)
    const jobs = unseen.map(({ instance }) => ({ instance, maximumSteps: 4, halts: () => false }))
    const rollouts = new InferenceEngine(model, 16).run(jobs, changes.cycles)
    const right = rollouts.filter(({ steps }, i) => steps.at(-1)?.answer.join() === unseen[i]?.targets.join())
    expect(right.length).toBeGreaterThan(80)
  })

  it('corrects the moving average of the weights for its start', () => {
    let average = 0
    for (let step = 1; step <= 20; step++) average += (1 - average) * (1 - averageDecayAt(step, 0.999))
    expect(average).toBeGreaterThan(0.999)
    // Without the correction the average would still be 98 % its random start.
    expect(1 - 0.999 ** 20).toBeCloseTo(0.0198, 4)
  })
})

describe('sizes', () => {
  // The networks measured elsewhere (specification) have 52 929, 65 665, 75 073 and 33 649 parameters with one input
  // vocabulary for questions and answers; here blanks, walls and ends are no answers.
  it.each([
    [52_929 - 64, { ...shapeOf({ kind: 'mlp', tokens: 16 }), width: 64, classes: 4 }],
    [65_665 - 64, { ...shapeOf({ kind: 'mlp', tokens: 36 }), width: 64, vocabulary: 7, classes: 6 }],
    [
      75_073 - 64,
      { ...shapeOf({ kind: 'group', boxHeight: 3, boxWidth: 3 }), width: 64, vocabulary: 10, classes: 9 },
    ],
    [33_649 - 4 * 48, { ...shapeOf({ kind: 'convolution' }), width: 48, vocabulary: 4, classes: 2 }],
  ])('counts %i parameters', (expected, shape) => {
    expect(parameterCount(shape)).toBe(expected)
  })
})

describe('inference', () => {
  const shape = { ...shapeOf({ kind: 'group', boxHeight: 2, boxWidth: 2 }), classes: 4 }
  const model: TrainedModel = {
    shape,
    parameters: new Map(
      [...initialParameters(shape, 3)].map(([name, v]) => [
        name,
        name === 'halt.weight' ? v.map((_, i) => (i % 2) - 0.5) : v,
      ]),
    ),
    start: initialState(shape.width, 3),
  }
  const cycles: Cycles = { inner: 2, outer: 2 }
  const draw = examples(20)
  const instances = Array.from({ length: 70 }, () => draw().instance)

  it('gives each sample the same bits alone and beside others that come and go', () => {
    const jobs = instances.map((instance, i) => ({
      instance,
      maximumSteps: 1 + (i % 5),
      noise: { deviation: 0.2, seed: i },
      halts: () => false,
    }))
    const together = new InferenceEngine(model, 16).run(jobs, cycles)
    for (const [i, job] of jobs.entries()) {
      const [alone] = new InferenceEngine(model, 16).run([job], cycles)
      expect(together[i]).toEqual(alone)
    }
  }, 120_000)

  it('does no work for samples that halted', () => {
    const engine = new InferenceEngine(model, 16)
    const jobs = instances.map((instance, i) => ({
      instance,
      maximumSteps: 8,
      halts: (steps: readonly unknown[]) => steps.length > i % 4,
    }))
    const rollouts = engine.run(jobs, cycles)
    const perStep = flopPerStep(shape, 16, cycles)
    for (const [i, { steps, halted, flop }] of rollouts.entries()) {
      expect(steps.length).toBe(1 + (i % 4))
      expect(halted).toBe(true)
      expect(flop).toBe(steps.length * perStep)
    }
  })

  it('reports the probability of every answer', () => {
    const [instance] = instances
    if (!instance) throw new Error('no instance')
    const [rollout] = new InferenceEngine(model, 16).run(
      [{ instance, maximumSteps: 1, halts: () => false }],
      cycles,
    )
    for (const value of rollout?.steps[0]?.confidence ?? []) {
      expect(value).toBeGreaterThanOrEqual(1 / 4)
      expect(value).toBeLessThanOrEqual(1)
    }
  })

  it('is no surer than the least sure of the tokens that are asked', () => {
    const run = (instance: Instance) =>
      new InferenceEngine(model, 16).run([{ instance, maximumSteps: 3, halts: () => false }], cycles)[0]
        ?.steps ?? []
    fc.assert(
      fc.property(
        fc.constantFrom(...instances),
        fc.uint8Array({ minLength: 16, maxLength: 16, max: 1 }),
        (instance, asked) => {
          const [free, bounded] = [run(instance), run({ ...instance, asked })]
          for (const [step, { confidence, haltProbability }] of bounded.entries()) {
            const margins = [...confidence].filter((_, token) => asked[token] === 1).map((p) => 2 * p - 1)
            const bound = Math.max(0, Math.min(1, ...margins))
            expect(haltProbability).toBe(Math.min(free[step]?.haltProbability ?? 0, bound))
          }
        },
      ),
      { numRuns: 20 },
    )
  })

  it('refuses instances of different sizes', () => {
    const engine = new InferenceEngine(model, 16)
    const wrong = { height: 2, width: 2, tokens: new Int32Array(4) }
    const jobs = [wrong].map((instance) => ({ instance, maximumSteps: 1, halts: () => false }))
    expect(() => engine.run(jobs, cycles)).toThrow(RangeError)
  })
})
