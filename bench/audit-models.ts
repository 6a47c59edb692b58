/**
 * Model files for the measurement of audits: other weights, other sizes, and the same weights quantised more cheaply.
 * Block formats as in ggml (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c, `quantize_row_*_ref`).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { readGgufFileInfo } from 'node-llama-cpp'
import { encodeHeader, F32_TYPE, type MetadataValue, padded } from '../src-main/models/testing/gguf-writer.ts'
import { byteVocabulary } from '../src-main/models/testing/tiny-gguf.ts'
import { fromFloat16, toFloat16 } from '../training/concierge/gguf.ts'

export type Format = 'F16' | 'Q8_0' | 'Q5_0' | 'Q4_1' | 'Q4_0'

const BLOCK = 32
const TYPE: Record<Format, { type: number; blockBytes: number }> = {
  F16: { type: 1, blockBytes: 2 * BLOCK },
  Q8_0: { type: 8, blockBytes: 34 },
  Q5_0: { type: 6, blockBytes: 22 },
  Q4_1: { type: 3, blockBytes: 20 },
  Q4_0: { type: 2, blockBytes: 18 },
}

/** Writes one block of 32 weights. */
const ENCODE: Record<Format, (out: Buffer, at: number, block: Float32Array) => void> = {
  F16: (out, at, block) => {
    for (const [i, value] of block.entries()) out.writeUInt16LE(toFloat16(value), at + 2 * i)
  },
  Q8_0: (out, at, block) => {
    const scale = Math.max(...block.map(Math.abs)) / 127
    out.writeUInt16LE(toFloat16(scale), at)
    for (const [i, value] of block.entries()) out.writeInt8(scale && Math.round(value / scale), at + 2 + i)
  },
  Q5_0: (out, at, block) => {
    const { scale, quanta } = symmetric(block, 16)
    out.writeUInt16LE(toFloat16(scale), at)
    let high = 0
    for (const [i, quantum] of quanta.entries()) high |= (quantum >> 4) << i
    out.writeUInt32LE(high >>> 0, at + 2)
    writeNibbles(out, at + 6, quanta)
  },
  Q4_1: (out, at, block) => {
    const least = Math.min(...block)
    const scale = (Math.max(...block) - least) / 15
    out.writeUInt16LE(toFloat16(scale), at)
    out.writeUInt16LE(toFloat16(least), at + 2)
    const quanta = [...block].map((value) =>
      scale === 0 ? 0 : Math.min(15, Math.floor((value - least) / scale + 0.5)),
    )
    writeNibbles(out, at + 4, quanta)
  },
  Q4_0: (out, at, block) => {
    const { scale, quanta } = symmetric(block, 8)
    out.writeUInt16LE(toFloat16(scale), at)
    writeNibbles(out, at + 2, quanta)
  },
}

/** The largest by magnitude gets the lowest number. */
function symmetric(block: Float32Array, half: number): { scale: number; quanta: number[] } {
  const extreme = block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0)
  const scale = extreme / -half
  const quanta = [...block].map((value) =>
    scale === 0 ? half : Math.min(2 * half - 1, Math.floor(value / scale + half + 0.5)),
  )
  return { scale, quanta }
}

function writeNibbles(out: Buffer, at: number, quanta: readonly number[]): void {
  for (let i = 0; i < BLOCK / 2; i++) {
    out[at + i] = ((quanta[i] ?? 0) & 15) | (((quanta[i + BLOCK / 2] ?? 0) & 15) << 4)
  }
}

function quantise(values: Float32Array, format: Format): Buffer {
  const { blockBytes } = TYPE[format]
  const out = Buffer.alloc((values.length / BLOCK) * blockBytes)
  for (let block = 0; block * BLOCK < values.length; block++) {
    ENCODE[format](out, block * blockBytes, values.subarray(block * BLOCK, (block + 1) * BLOCK))
  }
  return out
}

interface Tensor {
  name: string
  dimensions: number[]
  values: Float32Array
}

export interface Weights {
  /** The metadata as the file has it. */
  head: { entries: [string, MetadataValue][] } | { bytes: Buffer }
  tensors: Tensor[]
}

/** Weights of a file of F32, F16 and Q8_0 tensors. */
export async function readWeights(path: string): Promise<Weights> {
  const info = await readGgufFileInfo(path, { sourceType: 'filesystem', logWarnings: false })
  const file = readFileSync(path)
  const tensors = (info.fullTensorInfo ?? []).map(({ name, dimensions, ggmlType, fileOffset }): Tensor => {
    const sizes = dimensions.map(Number)
    const count = sizes.reduce((product, size) => product * size, 1)
    return { name, dimensions: sizes, values: readTensor(file, Number(fileOffset), ggmlType, count) }
  })
  return { head: { bytes: file.subarray(0, info.metadataSize) }, tensors }
}

function readTensor(file: Buffer, at: number, type: number, count: number): Float32Array {
  const read: Record<number, (i: number) => number> = {
    [F32_TYPE]: (i) => file.readFloatLE(at + 4 * i),
    [TYPE.F16.type]: (i) => fromFloat16(file.readUInt16LE(at + 2 * i)),
    [TYPE.Q8_0.type]: (i) => {
      const block = at + Math.floor(i / BLOCK) * TYPE.Q8_0.blockBytes
      return fromFloat16(file.readUInt16LE(block)) * file.readInt8(block + 2 + (i % BLOCK))
    },
  }
  const valueAt = read[type]
  if (!valueAt) throw new RangeError(`the reader does not know the ggml type ${type}`)
  return Float32Array.from({ length: count }, (_, i) => valueAt(i))
}

