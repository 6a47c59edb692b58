import { writeFileSync } from 'node:fs'

/** Ids 0–255 are the bytes themselves; these follow. */
const CONTROL_TOKENS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|reserved|>'] as const
const IM_END = 258
const VOCABULARY_SIZE = 256 + CONTROL_TOKENS.length

const CHATML_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

export interface TinyModelOptions {
  /** Seed of the random weights. */
  seed?: number
  blockCount?: number
  contextTokens?: number
  /** `null` leaves the template out. */
  chatTemplate?: string | null
  /**
   * Makes a model that says exactly this after a line feed, byte by byte, then follows on from its last
   * byte. Each byte may have one successor only, so no byte may occur twice. `end` closes the turn.
   */
  script?: { bytes: Uint8Array; ending: 'end' | 'repeat' }
}

export interface TinyTensor {
  name: string
  /** Elements per dimension, fastest first. */
  dimensions: number[]
  data: Float32Array
}

export type MetadataValue =
  | { type: 'u32'; value: number }
  | { type: 'f32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: string[] }
  | { type: 'i32s'; value: number[] }

const u32 = (value: number): MetadataValue => ({ type: 'u32', value })
const f32 = (value: number): MetadataValue => ({ type: 'f32', value })
const bool = (value: boolean): MetadataValue => ({ type: 'bool', value })
const string = (value: string): MetadataValue => ({ type: 'string', value })

const ALIGNMENT = 32
const HEAD_COUNT = 4
const F32_TYPE = 0

/** A llama-architecture model of about 1 MB with a byte tokenizer, as the bytes of a GGUF file. */
export function tinyGguf(options: TinyModelOptions = {}): Buffer {
  const embeddingLength = options.script ? 288 : 64
  const blockCount = options.blockCount ?? (options.script ? 1 : 2)
  return encodeGguf(
    metadata(options, embeddingLength, blockCount),
    tensors(options, embeddingLength, blockCount),
  )
}

/** Writes `tinyGguf(options)` to `path`. @returns `path`. */
export function writeTinyGguf(path: string, options: TinyModelOptions = {}): string {
  writeFileSync(path, tinyGguf(options))
  return path
}

function metadata(
  options: TinyModelOptions,
  embeddingLength: number,
  blockCount: number,
): Map<string, MetadataValue> {
  const entries = new Map<string, MetadataValue>([
    ['general.architecture', string('llama')],
    ['general.name', string('Tiny')],
    ['general.license', string('mit')],
    ['general.alignment', u32(ALIGNMENT)],
    ['llama.context_length', u32(options.contextTokens ?? 4096)],
    ['llama.embedding_length', u32(embeddingLength)],
    ['llama.block_count', u32(blockCount)],
    ['llama.feed_forward_length', u32(feedForwardLength(embeddingLength))],
    ['llama.attention.head_count', u32(HEAD_COUNT)],
    ['llama.attention.head_count_kv', u32(HEAD_COUNT)],
    ['llama.attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['llama.rope.dimension_count', u32(embeddingLength / HEAD_COUNT)],
    ['llama.vocab_size', u32(VOCABULARY_SIZE)],
    ['tokenizer.ggml.model', string('gpt2')],
    ['tokenizer.ggml.pre', string('gpt-2')],
    ['tokenizer.ggml.tokens', { type: 'strings', value: [...byteTokens(), ...CONTROL_TOKENS] }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: tokenTypes() }],
    ['tokenizer.ggml.merges', { type: 'strings', value: [] }],
    ['tokenizer.ggml.bos_token_id', u32(256)],
    ['tokenizer.ggml.eos_token_id', u32(IM_END)],
    ['tokenizer.ggml.add_bos_token', bool(false)],
  ])
  const template = options.chatTemplate === undefined ? CHATML_TEMPLATE : options.chatTemplate
  if (template !== null) entries.set('tokenizer.chat_template', string(template))
  return entries
}

/** GPT-2's printable stand-in for every byte (`bytes_to_unicode` of OpenAI's encoder). */
function byteTokens(): string[] {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCodePoint(printable ? byte : next++)
  })
}

/** 1 is a normal token, 3 a control token. */
function tokenTypes(): number[] {
  return Array.from({ length: VOCABULARY_SIZE }, (_, id) => (id < 256 ? 1 : 3))
}

