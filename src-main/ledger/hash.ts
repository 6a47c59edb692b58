import { hash } from 'node:crypto'

/**
 * SHA-256 of one piece. Replay hashes six times per trade, so it is taken in one call and as a string: a hash object or
 * a fresh ArrayBuffer per digest costs three times as much.
 */
export function digest(bytes: Uint8Array): Uint8Array {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'latin1')
}
