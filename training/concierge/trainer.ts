import {
  createSharedMemory,
  exactSineCosine,
  FLOAT_BYTES,
  seededRandom,
  type Tensor,
  WorkerPool,
} from '../../src-main/tensor/index.ts'
import { evaluationQuestions, type Topic } from './corpus.ts'
import { packPrompts, TrainingData } from './dataset.ts'
import { initialiseWeights, type LlamaShape, type PackedBatch } from './model.ts'
import { topicToken } from './prompt.ts'
import { BATCH_LIMITS, MICRO_BATCHES, type Recipe } from './recipe.ts'
import type { Tokenizer } from './tokenizer.ts'
import { sharedTensors, type TrainingJob, type TrainingResult, trainingMemoryBytes } from './worker.ts'

interface StepReport {
  readonly step: number
  /** Cross-entropy of the topic and answer tokens, each averaged, in nats. */
  readonly loss: number
  readonly learningRate: number
  /** Milliseconds since the last report and floating-point operations done in them. */
  readonly milliseconds: number
  readonly flop: number
}

/** The trained weights by GGUF name, copied out of the shared memory. */
export type TrainedWeights = ReadonlyMap<string, { tensor: Tensor; values: Float32Array }>

/** Linear warm-up, then a cosine down to the final fraction (Loshchilov and Hutter 2017). */
function learningRateAt(step: number, recipe: Recipe): number {
  if (step <= recipe.warmUpSteps) return (recipe.peakLearningRate * step) / recipe.warmUpSteps
  const progress = (step - recipe.warmUpSteps) / (recipe.steps - recipe.warmUpSteps)
  const cosine = (1 + exactSineCosine(Math.PI * progress).cosine) / 2
  const final = recipe.finalLearningRateFraction
  return recipe.peakLearningRate * (final + (1 - final) * cosine)
}

/** Floating-point operations of one training step on `batch`: 6 per weight and token, forward and backward. */
function trainingFlop(shape: LlamaShape, batch: PackedBatch): number {
  const perBlock = 4 * shape.embeddingLength ** 2 + 3 * shape.embeddingLength * shape.feedForwardLength
  const perTarget = shape.vocabularySize * shape.embeddingLength
  let attention = 0
  for (let s = 0; s + 1 < batch.offsets.length; s++) {
    const length = (batch.offsets[s + 1] ?? 0) - (batch.offsets[s] ?? 0)
    attention += length * (length + 1) * shape.embeddingLength
  }
  const weights = batch.tokens.length * perBlock + attention
  return 6 * (shape.blockCount * weights + batch.targetRows.length * perTarget)
}

/** Trains one model; `close` ends its threads. */
export class Trainer {
  readonly #recipe: Recipe
  readonly #topics: readonly Topic[]
  readonly #tokenizer: Tokenizer
  readonly #shape: LlamaShape
  readonly #floats: Float32Array
  readonly #pool: WorkerPool<TrainingJob, TrainingResult>
  readonly #data: TrainingData

