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

/** Consecutive rows of a matrix that belong to one sample: a grid of height·width tokens, row by row. */
export interface Grid {
  readonly samples: number
  readonly height: number
  readonly width: number
}

/** A partition of a sample's tokens: token t is in group index[t] (i32 in memory). */
export interface Partition {
  readonly index: number
  readonly tokens: number
  readonly groups: number
}

/** Class targets of logits [rows, columns ≥ classes]; the columns beyond `classes` are padding. */
export interface ClassTargets {
  readonly classes: number
  /** Byte offset of i32 [rows]. */
  readonly targets: number
  /** [rows,1], the rows' weights in the loss. */
  readonly weights: Tensor
  /** [rows,1], receives the probability of each target. */
  readonly probabilities: Tensor
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

/** The rows of sample number `s`. */
function sampleOf(tensor: Tensor, s: number, samples: number): Tensor {
  const rows = tensor.rows / samples
  return { offset: tensor.offset + s * rows * stride(tensor), rows, columns: tensor.columns }
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

  /** Attention of packed [t, heads·headLength] matrices; keeps the weights in `probabilities`. */
  attentionForward(
    input: { q: Tensor; k: Tensor; v: Tensor },
    out: Tensor,
    probabilities: number,
    packing: Packing,
    shape: HeadShape,
    causal = true,
  ): void {
    const operands = [input.q.offset, input.k.offset, input.v.offset, out.offset, probabilities]
    const extent = [packing.offsets, packing.sequences, shape.heads, shape.headLength, Number(causal)]
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
    causal = true,
  ): void {
    const operands = [input.q.offset, input.k.offset, input.v.offset, probabilities, dOut.offset]
    const results = [d.q.offset, d.k.offset, d.v.offset, scratch]
    const extent = [packing.offsets, packing.sequences, shape.heads, shape.headLength, Number(causal)]
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

  /** y = a + b. */
  sumOfTwo(a: Tensor, b: Tensor, y: Tensor): void {
    this.#kernels.sumOfTwo(a.offset, b.offset, y.offset, count(y))
  }

  /** y = a + b + c. */
  sumOfThree(a: Tensor, b: Tensor, c: Tensor, y: Tensor): void {
    this.#kernels.sumOfThree(a.offset, b.offset, c.offset, y.offset, count(y))
  }

  /** y = s / rms(s) per row of s = x + branch, without gain; keeps 1/rms in `inverseRms` [t,1]. */
  residualNormForward(x: Tensor, branch: Tensor, y: Tensor, inverseRms: Tensor, epsilon: number): void {
    const { offset, rows, columns } = y
    const inputs = [x.offset, branch.offset]
    this.#kernels.residualNormForward(...inputs, offset, inverseRms.offset, rows, columns, epsilon)
  }

  /** dx = the gradient of both summands, from the result `y`; may overwrite `dy`. */
  residualNormBackward(y: Tensor, inverseRms: Tensor, dy: Tensor, dx: Tensor): void {
    const { offset, rows, columns } = y
    this.#kernels.residualNormBackward(offset, inverseRms.offset, dy.offset, dx.offset, rows, columns)
  }

  /** As {@link residualNormForward}, over each sample's tokens; `inverseRms` is [samples, columns]. */
  tokenNormForward(
    x: Tensor,
    branch: Tensor,
    y: Tensor,
    inverseRms: Tensor,
    samples: number,
    epsilon: number,
  ): void {
    const inputs = [x.offset, branch.offset, y.offset, inverseRms.offset]
    this.#kernels.tokenNormForward(...inputs, samples, y.rows / samples, y.columns, epsilon)
  }

  /** As {@link residualNormBackward}, for {@link tokenNormForward}. */
  tokenNormBackward(y: Tensor, inverseRms: Tensor, dy: Tensor, dx: Tensor, samples: number): void {
    const inputs = [y.offset, inverseRms.offset, dy.offset, dx.offset]
    this.#kernels.tokenNormBackward(...inputs, samples, y.rows / samples, y.columns)
  }

  /** y[s] = w · x[s] for samples x[s] [tokens, columns] and w [out, tokens]: a linear layer across tokens. */
  tokenLinearForward(x: Tensor, w: Tensor, y: Tensor, samples: number): void {
    requireShape(x.rows === samples * w.columns && y.rows === samples * w.rows, 'token linear')
    for (let s = 0; s < samples; s++) {
      this.#gemm(w, false, sampleOf(x, s, samples), false, sampleOf(y, s, samples), false)
    }
  }

  /** dx (+)= wᵀ · dy and dw += dy · xᵀ, sample by sample. */
  tokenLinearBackward(
    x: Tensor,
    w: Tensor,
    dy: Tensor,
    dx: Tensor,
    dw: Tensor,
    samples: number,
    addToInput: boolean,
  ): void {
    requireShape(x.rows === samples * w.columns && dy.rows === samples * w.rows, 'token linear gradient')
    for (let s = 0; s < samples; s++) {
      const upstream = sampleOf(dy, s, samples)
      this.#gemm(w, true, upstream, false, sampleOf(dx, s, samples), addToInput)
      this.#gemm(upstream, false, sampleOf(x, s, samples), true, dw, true)
    }
  }

  /** y = silu(gate) · up for rows x = [gate | up] [t, 2·columns]. */
  gatedForward(x: Tensor, y: Tensor): void {
    requireShape(x.columns === 2 * y.columns && x.rows === y.rows, 'gate')
    this.#kernels.gatedForward(x.offset, y.offset, y.rows, y.columns)
  }

  /** Overwrites `x` of {@link gatedForward} with its gradient. */
  gatedBackward(x: Tensor, dy: Tensor): void {
    requireShape(x.columns === 2 * dy.columns && x.rows === dy.rows, 'gate gradient')
    this.#kernels.gatedBackward(x.offset, dy.offset, dy.rows, dy.columns)
  }

  sigmoid(x: Tensor, y: Tensor): void {
    this.#kernels.sigmoid(x.offset, y.offset, count(y))
  }

  /** y[s,g] = scale · Σ of the tokens of x[s] in group g; y is [samples·groups, columns]. */
  groupSum(x: Tensor, y: Tensor, partition: Partition, scale: number): void {
    const { index, tokens, groups } = partition
    const samples = x.rows / tokens
    requireShape(y.rows === samples * groups && x.columns === y.columns, 'group sum')
    this.#kernels.groupSum(x.offset, index, y.offset, samples, tokens, groups, y.columns, scale)
  }

  /** y[s,t] += scale · x[s, group of t]: the transpose of {@link groupSum}, hence its gradient. */
  groupSpread(x: Tensor, y: Tensor, partition: Partition, scale: number): void {
    const { index, tokens, groups } = partition
    const samples = y.rows / tokens
    requireShape(x.rows === samples * groups && x.columns === y.columns, 'group spread')
    this.#kernels.groupSpread(x.offset, index, y.offset, samples, tokens, groups, y.columns, scale)
  }

  /** y = 3×3 convolution of each channel with its own taps w [9, columns], zero beyond the edge. */
  depthwiseForward(x: Tensor, w: Tensor, y: Tensor, { samples, height, width }: Grid): void {
    requireShape(x.rows === samples * height * width && w.rows === 9, 'depthwise convolution')
    const operands = [x.offset, w.offset, y.offset]
    this.#kernels.depthwiseConvolution(...operands, samples, height, width, x.columns, 0, 0)
  }

  /** dx += the gradient of the input, dw += that of the taps. */
  depthwiseBackward(x: Tensor, w: Tensor, dy: Tensor, dx: Tensor, dw: Tensor, grid: Grid): void {
    const { samples, height, width } = grid
    const extent = [samples, height, width, x.columns]
    this.#kernels.depthwiseConvolution(dy.offset, w.offset, dx.offset, ...extent, 1, 1)
    this.#kernels.depthwiseWeightGradient(x.offset, dy.offset, dw.offset, ...extent)
  }

  /** y[row] = scales[row] · table[indices[row]]; `indices` points at i32, `scales` at f32 values. */
  gatherScaledRows(table: Tensor, indices: number, scales: number, y: Tensor): void {
    requireShape(table.columns === y.columns, 'gather')
    this.#kernels.gatherScaledRows(table.offset, indices, scales, y.offset, y.rows, y.columns)
  }

  /** table[indices[row]] += scales[row] · x[row]: the gradient of {@link gatherScaledRows}. */
  scatterAddScaledRows(table: Tensor, indices: number, scales: number, x: Tensor): void {
    requireShape(table.columns === x.columns, 'scatter')
    this.#kernels.scatterAddScaledRows(table.offset, indices, scales, x.offset, x.rows, x.columns)
  }

  /** Per row the index (i32 at `result`) of the largest of the first `classes` elements. */
  argMaxRows(x: Tensor, result: number, classes: number): void {
    this.#kernels.argMaxRows(x.offset, result, x.rows, x.columns, classes)
  }

  /** Stable-max cross-entropy (Prieto et al. 2025); the logits become their gradient. */
  stableMaxCrossEntropy(logits: Tensor, { classes, targets, weights, probabilities }: ClassTargets): void {
    const pointers = [logits.offset, targets, weights.offset, probabilities.offset]
    this.#kernels.stableMaxCrossEntropy(...pointers, logits.rows, logits.columns, classes)
  }

  /** Softmax cross-entropy over the first `classes` columns; the logits become their gradient. */
  classCrossEntropy(logits: Tensor, { classes, targets, weights, probabilities }: ClassTargets): void {
    const pointers = [logits.offset, targets, weights.offset, probabilities.offset]
    this.#kernels.softMaxClassCrossEntropy(...pointers, logits.rows, logits.columns, classes)
  }
}
