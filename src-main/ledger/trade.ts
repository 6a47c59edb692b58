import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  sha256,
  u64le,
  utf8,
  verifyStrict,
} from '../kernel/index.ts'
import type { SignedTrade, TradeTerms } from './types.ts'

const V2_PREFIX = Uint8Array.of(0x02)
const NONCE_BYTES = 16
const MODEL_ID_MAX_BYTES = 256

function nodeIdBytes(nodeId: string, role: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(nodeId)) throw new RangeError(`the ${role} is not a node id`)
  return bytesFromHex(nodeId)
}

function modelIdBytes(modelId: string): Uint8Array {
  // A lone surrogate would be encoded as U+FFFD: two different ids would sign the same bytes.
  if (!modelId.isWellFormed()) throw new RangeError('the model id is not well-formed text')
  const bytes = utf8(modelId)
  if (bytes.length < 1 || bytes.length > MODEL_ID_MAX_BYTES) {
    throw new RangeError(`the model id must have 1 to ${MODEL_ID_MAX_BYTES} bytes`)
  }
  return bytes
}

export function isZeroNonce(nonce: Uint8Array): boolean {
  return nonce.every((byte) => byte === 0)
}

/**
 * The bytes that both parties sign and that the Merkle leaf hashes (spec section 2.3): layout v2, or v1 when the
 * nonce is all zero. v1 is for checking imported trades; the ledger books v2 only.
 * @throws RangeError when a key, amount (whole TRM), nonce or model id does not fit the layout
 */
export function canonicalTradeBytes(terms: TradeTerms): Uint8Array {
  if (terms.nonce.length !== NONCE_BYTES) throw new RangeError(`a nonce has ${NONCE_BYTES} bytes`)
  const v1 = concatBytes(
    nodeIdBytes(terms.provider, 'provider'),
    nodeIdBytes(terms.consumer, 'consumer'),
    u64le(terms.amountTrm),
    u64le(terms.tokensProcessed),
    u64le(terms.timestampMs),
    modelIdBytes(terms.modelId),
  )
  return isZeroNonce(terms.nonce) ? v1 : concatBytes(V2_PREFIX, v1, terms.nonce)
}

/** SHA-256 of the canonical bytes: the trade id and the Merkle leaf (spec section 2.6). */
export function tradeLeafHash(terms: TradeTerms): Uint8Array {
  return sha256(canonicalTradeBytes(terms))
}

export function nonceKey(terms: TradeTerms): string {
  return hexFromBytes(terms.nonce)
}

/** Both signatures under the strict rule (spec section 2.4). Never throws on bad signatures. */
export function verifySignatures(trade: SignedTrade): { providerValid: boolean; consumerValid: boolean } {
  const bytes = canonicalTradeBytes(trade.terms)
  return {
    providerValid: verifyStrict(trade.terms.provider, bytes, trade.providerSignature),
    consumerValid: verifyStrict(trade.terms.consumer, bytes, trade.consumerSignature),
  }
}
