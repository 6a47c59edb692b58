import { z } from 'zod'
import { GuardrailName, ThermostatChange, ThermostatCode } from '../../src-preload/contract/index.ts'

const Millis = z.number().int().nonnegative()
const Amount = z.number().nonnegative().max(1e15)

const Params = z.record(z.string().max(32), z.union([z.number(), z.string().max(64)]))

/** What the thermostat decides. */
export const DepthSettings = z.strictObject({
  innerCycles: z.number().int().positive(),
  outerSteps: z.number().int().positive(),
  haltThreshold: z.number().min(0).max(1),
  concurrency: z.number().int().positive(),
})
export type DepthSettings = z.infer<typeof DepthSettings>

const figures = {
  /** The owner's own use: no income, so no part of the return. */
  ownKey: z.boolean(),
  value: Amount.nullable(),
  cost: Amount.nullable(),
  energySource: z.enum(['measured', 'declared']).nullable(),
  /** Null where it is not known; missing in events of earlier versions, as is the amount. */
  energyJ: Amount.nullable().exactOptional(),
  amountTrm: z
    .string()
    .regex(/^\d{1,40}$/)
    .exactOptional(),
  /** It did not run at the thermostat's depth: the owner or the caller chose it, or a language model has none. */
  forced: z.boolean(),
}

/** A job has ended. Amounts are in the owner's currency, null where they are not known. */
const JobEvent = z.strictObject({
  kind: z.literal('earning.job'),
  atMs: Millis,
  /** False: the host failed it. */
  ok: z.boolean(),
  /** What was reported made no sense; the numbers here are then zero. */
  valid: z.boolean(),
  latencyMs: Amount,
  /** Network calls. */
  cycles: z.number().int().nonnegative(),
  /** Its energy is still being measured: an ‘earning.cost’ follows. */
  pending: z.boolean(),
  ...figures,
})
export type JobEvent = z.infer<typeof JobEvent>

/** What a job that ended earlier has cost. */
const CostEvent = z.strictObject({
  kind: z.literal('earning.cost'),
  atMs: Millis,
  ok: z.boolean(),
  ...figures,
})
export type CostEvent = z.infer<typeof CostEvent>

/** Electricity of work that nobody paid for: it failed, or its reader went away. No job, so no part of the return. */
const UnpaidEvent = z.strictObject({
  kind: z.literal('earning.unpaid'),
  atMs: Millis,
  ownKey: z.boolean(),
  energyJ: Amount,
  energySource: z.enum(['measured', 'declared']),
  /** Null without a price. */
  cost: Amount.nullable(),
})
export type UnpaidEvent = z.infer<typeof UnpaidEvent>

const PausedEvent = z.strictObject({
  kind: z.literal('earning.paused'),
  atMs: Millis,
  guardrail: GuardrailName,
  reason: z.string().min(1).max(256),
  nextStep: z.string().min(1).max(256),
  /** Figures of the guardrail; missing in events of earlier versions, as in those of the thermostat. */
  params: Params.exactOptional(),
})

const ResumedEvent = z.strictObject({ kind: z.literal('earning.resumed'), atMs: Millis })

const AdjustedEvent = z.strictObject({
  kind: z.literal('earning.adjusted'),
  atMs: Millis,
  settings: DepthSettings,
  direction: z.enum(['deeper', 'shallower', 'bounds']),
  /** Full windows at the settings before. */
  windows: z.number().int().nonnegative(),
  /** Windows to wait after this before depth may grow again. */
  holdoffWindows: z.number().int().nonnegative(),
  sentence: z.string().min(1).max(320),
  code: ThermostatCode.exactOptional(),
  params: Params.exactOptional(),
  changes: z.array(ThermostatChange).max(4).exactOptional(),
})
export type AdjustedEvent = z.infer<typeof AdjustedEvent>

/** What the host journals and folds again on start. */
export const EarningEvent = z.discriminatedUnion('kind', [
  JobEvent,
  CostEvent,
  UnpaidEvent,
  PausedEvent,
  ResumedEvent,
  AdjustedEvent,
])
export type EarningEvent = z.infer<typeof EarningEvent>
