import { closeSync, openSync, writeSync } from 'node:fs'
import {
  encodeHeader,
  F32_TYPE,
  layOut,
  type MetadataValue,
  padded,
} from '../src-main/models/testing/gguf-writer.ts'
import { byteVocabulary } from '../src-main/models/testing/tiny-gguf.ts'

/** The sizes of SmolLM2-135M, as its publisher's config.json gives them. */
const SHAPE = {
  layers: 30,
  embedding: 576,
  heads: 9,
  kvHeads: 3,
  feedForward: 1536,
  vocabulary: 49_152,
  contextTokens: 8192,
} as const
const Q8_0 = { type: 8, weights: 32, bytes: 34 } as const
/** Half-precision 2⁻¹¹: with whole numbers up to ±127 the weights are as large as a trained model's. */
const SCALE_BITS = 0x1000

/**
 * Writes a model with the shape of SmolLM2-135M in Q8_0 (about 145 MB) and seeded random weights: it computes what the
 * real one computes, and says nothing. It never ends its answer by itself. @returns `path`
 */
export function writeSmolShapedGguf(path: string, seed = 1): string {
  const tensors = shapes()
  const { tensors: placed } = layOut(tensors)
  const header = encodeHeader({ entries: metadata(), tensors: placed })
  const random = xorshift(seed)
  const file = openSync(path, 'w')
  try {
    let position = padded(header.length)
    writeSync(file, header, 0, header.length, 0)
    tensors.forEach(({ name, dimensions, type }) => {
      const elements = dimensions.reduce((product, size) => product * size, 1)
      const bytes = type === F32_TYPE ? ones(elements) : blocks(elements, random)
      if (name === 'token_embd.weight') silenceEndOfTurn(bytes)
      writeSync(file, bytes, 0, bytes.length, position)
      position += padded(bytes.length)
    })
  } finally {
    closeSync(file)
  }
  return path
}

interface Shape {
  name: string
  dimensions: number[]
  type: number
}

function shapes(): Shape[] {
  const { embedding, feedForward, heads, kvHeads, layers, vocabulary } = SHAPE
  const kv = (embedding / heads) * kvHeads
  const matrix = (name: string, columns: number, rows: number): Shape => ({
    name,
    dimensions: [columns, rows],
    type: Q8_0.type,
  })
  const norm = (name: string): Shape => ({ name, dimensions: [embedding], type: F32_TYPE })
  // The output shares the embedding's weights.
  const list = [matrix('token_embd.weight', embedding, vocabulary), norm('output_norm.weight')]
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `blk.${layer}.${part}.weight`
    list.push(
      norm(name('attn_norm')),
      matrix(name('attn_q'), embedding, embedding),
      matrix(name('attn_k'), embedding, kv),
      matrix(name('attn_v'), embedding, kv),
      matrix(name('attn_output'), embedding, embedding),
      norm(name('ffn_norm')),
      matrix(name('ffn_gate'), embedding, feedForward),
      matrix(name('ffn_up'), embedding, feedForward),
      matrix(name('ffn_down'), feedForward, embedding),
    )
  }
  return list
}

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

function metadata(): [string, MetadataValue][] {
  const u32 = (value: number): MetadataValue => ({ type: 'u32', value })
  const text = (value: string): MetadataValue => ({ type: 'string', value })
  const vocabulary = new Map(byteVocabulary())
  return [
    ['general.architecture', text('llama')],
    ['general.name', text('SmolLM2-135M, random weights')],
    ['llama.context_length', u32(SHAPE.contextTokens)],
    ['llama.embedding_length', u32(SHAPE.embedding)],
    ['llama.block_count', u32(SHAPE.layers)],
    ['llama.feed_forward_length', u32(SHAPE.feedForward)],
    ['llama.attention.head_count', u32(SHAPE.heads)],
    ['llama.attention.head_count_kv', u32(SHAPE.kvHeads)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'f32', value: 1e-5 }],
    ['llama.rope.dimension_count', u32(SHAPE.embedding / SHAPE.heads)],
    ['llama.rope.freq_base', { type: 'f32', value: 100_000 }],
    ['llama.vocab_size', u32(SHAPE.vocabulary)],
    ...vocabulary
      .set(
        'tokenizer.ggml.tokens',
        filled(vocabulary.get('tokenizer.ggml.tokens'), (id) => `w${id}.`),
      )
      .set(
        'tokenizer.ggml.token_type',
        filled(vocabulary.get('tokenizer.ggml.token_type'), () => NORMAL),
      ),
    ['tokenizer.chat_template', text(CHATML)],
  ]
}

const NORMAL = 1

/** A list of the byte vocabulary, made as long as the real one. */
function filled(value: MetadataValue | undefined, item: (id: number) => string | number): MetadataValue {
  if (value?.type !== 'strings' && value?.type !== 'i32s')
    throw new RangeError('the vocabulary has no such list')
  const list: (string | number)[] = [...value.value]
  while (list.length < SHAPE.vocabulary) list.push(item(list.length))
  return { type: value.type, value: list } as MetadataValue
}

const ones = (elements: number): Buffer => Buffer.from(new Float32Array(elements).fill(1).buffer)

function blocks(elements: number, random: () => number): Buffer {
  const bytes = Buffer.alloc((elements / Q8_0.weights) * Q8_0.bytes)
  for (let at = 0; at < bytes.length; at += Q8_0.bytes) {
    bytes.writeUInt16LE(SCALE_BITS, at)
    for (let word = 0; word < Q8_0.weights / 4; word++) bytes.writeInt32LE(random(), at + 2 + 4 * word)
  }
  return bytes
}

const END_OF_TURN = 258

/** Its row is zero: other tokens are always more probable. */
function silenceEndOfTurn(embedding: Buffer): void {
  const rowBytes = (SHAPE.embedding / Q8_0.weights) * Q8_0.bytes
  embedding.fill(0, END_OF_TURN * rowBytes, (END_OF_TURN + 1) * rowBytes)
}

/** 32 random bits per call (Marsaglia's xorshift32), the same for a seed everywhere. */
function xorshift(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state
  }
}
