import {
  Arena,
  FLOAT_BYTES,
  firstRows,
  type HeadShape,
  type Packing,
  rotationTable,
  seededNormal,
  seededRandom,
  type Tensor,
  TensorOps,
} from '../../src-main/tensor/index.ts'

/** The sizes of a llama-architecture decoder with tied embeddings. */
export interface LlamaShape {
  readonly vocabularySize: number
  readonly embeddingLength: number
  readonly blockCount: number
  readonly headCount: number
  readonly feedForwardLength: number
}

export const NORM_EPSILON = 1e-5

/** Upper bounds of one micro-batch; the activation memory is reserved for them once. */
export interface BatchLimits {
  readonly rows: number
  readonly sequences: number
  readonly sequenceLength: number
}

/** Sequences packed one after the other without padding. */
export interface PackedBatch {
  readonly tokens: Int32Array
  /** Sequence s holds the rows offsets[s] .. offsets[s+1]. */
  readonly offsets: Int32Array
  /** Rows whose next token is predicted, the token wanted there, and its weight in the loss. */
  readonly targetRows: Int32Array
  readonly targets: Int32Array
  readonly weights: Float32Array
}

interface Dropout {
  /** Probability that an element is dropped. */
  readonly dropout: number
  /** Seed of this micro-batch's masks. */
  readonly seed: number
}

export interface Regularisation extends Dropout {
  readonly labelSmoothing: number
}

/** What the steps of one forward or backward pass share. */
interface Pass {
  readonly packing: Packing
  readonly dropout: Dropout
  /** The batch's rows of a buffer. */
  readonly take: (tensor: Tensor) => Tensor
  /** The target rows of a buffer. */
  readonly pick: (tensor: Tensor) => Tensor
}

interface BlockWeights {
  readonly attentionNorm: Tensor
  readonly query: Tensor
  readonly key: Tensor
  readonly value: Tensor
  readonly attentionOutput: Tensor
  readonly feedForwardNorm: Tensor
  readonly gate: Tensor
  readonly up: Tensor
  readonly down: Tensor
}

interface Weights {
  readonly embedding: Tensor
  readonly blocks: readonly BlockWeights[]
  readonly outputNorm: Tensor
}

/** What one block keeps from the forward pass; all [rows, …]. */
interface BlockActivations {
  readonly input: Tensor
  readonly inputRms: Tensor
  readonly normed: Tensor
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  /** Attention weights, see TensorOps.attentionForward. */
  readonly probabilities: number
  readonly attended: Tensor
  readonly middle: Tensor
  readonly middleRms: Tensor
  readonly middleNormed: Tensor
  readonly gate: Tensor
  readonly up: Tensor
  readonly activated: Tensor
}

/** The weights in GGUF's names and layout ([out, in], row-major), as llama.cpp's arch `llama` expects them. */
export function weightTensors(shape: LlamaShape, arena: Arena): Map<string, Tensor> {
  const width = shape.embeddingLength
  const tensors = new Map<string, Tensor>()
  const add = (name: string, rows: number, columns: number): void => {
    tensors.set(`${name}.weight`, arena.tensor(rows, columns))
  }
  add('token_embd', shape.vocabularySize, width)
  for (let block = 0; block < shape.blockCount; block++) {
    add(`blk.${block}.attn_norm`, 1, width)
    for (const name of ['attn_q', 'attn_k', 'attn_v', 'attn_output'])
      add(`blk.${block}.${name}`, width, width)
    add(`blk.${block}.ffn_norm`, 1, width)
    add(`blk.${block}.ffn_gate`, shape.feedForwardLength, width)
    add(`blk.${block}.ffn_up`, shape.feedForwardLength, width)
    add(`blk.${block}.ffn_down`, width, shape.feedForwardLength)
  }
  add('output_norm', 1, width)
  return tensors
}

function namedWeights(shape: LlamaShape, tensors: ReadonlyMap<string, Tensor>): Weights {
  const get = (name: string): Tensor => {
    const tensor = tensors.get(`${name}.weight`)
    if (!tensor) throw new Error(`no tensor ${name}.weight`)
    return tensor
  }
  const blocks = Array.from({ length: shape.blockCount }, (_, block) => ({
    attentionNorm: get(`blk.${block}.attn_norm`),
    query: get(`blk.${block}.attn_q`),
    key: get(`blk.${block}.attn_k`),
    value: get(`blk.${block}.attn_v`),
    attentionOutput: get(`blk.${block}.attn_output`),
    feedForwardNorm: get(`blk.${block}.ffn_norm`),
    gate: get(`blk.${block}.ffn_gate`),
    up: get(`blk.${block}.ffn_up`),
    down: get(`blk.${block}.ffn_down`),
  }))
  return { embedding: get('token_embd'), blocks, outputNorm: get('output_norm') }
}

