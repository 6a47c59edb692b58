import type { MetadataValue, TensorHeader } from './gguf-writer.ts'

/** A decoder as its config.json on Hugging Face describes it; names are those of the GGUF keys. */
export interface ModelShape {
  architecture: string
  blocks: number
  embedding: number
  heads: number
  headsKv: number
  headSize: number
  /** Width of a dense feed-forward layer; 0 where all of it is experts. */
  feedForward: number
  vocabulary: number
  contextTokens: number
  tied: boolean
  experts?: { count: number; used: number; feedForward: number; sharedFeedForward?: number }
  /** A bias on the query, key and value projections. */
  attentionBias?: boolean
  /** A norm on every query and key head. */
  headNorms?: boolean
  /** Norms after attention and after the feed-forward layer too. */
  postNorms?: boolean
  windowTokens?: number
}

/** Metadata and tensors of a GGUF file of that shape, as llama.cpp's converter names them. */
export function modelFile(
  shape: ModelShape,
  type: number,
): { entries: [string, MetadataValue][]; tensors: Omit<TensorHeader, 'offset'>[] } {
  const u32 = (key: string, value: number): [string, MetadataValue] => [
    `${shape.architecture}.${key}`,
    { type: 'u32', value },
  ]
  const { experts } = shape
  const entries: [string, MetadataValue][] = [
    ['general.architecture', { type: 'string', value: shape.architecture }],
    u32('context_length', shape.contextTokens),
    u32('embedding_length', shape.embedding),
    u32('block_count', shape.blocks),
    u32('feed_forward_length', shape.feedForward || (experts?.feedForward ?? 0)),
    u32('attention.head_count', shape.heads),
    u32('attention.head_count_kv', shape.headsKv),
    u32('attention.key_length', shape.headSize),
    u32('attention.value_length', shape.headSize),
    u32('rope.dimension_count', shape.headSize),
    u32('vocab_size', shape.vocabulary),
    [`${shape.architecture}.attention.layer_norm_rms_epsilon`, { type: 'f32', value: 1e-6 }],
  ]
  if (experts) entries.push(u32('expert_count', experts.count), u32('expert_used_count', experts.used))
  if (shape.windowTokens) entries.push(u32('attention.sliding_window', shape.windowTokens))
  return { entries, tensors: tensors(shape, type) }
}

function tensors(shape: ModelShape, type: number): Omit<TensorHeader, 'offset'>[] {
  const { embedding: e, experts } = shape
  const list: Omit<TensorHeader, 'offset'>[] = []
  const matrix = (name: string, ...dimensions: number[]): void => void list.push({ name, dimensions, type })
  const vector = (name: string, length: number): void =>
    void list.push({ name, dimensions: [length], type: 0 })
  matrix('token_embd.weight', e, shape.vocabulary)
  vector('output_norm.weight', e)
  if (!shape.tied) matrix('output.weight', e, shape.vocabulary)
  for (let block = 0; block < shape.blocks; block++) {
    const at = (part: string): string => `blk.${block}.${part}`
    const widths = { q: shape.heads, k: shape.headsKv, v: shape.headsKv }
    for (const [part, heads] of Object.entries(widths)) {
      matrix(at(`attn_${part}.weight`), e, heads * shape.headSize)
      if (shape.attentionBias) vector(at(`attn_${part}.bias`), heads * shape.headSize)
      if (shape.headNorms && part !== 'v') vector(at(`attn_${part}_norm.weight`), shape.headSize)
    }
    matrix(at('attn_output.weight'), shape.heads * shape.headSize, e)
    const norms = [
      'attn_norm',
      'ffn_norm',
      ...(shape.postNorms ? ['post_attention_norm', 'post_ffw_norm'] : []),
    ]
    for (const norm of norms) vector(at(`${norm}.weight`), e)
    if (shape.feedForward > 0) feedForward(matrix, at, '', e, shape.feedForward)
    if (experts) {
      matrix(at('ffn_gate_inp.weight'), e, experts.count)
      feedForward(matrix, at, '_exps', e, experts.feedForward, experts.count)
      if (experts.sharedFeedForward) {
        vector(at('ffn_gate_inp_shexp.weight'), e)
        feedForward(matrix, at, '_shexp', e, experts.sharedFeedForward)
      }
    }
  }
  return list
}

/** Gate, up and down projection, for `copies` experts in one tensor each. */
function feedForward(
  matrix: (name: string, ...dimensions: number[]) => void,
  at: (part: string) => string,
  suffix: string,
  embedding: number,
  width: number,
  ...copies: number[]
): void {
  matrix(at(`ffn_gate${suffix}.weight`), embedding, width, ...copies)
  matrix(at(`ffn_up${suffix}.weight`), embedding, width, ...copies)
  matrix(at(`ffn_down${suffix}.weight`), width, embedding, ...copies)
}
