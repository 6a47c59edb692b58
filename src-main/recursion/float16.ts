// IEEE 754 binary16, which the language has no portable typed array for yet.

const scratch = new DataView(new ArrayBuffer(4))

/** The nearest half-precision number's bits; ties go to the even one. */
export function toFloat16(value: number): number {
  scratch.setFloat32(0, value)
  const bits = scratch.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const exponent = (bits >>> 23) & 0xff
  const fraction = bits & 0x7fffff
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200)
  const half = exponent - 112
  if (half >= 31) return sign | 0x7c00
  if (half <= 0) {
    // Subnormal: the implicit one becomes explicit, and the result is a multiple of 2^-24.
    const shift = 14 - half
    return shift > 24 ? sign : sign | roundShift(fraction | 0x800000, shift)
  }
  // A carry out of the fraction moves into the exponent, as it should.
  return sign + (half << 10) + roundShift(fraction, 13)
}

/** bits / 2^shift, to nearest, ties to even. */
function roundShift(bits: number, shift: number): number {
  const quotient = bits >>> shift
  const rest = bits & ((1 << shift) - 1)
  const middle = 1 << (shift - 1)
  return rest > middle || (rest === middle && (quotient & 1) === 1) ? quotient + 1 : quotient
}

export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
