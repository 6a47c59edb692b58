// The concierge as a GGUF file.

import { encodeGguf, type GgufTensor, type MetadataValue } from './gguf.ts'
import { type LlamaShape, NORM_EPSILON } from './model.ts'
import { CHAT_TEMPLATE, END_TOKEN } from './prompt.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { TrainedWeights } from './trainer.ts'

const CONTEXT_LENGTH = 512
const ROPE_BASE = 10_000
/** `general.file_type` of files whose matrices are q8_0. */
const FILE_TYPE_Q8_0 = 7
const TOKEN_TYPE = { normal: 1, control: 3 } as const

const DESCRIPTION =
  'A demonstration-size model, trained from scratch, that answers questions about Tirami Host and nothing else. ' +
  'It names a topic with a control token, then writes the answer of that topic.'

function metadata(shape: LlamaShape, tokenizer: Tokenizer): Map<string, MetadataValue> {
  const { specialTokens, merges } = tokenizer.vocabulary
  const string = (value: string): MetadataValue => ({ type: 'string', value })
  const uint32 = (value: number): MetadataValue => ({ type: 'uint32', value })
  const end = uint32(tokenizer.special(END_TOKEN))
  const types = tokenizer.tokens.map((_, id) =>
    id < specialTokens.length ? TOKEN_TYPE.control : TOKEN_TYPE.normal,
  )
  return new Map<string, MetadataValue>([
    ['general.architecture', string('llama')],
    ['general.type', string('model')],
    ['general.name', string('Tirami Concierge')],
    ['general.description', string(DESCRIPTION)],
    ['general.license', string('mit')],
    ['general.license.name', string('MIT')],
    ['general.languages', { type: 'strings', value: ['en'] }],
    ['general.file_type', uint32(FILE_TYPE_Q8_0)],
    ['general.quantization_version', uint32(2)],
    ['llama.vocab_size', uint32(shape.vocabularySize)],
    ['llama.context_length', uint32(CONTEXT_LENGTH)],
    ['llama.embedding_length', uint32(shape.embeddingLength)],
    ['llama.block_count', uint32(shape.blockCount)],
    ['llama.feed_forward_length', uint32(shape.feedForwardLength)],
    ['llama.attention.head_count', uint32(shape.headCount)],
    ['llama.attention.head_count_kv', uint32(shape.headCount)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: NORM_EPSILON }],
    ['llama.rope.dimension_count', uint32(shape.embeddingLength / shape.headCount)],
    ['llama.rope.freq_base', { type: 'float32', value: ROPE_BASE }],
    ['tokenizer.ggml.model', string('gpt2')],
    ['tokenizer.ggml.pre', string('gpt-2')],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokenizer.tokens }],
    ['tokenizer.ggml.token_type', { type: 'int32s', value: types }],
    ['tokenizer.ggml.merges', { type: 'strings', value: merges }],
    // As in GPT-2, one token is the beginning, the end and the padding; the prompt itself starts with <|user|>.
    ['tokenizer.ggml.bos_token_id', end],
    ['tokenizer.ggml.eos_token_id', end],
    ['tokenizer.ggml.eot_token_id', end],
    ['tokenizer.ggml.padding_token_id', end],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
    ['tokenizer.ggml.add_eos_token', { type: 'bool', value: false }],
    ['tokenizer.ggml.add_space_prefix', { type: 'bool', value: false }],
    ['tokenizer.chat_template', string(CHAT_TEMPLATE)],
  ])
}

/** The GGUF file: matrices in q8_0, norm gains in f32; the output matrix is the embedding (tied). */
export function encodeModelFile(shape: LlamaShape, tokenizer: Tokenizer, weights: TrainedWeights): Buffer {
  const tensors = [...weights].map(([name, { tensor, values }]): GgufTensor => {
    const isNormGain = tensor.rows === 1
    return isNormGain
      ? { name, columns: tensor.columns, format: 'f32', values }
      : { name, columns: tensor.columns, rows: tensor.rows, format: 'q8_0', values }
  })
  return encodeGguf(metadata(shape, tokenizer), tensors)
}
