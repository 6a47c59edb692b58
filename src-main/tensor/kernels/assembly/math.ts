// Vector mathematics from IEEE-754 basic operations only, so that every machine gets the same bits.

/**
 * e^x, relative error below 3e-7: x = n·ln 2 + r with |r| <= ln 2 / 2, a degree-6 Taylor-like polynomial (Cephes
 * `expf` coefficients) for e^r, and 2^n put together from its exponent bits. Clamped to [-87, 88]. Adding 1.5·2^23
 * rounds to n and leaves n in the low bits, which costs less than `nearest` and a conversion that saturates.
 */
export function exp4(x: v128): v128 {
  const clamped = f32x4.pmax(f32x4.pmin(x, f32x4.splat(88.0)), f32x4.splat(-87.0))
  const shifter = f32x4.splat(12582912)
  const shifted = f32x4.add(f32x4.mul(clamped, f32x4.splat(Mathf.LOG2E)), shifter)
  const n = f32x4.sub(shifted, shifter)
  // ln 2 split in two so that n·ln 2 is subtracted without rounding (Cody and Waite).
  let r = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375)))
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.1219444e-4)))
  let p = f32x4.splat(1.98756915e-4)
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1))
  p = f32x4.add(f32x4.mul(f32x4.mul(p, r), r), f32x4.add(r, f32x4.splat(1)))
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(0x3f800000)))
}

/** Sum of the four lanes, in a fixed order. */
export function sumLanes(x: v128): f32 {
  const low = f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)
  const high = f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3)
  return low + high
}

/** Largest of the four lanes. */
export function maxLanes(x: v128): f32 {
  const pairs = f32x4.pmax(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1))
  const low = f32x4.extract_lane(pairs, 0)
  const high = f32x4.extract_lane(pairs, 1)
  return low > high ? low : high
}