  constructor(recipe: Recipe, topics: readonly Topic[], tokenizer: Tokenizer, threads: number) {
    this.#recipe = recipe
    this.#topics = topics
    this.#tokenizer = tokenizer
    this.#shape = { ...recipe.shape, vocabularySize: tokenizer.tokens.length }
    const memory = createSharedMemory(trainingMemoryBytes(this.#shape, BATCH_LIMITS, threads))
    this.#floats = new Float32Array(memory.buffer)
    const { weights, averages } = sharedTensors(this.#shape)
    initialiseWeights(this.#shape, weights, this.#floats, recipe.seed)
    for (const [name, { offset, rows, columns }] of averages) {
      const start = (weights.get(name)?.offset ?? 0) / FLOAT_BYTES
      this.#floats.copyWithin(offset / FLOAT_BYTES, start, start + rows * columns)
    }
    const setup = { memory, shape: this.#shape, limits: BATCH_LIMITS }
    this.#pool = new WorkerPool(new URL('./training-thread.ts', import.meta.url), threads, setup)
    const random = seededRandom(recipe.seed + 1)
    this.#data = new TrainingData(topics, evaluationQuestions(topics), tokenizer, recipe, random)
  }

  /** Runs all steps of the recipe; `report` is called every `reportInterval` steps. */
  async train(reportInterval: number, report: (report: StepReport) => Promise<void>): Promise<void> {
    let beta1Power = 1
    let beta2Power = 1
    let flop = 0
    let loss = 0
    let since = performance.now()
    let batches = this.#data.nextStep()
    for (let step = 1; step <= this.#recipe.steps; step++) {
      beta1Power *= this.#recipe.beta1
      beta2Power *= this.#recipe.beta2
      const learningRate = learningRateAt(step, this.#recipe)
      for (const batch of batches) flop += trainingFlop(this.#shape, batch)
      const running = this.#step(step, batches, { learningRate, beta1Power, beta2Power })
      // The next data are drawn while the threads are busy with these.
      batches = this.#data.nextStep()
      loss += await running
      if (step % reportInterval === 0 || step === this.#recipe.steps) {
        const milliseconds = performance.now() - since
        await report({ step, loss: loss / reportInterval, learningRate, milliseconds, flop })
        flop = 0
        loss = 0
        since = performance.now()
      }
    }
  }

  /** Forward, backward and update; returns the loss. */
  async #step(
    step: number,
    batches: readonly PackedBatch[],
    schedule: { learningRate: number; beta1Power: number; beta2Power: number },
  ): Promise<number> {
    const recipe = this.#recipe
    const probabilities = await this.#pool.run(
      batches.map((batch, part) => {
        const seed = recipe.seed + step * MICRO_BATCHES + part
        const { dropout, labelSmoothing } = recipe
        return { kind: 'gradient', part, batch, regularisation: { dropout, labelSmoothing, seed } }
      }),
    )
    const parts = batches.map((_, part) => part)
    const squares = await this.#pool.run(parts.map((part) => ({ kind: 'reduce', part })))
    const norm = Math.sqrt(squares.reduce((sum, [square = 0]) => sum + square, 0))
    const gradientScale = Math.min(1, recipe.gradientNormLimit / (norm + 1e-6))
    const { beta1, beta2, epsilon, weightDecay } = recipe
    const adamW = { beta1, beta2, epsilon, weightDecay, gradientScale, ...schedule }
    // Early weights would weigh on the average for long; let it follow quickly at first.
    const averageWeight = Math.max(recipe.averageWeight, 1 / step)
    await this.#pool.run(parts.map((part) => ({ kind: 'update', part, step: adamW, averageWeight })))
    let loss = 0
    for (const [part, batch] of batches.entries()) {
      for (const [i, weight] of batch.weights.entries())
        loss -= weight * Math.log(probabilities[part]?.[i] ?? 1)
    }
    return loss
  }

  /** Questions whose topic the averaged model names first, of the given `[question, topic]` pairs. */
  async countCorrect(questions: readonly (readonly [string, Topic])[]): Promise<number> {
    const batches: (readonly (readonly [string, Topic])[])[] = []
    for (let i = 0; i < questions.length; i += 32) batches.push(questions.slice(i, i + 32))
    const jobs = batches.map((batch): TrainingJob => {
      const prompts = batch.map(([question]) => question)
      return { kind: 'logits', batch: packPrompts(this.#tokenizer, prompts) }
    })
    const results = await this.#pool.run(jobs)
    let correct = 0
    for (const [i, batch] of batches.entries()) {
      const logits = results[i] ?? new Float32Array()
      for (const [row, [, topic]] of batch.entries()) {
        const scores = logits.subarray(
          row * this.#shape.vocabularySize,
          (row + 1) * this.#shape.vocabularySize,
        )
        if (scores.indexOf(Math.max(...scores)) === this.#tokenizer.special(topicToken(topic))) correct++
      }
    }
    return correct
  }

  /** The dev questions with their topics. */
  devQuestions(): (readonly [string, Topic])[] {
    return this.#topics.flatMap((topic) => topic.dev.map((question) => [question, topic] as const))
  }

  averagedWeights(): TrainedWeights {
    const entries = [...sharedTensors(this.#shape).averages].map(([name, tensor]) => {
      const start = tensor.offset / FLOAT_BYTES
      return [
        name,
        { tensor, values: this.#floats.slice(start, start + tensor.rows * tensor.columns) },
      ] as const
    })
    return new Map(entries)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}
