import { type Arena, FLOAT_BYTES, type Tensor } from './arena.ts'
import type { KernelExports } from './kernels.ts'
import { instantiateKernels } from './kernels.ts'

/** Packed sequences: sequence s holds the rows offsets[s] .. offsets[s+1] (i32 in memory). */
export interface Packing {
  readonly offsets: number
  readonly sequences: number
}

export interface HeadShape {
  readonly heads: number
  /** Elements per head; a multiple of 16. */
  readonly headLength: number
}

export interface AdamWStep {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** beta1^t and beta2^t for the step number t, counted from 1. */
  readonly beta1Power: number
  readonly beta2Power: number
  /** Factor on the gradients (micro-batch averaging, clipping). */
  readonly gradientScale: number
}

function requireShape(condition: boolean, what: string): void {
  if (!condition) throw new RangeError(`tensor shapes do not fit: ${what}`)
}

const count = (tensor: Tensor): number => tensor.rows * tensor.columns
const stride = (tensor: Tensor): number => tensor.columns * FLOAT_BYTES

/**
 * The differentiable layers over one memory, one instance per thread. Forward operations overwrite their result;
 * backward operations add to parameter gradients, and to input gradients only where they say so.
 */
export class TensorOps {
  readonly #kernels: KernelExports
  readonly #scratch: number

  constructor(memory: WebAssembly.Memory, arena: Arena) {
    this.#kernels = instantiateKernels(memory)
    this.#scratch = arena.bytes(this.#kernels.gemmScratchBytes())
  }

  /** y[t,out] = x[t,in] · wᵀ, with w [out,in] as GGUF stores it. */
  linearForward(x: Tensor, w: Tensor, y: Tensor): void {
    requireShape(x.columns === w.columns && y.columns === w.rows && x.rows === y.rows, 'linear')
    this.#gemm(x, false, w, true, y, false)
  }

  /** dx (+)= dy · w and dw += dyᵀ · x. */
  linearBackward(x: Tensor, w: Tensor, dy: Tensor, dx: Tensor, dw: Tensor, addToInput: boolean): void {
    requireShape(x.columns === w.columns && dy.columns === w.rows && x.rows === dy.rows, 'linear gradient')
    this.#gemm(dy, false, w, false, dx, addToInput)
    this.#gemm(dy, true, x, false, dw, true)
  }

