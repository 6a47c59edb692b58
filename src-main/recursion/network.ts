import {
  Arena,
  FLOAT_BYTES,
  firstRows,
  type Grid,
  type Partition,
  type Tensor,
  TensorOps,
} from '../tensor/index.ts'
import { createMixer, type MixerTape, type PassLimits, parameter, type TokenMixer } from './mixers.ts'
import {
  type Cycles,
  type NetworkShape,
  NORM_EPSILON,
  type ParameterTensors,
  paddedClasses,
} from './shape.ts'

/** The carried state of some samples: answer y and latent z, both [rows, width]. */
export interface State {
  readonly y: Tensor
  readonly z: Tensor
}

/** The question of some samples, one row per token. */
export interface Question {
  /** Byte offset of i32 [rows]: token ids. */
  readonly tokens: number
  /** Byte offset of f32 [rows]: factor on each token's embedding, √width included. */
  readonly scales: number
}

/** What a supervision step is judged by, one row per token. */
export interface Supervision {
  /** Byte offset of i32 [rows]: wanted classes. */
  readonly targets: number
  /** [rows,1]: weights of the tokens' losses; 0 leaves a token out of loss and correctness. */
  readonly weights: Tensor
  /** Weight of each sample's halting loss. */
  readonly haltWeight: number
}

/** What the state of some samples stands for. */
export interface Reading {
  /** Class per token. */
  readonly answers: Int32Array
  /** Probability of that class. */
  readonly confidences: Float32Array
  /** Per sample: the probability that the answer is right. */
  readonly halt: Float32Array
}

/** One sample after a supervision step. */
export interface StepOutcome {
  /** Mean of -ln p over the tokens that count. */
  readonly loss: number
  /** Share of the tokens that count whose answer is right. */
  readonly accuracy: number
  readonly correct: boolean
  readonly haltProbability: number
}

/** What one block keeps from its forward pass. */
interface BlockTape {
  readonly mixer: MixerTape
  readonly middle: Tensor
  readonly middleRms: Tensor
  readonly gateUp: Tensor
  readonly active: Tensor
  readonly output: Tensor
  readonly outputRms: Tensor
}

/** What one call of f keeps. */
interface CallTape {
  readonly input: Tensor
  readonly blocks: readonly BlockTape[]
}

/**
 * The Tiny Recursive Model (Jolicoeur-Martineau 2025): one network f, called n times to refine the latent
 * z ← f(z + y + x) and once to refine the answer y ← f(y + z). Blocks are post-norm, without biases and gains.
 * One instance per thread; it holds the activations of at most `limits`, not the weights.
 */
export class RecursiveNetwork {
  readonly shape: NetworkShape
  readonly limits: PassLimits
  readonly ops: TensorOps
  readonly #memory: WebAssembly.Memory
  readonly #mixer: TokenMixer
  readonly #tapes: readonly CallTape[]
  readonly #question: Tensor
  readonly #branch: Tensor
  readonly #dInner: Tensor
  readonly #d: Tensor
  readonly #dBlock: Tensor
  readonly #dQuestion: Tensor
  readonly #logits: Tensor
  readonly #answers: number
  readonly #probabilities: Tensor
  readonly #pooled: Tensor
  readonly #halt: Tensor
  readonly #wholeSample: number

