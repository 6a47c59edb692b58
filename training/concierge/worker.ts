// One training thread: computes micro-batch gradients and updates its part of the weights in the shared memory.

import { type AdamWStep, Arena, type Tensor } from '../../src-main/tensor/index.ts'
import {
  type BatchLimits,
  Llama,
  type LlamaShape,
  type PackedBatch,
  type Regularisation,
  weightTensors,
} from './model.ts'
import { MICRO_BATCHES } from './recipe.ts'

export interface TrainingSetup {
  readonly memory: WebAssembly.Memory
  readonly shape: LlamaShape
  readonly limits: BatchLimits
}

export type TrainingJob =
  | { kind: 'gradient'; part: number; batch: PackedBatch; regularisation: Regularisation }
  /** Adds up the micro-batches' gradients of one part of the tensors; gives their squared norm. */
  | { kind: 'reduce'; part: number }
  | { kind: 'update'; part: number; step: AdamWStep; averageWeight: number }
  /** Logits under the averaged weights. */
  | { kind: 'logits'; batch: PackedBatch }

/** Per target its probability ('gradient'), logits ('logits'), one squared norm ('reduce') or nothing ('update'). */
export type TrainingResult = Float32Array | Float64Array

/** Tensors that the threads share, in one order for all; `end` is the first byte after them. */
export function sharedTensors(shape: LlamaShape) {
  const arena = new Arena()
  const weights = weightTensors(shape, arena)
  const averages = weightTensors(shape, arena)
  const firstMoments = weightTensors(shape, arena)
  const secondMoments = weightTensors(shape, arena)
  const gradients = Array.from({ length: MICRO_BATCHES }, () => weightTensors(shape, arena))
  return { weights, averages, firstMoments, secondMoments, gradients, end: arena.end }
}

/** Bytes of memory for `threads` training threads. */
export function trainingMemoryBytes(shape: LlamaShape, limits: BatchLimits, threads: number): number {
  return sharedTensors(shape).end + threads * Llama.activationBytes(shape, limits)
}

/** The job handler of thread number `thread`. */
export function trainingThread({ memory, shape, limits }: TrainingSetup, thread: number) {
  const shared = sharedTensors(shape)
  const arena = new Arena(shared.end + thread * Llama.activationBytes(shape, limits))
  const llama = new Llama(memory, arena, shape, limits)
  const { ops } = llama

  function reduce(part: number): number {
    let squares = 0
    for (const name of namesOf(shared.weights, part)) {
      const [sum, ...others] = shared.gradients.map((gradients) => named(gradients, name))
      if (!sum) continue
      for (const other of others) ops.addInPlace(sum, other)
      squares += ops.sumOfSquares(sum)
    }
    return squares
  }

  function update(part: number, step: AdamWStep, averageWeight: number): void {
    for (const name of namesOf(shared.weights, part)) {
      const weight = named(shared.weights, name)
      const [first, second] = [named(shared.firstMoments, name), named(shared.secondMoments, name)]
      const isNormGain = weight.rows === 1
      const ownStep = isNormGain ? { ...step, weightDecay: 0 } : step
      ops.adamW(weight, named(shared.gradients[0], name), first, second, ownStep)
      ops.movingAverage(named(shared.averages, name), weight, averageWeight)
    }
  }

  return (job: TrainingJob): TrainingResult => {
    switch (job.kind) {
      case 'gradient': {
        const gradients = shared.gradients[job.part] ?? new Map()
        return llama.gradient(shared.weights, gradients, job.batch, job.regularisation)
      }
      case 'reduce':
        return Float64Array.of(reduce(job.part))
      case 'update':
        update(job.part, job.step, job.averageWeight)
        return new Float64Array()
      case 'logits':
        return llama.logits(shared.averages, job.batch)
    }
  }
}

function named(tensors: ReadonlyMap<string, Tensor> | undefined, name: string): Tensor {
  const tensor = tensors?.get(name)
  if (!tensor) throw new Error(`no tensor ${name}`)
  return tensor
}

/** The tensors that part number `part` of a reduction or update covers: every MICRO_BATCHES-th. */
function namesOf(tensors: ReadonlyMap<string, Tensor>, part: number): string[] {
  return [...tensors.keys()].filter((_, index) => index % MICRO_BATCHES === part)
}