  #gemm(
    a: Tensor,
    transposeA: boolean,
    b: Tensor,
    transposeB: boolean,
    c: Tensor,
    accumulate: boolean,
  ): void {
    const depth = transposeA ? a.rows : a.columns
    const stridesA = transposeA ? [FLOAT_BYTES, stride(a)] : [stride(a), FLOAT_BYTES]
    const stridesB = transposeB ? [FLOAT_BYTES, stride(b)] : [stride(b), FLOAT_BYTES]
    const operandA = [a.offset, ...stridesA]
    const operandB = [b.offset, ...stridesB]
    const target = [c.offset, stride(c), Number(accumulate), this.#scratch]
    this.#kernels.gemm(c.rows, c.columns, depth, ...operandA, ...operandB, ...target)
  }

  /** y = x / rms(x) · gain per row (Zhang and Sennrich 2019); keeps 1/rms in `inverseRms` [t,1]. */
  rmsNormForward(x: Tensor, gain: Tensor, y: Tensor, inverseRms: Tensor, epsilon: number): void {
    const { offset, rows, columns } = x
    this.#kernels.rmsNormForward(offset, gain.offset, y.offset, inverseRms.offset, rows, columns, epsilon)
  }

  /** Adds to `dx` and `dGain`. */
  rmsNormBackward(x: Tensor, gain: Tensor, inverseRms: Tensor, dy: Tensor, dx: Tensor, dGain: Tensor): void {
    const inputs = [x.offset, gain.offset, inverseRms.offset, dy.offset]
    this.#kernels.rmsNormBackward(...inputs, dx.offset, dGain.offset, x.rows, x.columns)
  }

  /** y = silu(gate) · up (Shazeer 2020). */
  swigluForward(gate: Tensor, up: Tensor, y: Tensor): void {
    this.#kernels.swigluForward(gate.offset, up.offset, y.offset, count(y))
  }

  /** Overwrites `gate` and `up` with their gradients. */
  swigluBackward(gate: Tensor, up: Tensor, dy: Tensor): void {
    this.#kernels.swigluBackward(gate.offset, up.offset, dy.offset, gate.offset, up.offset, count(dy))
  }

  /** Rotates queries or keys in place by their positions; `backward` is the inverse rotation of a gradient. */
  rotate(x: Tensor, table: Tensor, packing: Packing, shape: HeadShape, backward: boolean): void {
    const { offsets, sequences } = packing
    const sign = backward ? -1 : 1
    this.#kernels.rotate(x.offset, table.offset, offsets, sequences, shape.heads, shape.headLength, sign)
  }

  /** Causal attention of packed [t, heads·headLength] matrices; keeps the weights in `probabilities`. */
  attentionForward(
    input: { q: Tensor; k: Tensor; v: Tensor },
    out: Tensor,
    probabilities: number,
    packing: Packing,
    shape: HeadShape,
  ): void {
    const operands = [input.q.offset, input.k.offset, input.v.offset, out.offset, probabilities]
    const extent = [packing.offsets, packing.sequences, shape.heads, shape.headLength]
    this.#kernels.attentionForward(...operands, ...extent)
  }

  /** Overwrites the gradients `d`. `scratch` holds one head's longest score matrix. */
  attentionBackward(
    input: { q: Tensor; k: Tensor; v: Tensor },
    probabilities: number,
    dOut: Tensor,
    d: { q: Tensor; k: Tensor; v: Tensor },
    scratch: number,
    packing: Packing,
    shape: HeadShape,
  ): void {
    const operands = [input.q.offset, input.k.offset, input.v.offset, probabilities, dOut.offset]
    const results = [d.q.offset, d.k.offset, d.v.offset, scratch]
    const extent = [packing.offsets, packing.sequences, shape.heads, shape.headLength]
    this.#kernels.attentionBackward(...operands, ...results, ...extent)
  }

  /** y[row] = table[indices[row]] for as many rows as y has; `indices` points at i32 values. */
  gatherRows(table: Tensor, indices: number, y: Tensor): void {
    requireShape(table.columns === y.columns, 'gather')
    this.#kernels.gatherRows(table.offset, indices, y.offset, y.rows, y.columns)
  }

  /** table[indices[row]] += x[row]: the gradient of {@link gatherRows}. */
  scatterAddRows(table: Tensor, indices: number, x: Tensor): void {
    requireShape(table.columns === x.columns, 'scatter')
    this.#kernels.scatterAddRows(table.offset, indices, x.offset, x.rows, x.columns)
  }

  /** y = x. */
  copy(y: Tensor, x: Tensor): void {
    this.#kernels.copyFloats(y.offset, x.offset, count(x))
  }

  /** x = 0. */
  zero(x: Tensor): void {
    this.#kernels.zeroFloats(x.offset, count(x))
  }

  /** y += x. */
  addInPlace(y: Tensor, x: Tensor): void {
    this.#kernels.addInPlace(y.offset, x.offset, count(x))
  }

  /** Inverted dropout in place; the same call on the gradient is its backward pass. */
  dropout(x: Tensor, seed: number, probability: number): void {
    if (probability > 0) this.#kernels.dropout(x.offset, count(x), seed, probability)
  }

  /**
   * Cross-entropy of logits [t, vocabulary] against i32 `targets`, weighted per row, with label smoothing. The
   * logits become their gradient; `targetProbabilities` [t,1] receives the softmax at the targets.
   */
  softmaxCrossEntropy(
    logits: Tensor,
    targets: number,
    weights: Tensor,
    targetProbabilities: Tensor,
    smoothing: number,
  ): void {
    const pointers = [logits.offset, targets, weights.offset, targetProbabilities.offset]
    this.#kernels.softmaxCrossEntropy(...pointers, logits.rows, logits.columns, smoothing)
  }

  sumOfSquares(x: Tensor): number {
    return this.#kernels.sumOfSquares(x.offset, count(x))
  }

  /** One AdamW step (Loshchilov and Hutter 2019) on one tensor and its two moments. */
  adamW(parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, step: AdamWStep): void {
    this.#kernels.adamW(
      parameter.offset,
      gradient.offset,
      first.offset,
      second.offset,
      count(parameter),
      step.gradientScale,
      step.learningRate / (1 - step.beta1Power),
      1 / (1 - step.beta2Power),
      step.beta1,
      step.beta2,
      step.epsilon,
      step.learningRate * step.weightDecay,
    )
  }

  /** average += (x - average) · weight. */
  movingAverage(average: Tensor, x: Tensor, weight: number): void {
    this.#kernels.movingAverage(average.offset, x.offset, count(x), weight)
  }
}
