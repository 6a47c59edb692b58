import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  type KeyPair,
  sha256,
  utf8,
  verifyStrict,
} from '../kernel/index.ts'

const DOMAIN = utf8('tirami-transcript-v1\0')

/** An answer as it came, with its provider's signature under it: evidence for third parties. */
export interface Transcript {
  /** The signed request as it was sent. */
  begin: Uint8Array
  /** Every piece as it was sent, in order. */
  pieces: readonly Uint8Array[]
  /** 128 hex digits. */
  signature: string
}

/** One job's request and pieces, folded as they pass: h₀ = SHA-256(begin), hᵢ = SHA-256(hᵢ₋₁ ‖ pieceᵢ). */
export class TranscriptHash {
  #hash: Uint8Array

  constructor(begin: Uint8Array) {
    this.#hash = sha256(begin)
  }

  add(piece: Uint8Array): void {
    this.#hash = sha256(this.#hash, piece)
  }

  sign(key: KeyPair): string {
    return hexFromBytes(key.sign(concatBytes(DOMAIN, this.#hash)))
  }

  isSignedBy(nodeId: string, signature: string): boolean {
    return verifyStrict(nodeId, concatBytes(DOMAIN, this.#hash), bytesFromHex(signature))
  }
}

export function isSignedTranscript(nodeId: string, { begin, pieces, signature }: Transcript): boolean {
  const hash = new TranscriptHash(begin)
  for (const piece of pieces) hash.add(piece)
  return hash.isSignedBy(nodeId, signature)
}
