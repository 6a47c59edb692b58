import {
  type Arena,
  FLOAT_BYTES,
  firstRows,
  type Grid,
  type Partition,
  rotationTable,
  type Tensor,
  type TensorOps,
} from '../tensor/index.ts'
import { groupSide, type NetworkShape, type ParameterTensors, sudokuPartitions } from './shape.ts'

/** Upper bounds of one pass; memory is reserved for them once. */
export interface PassLimits {
  readonly samples: number
  /** Tokens of all samples together. */
  readonly rows: number
  /** Tokens of one sample. */
  readonly tokens: number
}

/** What a mixer keeps from its forward pass, for its backward pass. */
export type MixerTape = readonly Tensor[]

/** The branch of a block that mixes tokens: x + mixer(x) is then normed. */
export interface TokenMixer {
  reserveTape(arena: Arena): MixerTape
  /** branch = mixer(x). */
  forward(
    layer: number,
    weights: ParameterTensors,
    x: Tensor,
    branch: Tensor,
    tape: MixerTape,
    grid: Grid,
  ): void
  /** dx += the input's gradient, given `d` of the branch; adds to the weights' gradients. May spoil the tape. */
  backward(
    layer: number,
    weights: ParameterTensors,
    gradients: ParameterTensors,
    x: Tensor,
    d: Tensor,
    dx: Tensor,
    tape: MixerTape,
    grid: Grid,
  ): void
}

export function parameter(tensors: ParameterTensors, name: string): Tensor {
  const tensor = tensors.get(name)
  if (!tensor) throw new Error(`no parameter ${name}`)
  return tensor
}

function named(tensors: ParameterTensors, layer: number, name: string): Tensor {
  return parameter(tensors, `layers.${layer}.mixer.${name}`)
}

function pick(tape: MixerTape, index: number, rows: number): Tensor {
  const tensor = tape[index]
  if (!tensor) throw new Error(`no tensor ${index} on the tape`)
  return firstRows(tensor, rows)
}

export function createMixer(
  shape: NetworkShape,
  ops: TensorOps,
  memory: WebAssembly.Memory,
  arena: Arena,
  limits: PassLimits,
): TokenMixer {
  switch (shape.mixer.kind) {
    case 'mlp':
      return mlpMixer(shape, shape.mixer.tokens, ops, arena, limits)
    case 'attention':
      return attentionMixer(shape, shape.mixer.heads, ops, memory, arena, limits)
    case 'convolution':
      return convolutionMixer(shape, ops, arena, limits)
    case 'group':
      return groupMixer(shape, shape.mixer, ops, memory, arena, limits)
  }
}

function mlpMixer(
  { width, expansion }: NetworkShape,
  tokens: number,
  ops: TensorOps,
  arena: Arena,
  limits: PassLimits,
): TokenMixer {
  const inner = tokens * expansion
  const reserve = (arena: Arena, rows: number): Tensor => arena.tensor(limits.samples * rows, width)
  const dInner = reserve(arena, inner)
  /** A sample's rows end to end in one row: first the gates, then what they let through. */
  const unrolled = (tensor: Tensor, samples: number): Tensor => {
    return { offset: tensor.offset, rows: samples, columns: (tensor.rows / samples) * width }
  }
  return {
    reserveTape: (arena) => [reserve(arena, 2 * inner), reserve(arena, inner)],
    forward(layer, weights, x, branch, tape, { samples }) {
      const [gateUp, active] = [pick(tape, 0, samples * 2 * inner), pick(tape, 1, samples * inner)]
      ops.tokenLinearForward(x, named(weights, layer, 'gate_up'), gateUp, samples)
      ops.gatedForward(unrolled(gateUp, samples), unrolled(active, samples))
      ops.tokenLinearForward(active, named(weights, layer, 'down'), branch, samples)
    },
    backward(layer, weights, gradients, x, d, dx, tape, { samples }) {
      const [gateUp, active] = [pick(tape, 0, samples * 2 * inner), pick(tape, 1, samples * inner)]
      const dActive = firstRows(dInner, samples * inner)
      const [down, up] = [named(weights, layer, 'down'), named(weights, layer, 'gate_up')]
      ops.tokenLinearBackward(active, down, d, dActive, named(gradients, layer, 'down'), samples, false)
      ops.gatedBackward(unrolled(gateUp, samples), unrolled(dActive, samples))
      ops.tokenLinearBackward(x, up, gateUp, dx, named(gradients, layer, 'gate_up'), samples, true)
    },
  }
}