/**
 * Norm gains start at 1; matrices are normal with deviation 1/√width, the embedding half of that, and the outputs of
 * the residual branches less the deeper the model (Radford et al. 2019).
 */
export function initialiseWeights(
  shape: LlamaShape,
  tensors: ReadonlyMap<string, Tensor>,
  floats: Float32Array,
  seed: number,
): void {
  const random = seededRandom(seed)
  const deviation = 1 / Math.sqrt(shape.embeddingLength)
  const residual = 1 / Math.sqrt(2 * shape.blockCount)
  for (const [name, { offset, rows, columns }] of tensors) {
    const values = floats.subarray(offset / FLOAT_BYTES, offset / FLOAT_BYTES + rows * columns)
    if (name.includes('norm')) {
      values.fill(1)
      continue
    }
    const scale =
      deviation * (/attn_output|ffn_down/.test(name) ? residual : name.startsWith('token') ? 0.5 : 1)
    for (let i = 0; i < values.length; i++) values[i] = scale * seededNormal(random)
  }
}

/** A llama decoder bound to one thread's activation memory; weights and gradients may be shared. */
export class Llama {
  readonly ops: TensorOps
  readonly #shape: LlamaShape
  readonly #limits: BatchLimits
  readonly #heads: HeadShape
  readonly #floats: Float32Array
  readonly #integers: Int32Array
  readonly #blocks: readonly BlockActivations[]
  readonly #table: Tensor
  readonly #buffers: ReturnType<typeof allocateBuffers>

  constructor(memory: WebAssembly.Memory, arena: Arena, shape: LlamaShape, limits: BatchLimits) {
    const headLength = shape.embeddingLength / shape.headCount
    this.#shape = shape
    this.#limits = limits
    this.#heads = { heads: shape.headCount, headLength }
    this.ops = new TensorOps(memory, arena)
    this.#blocks = Array.from({ length: shape.blockCount }, () => allocateBlock(arena, shape, limits))
    this.#buffers = allocateBuffers(arena, shape, limits)
    this.#table = arena.tensor(limits.sequenceLength * 2, headLength)
    this.#floats = new Float32Array(memory.buffer)
    this.#integers = new Int32Array(memory.buffer)
    this.#floats.set(rotationTable(limits.sequenceLength, headLength), this.#table.offset / FLOAT_BYTES)
  }

  /** Bytes that one thread's instance takes from its arena. */
  static activationBytes(shape: LlamaShape, limits: BatchLimits): number {
    const arena = new Arena(0)
    for (let block = 0; block < shape.blockCount; block++) allocateBlock(arena, shape, limits)
    allocateBuffers(arena, shape, limits)
    arena.tensor(limits.sequenceLength * 2, shape.embeddingLength / shape.headCount)
    const gemmScratchAllowance = 1 << 20
    return arena.end + gemmScratchAllowance
  }

  /** The logits [target rows, vocabulary] of `batch`, copied out of the memory. */
  logits(tensors: ReadonlyMap<string, Tensor>, batch: PackedBatch): Float32Array {
    const logits = this.#forward(namedWeights(this.#shape, tensors), batch, { dropout: 0, seed: 0 })
    const start = logits.offset / FLOAT_BYTES
    return this.#floats.slice(start, start + logits.rows * logits.columns)
  }

