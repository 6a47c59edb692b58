import { z } from 'zod'

const Count = z.number().int().nonnegative()
const TimestampMs = z.number().int().nonnegative()
const Trm = z.string().regex(/^-?\d{1,40}$/)
const TokenHash = z.string().regex(/^[0-9a-f]{64}$/)
const Scope = z.enum(['readonly', 'inference', 'economy', 'admin'])

/** What one key may spend; limits of null do not count. */
const SpendLimits = z.object({
  requestLimitTrm: Trm,
  hourLimitTrm: Trm,
  lifetimeLimitTrm: Trm,
  /** Above this the owner is asked first; null: never. */
  approvalThresholdTrm: Trm.nullable(),
  attemptsPerMinute: Count.nullable(),
})

/** A key that the owner gave to somebody, and what was done with it. */
export const ApiKey = z.object({
  tokenHash: TokenHash,
  label: z.string(),
  scope: Scope,
  createdAtMs: TimestampMs,
  expiresAtMs: TimestampMs.nullable(),
  /** Replaced by another key and valid only until it expires. */
  retiring: z.boolean(),
  /** Account behind the key. */
  nodeId: z.string(),
  spentTrm: Trm,
  /** Below zero: spent on the credit that the owner gave. */
  balanceTrm: Trm,
  hourTrm: z.object({ used: Trm, limit: Trm, fullness: z.number().min(0) }),
  lifetimeTrm: z.object({ used: Trm, limit: Trm, fullness: z.number().min(0) }),
  limits: SpendLimits,
  /** Why the key may not spend now; null while it may. */
  stopped: z.string().nullable(),
})
export type ApiKey = z.infer<typeof ApiKey>

export const KeysView = z.object({ keys: z.array(ApiKey) })
export type KeysView = z.infer<typeof KeysView>

export const keyProcedures = {
  'keys.list': { input: z.strictObject({}), output: KeysView },
  /** The token is shown once and kept nowhere. */
  'keys.issue': {
    input: z.strictObject({
      label: z.string().min(1).max(128),
      scope: Scope,
      days: z.number().int().min(1).max(3650).nullable(),
    }),
    output: KeysView.extend({ token: z.string() }),
  },
  'keys.revoke': { input: z.strictObject({ tokenHash: TokenHash }), output: KeysView },
  'keys.limit': { input: z.strictObject({ tokenHash: TokenHash, limits: SpendLimits }), output: KeysView },
  /** Lets a key go on that was stopped after errors or haste. */
  'keys.reset': { input: z.strictObject({ tokenHash: TokenHash }), output: KeysView },
} as const
