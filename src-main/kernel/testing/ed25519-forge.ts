import { createHash } from 'node:crypto'
import { Point } from '@noble/ed25519'
import { bytesFromHex, concatBytes, hexFromBytes, sha256, utf8 } from '../bytes.ts'

/** Order of the base point (RFC 8032 section 5.1). */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n
/** Order of the field. */
export const P = 2n ** 255n - 19n

/** Little-endian. */
export function numberFrom(bytes: Uint8Array): bigint {
  return BigInt(`0x${hexFromBytes(bytes.slice().reverse())}`)
}

/** Little-endian, of any value below 2^256. */
export function bytes32(value: bigint): Uint8Array {
  return bytesFromHex(value.toString(16).padStart(64, '0')).reverse()
}

export interface Signed {
  key: Uint8Array
  message: Uint8Array
  signature: Uint8Array
}

export const pointOf = (signed: Signed): Uint8Array => signed.signature.subarray(0, 32)
export const scalarOf = (signed: Signed): bigint => numberFrom(signed.signature.subarray(32))

/** 1 to L - 1, always the same for the same name. */
export function secretScalar(name: string): bigint {
  const wide = concatBytes(sha256(utf8(`${name}/low`)), sha256(utf8(`${name}/high`)))
  return (numberFrom(wide) % (L - 1n)) + 1n
}

/** SHA-512(R ‖ A ‖ M) mod L. */
export function challenge(R: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return numberFrom(createHash('sha512').update(R).update(key).update(message).digest()) % L
}

const times = (point: Point, scalar: bigint): Point => point.multiply(scalar, false)

const ORDER_8 = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')
/** `SMALL[i]` is i times a point of order 8. */
export const SMALL: readonly Point[] = Array.from({ length: 8 }, (_, index) => times(ORDER_8, BigInt(index)))

export interface SmallEncoding {
  bytes: Uint8Array
  /** Position in `SMALL` of the point that a lenient decoder reads. */
  index: number
}

/** Every encoding of a point of small order that RFC 8032 section 5.1.3 refuses: y not below p, or −0 for x. */
export const NON_CANONICAL_SMALL: readonly SmallEncoding[] = [P, P + 1n, 1n, P - 1n].flatMap((y) =>
  [y, y + 2n ** 255n].flatMap((value) => {
    const bytes = bytes32(value)
    const point = lenient(bytes)
    const index = point ? SMALL.findIndex((small) => small.equals(point)) : -1
    return index < 0 || isCanonical(bytes) ? [] : [{ bytes, index }]
  }),
)

/** As ZIP-215 decodes: y may be p or more, x may be −0. */
function lenient(bytes: Uint8Array): Point | null {
  try {
    return Point.fromBytes(bytes, true)
  } catch {
    return null
  }
}

export function isCanonical(bytes: Uint8Array): boolean {
  const point = lenient(bytes)
  return point !== null && Buffer.from(point.toBytes()).equals(bytes)
}

export function isSmall(bytes: Uint8Array): boolean {
  return lenient(bytes)?.isSmallOrder() ?? false
}

/** Has the point a part of small order besides one of large order? */
export function isMixed(bytes: Uint8Array): boolean {
  const point = lenient(bytes)
  return point !== null && !point.isSmallOrder() && !point.isTorsionFree()
}

export interface Equations {
  /** [S]B = R + [k]A. */
  cofactorless: boolean
  /** [8][S]B = [8](R + [k]A). */
  cofactored: boolean
  /** [8 S]B = [8]R + [8 k mod L]A, which is not the same on points of mixed order. */
  prereduced: boolean
}

/** The equations themselves, by slow arithmetic, on whatever the encodings decode to leniently. */
export function equations(
  signed: Signed,
  k = challenge(pointOf(signed), signed.key, signed.message),
): Equations {
  const [A, R] = [lenient(signed.key), lenient(pointOf(signed))]
  if (!A || !R) return { cofactorless: false, cofactored: false, prereduced: false }
  const left = times(Point.BASE, scalarOf(signed) % L)
  const right = R.add(times(A, k))
  const eight = (point: Point) => point.clearCofactor()
  return {
    cofactorless: left.equals(right),
    cofactored: eight(left).equals(eight(right)),
    prereduced: eight(left).equals(eight(R).add(times(A, (8n * k) % L))),
  }
}

/** The rule of `verifyStrict`, word for word and slow. */
export function strictByDefinition(signed: Signed): boolean {
  const encodings = [signed.key, pointOf(signed)]
  if (!encodings.every((bytes) => isCanonical(bytes) && !isSmall(bytes))) return false
  return scalarOf(signed) < L && equations(signed).cofactorless
}

export interface Recipe {
  /** Seeds everything that is random. */
  name: string
  /** Discrete logarithm of the large part of A; 0 leaves only the small part. */
  a: bigint
  r: bigint
  /** Positions in `SMALL` of the parts of small order. */
  smallOfA: number
  smallOfR: number
  /** Encodings that stand in the key and the signature instead of the canonical ones. */
  encodedA?: Uint8Array
  encodedR?: Uint8Array
  /** The challenge is computed over the canonical encodings instead of the ones that are sent. */
  hashesCanonical?: boolean
  /** Tried on one message after the other until it holds. */
  wanted?: (k: bigint) => boolean
  addedToS?: bigint
}

/** Does the part of small order of R + [k]A vanish? */
export const smallPartsCancel = ({ smallOfA, smallOfR }: Recipe, k: bigint): boolean =>
  (BigInt(smallOfR) + k * BigInt(smallOfA)) % 8n === 0n

/** A signature by someone who knows all logarithms and picks message, A and R as he likes. */
export function forge(recipe: Recipe): Signed & { k: bigint } {
  const { name, a, r, smallOfA, smallOfR, wanted = () => true, addedToS = 0n } = recipe
  const canonical = (scalar: bigint, small: number) =>
    times(Point.BASE, scalar)
      .add(SMALL[small % 8] as Point)
      .toBytes()
  const [canonicalA, canonicalR] = [canonical(a, smallOfA), canonical(r, smallOfR)]
  const key = recipe.encodedA ?? canonicalA
  const R = recipe.encodedR ?? canonicalR
  for (let number = 0; ; number++) {
    const message = utf8(`${name} ${number}`)
    const k = recipe.hashesCanonical ? challenge(canonicalR, canonicalA, message) : challenge(R, key, message)
    if (!wanted(k)) continue
    const S = ((r + k * a) % L) + addedToS
    return { key, message, signature: concatBytes(R, bytes32(S)), k }
  }
}
