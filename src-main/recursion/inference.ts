import {
  Arena,
  createSharedMemory,
  FLOAT_BYTES,
  seededNormal,
  seededRandom,
  type Tensor,
} from '../tensor/index.ts'
import type { PassLimits } from './mixers.ts'
import { RecursiveNetwork } from './network.ts'
import { type Cycles, flopPerStep, type NetworkShape, type ParameterSet, reserveParameters } from './shape.ts'
import type { Instance, ReasoningStep } from './tasks/task.ts'
import type { TrainedModel } from './trainer.ts'

export interface Rollout {
  readonly steps: readonly ReasoningStep[]
  /** Whether it stopped by itself, before its steps were used up. */
  readonly halted: boolean
  /** Floating-point operations of the steps that were done. */
  readonly flop: number
}

/** One instance to reason about; all instances of a run have one size. */
export interface RolloutJob {
  readonly instance: Instance
  readonly maximumSteps: number
  /** Normal noise added to y before every step (PTRM, Jolicoeur-Martineau 2026). */
  readonly noise?: { readonly deviation: number; readonly seed: number }
  /** Asked after every step; true ends the rollout. */
  readonly halts: (steps: readonly ReasoningStep[]) => boolean
}

interface Running {
  readonly index: number
  readonly job: RolloutJob
  readonly steps: ReasoningStep[]
  readonly random: () => number
}

/** Rows computed together: their activations stay in the caches. */
const ROWS_PER_PASS = 512

/** The samples in flight and where they are in memory. */
interface Buffers {
  readonly parameters: ParameterSet
  readonly start: Tensor
  readonly y: Tensor
  readonly z: Tensor
  readonly tokens: number
  readonly scales: Tensor
}

function reserveBuffers(shape: NetworkShape, { rows }: PassLimits, arena: Arena): Buffers {
  const parameters = reserveParameters(shape, arena)
  const start = arena.tensor(2, shape.width)
  const [y, z] = [arena.tensor(rows, shape.width), arena.tensor(rows, shape.width)]
  return { parameters, start, y, z, tokens: arena.bytes(rows * FLOAT_BYTES), scales: arena.tensor(rows, 1) }
}

/**
 * Runs a trained model on many instances at once. A sample that halts leaves its place at once to the next in the
 * queue, so no operation is spent on it any more; each sample's result is the same bits whatever runs beside it.
 */
export class InferenceEngine {
  readonly #shape: NetworkShape
  readonly #memory: WebAssembly.Memory
  readonly #limits: PassLimits
  readonly #buffers: Buffers
  readonly #network: RecursiveNetwork
  readonly #floats: Float32Array
  readonly #integers: Int32Array

