import { createHash } from 'node:crypto'
import { verifyStrict } from './ed25519.ts'

const GENERATION_MAX = 16_384

// Digests of what was found good, in two generations: the older one is dropped when the younger is full.
let younger = new Set<string>()
let older = new Set<string>()

/**
 * The answer of `verifyStrict`, which is asked once for each (key, message, signature) that it finds good, as in Bitcoin
 * Core's signature cache: a trade comes by gossip, and again with the histories of both its hosts. What is bad is
 * remembered by nobody: whoever sends it is. Never throws.
 */
export function verifyRemembering(publicKeyHex: string, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || publicKeyHex.length !== 64) return false
  const digest = createHash('sha256').update(publicKeyHex).update(signature).update(message).digest('base64')
  if (younger.has(digest) || older.has(digest)) return true
  if (!verifyStrict(publicKeyHex, message, signature)) return false
  if (younger.size >= GENERATION_MAX) {
    older = younger
    younger = new Set()
  }
  younger.add(digest)
  return true
}
