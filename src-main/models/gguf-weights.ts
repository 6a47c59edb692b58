import { GgufProblem, type GgufTensor } from './gguf-header.ts'
import type { Metadata } from './gguf-metadata.ts'

/** Where the bytes of a model lie when it is loaded. */
export interface WeightBytes {
  /** Per layer, in order. */
  layers: number[]
  /** Tables that are looked up by row; they stay in main memory. */
  embedding: number
  /** The output projection, norms and whatever else stands outside the layers; a tied embedding counts again. */
  output: number
}

const EMBEDDING = 'token_embd.weight'
/** Tensors that are looked up by row, not multiplied with. */
const LOOKUP_TENSORS: ReadonlySet<string> = new Set([
  'position_embd.weight',
  'token_types.weight',
  'per_layer_token_embd.weight',
])

/** No `output.weight`: the embedding is the output projection as well. */
function isTied(tensors: readonly GgufTensor[]): boolean {
  return !tensors.some((tensor) => tensor.name === 'output.weight')
}

/** The number in `blk.<number>.`; null for a tensor outside the layers. */
function layerOf(name: string): number | null {
  const match = /^blk\.(\d{1,4})\./.exec(name)
  return match ? Number(match[1]) : null
}

/**
 * Weights that one token is multiplied with in a forward pass, each counted once (2 FLOP apiece).
 * Matrices only: norms, biases and tables that are looked up by row are left out, and so are layers for
 * multi-token prediction, which a forward pass skips. A tied embedding is the output projection and counts.
 * Of routed experts the used share counts; shared ones count whole.
 * @throws GgufProblem when the expert counts do not fit the tensors
 */
export function activeMatmulParameters(
  tensors: readonly GgufTensor[],
  metadata: Metadata,
  layers: number,
): bigint {
  const tied = isTied(tensors)
  let dense = 0n
  let expert = 0n
  for (const { name, dimensions, elements } of tensors) {
    const isMatrix = dimensions.filter((size) => size > 1n).length >= 2 && !name.endsWith('.bias')
    const isLookup = LOOKUP_TENSORS.has(name) || (name === EMBEDDING && !tied)
    if (!isMatrix || isLookup || (layerOf(name) ?? 0) >= layers) continue
    if (/_exps(\.|$)/.test(name)) expert += elements
    else dense += elements
  }
  if (expert === 0n) return dense
  const experts = BigInt(metadata.count('expert_count', 0, 0))
  const used = BigInt(metadata.count('expert_used_count', 0, 0))
  if (used < 1n || used > experts) throw new GgufProblem('its expert counts do not fit its tensors')
  return dense + (expert * used) / experts
}

export function weightBytes(tensors: readonly GgufTensor[], layers: number): WeightBytes {
  const bytes: WeightBytes = { layers: Array.from({ length: layers }, () => 0), embedding: 0, output: 0 }
  const tied = isTied(tensors)
  for (const { name, sizeBytes } of tensors) {
    const size = Number(sizeBytes)
    const layer = layerOf(name)
    if (layer !== null && layer < layers) bytes.layers[layer] = (bytes.layers[layer] ?? 0) + size
    else if (name === EMBEDDING || LOOKUP_TENSORS.has(name)) bytes.embedding += size
    else bytes.output += size
    if (name === EMBEDDING && tied) bytes.output += size
  }
  return bytes
}

/** Rows of the embedding: the tokens that the output has a logit for. */
export function vocabularySize(tensors: readonly GgufTensor[]): number {
  return Number(tensors.find((tensor) => tensor.name === EMBEDDING)?.dimensions[1] ?? 0)
}
