const NORMAL_QUANTILE = 1.959963984540054

/** A mean with its 95 % interval. */
export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
}

/**
 * Difference of two proportions over the same trials, `a` minus `b`, with the adjusted Wald interval of Agresti and Min
 * (2005): half a trial is added to each of the four cells.
 */
export function pairedDifference(a: readonly (0 | 1)[], b: readonly (0 | 1)[]): Estimate {
  if (a.length !== b.length || a.length === 0)
    throw new RangeError('the outcomes are not those of the same trials')
  let [onlyA, onlyB] = [0, 0]
  for (const [i, outcome] of a.entries()) {
    onlyA += Number(outcome > (b[i] ?? 0))
    onlyB += Number(outcome < (b[i] ?? 0))
  }
  const count = a.length + 2
  const centre = (onlyA - onlyB) / count
  const variance = (onlyA + onlyB + 1 - (onlyA - onlyB) ** 2 / count) / count ** 2
  const spread = NORMAL_QUANTILE * Math.sqrt(variance)
  return {
    value: (onlyA - onlyB) / a.length,
    low: Math.max(-1, centre - spread),
    high: Math.min(1, centre + spread),
  }
}
