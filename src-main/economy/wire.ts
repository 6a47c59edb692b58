/** Big-endian fields of Tirami's loan and observation layouts (trades are little-endian: see the ledger). */
export function u64be(value: bigint): Uint8Array {
  if (value < 0n || value >= 1n << 64n) throw new RangeError('value does not fit 64 unsigned bits')
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, value)
  return out
}

/** IEEE 754 double, big-endian. */
export function f64be(value: number): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setFloat64(0, value)
  return out
}