  /**
   * Zeroes `gradientTensors`, then fills them with the gradient of the weighted cross-entropy of `batch`. Returns
   * the probability the model gave each target.
   */
  gradient(
    tensors: ReadonlyMap<string, Tensor>,
    gradientTensors: ReadonlyMap<string, Tensor>,
    batch: PackedBatch,
    regularisation: Regularisation,
  ): Float32Array {
    for (const { offset, rows, columns } of gradientTensors.values()) {
      this.#floats.fill(0, offset / FLOAT_BYTES, offset / FLOAT_BYTES + rows * columns)
    }
    const weights = namedWeights(this.#shape, tensors)
    const logits = this.#forward(weights, batch, regularisation)
    const { targets, targetWeights } = this.#buffers
    const probabilities = firstRows(this.#buffers.targetProbabilities, logits.rows)
    this.#integers.set(batch.targets, targets / FLOAT_BYTES)
    this.#floats.set(batch.weights, targetWeights.offset / FLOAT_BYTES)
    this.ops.softmaxCrossEntropy(logits, targets, targetWeights, probabilities, regularisation.labelSmoothing)
    this.#backward(weights, namedWeights(this.#shape, gradientTensors), batch, regularisation)
    const start = probabilities.offset / FLOAT_BYTES
    return this.#floats.slice(start, start + logits.rows)
  }

  #loadBatch(batch: PackedBatch): void {
    const { tokens, offsets, targetRows } = this.#buffers
    const sequences = batch.offsets.length - 1
    if (batch.tokens.length > this.#limits.rows || sequences > this.#limits.sequences) {
      throw new RangeError('the batch exceeds the memory reserved for it')
    }
    for (let s = 0; s < sequences; s++) {
      const length = (batch.offsets[s + 1] ?? 0) - (batch.offsets[s] ?? 0)
      if (length > this.#limits.sequenceLength)
        throw new RangeError(`sequence of ${length} tokens is too long`)
    }
    this.#integers.set(batch.tokens, tokens / FLOAT_BYTES)
    this.#integers.set(batch.offsets, offsets / FLOAT_BYTES)
    this.#integers.set(batch.targetRows, targetRows / FLOAT_BYTES)
  }

  #forward(weights: Weights, batch: PackedBatch, dropout: Dropout): Tensor {
    this.#loadBatch(batch)
    const pass = this.#pass(batch, dropout)
    const stream = pass.take(this.#buffers.stream)
    this.ops.gatherRows(weights.embedding, this.#buffers.tokens, stream)
    this.#drop(stream, pass, 0)
    for (const [index, block] of weights.blocks.entries()) {
      this.#attentionForward(stream, block, index, pass)
      this.#feedForwardForward(stream, block, index, pass)
    }
    return this.#outputForward(stream, weights, pass)
  }

  #pass(batch: PackedBatch, dropout: Dropout): Pass {
    const rows = batch.tokens.length
    return {
      packing: { offsets: this.#buffers.offsets, sequences: batch.offsets.length - 1 },
      dropout,
      take: (tensor) => firstRows(tensor, rows),
      pick: (tensor) => firstRows(tensor, batch.targetRows.length),
    }
  }

  /** Dropout number `layer` of a pass; the same call in the backward pass repeats the mask. */
  #drop(x: Tensor, { dropout }: Pass, layer: number): void {
    // Masks of different layers start far apart in the counter space of the hash.
    const seed = Math.imul(dropout.seed * 64 + layer + 1, 0x9e3779b1) | 0
    this.ops.dropout(x, seed, dropout.dropout)
  }

  /** stream += Wo · attention(rotate(Wq · n), rotate(Wk · n), Wv · n) with n = norm(stream). */
  #attentionForward(stream: Tensor, weights: BlockWeights, index: number, pass: Pass): void {
    const { take, packing } = pass
    const ops = this.ops
    const kept = this.#block(index)
    const [q, k, v] = [take(kept.q), take(kept.k), take(kept.v)]
    const [normed, attended] = [take(kept.normed), take(kept.attended)]
    const branch = take(this.#buffers.branch)
    ops.copy(take(kept.input), stream)
    ops.rmsNormForward(stream, weights.attentionNorm, normed, kept.inputRms, NORM_EPSILON)
    ops.linearForward(normed, weights.query, q)
    ops.linearForward(normed, weights.key, k)
    ops.linearForward(normed, weights.value, v)
    ops.rotate(q, this.#table, packing, this.#heads, false)
    ops.rotate(k, this.#table, packing, this.#heads, false)
    ops.attentionForward({ q, k, v }, attended, kept.probabilities, packing, this.#heads)
    ops.linearForward(attended, weights.attentionOutput, branch)
    this.#drop(branch, pass, 2 * index + 1)
    ops.addInPlace(stream, branch)
  }

  /** stream += Wdown · swiglu(Wgate · n, Wup · n) with n = norm(stream). */
  #feedForwardForward(stream: Tensor, weights: BlockWeights, index: number, pass: Pass): void {
    const { take } = pass
    const ops = this.ops
    const kept = this.#block(index)
    const [gate, up, activated] = [take(kept.gate), take(kept.up), take(kept.activated)]
    const normed = take(kept.middleNormed)
    const branch = take(this.#buffers.branch)
    ops.copy(take(kept.middle), stream)
    ops.rmsNormForward(stream, weights.feedForwardNorm, normed, kept.middleRms, NORM_EPSILON)
    ops.linearForward(normed, weights.gate, gate)
    ops.linearForward(normed, weights.up, up)
    ops.swigluForward(gate, up, activated)
    ops.linearForward(activated, weights.down, branch)
    this.#drop(branch, pass, 2 * index + 2)
    ops.addInPlace(stream, branch)
  }

  /** The logits of the target rows: E · norm(stream), with the tied embedding E. */
  #outputForward(stream: Tensor, weights: Weights, { pick }: Pass): Tensor {
    const { targetRows, pickedRms } = this.#buffers
    const picked = pick(this.#buffers.picked)
    const normed = pick(this.#buffers.pickedNormed)
    const logits = pick(this.#buffers.logits)
    this.ops.gatherRows(stream, targetRows, picked)
    this.ops.rmsNormForward(picked, weights.outputNorm, normed, pickedRms, NORM_EPSILON)
    this.ops.linearForward(normed, weights.embedding, logits)
    return logits
  }

  /** From the gradient of the logits to those of all weights. */
  #backward(weights: Weights, gradients: Weights, batch: PackedBatch, dropout: Dropout): void {
    const pass = this.#pass(batch, dropout)
    // The gradient of the residual stream; every branch adds to it on the way down.
    const dStream = pass.take(this.#buffers.dStream)
    this.#outputBackward(dStream, weights, gradients, pass)
    for (let index = weights.blocks.length - 1; index >= 0; index--) {
      const [block, gradient] = [weights.blocks[index], gradients.blocks[index]] as [
        BlockWeights,
        BlockWeights,
      ]
      this.#feedForwardBackward(dStream, block, gradient, index, pass)
      this.#attentionBackward(dStream, block, gradient, index, pass)
    }
    this.#drop(dStream, pass, 0)
    this.ops.scatterAddRows(gradients.embedding, this.#buffers.tokens, dStream)
  }

  #outputBackward(dStream: Tensor, weights: Weights, gradients: Weights, { pick }: Pass): void {
    const ops = this.ops
    const { targetRows, pickedRms } = this.#buffers
    const [picked, normed] = [pick(this.#buffers.picked), pick(this.#buffers.pickedNormed)]
    const [dPicked, dNormed] = [pick(this.#buffers.dPicked), pick(this.#buffers.dPickedNormed)]
    const dLogits = pick(this.#buffers.logits)
    ops.linearBackward(normed, weights.embedding, dLogits, dNormed, gradients.embedding, false)
    ops.zero(dPicked)
    ops.rmsNormBackward(picked, weights.outputNorm, pickedRms, dNormed, dPicked, gradients.outputNorm)
    ops.zero(dStream)
    ops.scatterAddRows(dStream, targetRows, dPicked)
  }

  #feedForwardBackward(
    dStream: Tensor,
    weights: BlockWeights,
    gradients: BlockWeights,
    index: number,
    pass: Pass,
  ): void {
    const { take } = pass
    const ops = this.ops
    const kept = this.#block(index)
    const [gate, up, normed] = [take(kept.gate), take(kept.up), take(kept.middleNormed)]
    const [dBranch, dNormed] = [take(this.#buffers.branch), take(this.#buffers.dNormed)]
    const dActivated = take(this.#buffers.dActivated)
    ops.copy(dBranch, dStream)
    this.#drop(dBranch, pass, 2 * index + 2)
    ops.linearBackward(take(kept.activated), weights.down, dBranch, dActivated, gradients.down, false)
    ops.swigluBackward(gate, up, dActivated)
    ops.linearBackward(normed, weights.gate, gate, dNormed, gradients.gate, false)
    ops.linearBackward(normed, weights.up, up, dNormed, gradients.up, true)
    const { feedForwardNorm } = weights
    const middle = take(kept.middle)
    ops.rmsNormBackward(middle, feedForwardNorm, kept.middleRms, dNormed, dStream, gradients.feedForwardNorm)
  }

  #attentionBackward(
    dStream: Tensor,
    weights: BlockWeights,
    gradients: BlockWeights,
    index: number,
    pass: Pass,
  ): void {
    const { take, packing } = pass
    const ops = this.ops
    const kept = this.#block(index)
    const { dq, dk, dv, scoreScratch } = this.#buffers
    const [attended, normed] = [take(kept.attended), take(kept.normed)]
    const [dBranch, dNormed] = [take(this.#buffers.branch), take(this.#buffers.dNormed)]
    const { attentionOutput } = weights
    ops.copy(dBranch, dStream)
    this.#drop(dBranch, pass, 2 * index + 1)
    // dNormed first holds the gradient of `attended`.
    ops.linearBackward(attended, attentionOutput, dBranch, dNormed, gradients.attentionOutput, false)
    const input = { q: take(kept.q), k: take(kept.k), v: take(kept.v) }
    const d = { q: take(dq), k: take(dk), v: take(dv) }
    ops.attentionBackward(input, kept.probabilities, dNormed, d, scoreScratch, packing, this.#heads)
    ops.rotate(d.q, this.#table, packing, this.#heads, true)
    ops.rotate(d.k, this.#table, packing, this.#heads, true)
    ops.linearBackward(normed, weights.query, d.q, dNormed, gradients.query, false)
    ops.linearBackward(normed, weights.key, d.k, dNormed, gradients.key, true)
    ops.linearBackward(normed, weights.value, d.v, dNormed, gradients.value, true)
    const { attentionNorm } = weights
    const blockInput = take(kept.input)
    ops.rmsNormBackward(blockInput, attentionNorm, kept.inputRms, dNormed, dStream, gradients.attentionNorm)
  }

  #block(index: number): BlockActivations {
    return this.#blocks[index] as BlockActivations
  }
}

/** Floats that the attention weights of one block take at most: full-length sequences are the worst case. */
function probabilityFloats(shape: LlamaShape, { rows, sequenceLength }: BatchLimits): number {
  return rows * shape.headCount * (sequenceLength + 4)
}

function allocateBlock(arena: Arena, shape: LlamaShape, limits: BatchLimits): BlockActivations {
  const { rows } = limits
  const width = (): Tensor => arena.tensor(rows, shape.embeddingLength)
  const hidden = (): Tensor => arena.tensor(rows, shape.feedForwardLength)
  return {
    input: width(),
    inputRms: arena.tensor(rows, 1),
    normed: width(),
    q: width(),
    k: width(),
    v: width(),
    probabilities: arena.bytes(probabilityFloats(shape, limits) * FLOAT_BYTES),
    attended: width(),
    middle: width(),
    middleRms: arena.tensor(rows, 1),
    middleNormed: width(),
    gate: hidden(),
    up: hidden(),
    activated: hidden(),
  }
}

/** Buffers outside the blocks; `d…` are gradients. Any row may be a target. */
function allocateBuffers(arena: Arena, shape: LlamaShape, { rows, sequences, sequenceLength }: BatchLimits) {
  const width = (): Tensor => arena.tensor(rows, shape.embeddingLength)
  return {
    tokens: arena.bytes(rows * FLOAT_BYTES),
    offsets: arena.bytes((sequences + 1) * FLOAT_BYTES),
    targetRows: arena.bytes(rows * FLOAT_BYTES),
    targets: arena.bytes(rows * FLOAT_BYTES),
    targetWeights: arena.tensor(rows, 1),
    targetProbabilities: arena.tensor(rows, 1),
    stream: width(),
    /** One branch's output before it joins the stream; in the backward pass its gradient. */
    branch: width(),
    picked: width(),
    pickedNormed: width(),
    pickedRms: arena.tensor(rows, 1),
    logits: arena.tensor(rows, shape.vocabularySize),
    dStream: width(),
    dPicked: width(),
    dPickedNormed: width(),
    dq: width(),
    dk: width(),
    dv: width(),
    dNormed: width(),
    dActivated: arena.tensor(rows, shape.feedForwardLength),
    scoreScratch: arena.bytes(sequenceLength * (sequenceLength + 4) * FLOAT_BYTES),
  }
}