  /** `tokens` is the size of the instances. */
  constructor(model: TrainedModel, tokens: number) {
    const samples = Math.max(1, Math.floor(ROWS_PER_PASS / tokens))
    this.#shape = model.shape
    this.#limits = { samples, rows: samples * tokens, tokens }
    const measure = new Arena()
    reserveBuffers(model.shape, this.#limits, measure)
    const bytes = measure.end + RecursiveNetwork.bytes(model.shape, this.#limits, 1)
    this.#memory = createSharedMemory(bytes)
    this.#floats = new Float32Array(this.#memory.buffer)
    this.#integers = new Int32Array(this.#memory.buffer)
    const arena = new Arena()
    this.#buffers = reserveBuffers(model.shape, this.#limits, arena)
    this.#network = new RecursiveNetwork(this.#memory, arena, model.shape, this.#limits, 1)
    for (const [name, values] of model.parameters) {
      const tensor = this.#buffers.parameters.tensors.get(name)
      if (!tensor) throw new RangeError(`the network has no parameter ${name}`)
      this.#floats.set(values, tensor.offset / FLOAT_BYTES)
    }
    this.#floats.set(model.start, this.#buffers.start.offset / FLOAT_BYTES)
  }

  run(jobs: readonly RolloutJob[], cycles: Cycles): Rollout[] {
    const rollouts: Rollout[] = new Array(jobs.length)
    const first = jobs[0]?.instance
    if (!first) return []
    const { height, width } = first
    if (height * width !== this.#limits.tokens) throw new RangeError('the engine was made for another size')
    const perStep = flopPerStep(this.#shape, height * width, cycles)
    const running: Running[] = []
    let next = 0
    while (next < jobs.length || running.length > 0) {
      while (running.length < this.#limits.samples && next < jobs.length) {
        const job = jobs[next] as RolloutJob
        if (job.instance.height !== height || job.instance.width !== width) {
          throw new RangeError('all instances of a run have one size')
        }
        running.push(this.#admit(job, next++, running.length))
      }
      this.#step(running, { samples: running.length, height, width }, cycles)
      for (let place = running.length - 1; place >= 0; place--) {
        const { job, steps, index } = running[place] as Running
        const halted = job.halts(steps)
        if (!halted && steps.length < job.maximumSteps) continue
        rollouts[index] = { steps, halted, flop: steps.length * perStep }
        this.#vacate(running, place)
      }
    }
    return rollouts
  }

  #admit(job: RolloutJob, index: number, place: number): Running {
    const { tokens } = this.#limits
    const { start, y, z, scales } = this.#buffers
    const columns = this.#shape.width
    const amplitude = Math.sqrt(columns)
    for (const [half, state] of [y, z].entries()) {
      const from = start.offset / FLOAT_BYTES + half * columns
      const to = state.offset / FLOAT_BYTES + place * tokens * columns
      for (let i = 0; i < tokens; i++) this.#floats.copyWithin(to + i * columns, from, from + columns)
    }
    this.#integers.set(job.instance.tokens, this.#buffers.tokens / FLOAT_BYTES + place * tokens)
    for (let i = 0; i < tokens; i++) {
      const value = job.instance.values?.[i] ?? 1
      this.#floats[scales.offset / FLOAT_BYTES + place * tokens + i] = amplitude * value
    }
    return { index, job, steps: [], random: seededRandom(job.noise?.seed ?? 0) }
  }

  #step(
    running: readonly Running[],
    grid: { samples: number; height: number; width: number },
    cycles: Cycles,
  ): void {
    const rows = grid.samples * this.#limits.tokens
    const { parameters, tokens, scales } = this.#buffers
    const state = { y: { ...this.#buffers.y, rows }, z: { ...this.#buffers.z, rows } }
    for (const [place, { job, random }] of running.entries()) {
      if (job.noise) this.#disturb(place, job.noise.deviation, random)
    }
    const before = this.#values(state.z).slice()
    this.#network.step(parameters.tensors, { tokens, scales: scales.offset }, state, grid, cycles)
    const changes = rootMeanSquares(before, this.#values(state.z), this.#shape.width)
    const { answers, confidences, halt } = this.#network.read(parameters.tensors, state.y, grid)
    for (const [place, { job, steps }] of running.entries()) {
      const [from, to] = [place * this.#limits.tokens, (place + 1) * this.#limits.tokens]
      const [answer, confidence] = [answers.slice(from, to), confidences.slice(from, to)]
      const latentChange = changes.slice(from, to)
      const haltProbability = Math.min(halt[place] ?? 0, leastMargin(confidence, job.instance.asked))
      steps.push({ answer, confidence, haltProbability, latentChange })
    }
  }

  #values({ offset, rows, columns }: Tensor): Float32Array {
    return this.#floats.subarray(offset / FLOAT_BYTES, offset / FLOAT_BYTES + rows * columns)
  }

  #disturb(place: number, deviation: number, random: () => number): void {
    const count = this.#limits.tokens * this.#shape.width
    const from = this.#buffers.y.offset / FLOAT_BYTES + place * count
    for (let i = from; i < from + count; i++) {
      this.#floats[i] = (this.#floats[i] ?? 0) + deviation * seededNormal(random)
    }
  }

  /** Moves the last sample in flight to `place`, which becomes free. */
  #vacate(running: Running[], place: number): void {
    const last = running.pop()
    if (!last || place === running.length) return
    const { y, z, tokens, scales } = this.#buffers
    const from = running.length * this.#limits.tokens
    const to = place * this.#limits.tokens
    for (const { offset, columns } of [y, z, { offset: tokens, columns: 1 }, scales]) {
      const base = offset / FLOAT_BYTES
      const count = this.#limits.tokens * columns
      this.#floats.copyWithin(base + to * columns, base + from * columns, base + from * columns + count)
    }
    running[place] = last
  }
}

/**
 * How much likelier right than wrong the least sure of the asked tokens is; 1 where none is named. The halting head reads
 * a mean over all tokens, in which one undecided corner of a large maze is lost.
 */
function leastMargin(confidence: Float32Array, asked: Uint8Array | undefined): number {
  let least = 1
  for (const [token, isAsked] of asked?.entries() ?? []) {
    if (isAsked === 1) least = Math.min(least, 2 * (confidence[token] ?? 0) - 1)
  }
  return Math.max(0, least)
}

/** Root mean square of the difference of each row. */
function rootMeanSquares(before: Float32Array, after: Float32Array, width: number): Float32Array {
  return Float32Array.from({ length: after.length / width }, (_, row) => {
    let sum = 0
    for (let i = row * width; i < (row + 1) * width; i++) sum += ((after[i] ?? 0) - (before[i] ?? 0)) ** 2
    return Math.sqrt(sum / width)
  })
}
