export interface Candidate {
  token: number
  logit: number
}

export interface SamplingOptions {
  temperature: number
  /** 0: all. */
  topK: number
  topP: number
  minP?: number
  repeatPenalty?: number
  frequencyPenalty?: number
  presencePenalty?: number
  /** Added to the logits of these tokens; −100 and less forbid them. */
  biases: ReadonlyMap<number, number>
  /** How often each token was generated. */
  counts: ReadonlyMap<number, number>
}

const FORBIDDING_BIAS = -100

/**
 * Draws a token by llama.cpp's rules and in its order: biases, penalties, top-k, top-p, min-p, temperature.
 * @param candidates raw logits of at least the `topK` best tokens and of all that are adjusted.
 * @param random uniform on [0, 1).
 */
export function chooseToken(
  candidates: readonly Candidate[],
  options: SamplingOptions,
  random: () => number,
): number {
  const adjusted = candidates
    .map(({ token, logit }) => ({ token, logit: adjust(token, logit, options) }))
    .sort((a, b) => b.logit - a.logit)
  const [best] = adjusted
  if (!best) throw new RangeError('there is nothing to choose from')
  if (options.temperature === 0) return best.token
  const shortened = options.topK > 0 ? adjusted.slice(0, options.topK) : adjusted
  const kept = withinMinP(withinTopP(shortened, options.topP), options.minP ?? 0)
  const weights = kept.map(({ logit }) => Math.exp((logit - best.logit) / options.temperature))
  let left = random() * sum(weights)
  for (const [index, { token }] of kept.entries()) {
    left -= weights[index] ?? 0
    if (left < 0) return token
  }
  return best.token
}

function adjust(token: number, logit: number, options: SamplingOptions): number {
  const { repeatPenalty = 1, frequencyPenalty = 0, presencePenalty = 0 } = options
  const bias = options.biases.get(token) ?? 0
  if (bias <= FORBIDDING_BIAS) return Number.NEGATIVE_INFINITY
  const biased = logit + bias
  const count = options.counts.get(token) ?? 0
  if (count === 0) return biased
  const repeated = biased <= 0 ? biased * repeatPenalty : biased / repeatPenalty
  return repeated - count * frequencyPenalty - presencePenalty
}

/** The fewest of the best tokens whose probabilities reach `topP`. */
function withinTopP(sorted: readonly Candidate[], topP: number): readonly Candidate[] {
  if (topP >= 1) return sorted
  const top = sorted[0]?.logit ?? 0
  const weights = sorted.map(({ logit }) => Math.exp(logit - top))
  const wanted = topP * sum(weights)
  let reached = 0
  for (const [index, weight] of weights.entries()) {
    reached += weight
    if (reached >= wanted) return sorted.slice(0, index + 1)
  }
  return sorted
}

/** Tokens at least `minP` times as probable as the best. */
function withinMinP(sorted: readonly Candidate[], minP: number): readonly Candidate[] {
  if (minP <= 0) return sorted
  const least = (sorted[0]?.logit ?? 0) + Math.log(minP)
  return sorted.filter(({ logit }, index) => index === 0 || logit >= least)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
