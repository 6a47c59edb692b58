import { GgufProblem } from './gguf-header.ts'
import type { Metadata } from './gguf-metadata.ts'

/** What one transformer layer computes attention with, and what it remembers. */
export interface LayerShape {
  /** Query heads; 0 in a layer without attention, as hybrid models have. */
  headCount: number
  headCountKv: number
  /** Elements of one key vector, and of one value vector. */
  keyLength: number
  valueLength: number
  /** The last tokens that it attends to; null: all. */
  windowTokens: number | null
  /** Recurrent state of one sequence, f32; 0 in a layer without. */
  stateBytes: number
}

/** LLAMA_MAX_LAYERS is 512. */
const MAX_LAYERS = 1024
const F32_BYTES = 4

/**
 * Every how many layers attention is full, in architectures that llama.cpp runs with a sliding window and
 * whose files need not say it. In any other a window that no pattern goes with is not applied.
 * Source: `set_swa_pattern` in llama.cpp's models.
 */
const FULL_ATTENTION_PERIODS: ReadonlyMap<string, number> = new Map([
  ['afmoe', 4],
  ['cohere2', 4],
  ['exaone-moe', 4],
  ['exaone4', 4],
  ['gemma-embedding', 6],
  ['gemma2', 2],
  ['gemma3', 6],
  ['gemma3n', 5],
  ['gpt-oss', 2],
  ['olmo2', 4],
  ['plamo3', 8],
  ['smallthinker', 4],
])
/** Here the full layer is the first of its period, elsewhere the last. */
const FULL_LAYER_FIRST: ReadonlySet<string> = new Set(['smallthinker'])

/** Layers that a forward pass runs through: without those for multi-token prediction. @throws GgufProblem */
export function layerCount(metadata: Metadata): number {
  const blocks = metadata.count('block_count')
  const layers = blocks - metadata.count('nextn_predict_layers', 0, 0)
  if (blocks > MAX_LAYERS || layers < 1) throw new GgufProblem(`its block_count is out of range`)
  return layers
}

/**
 * Every layer's shape. Source of the keys: ggml docs/gguf.md and llama.cpp's `load_hparams`.
 * @throws GgufProblem when heads are missing or do not fit
 */
export function layerShapes(metadata: Metadata): LayerShape[] {
  const layers = layerCount(metadata)
  const every = (value: number): number[] => Array.from({ length: layers }, () => value)
  const state = stateBytes(metadata)
  const headCounts = metadata.perLayer('attention.head_count', layers, [])
  const headCountsKv = metadata.perLayer('attention.head_count_kv', layers, headCounts)
  const interval = metadata.count('full_attention_interval', 1)
  const attends = every(0).map(
    (_, i) => (headCounts[i] ?? 0) > 0 && (headCountsKv[i] ?? 0) > 0 && (i + 1) % interval === 0,
  )
  // A model with neither would have its head size divided by zero.
  if (state === 0 && !attends.includes(true)) throw new GgufProblem('it has no attention heads')
  const headSize = Math.floor(metadata.count('embedding_length') / Math.max(1, ...headCounts))
  const windows = slidingWindows(metadata, layers)
  return attends.map((attention, i) => {
    const windowTokens = windows[i] ?? null
    const length = (part: 'key' | 'value'): number => {
      const full = metadata.count(`attention.${part}_length`, headSize)
      return windowTokens === null ? full : metadata.count(`attention.${part}_length_swa`, full)
    }
    return {
      headCount: attention ? (headCounts[i] ?? 0) : 0,
      headCountKv: attention ? (headCountsKv[i] ?? 0) : 0,
      keyLength: attention ? length('key') : 0,
      valueLength: attention ? length('value') : 0,
      windowTokens: attention ? windowTokens : null,
      stateBytes: !attention || metadata.architecture === 'falcon-h1' ? state : 0,
    }
  })
}

/** The window of every layer that has one. */
function slidingWindows(metadata: Metadata, layers: number): (number | null)[] {
  const window = metadata.count('attention.sliding_window', 0, 0)
  const pattern = metadata.value('attention.sliding_window_pattern')
  const period = pattern === undefined ? FULL_ATTENTION_PERIODS.get(metadata.architecture) : Number(pattern)
  const fullAt = FULL_LAYER_FIRST.has(metadata.architecture) ? 0 : -1
  const slides = (layer: number): boolean => {
    if (Array.isArray(pattern)) return Boolean(pattern[layer % pattern.length])
    if (period === undefined || !Number.isInteger(period) || period < 0) return false
    return period === 0 || (layer - fullAt) % period !== 0
  }
  return Array.from({ length: layers }, (_, layer) => (window > 0 && slides(layer) ? window : null))
}

/** What a recurrent layer keeps per sequence: llama.cpp's `n_embd_r` and `n_embd_s`. */
function stateBytes(metadata: Metadata): number {
  const count = (key: string): number => metadata.count(key, 0, 0)
  const embedding = metadata.count('embedding_length')
  const inner = count('ssm.inner_size')
  const state = count('ssm.state_size')
  const convolution = Math.max(0, count('ssm.conv_kernel') - 1)
  const ssm = convolution * (inner + 2 * count('ssm.group_count') * state) + inner * state
  const headSize = count('wkv.head_size')
  const wkv = headSize > 0 ? embedding * (headSize + metadata.count('token_shift_count', 2)) : 0
  const shortConvolution = Math.max(0, count('shortconv.l_cache') - 1) * embedding
  return F32_BYTES * (ssm + wkv + shortConvolution)
}
