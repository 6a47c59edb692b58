import { z } from 'zod'

const Count = z.number().int().nonnegative()
const TimestampMs = Count
const Trm = z.string().regex(/^-?\d{1,40}$/)
const Hex32 = z.string().regex(/^[0-9a-f]{64}$/)

/** One audit, as this host judged it. */
export const AuditResult = z.object({
  /** SHA-256 of the signed request. */
  auditId: Hex32,
  atMs: TimestampMs,
  challenger: Hex32,
  provider: Hex32,
  model: z.string(),
  /** SHA-256 of the model file that the provider stood by. */
  weights: Hex32,
  /** `suspected`: the first failing probe, which costs nothing yet; `failed`: a second one confirms it. */
  verdict: z.enum(['passed', 'suspected', 'failed', 'inconclusive']),
  /** Compared by log-probabilities, or by its text alone. */
  probe: z.enum(['logprobs', 'text']),
  /** Tokens that were compared. */
  tokens: Count,
  /** Mean difference of log-probabilities, in nats. */
  meanDeltaNats: z.number().nullable(),
  /** How much less probable the token was at which the answers part, in nats. */
  partedNats: z.number().nullable(),
  /** Paid for the answer; 0: another host paid. */
  costTrm: Trm,
  /** Of the provider's stake that was on this host's books. */
  burnedTrm: Trm,
  sentence: z.string(),
})
export type AuditResult = z.infer<typeof AuditResult>

export const AuditsView = z.object({
  /** What this host may spend on audits in 24 hours, and has spent; 0: it makes none. */
  budgetTrmPerDay: Trm,
  spentTrm: Trm,
  /** Every model that another host offers. */
  offers: z.array(
    z.object({
      nodeId: Hex32,
      model: z.string(),
      weights: Hex32.nullable(),
      /** `not-held`: not auditable here, this host has not that file; `unnamed`: the other one names no file. */
      state: z.enum(['auditable', 'not-held', 'unnamed']),
      tier: z.enum(['unverified', 'probationary', 'established', 'trusted']),
      passed: Count,
      failed: Count,
      /** It failed its last audit of this file: it is not asked for it. */
      excluded: z.boolean(),
      /** It failed a probe of this file and no second one yet: others are asked first. */
      suspected: z.boolean(),
    }),
  ),
  /** Newest first, at most 100. */
  results: z.array(AuditResult),
})
export type AuditsView = z.infer<typeof AuditsView>

export const auditProcedures = {
  'mesh.audits': { input: z.strictObject({}), output: AuditsView },
  /** Audits one host now, whatever its tier. */
  'mesh.audit': {
    input: z.strictObject({ nodeId: Hex32, model: z.string().min(1).max(64) }),
    output: AuditResult,
  },
} as const
