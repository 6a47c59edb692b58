import { writeFileSync } from 'node:fs'
import {
  DEFAULT_ALIGNMENT,
  encodeHeader,
  F32_TYPE,
  layOut,
  type MetadataValue,
  padded,
} from './gguf-writer.ts'

/** Ids 0–255 are the bytes themselves; these follow. */
const CONTROL_TOKENS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|reserved|>'] as const
const IM_END = 258
const BASE_VOCABULARY_SIZE = 256 + CONTROL_TOKENS.length

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
  /**
   * Makes a model that says `pieces` when the prompt ends with the byte `after`, then closes the turn. Every piece is
   * a token of its own, so no piece may occur twice; a chat template decides which byte a prompt ends with.
   */
  answers?: { after: string; pieces: string[] }[]
  /**
   * Makes a model that says what it has read: a token's logit grows with its share of everything that the answer can
   * see, and what was never seen stays at the bottom. Shows whatever leaks into a context.
   */
  echo?: boolean
}

export interface TinyTensor {
  name: string
  /** Elements per dimension, fastest first. */
  dimensions: number[]
  data: Float32Array
}

const u32 = (value: number): MetadataValue => ({ type: 'u32', value })
const f32 = (value: number): MetadataValue => ({ type: 'f32', value })
const bool = (value: boolean): MetadataValue => ({ type: 'bool', value })
const string = (value: string): MetadataValue => ({ type: 'string', value })

const HEAD_COUNT = 4

/** A llama-architecture model of about 1 MB with a byte tokenizer, as the bytes of a GGUF file. */
export function tinyGguf(options: TinyModelOptions = {}): Buffer {
  const scripted = isScripted(options)
  // A scripted model's embeddings are one-hot.
  const embeddingLength = scripted ? Math.ceil((vocabularySize(options) + 1) / 32) * 32 : 64
  const blockCount = options.blockCount ?? (scripted ? 1 : 2)
  return encodeGguf(
    metadata(options, embeddingLength, blockCount),
    tensors(options, embeddingLength, blockCount),
  )
}

const isScripted = ({ script, answers, echo = false }: TinyModelOptions): boolean =>
  script !== undefined || answers !== undefined || echo

const piecesOf = (options: TinyModelOptions): string[] =>
  (options.answers ?? []).flatMap(({ pieces }) => pieces)

const vocabularySize = (options: TinyModelOptions): number => BASE_VOCABULARY_SIZE + piecesOf(options).length

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
    ['general.alignment', u32(DEFAULT_ALIGNMENT)],
    ['llama.context_length', u32(options.contextTokens ?? 4096)],
    ['llama.embedding_length', u32(embeddingLength)],
    ['llama.block_count', u32(blockCount)],
    ['llama.feed_forward_length', u32(feedForwardLength(embeddingLength))],
    ['llama.attention.head_count', u32(HEAD_COUNT)],
    ['llama.attention.head_count_kv', u32(HEAD_COUNT)],
    ['llama.attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['llama.rope.dimension_count', u32(embeddingLength / HEAD_COUNT)],
    ['llama.vocab_size', u32(vocabularySize(options))],
    ...byteVocabulary(options),
  ])
  const template = options.chatTemplate === undefined ? CHATML_TEMPLATE : options.chatTemplate
  if (template !== null) entries.set('tokenizer.chat_template', string(template))
  return entries
}

/** The metadata of a tokenizer whose tokens are the 256 bytes, four control tokens and the pieces of answers. */
export function byteVocabulary(options: TinyModelOptions = {}): [string, MetadataValue][] {
  return [
    ['tokenizer.ggml.model', string('gpt2')],
    ['tokenizer.ggml.pre', string('gpt-2')],
    [
      'tokenizer.ggml.tokens',
      { type: 'strings', value: [...byteTokens(), ...CONTROL_TOKENS, ...piecesOf(options)] },
    ],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: tokenTypes(piecesOf(options).length) }],
    ['tokenizer.ggml.merges', { type: 'strings', value: [] }],
    ['tokenizer.ggml.bos_token_id', u32(256)],
    ['tokenizer.ggml.eos_token_id', u32(IM_END)],
    ['tokenizer.ggml.add_bos_token', bool(false)],
  ]
}