function attentionMixer(
  { width }: NetworkShape,
  heads: number,
  ops: TensorOps,
  memory: WebAssembly.Memory,
  arena: Arena,
  limits: PassLimits,
): TokenMixer {
  const head = { heads, headLength: width / heads }
  const paddedTokens = Math.ceil(limits.tokens / 4) * 4
  const reserve = (arena: Arena): Tensor => arena.tensor(limits.rows, width)
  const table = arena.tensor(2 * limits.tokens, head.headLength)
  const offsets = arena.bytes((limits.samples + 1) * FLOAT_BYTES)
  const scores = arena.tensor(limits.tokens, paddedTokens)
  const [dq, dk, dv, dAttended] = [reserve(arena), reserve(arena), reserve(arena), reserve(arena)]
  const rotations = rotationTable(limits.tokens, head.headLength)
  const packingOf = ({ samples, height, width }: Grid) => {
    const starts = new Int32Array(memory.buffer, offsets, samples + 1)
    for (let s = 0; s <= samples; s++) starts[s] = s * height * width
    return { offsets, sequences: samples }
  }
  const writeTable = (): void =>
    new Float32Array(memory.buffer, table.offset, rotations.length).set(rotations)
  let tableIsWritten = false
  return {
    reserveTape: (arena) => [
      reserve(arena),
      reserve(arena),
      reserve(arena),
      reserve(arena),
      arena.tensor(limits.rows * heads, paddedTokens),
    ],
    forward(layer, weights, x, branch, tape, grid) {
      if (!tableIsWritten) writeTable()
      tableIsWritten = true
      const packing = packingOf(grid)
      const [q, k, v, attended] = [0, 1, 2, 3].map((i) => pick(tape, i, x.rows)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      ops.linearForward(x, named(weights, layer, 'query'), q)
      ops.linearForward(x, named(weights, layer, 'key'), k)
      ops.linearForward(x, named(weights, layer, 'value'), v)
      ops.rotate(q, table, packing, head, false)
      ops.rotate(k, table, packing, head, false)
      ops.attentionForward({ q, k, v }, attended, pick(tape, 4, 0).offset, packing, head, false)
      ops.linearForward(attended, named(weights, layer, 'output'), branch)
    },
    backward(layer, weights, gradients, x, d, dx, tape, grid) {
      const packing = packingOf(grid)
      const [q, k, v, attended] = [0, 1, 2, 3].map((i) => pick(tape, i, x.rows)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      const dOut = firstRows(dAttended, x.rows)
      const dInput = { q: firstRows(dq, x.rows), k: firstRows(dk, x.rows), v: firstRows(dv, x.rows) }
      const output = named(weights, layer, 'output')
      ops.linearBackward(attended, output, d, dOut, named(gradients, layer, 'output'), false)
      const probabilities = pick(tape, 4, 0).offset
      ops.attentionBackward({ q, k, v }, probabilities, dOut, dInput, scores.offset, packing, head, false)
      ops.rotate(dInput.q, table, packing, head, true)
      ops.rotate(dInput.k, table, packing, head, true)
      for (const [name, upstream] of [
        ['query', dInput.q],
        ['key', dInput.k],
        ['value', dInput.v],
      ] as const) {
        ops.linearBackward(x, named(weights, layer, name), upstream, dx, named(gradients, layer, name), true)
      }
    },
  }
}

function convolutionMixer(
  { width }: NetworkShape,
  ops: TensorOps,
  arena: Arena,
  limits: PassLimits,
): TokenMixer {
  const dConvolved = arena.tensor(limits.rows, width)
  return {
    reserveTape: (arena) => [arena.tensor(limits.rows, width)],
    forward(layer, weights, x, branch, tape, grid) {
      const convolved = pick(tape, 0, x.rows)
      ops.depthwiseForward(x, named(weights, layer, 'taps'), convolved, grid)
      ops.linearForward(convolved, named(weights, layer, 'output'), branch)
    },
    backward(layer, weights, gradients, x, d, dx, tape, grid) {
      const [convolved, upstream] = [pick(tape, 0, x.rows), firstRows(dConvolved, x.rows)]
      const [taps, output] = [named(weights, layer, 'taps'), named(weights, layer, 'output')]
      ops.linearBackward(convolved, output, d, upstream, named(gradients, layer, 'output'), false)
      ops.depthwiseBackward(x, taps, upstream, dx, named(gradients, layer, 'taps'), grid)
    },
  }
}

function groupMixer(
  { width }: NetworkShape,
  mixer: { boxHeight: number; boxWidth: number },
  ops: TensorOps,
  memory: WebAssembly.Memory,
  arena: Arena,
  limits: PassLimits,
): TokenMixer {
  const side = groupSide(mixer)
  const names = ['row', 'column', 'box'] as const
  const indices = sudokuPartitions(mixer.boxHeight, mixer.boxWidth)
  const partitions = indices.map((values): Partition => {
    return { index: arena.bytes(values.length * FLOAT_BYTES), tokens: side * side, groups: side }
  })
  const reserve = (arena: Arena): Tensor => arena.tensor(limits.samples * side, width)
  const [spread, dMeans] = [reserve(arena), reserve(arena)]
  let indicesAreWritten = false
  const writeIndices = (): void => {
    for (const [i, { index }] of partitions.entries()) {
      new Int32Array(memory.buffer, index, side * side).set(indices[i] ?? [])
    }
    indicesAreWritten = true
  }
  return {
    reserveTape: (arena) => names.map(() => reserve(arena)),
    // The linear layers act on the means, a side-th of the tokens, and their results are spread over the cells.
    forward(layer, weights, x, branch, tape, { samples }) {
      if (!indicesAreWritten) writeIndices()
      ops.zero(branch)
      for (const [i, partition] of partitions.entries()) {
        const [means, mixed] = [pick(tape, i, samples * side), firstRows(spread, samples * side)]
        ops.groupSum(x, means, partition, 1 / side)
        ops.linearForward(means, named(weights, layer, names[i] ?? ''), mixed)
        ops.groupSpread(mixed, branch, partition, 1)
      }
    },
    backward(layer, weights, gradients, _x, d, dx, tape, { samples }) {
      for (const [i, partition] of partitions.entries()) {
        const name = names[i] ?? ''
        const [means, dMixed] = [pick(tape, i, samples * side), firstRows(spread, samples * side)]
        const dMean = firstRows(dMeans, samples * side)
        ops.groupSum(d, dMixed, partition, 1)
        ops.linearBackward(
          means,
          named(weights, layer, name),
          dMixed,
          dMean,
          named(gradients, layer, name),
          false,
        )
        ops.groupSpread(dMean, dx, partition, 1 / side)
      }
    },
  }
}
