import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'
import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  type KeyPair,
  u64le,
  utf8,
  verifyRemembering,
} from '../kernel/index.ts'

/** Version of the messages between nodes; another one is refused politely, never guessed at. */
export const MESH_VERSION = 1

const DOMAIN = utf8('tirami-mesh-v1\0')
const HEAD_BYTES = 1 + 32 + 8 + 64

/** A message that a node stands by, wherever it came from. */
export interface Envelope {
  /** Who signed it: a node id. */
  origin: string
  /** Milliseconds since the Unix epoch at which it was signed; strictly increasing per origin. */
  seq: number
  /** UTF-8 JSON. */
  body: Uint8Array
  /** As it travels: evidence for third parties. */
  bytes: Uint8Array
}

export type Opened =
  | { ok: true; envelope: Envelope }
  | { ok: false; reason: 'malformed' | 'version' | 'signature' }

/**
 * version u8 ‖ origin 32 ‖ seq u64 little-endian ‖ signature 64 ‖ body. The signature is over
 * "tirami-mesh-v1\0" ‖ version ‖ origin ‖ seq ‖ body: no other bytes that the key signs begin like that.
 */
export function sealEnvelope(key: KeyPair, seq: number, message: object): Uint8Array {
  const head = concatBytes(Uint8Array.of(MESH_VERSION), bytesFromHex(key.publicKeyHex), u64le(BigInt(seq)))
  const body = utf8(JSON.stringify(message))
  return concatBytes(head, key.sign(concatBytes(DOMAIN, head, body)), body)
}

/** Checks form, version and signature. Never throws. */
export function openEnvelope(bytes: Uint8Array): Opened {
  if (bytes.length === 0) return { ok: false, reason: 'malformed' }
  if (bytes[0] !== MESH_VERSION) return { ok: false, reason: 'version' }
  if (bytes.length <= HEAD_BYTES) return { ok: false, reason: 'malformed' }
  const own = Uint8Array.from(bytes)
  const head = own.subarray(0, 41)
  const body = own.subarray(HEAD_BYTES)
  const seq = Number(new DataView(own.buffer).getBigUint64(33, true))
  if (!Number.isSafeInteger(seq) || !isUtf8(body)) return { ok: false, reason: 'malformed' }
  const origin = hexFromBytes(own.subarray(1, 33))
  if (!verifyRemembering(origin, concatBytes(DOMAIN, head, body), own.subarray(41, HEAD_BYTES))) {
    return { ok: false, reason: 'signature' }
  }
  return { ok: true, envelope: { origin, seq, body, bytes: own } }
}

/** @returns null for anything that is not JSON of this shape */
export function readBody<Schema extends z.ZodType>(
  schema: Schema,
  body: Uint8Array,
): z.output<Schema> | null {
  try {
    const parsed = schema.safeParse(JSON.parse(new TextDecoder().decode(body)))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
