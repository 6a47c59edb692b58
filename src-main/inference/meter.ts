/** What one model costs per token: the numbers that `readGgufModel` reports. */
export interface FlopCost {
  /** Weights that one token is multiplied with. */
  activeMatmulParameters: bigint
  /** Transformer layers. */
  blockCount: number
  /** Query heads per layer. */
  headCount: number
  /** Elements per head. */
  keyLength: number
}

/**
 * FLOP of running tokens at positions `from` (inclusive) to `to` (exclusive) through the model once.
 *
 * A token at position p (0-based) costs 2 FLOP per active weight, plus attention over the p + 1 positions it
 * sees: 2 FLOP per element for the scores and 2 for the weighted sum, over `headCount × keyLength` elements
 * in every layer. Summed in closed form: Σ (p + 1) = (to × (to + 1) − from × (from + 1)) / 2.
 *
 * Sources: design §3.4; Kaplan et al. 2020 (arXiv:2001.08361) §2.1; Chowdhery et al. 2022 (PaLM,
 * arXiv:2204.02311) appendix B. Softmax, norms and sampling are left out, as they are there. Attention
 * counts in full: layers with a sliding window or a recurrent state cost less than this.
 */
function spanFlop(cost: FlopCost, from: bigint, to: bigint): bigint {
  const attentionWidth = BigInt(cost.blockCount) * BigInt(cost.headCount) * BigInt(cost.keyLength)
  const attended = (to * (to + 1n) - from * (from + 1n)) / 2n
  return 2n * cost.activeMatmulParameters * (to - from) + 4n * attentionWidth * attended
}

/** @throws RangeError when `tokens` is not a whole number from 0. */
function tokenCount(tokens: number): bigint {
  if (!Number.isSafeInteger(tokens) || tokens < 0)
    throw new RangeError('a token count must be a whole number from 0')
  return BigInt(tokens)
}

/** FLOP of reading a prompt of `promptTokens`. @throws RangeError on an impossible count. */
export function prefillFlop(cost: FlopCost, promptTokens: number): bigint {
  return spanFlop(cost, 0n, tokenCount(promptTokens))
}

/**
 * FLOP of `completionTokens` after a prompt of `promptTokens`. Every completion token counts as one forward
 * pass at its own position. @throws RangeError on an impossible count.
 */
export function generationFlop(cost: FlopCost, promptTokens: number, completionTokens: number): bigint {
  const from = tokenCount(promptTokens)
  return spanFlop(cost, from, from + tokenCount(completionTokens))
}

/** FLOP of a finished job: prompt and completion. @throws RangeError on an impossible count. */
export function jobFlop(cost: FlopCost, promptTokens: number, completionTokens: number): bigint {
  return prefillFlop(cost, promptTokens) + generationFlop(cost, promptTokens, completionTokens)
}

/** The most that a job can cost: what to reserve before it runs. @throws RangeError on an impossible count. */
export function maxJobFlop(cost: FlopCost, promptTokens: number, maxTokens: number): bigint {
  return jobFlop(cost, promptTokens, maxTokens)
}
