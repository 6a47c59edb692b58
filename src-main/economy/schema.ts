import { z } from 'zod'

/** 32 bytes as 64 lower-case hex digits: node ids, loan ids, hashes. */
export const Hex32 = z.string().regex(/^[0-9a-f]{64}$/)
/** 64-byte Ed25519 signature. */
export const SignatureHex = z.string().regex(/^[0-9a-f]{128}$/)
/** Whole TRM or shares as decimal digits: JSON numbers are exact only to 2^53. */
export const WholeText = z.string().regex(/^(0|[1-9]\d{0,39})$/)
export const Millis = z.number().int().nonnegative()
export const Count = z.number().int().nonnegative()
/** Reputations, scores and shares. */
export const Fraction = z.number().min(0).max(1)

/** Decimal digits on disk, bigint in memory. */
export const Whole = z.codec(WholeText, z.bigint().nonnegative(), {
  decode: (digits) => BigInt(digits),
  encode: (value) => value.toString(),
})
