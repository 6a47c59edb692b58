/** What attention of one layer costs: numbers that `readGgufModel` reports. */
export interface AttentionLayer {
  /** Query heads; 0 in a layer without attention. */
  headCount: number
  /** Elements of one key vector, and of one value vector. */
  keyLength: number
  valueLength: number
  /** The last tokens that it attends to; null: all. */
  windowTokens: number | null
}

/** What one model costs per token: numbers that `readGgufModel` reports. */
export interface FlopCost {
  /** Weights that one token is multiplied with. */
  activeMatmulParameters: bigint
  /** In order. */
  layers: readonly AttentionLayer[]
}

/**
 * FLOP of running tokens at positions `from` (inclusive) to `to` (exclusive) through the model once.
 *
 * A token at position p (0-based) costs 2 FLOP per active weight, plus attention of every layer over the
 * p + 1 positions that it sees, or over the layer's window where that is less: 2 FLOP per head and key
 * element for the scores, and 2 per head and value element for the weighted sum. Exact, in closed form.
 *
 * Sources: design §3.4; Kaplan et al. 2020 (arXiv:2001.08361) §2.1; Chowdhery et al. 2022 (PaLM,
 * arXiv:2204.02311) appendix B. Softmax, norms, sampling and the updates of a recurrent state are left out.
 */
function spanFlop(cost: FlopCost, from: bigint, to: bigint): bigint {
  let flop = 2n * cost.activeMatmulParameters * (to - from)
  for (const { headCount, keyLength, valueLength, windowTokens } of cost.layers) {
    const elements = BigInt(headCount) * (BigInt(keyLength) + BigInt(valueLength))
    const window = windowTokens === null ? null : BigInt(windowTokens)
    flop += 2n * elements * (attendedBefore(to, window) - attendedBefore(from, window))
  }
  return flop
}

/** Positions that the tokens before position `end` attend to, together: the sum of min(p + 1, window). */
function attendedBefore(end: bigint, window: bigint | null): bigint {
  const growing = window === null || end < window ? end : window
  const inFull = (growing * (growing + 1n)) / 2n
  return window === null ? inFull : inFull + (end - growing) * window
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
