import { type Arena, FLOAT_BYTES, seededNormal, seededRandom, type Tensor } from '../tensor/index.ts'

/** How a block lets tokens see one another. MLP and attention are the paper's; the other two build in a locality. */
export type Mixer =
  /** SwiGLU across a fixed number of tokens. */
  | { readonly kind: 'mlp'; readonly tokens: number }
  /** Bidirectional attention with rotary positions; `width / heads` is a multiple of 16. */
  | { readonly kind: 'attention'; readonly heads: number }
  /** Depthwise 3×3 convolution and a linear layer, for grids with local rules, of any size. */
  | { readonly kind: 'convolution' }
  /** Means of each row, column and box of a Sudoku, each through a linear layer of its own. */
  | { readonly kind: 'group'; readonly boxHeight: number; readonly boxWidth: number }

/** The sizes of the one network f. */
export interface NetworkShape {
  readonly mixer: Mixer
  /** Width D of the embedding; a multiple of 4. */
  readonly width: number
  readonly layers: number
  /** Inner width of SwiGLU, as a multiple of the outer. */
  readonly expansion: number
  /** Number of input token ids. */
  readonly vocabulary: number
  /** Number of output classes per token. */
  readonly classes: number
  /** How logits become probabilities: stable-max as published, or softmax. */
  readonly output: 'stable-max' | 'softmax'
}

/** n inner and T outer recursions of one supervision step. */
export interface Cycles {
  readonly inner: number
  readonly outer: number
}

export const NORM_EPSILON = 1e-5

/** Logits are padded to whole SIMD vectors; the surplus never takes part in loss or answer. */
export const paddedClasses = (shape: NetworkShape): number => Math.ceil(shape.classes / 4) * 4

/** Side of the Sudoku of a group mixer. */
export const groupSide = (mixer: { boxHeight: number; boxWidth: number }): number =>
  mixer.boxHeight * mixer.boxWidth

/** Row, column and box of every cell of a Sudoku, each numbered from 0. */
export function sudokuPartitions(boxHeight: number, boxWidth: number): readonly (readonly number[])[] {
  const side = boxHeight * boxWidth
  const cells = Array.from(
    { length: side * side },
    (_, cell) => [Math.floor(cell / side), cell % side] as const,
  )
  return [
    cells.map(([row]) => row),
    cells.map(([, column]) => column),
    cells.map(([row, column]) => Math.floor(row / boxHeight) * boxHeight + Math.floor(column / boxWidth)),
  ]
}

/** Name, rows and columns of every parameter, in the order of memory and checkpoint. */
export function parameterShapes(shape: NetworkShape): readonly (readonly [string, number, number])[] {
  const { mixer, width, layers, expansion } = shape
  const inner = width * expansion
  const entries: (readonly [string, number, number])[] = [['embedding', shape.vocabulary, width]]
  for (let layer = 0; layer < layers; layer++) {
    const add = (name: string, rows: number, columns: number): void => {
      entries.push([`layers.${layer}.${name}`, rows, columns])
    }
    switch (mixer.kind) {
      case 'mlp':
        add('mixer.gate_up', 2 * expansion * mixer.tokens, mixer.tokens)
        add('mixer.down', mixer.tokens, expansion * mixer.tokens)
        break
      case 'attention':
        for (const name of ['query', 'key', 'value', 'output']) add(`mixer.${name}`, width, width)
        break
      case 'convolution':
        add('mixer.taps', 9, width)
        add('mixer.output', width, width)
        break
      case 'group':
        for (const name of ['row', 'column', 'box']) add(`mixer.${name}`, width, width)
    }
    add('gate_up', 2 * inner, width)
    add('down', width, inner)
  }
  entries.push(['head', paddedClasses(shape), width], ['halt.weight', 1, width], ['halt.bias', 1, 4])
  return entries
}

/** Parameters that are trained or read: padding of head and bias left out. */
export function parameterCount(shape: NetworkShape): number {
  const stored = parameterShapes(shape).reduce((sum, [, rows, columns]) => sum + rows * columns, 0)
  return stored - (paddedClasses(shape) - shape.classes) * shape.width - 3
}

export type ParameterTensors = ReadonlyMap<string, Tensor>

/** One tensor per parameter, consecutive in memory; `flat` spans them all. */
export interface ParameterSet {
  readonly tensors: ParameterTensors
  readonly flat: Tensor
}

export function reserveParameters(shape: NetworkShape, arena: Arena): ParameterSet {
  const start = arena.end
  const tensors = new Map(
    parameterShapes(shape).map(([name, rows, columns]) => [name, arena.tensor(rows, columns)] as const),
  )
  return { tensors, flat: { offset: start, rows: 1, columns: (arena.end - start) / FLOAT_BYTES } }
}

/** Standard deviation of a unit normal cut off at two of its own, by which the draw is divided. */
const TRUNCATED_DEVIATION = 0.8796256610342398

function truncatedNormal(random: () => number): number {
  for (;;) {
    const value = seededNormal(random)
    if (Math.abs(value) <= 2) return value / TRUNCATED_DEVIATION
  }
}

const HALT_BIAS = -3

/** Truncated LeCun-normal starting weights (variance 1/fan-in); the halting head starts at "not yet". */
export function initialParameters(shape: NetworkShape, seed: number): ReadonlyMap<string, Float32Array> {
  const random = seededRandom(seed)
  return new Map(
    parameterShapes(shape).map(([name, rows, columns]) => {
      const values = new Float32Array(rows * columns)
      if (name === 'halt.bias') values[0] = HALT_BIAS
      else if (name !== 'halt.weight') {
        const fanIn = name.endsWith('.taps') ? rows : columns
        const used = name === 'head' ? shape.classes * columns : values.length
        for (let i = 0; i < used; i++) values[i] = truncatedNormal(random) / Math.sqrt(fanIn)
      }
      return [name, values] as const
    }),
  )
}

/** The fixed vectors that every token's y and z start from: [2, width], drawn once and never trained. */
export function initialState(width: number, seed: number): Float32Array {
  const random = seededRandom(seed ^ 0x5eed)
  return Float32Array.from({ length: 2 * width }, () => truncatedNormal(random))
}

/** Floating-point operations of one call of f on one sample: two per weight met, norms and gates left out. */
export function flopPerCall(shape: NetworkShape, tokens: number): number {
  const { mixer, width, expansion, layers } = shape
  const feedForward = 3 * tokens * width * width * expansion
  return 2 * layers * (feedForward + mixerProducts(mixer, width, expansion, tokens))
}

function mixerProducts(mixer: Mixer, width: number, expansion: number, tokens: number): number {
  switch (mixer.kind) {
    case 'mlp':
      return 3 * tokens * tokens * expansion * width
    case 'attention':
      return 4 * tokens * width * width + 2 * tokens * tokens * width
    case 'convolution':
      return tokens * width * (9 + width)
    case 'group':
      return 3 * groupSide(mixer) * width * width
  }
}

/** Floating-point operations of one supervision step on one sample, both heads included. */
export function flopPerStep(shape: NetworkShape, tokens: number, cycles: Cycles): number {
  const heads = 2 * shape.width * (tokens * shape.classes + 1)
  return cycles.outer * (cycles.inner + 1) * flopPerCall(shape, tokens) + heads
}
