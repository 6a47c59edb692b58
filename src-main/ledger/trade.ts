import { hexFromBytes, MAX_AMOUNT_TRM as U64_MAX, verifyStrict } from '../kernel/index.ts'
import { digest } from './hash.ts'
import type { SignedTrade, TradeTerms } from './types.ts'

const V2_PREFIX = 0x02
/** Two keys and three u64. */
const FIXED_BYTES = 88
const NONCE_BYTES = 16
const MODEL_ID_MAX_BYTES = 256

function assertNodeId(nodeId: string, role: string): void {
  if (!/^[0-9a-f]{64}$/.test(nodeId)) throw new RangeError(`the ${role} is not a node id`)
}

function modelIdLength(modelId: string): number {
  // A lone surrogate would be encoded as U+FFFD: two different ids would sign the same bytes.
  if (!modelId.isWellFormed()) throw new RangeError('the model id is not well-formed text')
  const length = Buffer.byteLength(modelId)
  if (length < 1 || length > MODEL_ID_MAX_BYTES) {
    throw new RangeError(`the model id must have 1 to ${MODEL_ID_MAX_BYTES} bytes`)
  }
  return length
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
  const { provider, consumer, modelId, nonce } = terms
  assertNodeId(provider, 'provider')
  assertNodeId(consumer, 'consumer')
  const numbers = [terms.amountTrm, terms.tokensProcessed, terms.timestampMs]
  if (numbers.some((value) => value < 0n || value > U64_MAX))
    throw new RangeError('a number does not fit u64')
  const v2 = !isZeroNonce(nonce)
  const length = FIXED_BYTES + modelIdLength(modelId) + (v2 ? 1 + NONCE_BYTES : 0)
  // Memory of its own, not a piece of Buffer's pool: it is sent to the projection's thread.
  const out = Buffer.allocUnsafeSlow(length)
  let at = v2 ? out.writeUInt8(V2_PREFIX, 0) : 0
  at += out.write(provider, at, 'hex')
  at += out.write(consumer, at, 'hex')
  const view = new DataView(out.buffer)
  for (const value of numbers) {
    view.setBigUint64(at, value, true)
    at += 8
  }
  at += out.write(modelId, at, 'utf8')
  if (v2) out.set(nonce, at)
  return new Uint8Array(out.buffer)
}

/** SHA-256 of the canonical bytes: the trade id and the Merkle leaf (spec section 2.6). */
export function tradeLeafHash(terms: TradeTerms): Uint8Array {
  return digest(canonicalTradeBytes(terms))
}

export function nonceKey(terms: Pick<TradeTerms, 'nonce'>): string {
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