  /** `calls` is 1 for inference and n + 1 for training, whose backward pass needs the tapes of all calls. */
  constructor(
    memory: WebAssembly.Memory,
    arena: Arena,
    shape: NetworkShape,
    limits: PassLimits,
    calls: number,
  ) {
    this.shape = shape
    this.limits = limits
    this.#memory = memory
    this.ops = new TensorOps(memory, arena)
    this.#mixer = createMixer(shape, this.ops, memory, arena, limits)
    const { rows, samples } = limits
    const inner = shape.width * shape.expansion
    const wide = (): Tensor => arena.tensor(rows, shape.width)
    const reserveBlock = (): BlockTape => ({
      mixer: this.#mixer.reserveTape(arena),
      middle: wide(),
      // Norms over columns keep a number per row, norms over tokens one per sample and column.
      middleRms: arena.tensor(Math.max(rows, samples * shape.width), 1),
      gateUp: arena.tensor(rows, 2 * inner),
      active: arena.tensor(rows, inner),
      output: wide(),
      outputRms: arena.tensor(rows, 1),
    })
    this.#tapes = Array.from({ length: calls }, () => {
      return { input: wide(), blocks: Array.from({ length: shape.layers }, reserveBlock) }
    })
    this.#question = wide()
    this.#branch = wide()
    this.#dInner = arena.tensor(rows, inner)
    this.#d = wide()
    this.#dBlock = wide()
    this.#dQuestion = wide()
    this.#logits = arena.tensor(rows, paddedClasses(shape))
    this.#answers = arena.bytes(rows * FLOAT_BYTES)
    this.#probabilities = arena.tensor(rows, 1)
    this.#pooled = arena.tensor(2 * samples, shape.width)
    this.#halt = arena.tensor(Math.ceil(samples / 4) * 4, 1)
    this.#wholeSample = arena.bytes(limits.tokens * FLOAT_BYTES)
  }

  /** Bytes of activation memory of one instance. */
  static bytes(shape: NetworkShape, limits: PassLimits, calls: number): number {
    const arena = new Arena(0)
    new RecursiveNetwork(
      new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true }),
      arena,
      shape,
      limits,
      calls,
    )
    return arena.end
  }

  /** One supervision step without gradients: T recursions of n + 1 calls; replaces y and z. */
  step(weights: ParameterTensors, question: Question, state: State, grid: Grid, cycles: Cycles): void {
    const x = this.#embed(weights, question, grid)
    for (let t = 0; t < cycles.outer; t++) this.#recursion(weights, x, state, grid, cycles.inner)
  }

  /** What y stands for: class ids and their probabilities [rows], halting probabilities [samples]. */
  read(weights: ParameterTensors, y: Tensor, grid: Grid): Reading {
    const logits = this.#readAnswers(weights, y)
    // The cross-entropy against the answers themselves gives their probabilities.
    this.#crossEntropy(logits, this.#answers, this.#probabilities)
    const halt = this.#readHalt(weights, y, grid)
    this.ops.sigmoid(halt, halt)
    return {
      answers: new Int32Array(this.#memory.buffer, this.#answers, logits.rows).slice(),
      confidences: this.#floats(this.#probabilities).slice(0, logits.rows),
      halt: this.#floats(halt).slice(0, grid.samples),
    }
  }

  /**
   * One supervision step of training: T - 1 recursions without gradient, one with; adds the gradients of the answers'
   * and the halting loss to `gradients`, replaces y and z by the new, detached state.
   */
  gradient(
    weights: ParameterTensors,
    gradients: ParameterTensors,
    question: Question,
    state: State,
    grid: Grid,
    cycles: Cycles,
    supervision: Supervision,
  ): StepOutcome[] {
    const x = this.#embed(weights, question, grid)
    for (let t = 1; t < cycles.outer; t++) this.#recursion(weights, x, state, grid, cycles.inner)
    let { z } = state
    for (let k = 0; k < cycles.inner; k++) z = this.#call(weights, k, grid, z, state.y, x)
    const y = this.#call(weights, cycles.inner, grid, state.y, z)
    const outcomes = this.#judge(weights, gradients, y, grid, supervision)
    this.ops.copy(state.y, y)
    this.ops.copy(state.z, z)
    this.#backward(weights, gradients, question, x.rows, grid, cycles.inner)
    return outcomes
  }

  #embed(weights: ParameterTensors, { tokens, scales }: Question, grid: Grid): Tensor {
    const x = firstRows(this.#question, grid.samples * grid.height * grid.width)
    this.ops.gatherScaledRows(parameter(weights, 'embedding'), tokens, scales, x)
    return x
  }

  #recursion(weights: ParameterTensors, x: Tensor, state: State, grid: Grid, inner: number): void {
    let { z } = state
    for (let k = 0; k < inner; k++) z = this.#call(weights, 0, grid, z, state.y, x)
    this.ops.copy(state.z, z)
    this.ops.copy(state.y, this.#call(weights, 0, grid, state.y, state.z))
  }

  #tape(call: number): CallTape {
    const tape = this.#tapes[call]
    if (!tape)
      throw new RangeError(`this instance keeps ${this.#tapes.length} calls, number ${call} asked for`)
    return tape
  }

  /** f(a + b [+ c]) on tape number `call`; the result lives on the tape. */
  #call(weights: ParameterTensors, call: number, grid: Grid, a: Tensor, b: Tensor, c?: Tensor): Tensor {
    const tape = this.#tape(call)
    let h = firstRows(tape.input, b.rows)
    if (c) this.ops.sumOfThree(a, b, c, h)
    else this.ops.sumOfTwo(a, b, h)
    for (const [layer, block] of tape.blocks.entries()) h = this.#block(weights, layer, h, block, grid)
    return h
  }

  #block(weights: ParameterTensors, layer: number, x: Tensor, tape: BlockTape, grid: Grid): Tensor {
    const { rows } = x
    const branch = firstRows(this.#branch, rows)
    const [middle, output] = [firstRows(tape.middle, rows), firstRows(tape.output, rows)]
    const [gateUp, active] = [firstRows(tape.gateUp, rows), firstRows(tape.active, rows)]
    this.#mixer.forward(layer, weights, x, branch, tape.mixer, grid)
    if (this.shape.mixer.kind === 'mlp') {
      this.ops.tokenNormForward(x, branch, middle, tape.middleRms, grid.samples, NORM_EPSILON)
    } else this.ops.residualNormForward(x, branch, middle, tape.middleRms, NORM_EPSILON)
    this.ops.linearForward(middle, parameter(weights, `layers.${layer}.gate_up`), gateUp)
    this.ops.gatedForward(gateUp, active)
    this.ops.linearForward(active, parameter(weights, `layers.${layer}.down`), branch)
    this.ops.residualNormForward(middle, branch, output, tape.outputRms, NORM_EPSILON)
    return output
  }

  /** Replaces `d`, the gradient of the block's output, by that of its input. */
  #blockBackward(
    weights: ParameterTensors,
    gradients: ParameterTensors,
    layer: number,
    x: Tensor,
    d: Tensor,
    tape: BlockTape,
    grid: Grid,
  ): void {
    const { rows } = x
    const [middle, output] = [firstRows(tape.middle, rows), firstRows(tape.output, rows)]
    const [gateUp, active] = [firstRows(tape.gateUp, rows), firstRows(tape.active, rows)]
    const [dBlock, dActive] = [firstRows(this.#dBlock, rows), firstRows(this.#dInner, rows)]
    const [down, up] = [`layers.${layer}.down`, `layers.${layer}.gate_up`]
    this.ops.residualNormBackward(output, tape.outputRms, d, dBlock)
    this.ops.linearBackward(
      active,
      parameter(weights, down),
      dBlock,
      dActive,
      parameter(gradients, down),
      false,
    )
    this.ops.gatedBackward(gateUp, dActive)
    this.ops.linearBackward(middle, parameter(weights, up), gateUp, dBlock, parameter(gradients, up), true)
    if (this.shape.mixer.kind === 'mlp') {
      this.ops.tokenNormBackward(middle, tape.middleRms, dBlock, dBlock, grid.samples)
    } else this.ops.residualNormBackward(middle, tape.middleRms, dBlock, dBlock)
    this.ops.copy(d, dBlock)
    this.#mixer.backward(layer, weights, gradients, x, dBlock, d, tape.mixer, grid)
  }

  #callBackward(
    weights: ParameterTensors,
    gradients: ParameterTensors,
    call: number,
    d: Tensor,
    grid: Grid,
  ): void {
    const { input, blocks } = this.#tape(call)
    for (let layer = blocks.length - 1; layer >= 0; layer--) {
      const block = blocks[layer]
      const below = layer === 0 ? input : blocks[layer - 1]?.output
      if (!block || !below) throw new Error(`no tape for layer ${layer}`)
      this.#blockBackward(weights, gradients, layer, firstRows(below, d.rows), d, block, grid)
    }
  }

  /** From the gradient of y in `#d` back through the n + 1 calls to the embedding. */
  #backward(
    weights: ParameterTensors,
    gradients: ParameterTensors,
    question: Question,
    rows: number,
    grid: Grid,
    inner: number,
  ): void {
    const [d, dx] = [firstRows(this.#d, rows), firstRows(this.#dQuestion, rows)]
    this.#callBackward(weights, gradients, inner, d, grid)
    this.ops.zero(dx)
    for (let k = inner - 1; k >= 0; k--) {
      this.#callBackward(weights, gradients, k, d, grid)
      this.ops.addInPlace(dx, d)
    }
    this.ops.scatterAddScaledRows(parameter(gradients, 'embedding'), question.tokens, question.scales, dx)
  }

  #readAnswers(weights: ParameterTensors, y: Tensor): Tensor {
    const logits = firstRows(this.#logits, y.rows)
    this.ops.linearForward(y, parameter(weights, 'head'), logits)
    this.ops.argMaxRows(logits, this.#answers, this.shape.classes)
    return logits
  }

  /** Halting logits, padded to whole vectors, from the mean of y over the tokens. */
  #readHalt(weights: ParameterTensors, y: Tensor, grid: Grid): Tensor {
    const pooled = firstRows(this.#pooled, grid.samples)
    this.ops.groupSum(y, pooled, this.#everyToken(grid), 1 / (grid.height * grid.width))
    this.ops.linearForward(pooled, parameter(weights, 'halt.weight'), firstRows(this.#halt, grid.samples))
    const bias = this.#floats(parameter(weights, 'halt.bias'))[0] ?? 0
    const logits = this.#floats(this.#halt)
    for (let s = 0; s < grid.samples; s++) logits[s] = (logits[s] ?? 0) + bias
    return this.#halt
  }

  #everyToken({ height, width }: Grid): Partition {
    return { index: this.#wholeSample, tokens: height * width, groups: 1 }
  }

  /** Losses and their gradients: that of y into `#d`, those of both heads into `gradients`. */
  #judge(
    weights: ParameterTensors,
    gradients: ParameterTensors,
    y: Tensor,
    grid: Grid,
    { targets, weights: rowWeights, haltWeight }: Supervision,
  ): StepOutcome[] {
    const d = firstRows(this.#d, y.rows)
    const logits = this.#readAnswers(weights, y)
    this.#crossEntropy(logits, targets, rowWeights)
    this.ops.linearBackward(y, parameter(weights, 'head'), logits, d, parameter(gradients, 'head'), false)

    const halt = this.#floats(this.#readHalt(weights, y, grid))
    this.ops.sigmoid(this.#halt, this.#halt)
    const outcomes = Array.from({ length: grid.samples }, (_, s) =>
      this.#outcome(s, grid, targets, rowWeights),
    )
    const dBias = this.#floats(parameter(gradients, 'halt.bias'))
    for (const [s, { correct, haltProbability }] of outcomes.entries()) {
      halt[s] = haltWeight * (haltProbability - Number(correct))
      dBias[0] = (dBias[0] ?? 0) + (halt[s] ?? 0)
    }
    this.#haltBackward(weights, gradients, d, grid)
    return outcomes
  }

  /** Turns logits into their gradient; leaves the targets' probabilities in `#probabilities`. */
  #crossEntropy(logits: Tensor, targets: number, weights: Tensor): void {
    const probabilities = firstRows(this.#probabilities, logits.rows)
    const wanted = { classes: this.shape.classes, targets, weights, probabilities }
    if (this.shape.output === 'stable-max') this.ops.stableMaxCrossEntropy(logits, wanted)
    else this.ops.classCrossEntropy(logits, wanted)
  }

  #haltBackward(weights: ParameterTensors, gradients: ParameterTensors, d: Tensor, grid: Grid): void {
    const { samples } = grid
    const pooled = firstRows(this.#pooled, samples)
    const dPooled = { ...pooled, offset: pooled.offset + samples * this.shape.width * FLOAT_BYTES }
    const name = 'halt.weight'
    const dHalt = firstRows(this.#halt, samples)
    this.ops.linearBackward(
      pooled,
      parameter(weights, name),
      dHalt,
      dPooled,
      parameter(gradients, name),
      false,
    )
    this.ops.groupSpread(dPooled, d, this.#everyToken(grid), 1 / (grid.height * grid.width))
  }

  #outcome(sample: number, grid: Grid, targets: number, rowWeights: Tensor): StepOutcome {
    const tokens = grid.height * grid.width
    const from = sample * tokens
    const { buffer } = this.#memory
    const answers = new Int32Array(buffer, this.#answers + from * FLOAT_BYTES, tokens)
    const wanted = new Int32Array(buffer, targets + from * FLOAT_BYTES, tokens)
    const weights = this.#floats(rowWeights).subarray(from, from + tokens)
    const probabilities = this.#floats(this.#probabilities).subarray(from, from + tokens)
    let [counted, right, loss] = [0, 0, 0]
    for (let i = 0; i < tokens; i++) {
      if (weights[i] === 0) continue
      counted++
      if (answers[i] === wanted[i]) right++
      loss -= Math.log(probabilities[i] ?? 1)
    }
    const haltProbability = this.#floats(this.#halt)[sample] ?? 0
    return { loss: loss / counted, accuracy: right / counted, correct: right === counted, haltProbability }
  }

  #floats({ offset, rows, columns }: Tensor): Float32Array {
    return new Float32Array(this.#memory.buffer, offset, rows * columns)
  }
}
