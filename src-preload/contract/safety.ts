import { z } from 'zod'

const Count = z.number().int().nonnegative()
const TimestampMs = Count
const Trm = z.string().regex(/^-?\d{1,40}$/)
const NodeId = z.string().regex(/^[0-9a-f]{64}$/)
const Fraction = z.number().min(0)

const TrmGauge = z.object({ used: Trm, limit: Trm, fullness: Fraction })

/** How much of every limit one account has used. */
export const CallerSafety = z.object({
  nodeId: NodeId,
  /** What the owner called the key; empty where he did not. */
  label: z.string(),
  /** `window`, `local`: keys of the owner; `guest`: one that he gave away. */
  kind: z.enum(['window', 'local', 'guest']),
  hourTrm: TrmGauge,
  lifetimeTrm: TrmGauge,
  /** Part of both: held for answers that are being written. */
  heldTrm: Trm,
  requestLimitTrm: Trm,
  /** Above this the owner is asked first; null: never. */
  approvalThresholdTrm: Trm.nullable(),
  /** Requests of the last minute; a limit of null counts none. */
  attempts: z.object({ used: Count, limit: Count.nullable() }),
  /** Failed answers in a row, and how many stop the account. */
  errors: z.object({ used: Count, limit: Count }),
  /** Null while the account may spend. */
  breaker: z
    .object({
      cause: z.enum(['errors', 'velocity']),
      trippedAtMs: TimestampMs,
      /** When it goes on by itself. */
      resetsAtMs: TimestampMs,
    })
    .nullable(),
})
export type CallerSafety = z.infer<typeof CallerSafety>

export const SafetyView = z.object({
  killSwitch: z.object({
    active: z.boolean(),
    /** Null while it is off. */
    reason: z.string().nullable(),
    activatedAtMs: TimestampMs.nullable(),
    /** Where it was switched on: `owner` is the window. */
    operator: z.string().nullable(),
  }),
  /** Those that have spent or may spend: the owner's first, then guests as they were given keys. */
  callers: z.array(CallerSafety),
  /** Above zero the clock has gone back and every budget stands still. */
  clockBehindMs: Count,
})
export type SafetyView = z.infer<typeof SafetyView>

/** Every answer is the whole view. */
export const safetyProcedures = {
  'safety.get': { input: z.strictObject({}), output: SafetyView },
  /** Lets an account go on that was stopped after errors or haste. */
  'safety.reset': { input: z.strictObject({ nodeId: NodeId }), output: SafetyView },
  /** After a wrong date was corrected: budgets count from now on. */
  'safety.acceptClock': { input: z.strictObject({}), output: SafetyView },
} as const