/** Writes the weights with all matrices in one format; vectors stay as they are. @returns `path` */
export function writeWeights(path: string, { head, tensors }: Weights, format: Format): string {
  const stored = tensors.map((tensor) => {
    const isMatrix = tensor.dimensions.length > 1
    return {
      ...tensor,
      type: isMatrix ? TYPE[format].type : F32_TYPE,
      bytes: isMatrix ? quantise(tensor.values, format) : Buffer.from(tensor.values.slice().buffer),
    }
  })
  let offset = 0
  const placed = stored.map(({ name, dimensions, type, bytes }) => {
    const header = { name, dimensions, type, offset }
    offset += padded(bytes.length)
    return header
  })
  const header =
    'entries' in head
      ? encodeHeader({ entries: head.entries, tensors: placed })
      : Buffer.concat([head.bytes, encodeHeader({ entries: [], tensors: placed }).subarray(24)])
  const file = Buffer.alloc(padded(header.length) + offset)
  header.copy(file)
  for (const [index, { bytes }] of stored.entries()) {
    bytes.copy(file, padded(header.length) + Number(placed[index]?.offset))
  }
  writeFileSync(path, file)
  return path
}

/** The same network, every weight off by a normal error of so many parts of its matrix's standard deviation. */
export function disturbed({ head, tensors }: Weights, share: number, seed: number): Weights {
  const normal = normalFrom(seed)
  return {
    head,
    tensors: tensors.map((tensor) => {
      if (tensor.dimensions.length < 2) return tensor
      const mean = tensor.values.reduce((sum, value) => sum + value * value, 0) / tensor.values.length
      const values = tensor.values.map((value) => value + share * Math.sqrt(mean) * normal())
      return { ...tensor, values }
    }),
  }
}

export interface Shape {
  layers: number
  embedding: number
  heads: number
  kvHeads: number
  feedForward: number
  vocabulary: number
}

/** A llama of this shape with seeded random weights, scaled so that it has opinions: logits of deviation 2.5. */
export function randomWeights(shape: Shape, seed: number): Weights {
  const { layers, embedding: e, heads, kvHeads, feedForward: f, vocabulary } = shape
  const normal = normalFrom(seed)
  const kv = (e / heads) * kvHeads
  const matrix = (
    name: string,
    columns: number,
    rows: number,
    deviation = 1 / Math.sqrt(columns),
  ): Tensor => ({
    name,
    dimensions: [columns, rows],
    values: Float32Array.from({ length: columns * rows }, () => deviation * normal()),
  })
  const norm = (name: string): Tensor => ({ name, dimensions: [e], values: new Float32Array(e).fill(1) })
  const tensors = [matrix('token_embd.weight', e, vocabulary, 2.5 / Math.sqrt(e)), norm('output_norm.weight')]
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `blk.${layer}.${part}.weight`
    tensors.push(
      norm(name('attn_norm')),
      matrix(name('attn_q'), e, e),
      matrix(name('attn_k'), e, kv),
      matrix(name('attn_v'), e, kv),
      matrix(name('attn_output'), e, e),
      norm(name('ffn_norm')),
      matrix(name('ffn_gate'), e, f),
      matrix(name('ffn_up'), e, f),
      matrix(name('ffn_down'), f, e),
    )
  }
  return { head: { entries: metadata(shape) }, tensors }
}

/** The first layers of a network, as if it were the whole: a smaller model of the same family. */
export function firstLayers({ tensors }: Weights, shape: Shape, layers: number): Weights {
  const kept = tensors.filter(({ name }) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0) < layers)
  return { head: { entries: metadata({ ...shape, layers }) }, tensors: kept }
}

function metadata({
  layers,
  embedding,
  heads,
  kvHeads,
  feedForward,
  vocabulary,
}: Shape): [string, MetadataValue][] {
  const u32 = (value: number): MetadataValue => ({ type: 'u32', value })
  const text = (value: string): MetadataValue => ({ type: 'string', value })
  const longer = (value: MetadataValue | undefined, item: (id: number) => string | number): MetadataValue => {
    if (value?.type !== 'strings' && value?.type !== 'i32s')
      throw new RangeError('the vocabulary has no such list')
    const list: (string | number)[] = [...value.value]
    while (list.length < vocabulary) list.push(item(list.length))
    return { type: value.type, value: list } as MetadataValue
  }
  const bytes = new Map(byteVocabulary())
  return [
    ['general.architecture', text('llama')],
    ['general.name', text('random weights')],
    ['llama.context_length', u32(1024)],
    ['llama.embedding_length', u32(embedding)],
    ['llama.block_count', u32(layers)],
    ['llama.feed_forward_length', u32(feedForward)],
    ['llama.attention.head_count', u32(heads)],
    ['llama.attention.head_count_kv', u32(kvHeads)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'f32', value: 1e-5 }],
    ['llama.rope.dimension_count', u32(embedding / heads)],
    ['llama.rope.freq_base', { type: 'f32', value: 10_000 }],
    ['llama.vocab_size', u32(vocabulary)],
    ...bytes
      .set(
        'tokenizer.ggml.tokens',
        longer(bytes.get('tokenizer.ggml.tokens'), (id) => `w${id}.`),
      )
      .set(
        'tokenizer.ggml.token_type',
        longer(bytes.get('tokenizer.ggml.token_type'), () => 1),
      ),
  ]
}

/** Standard normal (Box and Muller), seeded (Tommy Ettinger's mulberry32). */
export function normalFrom(seed: number): () => number {
  let state = seed >>> 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (((mixed ^ (mixed >>> 14)) >>> 0) + 1) / (2 ** 32 + 1)
  }
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
}
