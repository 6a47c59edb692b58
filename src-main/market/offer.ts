import { z } from 'zod'
import { MAX_AMOUNT_TRM } from '../kernel/index.ts'

export const NodeId = z.string().regex(/^[0-9a-f]{64}$/)
export const Hash = z.string().regex(/^[0-9a-f]{64}$/)
export const Signature = z.string().regex(/^[0-9a-f]{128}$/)
export const Nonce = z
  .string()
  .regex(/^[0-9a-f]{32}$/)
  .refine((nonce) => !/^0+$/.test(nonce))
/** Unsigned 64-bit number as a decimal string: JSON numbers lose digits. */
export const U64 = z
  .string()
  .regex(/^(0|[1-9]\d{0,19})$/)
  .transform((digits) => BigInt(digits))
  .refine((value) => value <= MAX_AMOUNT_TRM)
export const Count = z.number().int().nonnegative().max(1e12)
/** As Tirami restricts names (spec section 2.9), a little longer. */
export const ModelId = z.string().regex(/^[a-z0-9\-_:.]{1,64}$/)

/** What 10⁹ FLOP cost, in millionths of a TRM, and the fee on it, in millionths. */
export const Price = z.strictObject({
  /** 0.01 to 100 times the base price (spec section 2.9). */
  multiplierMicro: U64.refine((value) => value >= 10_000n && value <= 100_000_000n),
  feeMicro: U64.refine((value) => value <= 1_000_000n),
})
export type Price = z.output<typeof Price>

/** What a token costs in FLOP: equal layers that follow each other stand together. */
export const ModelCost = z.strictObject({
  activeMatmulParameters: U64,
  layers: z
    .array(
      z.strictObject({
        count: z.number().int().min(1).max(4096),
        headCount: z.number().int().min(0).max(65_536),
        keyLength: z.number().int().min(0).max(1_048_576),
        valueLength: z.number().int().min(0).max(1_048_576),
        windowTokens: z.number().int().min(1).nullable(),
      }),
    )
    .max(256),
})
export type ModelCost = z.output<typeof ModelCost>

export const ModelOffer = z.strictObject({
  id: ModelId,
  contextTokens: z.number().int().min(1).max(100_000_000),
  cost: ModelCost,
  /** How it writes tool calls; null: it takes no tools. */
  toolCallFormat: z.enum(['hermes', 'llama3-json', 'mistral']).nullable(),
  /** A model too small for real work. */
  demonstration: z.boolean(),
  /** SHA-256 of the GGUF file that is served: the host stands by it. Null: it names none, and cannot be audited. */
  weights: Hash.nullable(),
})
export type ModelOffer = z.output<typeof ModelOffer>

/**
 * What a host says of itself to everybody (spec section 2.9, there unsigned). It travels in an envelope: who said it and
 * when is the envelope's to tell.
 */
export const PriceSignal = z.strictObject({
  kind: z.literal('signal'),
  /** Milliseconds since the Unix epoch; afterwards nobody is to rely on it. */
  expiresAtMs: z.number().int().positive(),
  /** Where it can be reached, as multiaddresses. */
  addresses: z.array(z.string().max(256)).max(8),
  features: z.array(z.string().regex(/^[a-z0-9\-_:.]{1,64}$/)).max(32),
  price: Price,
  models: z.array(ModelOffer).max(16),
  load: z.strictObject({ running: Count, queued: Count, slots: Count }),
  /** Its own guess of the time to the first token. */
  latencyHintMs: z.number().nonnegative().max(3_600_000),
  /** The trades with other hosts that it has booked: how many, and the RFC 6962 root over their signed bytes. */
  log: z.strictObject({ size: Count, rootHex: Hash }),
})
export type PriceSignal = z.output<typeof PriceSignal>

/** Longest that a signal may claim to hold. */
export const SIGNAL_LIFE_MAX_MS = 120_000

const priceJson = ({ multiplierMicro, feeMicro }: Price) => ({
  multiplierMicro: String(multiplierMicro),
  feeMicro: String(feeMicro),
})

export function signalJson(signal: PriceSignal): object {
  const models = signal.models.map(({ cost, ...model }) => ({
    ...model,
    cost: { ...cost, activeMatmulParameters: String(cost.activeMatmulParameters) },
  }))
  return { ...signal, price: priceJson(signal.price), models }
}

/** What a job costs. Both sides compute it: a bill is checked, not believed. */
export interface Tariff {
  /** TRM for a prompt and an answer of so many tokens, nothing of it kept from before. */
  costTrm(cost: ModelCost, price: Price, promptTokens: number, completionTokens: number): bigint
}

export const isDearer = (price: Price, limit: Price): boolean =>
  price.multiplierMicro > limit.multiplierMicro || price.feeMicro > limit.feeMicro

export { priceJson }