function feedForwardLength(embeddingLength: number): number {
  return embeddingLength * 2
}

function tensors(options: TinyModelOptions, embeddingLength: number, blockCount: number): TinyTensor[] {
  const random = mulberry32(options.seed ?? 1)
  const fill = (count: number): Float32Array =>
    Float32Array.from({ length: count }, () => (options.script ? 0 : (random() - 0.5) * 0.6))
  const matrix = (name: string, columns: number, rows: number): TinyTensor => ({
    name,
    dimensions: [columns, rows],
    data: fill(columns * rows),
  })
  const ones = (name: string): TinyTensor => ({
    name,
    dimensions: [embeddingLength],
    data: new Float32Array(embeddingLength).fill(1),
  })
  const e = embeddingLength
  const f = feedForwardLength(e)
  const list = [matrix('token_embd.weight', e, VOCABULARY_SIZE), matrix('output.weight', e, VOCABULARY_SIZE)]
  if (options.script) writeScript(list, e, options.script)
  for (let block = 0; block < blockCount; block++) {
    const name = (part: string): string => `blk.${block}.${part}.weight`
    list.push(ones(name('attn_norm')), ones(name('ffn_norm')))
    for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) list.push(matrix(name(part), e, e))
    list.push(matrix(name('ffn_gate'), e, f), matrix(name('ffn_up'), e, f), matrix(name('ffn_down'), f, e))
  }
  return [...list, ones('output_norm.weight')]
}

/** One-hot embeddings and a transition matrix as output: with all else zero, a deterministic automaton. */
function writeScript(
  [embedding, output]: TinyTensor[],
  embeddingLength: number,
  script: NonNullable<TinyModelOptions['script']>,
): void {
  if (!embedding || !output) throw new RangeError('a script needs the embedding and the output tensor')
  for (let token = 0; token < VOCABULARY_SIZE; token++) embedding.data[token * embeddingLength + token] = 1
  const [first] = script.bytes
  if (first === undefined) throw new RangeError('a script needs at least one byte')
  const chain = [10, ...script.bytes, script.ending === 'end' ? IM_END : first]
  const predecessors = chain.slice(0, -1)
  if (new Set(predecessors).size !== predecessors.length) throw new RangeError('a script byte occurs twice')
  predecessors.forEach((token, index) => {
    output.data[(chain[index + 1] ?? 0) * embeddingLength + token] = 1
  })
}

/** Small seeded generator (Tommy Ettinger's mulberry32), so that a seed means the same model everywhere. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Encodes a GGUF version 3 file with f32 tensors. */
export function encodeGguf(entries: Map<string, MetadataValue>, list: TinyTensor[]): Buffer {
  const parts = [Buffer.from('GGUF'), uint32(3), uint64(list.length), uint64(entries.size)]
  for (const [key, value] of entries) parts.push(text(key), encodeValue(value))
  let offset = 0
  for (const { name, dimensions, data } of list) {
    parts.push(
      text(name),
      uint32(dimensions.length),
      ...dimensions.map(uint64),
      uint32(F32_TYPE),
      uint64(offset),
    )
    offset += padded(data.byteLength)
  }
  const header = Buffer.concat(parts)
  const file = Buffer.alloc(padded(header.length) + offset)
  header.copy(file)
  let position = padded(header.length)
  for (const { data } of list) {
    file.set(new Uint8Array(data.buffer), position)
    position += padded(data.byteLength)
  }
  return file
}

function encodeValue(value: MetadataValue): Buffer {
  switch (value.type) {
    case 'u32':
      return Buffer.concat([uint32(4), uint32(value.value)])
    case 'f32': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(value.value)
      return Buffer.concat([uint32(6), bytes])
    }
    case 'bool':
      return Buffer.concat([uint32(7), Buffer.from([value.value ? 1 : 0])])
    case 'string':
      return Buffer.concat([uint32(8), text(value.value)])
    case 'strings':
      return Buffer.concat([uint32(9), uint32(8), uint64(value.value.length), ...value.value.map(text)])
    case 'i32s':
      return Buffer.concat([uint32(9), uint32(5), uint64(value.value.length), ...value.value.map(uint32)])
  }
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint64(bytes.length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
