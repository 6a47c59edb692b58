import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { Point } from '@noble/ed25519'
import { bytesFromHex, hexFromBytes } from './bytes.ts'

// DER prefixes of RFC 8410 for raw 32-byte Ed25519 keys.
const PKCS8_PREFIX = bytesFromHex('302e020100300506032b657004220420')
const SPKI_PREFIX = bytesFromHex('302a300506032b6570032100')

export interface KeyPair {
  /** 32-byte public key as 64 lower-case hex digits: the node id. */
  publicKeyHex: string
  sign(message: Uint8Array): Uint8Array
}

/** @param seed 32 bytes (RFC 8032 private key). */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  if (seed.length !== 32) throw new RangeError('an Ed25519 seed has 32 bytes')
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return {
    publicKeyHex: hexFromBytes(spki.subarray(SPKI_PREFIX.length)),
    sign: (message) => new Uint8Array(sign(null, message, privateKey)),
  }
}

function decodesToLargeOrderPoint(encoded: Uint8Array): boolean {
  try {
    return !Point.fromBytes(encoded, false).isSmallOrder()
  } catch {
    return false
  }
}

// A point of order 8; its multiples are all points of small order (RFC 7748's curve has cofactor 8).
const ORDER_8_POINT_HEX = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'

/** Canonical encodings of the eight points of small order. */
const SMALL_ORDER_HEX: ReadonlySet<string> = new Set(smallOrderEncodings())

function* smallOrderEncodings(): Generator<string> {
  const generator = Point.fromHex(ORDER_8_POINT_HEX)
  let point = Point.ZERO
  for (let multiple = 0; multiple < 8; multiple++) {
    yield point.toHex()
    point = point.add(generator)
  }
}

// Peers sign many trades; the curve arithmetic on their key is done once.
const acceptedKeys = new Map<string, KeyObject>()
const ACCEPTED_KEYS_MAX = 4096

function acceptedKey(publicKeyHex: string): KeyObject | null {
  const known = acceptedKeys.get(publicKeyHex)
  if (known) return known
  const raw = bytesFromHex(publicKeyHex)
  if (raw.length !== 32 || !decodesToLargeOrderPoint(raw)) return null
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' })
  if (acceptedKeys.size >= ACCEPTED_KEYS_MAX) acceptedKeys.clear()
  acceptedKeys.set(publicKeyHex, key)
  return key
}

/**
 * Strict Ed25519: canonical A and R, neither of small order, cofactorless equation.
 * Agrees with ed25519-dalek `verify_strict`, which Tirami's peers use. Never throws.
 */
export function verifyStrict(publicKeyHex: string, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || !/^[0-9a-f]{64}$/.test(publicKeyHex)) return false
  // The verifier encodes the R it computes and compares bytes: an R that is not canonical never fits, and decoding
  // this one, which is most of the work, would tell nothing more.
  if (SMALL_ORDER_HEX.has(hexFromBytes(signature.subarray(0, 32)))) return false
  const key = acceptedKey(publicKeyHex)
  return key !== null && verify(null, message, key, signature)
}
