import { Arena, FLOAT_BYTES, seededNormal, type Tensor } from '../tensor/index.ts'
import type { PassLimits } from './mixers.ts'
import { RecursiveNetwork } from './network.ts'
import { type NetworkShape, type ParameterSet, reserveParameters } from './shape.ts'

/** Fixed, so that gradients are summed in one order with one thread or two. */
export const BATCH_PARTS = 2

/** Samples of all slots have one size. */
export interface TrainingLayout {
  readonly shape: NetworkShape
  readonly height: number
  readonly width: number
  /** Samples that are trained on at once; a multiple of BATCH_PARTS. */
  readonly slots: number
  /** n + 1 of the deepest curriculum stage. */
  readonly calls: number
}

/** Rows that one pass computes together: their activations then stay in the caches. */
const ROWS_PER_PASS = 384

export function passLimits({ height, width, slots }: TrainingLayout): PassLimits {
  const tokens = height * width
  const samples = Math.min(slots / BATCH_PARTS, Math.max(1, Math.floor(ROWS_PER_PASS / tokens)))
  return { samples, rows: samples * tokens, tokens }
}

/** What the training threads share, at the same place for all; `end` is the first byte after it. */
export interface SharedTraining {
  readonly parameters: ParameterSet
  readonly averages: ParameterSet
  readonly firstMoments: ParameterSet
  readonly secondMoments: ParameterSet
  readonly gradients: readonly ParameterSet[]
  /** [2, width]: where y and z start. */
  readonly start: Tensor
  /** Slot states, [slots·tokens, width]. */
  readonly y: Tensor
  readonly z: Tensor
  /** Byte offsets of i32 [slots·tokens]. */
  readonly tokens: number
  readonly targets: number
  /** [slots·tokens, 1]. */
  readonly scales: Tensor
  readonly weights: Tensor
  readonly end: number
}

export function sharedTraining({ shape, height, width, slots }: TrainingLayout): SharedTraining {
  const arena = new Arena()
  const rows = slots * height * width
  const set = (): ParameterSet => reserveParameters(shape, arena)
  const [parameters, averages, firstMoments, secondMoments] = [set(), set(), set(), set()]
  const gradients = Array.from({ length: BATCH_PARTS }, set)
  const start = arena.tensor(2, shape.width)
  const [y, z] = [arena.tensor(rows, shape.width), arena.tensor(rows, shape.width)]
  const [tokens, targets] = [arena.bytes(rows * FLOAT_BYTES), arena.bytes(rows * FLOAT_BYTES)]
  const [scales, weights] = [arena.tensor(rows, 1), arena.tensor(rows, 1)]
  const states = { start, y, z, tokens, targets, scales, weights }
  return { parameters, averages, firstMoments, secondMoments, gradients, ...states, end: arena.end }
}

/** Normal noise on where y and z start. */
interface RowNoise {
  readonly deviation: number
  readonly random: () => number
}

/** Lets a token's y or z start again: the row of `floats` at `to` becomes the network's start at `from`, with noise. */
export function startRow(
  floats: Float32Array,
  { to, from, width }: { to: number; from: number; width: number },
  noise: RowNoise | null,
): void {
  floats.copyWithin(to, from, from + width)
  if (!noise) return
  for (let i = to; i < to + width; i++) {
    floats[i] = (floats[i] ?? 0) + noise.deviation * seededNormal(noise.random)
  }
}

export function trainingMemoryBytes(layout: TrainingLayout, threads: number): number {
  const activations = RecursiveNetwork.bytes(layout.shape, passLimits(layout), layout.calls)
  return sharedTraining(layout).end + threads * activations
}
