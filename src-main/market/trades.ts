import { z } from 'zod'
import { bytesFromHex, hexFromBytes, type KeyPair, verifyRemembering, verifyStrict } from '../kernel/index.ts'
import { canonicalTradeBytes, type SignedTrade, type TradeTerms, tradeLeafHash } from '../ledger/index.ts'
import { ModelId, NodeId, Nonce, Signature, U64 } from './offer.ts'

/** A trade with both signatures as it travels. */
export const WireTrade = z.strictObject({
  provider: NodeId,
  consumer: NodeId,
  amountTrm: U64,
  tokensProcessed: U64,
  timestampMs: U64,
  modelId: ModelId,
  nonce: Nonce,
  providerSignature: Signature,
  consumerSignature: Signature,
})

export function wireTrade({ terms, providerSignature, consumerSignature }: SignedTrade) {
  return {
    ...terms,
    amountTrm: String(terms.amountTrm),
    tokensProcessed: String(terms.tokensProcessed),
    timestampMs: String(terms.timestampMs),
    nonce: hexFromBytes(terms.nonce),
    providerSignature: hexFromBytes(providerSignature),
    consumerSignature: hexFromBytes(consumerSignature),
  }
}

export function tradeFromWire(wire: z.output<typeof WireTrade>): SignedTrade {
  const { providerSignature, consumerSignature, nonce, ...terms } = wire
  return {
    terms: { ...terms, nonce: bytesFromHex(nonce) },
    providerSignature: bytesFromHex(providerSignature),
    consumerSignature: bytesFromHex(consumerSignature),
  }
}

/** Two parties, an amount, and both signatures under exactly these terms. */
export function isSound({ terms, providerSignature, consumerSignature }: SignedTrade): boolean {
  if (terms.provider === terms.consumer || terms.amountTrm <= 0n) return false
  const bytes = canonicalTradeBytes(terms)
  return (
    verifyRemembering(terms.provider, bytes, providerSignature) &&
    verifyRemembering(terms.consumer, bytes, consumerSignature)
  )
}

export const tradeIdOf = (terms: TradeTerms): string => hexFromBytes(tradeLeafHash(terms))

export const signTerms = (key: KeyPair, terms: TradeTerms): Uint8Array => key.sign(canonicalTradeBytes(terms))

export const hasSigned = (nodeId: string, terms: TradeTerms, signature: Uint8Array): boolean =>
  verifyStrict(nodeId, canonicalTradeBytes(terms), signature)

/** One job: of its checkpoints, which share the nonce, one is booked. */
export const jobKey = ({ provider, nonce }: Pick<TradeTerms, 'provider' | 'nonce'>): string =>
  `${provider}:${hexFromBytes(nonce)}`