/** GPT-2's printable stand-in for every byte (`bytes_to_unicode` of OpenAI's encoder). */
function byteTokens(): string[] {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCodePoint(printable ? byte : next++)
  })
}

/** 1 is a normal token, 3 a control token, 4 one that the maker of the model added. */
function tokenTypes(pieces: number): number[] {
  return Array.from({ length: BASE_VOCABULARY_SIZE + pieces }, (_, id) =>
    id < 256 ? 1 : id < BASE_VOCABULARY_SIZE ? 3 : 4,
  )
}

function feedForwardLength(embeddingLength: number): number {
  return embeddingLength * 2
}

function tensors(options: TinyModelOptions, embeddingLength: number, blockCount: number): TinyTensor[] {
  const random = mulberry32(options.seed ?? 1)
  const scripted = isScripted(options)
  const fill = (count: number): Float32Array =>
    Float32Array.from({ length: count }, () => (scripted ? 0 : (random() - 0.5) * 0.6))
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
  const tokens = vocabularySize(options)
  const list = [matrix('token_embd.weight', e, tokens), matrix('output.weight', e, tokens)]
  if (options.echo) for (const tensor of list) writeDiagonal(tensor, e, ECHO_SCALE)
  else if (scripted) writeScript(list, e, transitions(options))
  for (let block = 0; block < blockCount; block++) {
    const name = (part: string): string => `blk.${block}.${part}.weight`
    list.push(ones(name('attn_norm')), ones(name('ffn_norm')))
    for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) list.push(matrix(name(part), e, e))
    if (options.echo) for (const tensor of list.slice(-2)) writeDiagonal(tensor, e, 1)
    list.push(matrix(name('ffn_gate'), e, f), matrix(name('ffn_up'), e, f), matrix(name('ffn_down'), f, e))
  }
  return [...list, ones('output_norm.weight')]
}

/** Which token follows which. */
function transitions({ script, answers = [] }: TinyModelOptions): [token: number, next: number][] {
  const chains: number[][] = []
  if (script) {
    const [first] = script.bytes
    if (first === undefined) throw new RangeError('a script needs at least one byte')
    chains.push([10, ...script.bytes, script.ending === 'end' ? IM_END : first])
  }
  let piece = BASE_VOCABULARY_SIZE
  for (const { after, pieces } of answers) {
    chains.push([after.charCodeAt(0), ...pieces.map(() => piece++), IM_END])
  }
  return chains.flatMap((chain) =>
    chain.slice(0, -1).map((token, index): [number, number] => [token, chain[index + 1] ?? IM_END]),
  )
}

/** Far enough apart that what was never seen is as good as never said. */
const ECHO_SCALE = 3

/** With queries and keys at zero, attention is the mean of one-hot values: the share of every token. */
function writeDiagonal({ data }: TinyTensor, columns: number, value: number): void {
  for (let row = 0; row * columns < data.length; row++) data[row * columns + row] = value
}

/** One-hot embeddings and a transition matrix as output: with all else zero, a deterministic automaton. */
function writeScript(
  [embedding, output]: TinyTensor[],
  embeddingLength: number,
  follows: readonly (readonly [token: number, next: number])[],
): void {
  if (!embedding || !output) throw new RangeError('a script needs the embedding and the output tensor')
  const tokens = embedding.data.length / embeddingLength
  for (let token = 0; token < tokens; token++) embedding.data[token * embeddingLength + token] = 1
  if (new Set(follows.map(([token]) => token)).size !== follows.length) {
    throw new RangeError('a token of a script occurs twice')
  }
  for (const [token, next] of follows) output.data[next * embeddingLength + token] = 1
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
  const { tensors, dataBytes } = layOut(list.map((tensor) => ({ ...tensor, type: F32_TYPE })))
  const header = encodeHeader({ entries: [...entries], tensors })
  const dataStart = padded(header.length)
  const file = Buffer.alloc(dataStart + dataBytes)
  header.copy(file)
  list.forEach(({ data }, index) => {
    file.set(new Uint8Array(data.buffer), dataStart + Number(tensors[index]?.offset ?? 0))
  })
  return file
}
