/** 1 TRM is the account of 10^9 floating-point operations (spec section 2.1). */
export const FLOP_PER_TRM = 1_000_000_000n

/** Largest amount that Tirami's signed bytes can carry (u64). */
export const MAX_AMOUNT_TRM = (1n << 64n) - 1n

/**
 * TRM for `flop` floating-point operations, rounded up, at a market multiplier.
 * The multiplier is taken in millionths so that the result is exact.
 */
export function trmFromFlop(flop: bigint, multiplierMicro = 1_000_000n): bigint {
  if (flop < 0n || multiplierMicro < 0n) throw new RangeError('FLOP and multiplier must not be negative')
  const denominator = FLOP_PER_TRM * 1_000_000n
  return (flop * multiplierMicro + denominator - 1n) / denominator
}
