import { z } from 'zod'
import { EarningSection, ScheduleSection } from './earning.ts'
import { ReasonParams } from './errors.ts'

const Count = z.number().int().nonnegative()
const TimestampMs = Count
/** Amounts of money in the owner's currency: for display and guardrails, never booked. */
const Money = z.number().nonnegative().max(1e12)
const HaltThreshold = z.number().min(0.05).max(0.99)

const Serving = z.strictObject({
  paused: z.boolean().default(false).describe('The host takes no work.'),
  force_full_depth: z
    .boolean()
    .default(false)
    .describe('The thermostat rests and every thought gets the most depth that the bounds allow.'),
})

const Prices = z.strictObject({
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'three capital letters, such as EUR')
    .default('EUR')
    .describe('Currency of all amounts in this file.'),
  per_trm: z
    .number()
    .positive()
    .max(1e6)
    .nullable()
    .default(null)
    .describe('What one TRM is worth to you; without it no return is computed.'),
  per_kwh: Money.max(1e4)
    .nullable()
    .default(null)
    .describe('Price of electricity; without it no cost is computed.'),
})

const ThermostatValues = z.strictObject({
  target_roi: z
    .number()
    .min(-0.9)
    .max(1e6)
    .default(1)
    .describe('Return that depth is spent down to: (value - electricity) / electricity.'),
  hysteresis: z
    .number()
    .min(0.05)
    .max(0.9)
    .default(0.2)
    .describe('Part by which value / electricity may leave its target before anything changes.'),
  window_jobs: z.number().int().min(5).max(500).default(20).describe('Jobs that one decision looks at.'),
  min_inner_cycles: z.number().int().min(1).max(64).default(3).describe('Fewest inner cycles per step.'),
  max_inner_cycles: z.number().int().min(1).max(64).default(8).describe('Most inner cycles per step.'),
  min_outer_steps: z.number().int().min(1).max(64).default(2).describe('Fewest steps per question.'),
  max_outer_steps: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(16)
    .describe('Most steps per question before a council of noisy tries.'),
  min_halt_threshold: HaltThreshold.default(0.45).describe(
    'Least sureness at which thinking stops, where no rule can check the answer.',
  ),
  max_halt_threshold: HaltThreshold.default(0.85).describe('Most sureness that is waited for.'),
  min_concurrency: z.number().int().min(1).max(64).default(1).describe('Fewest thoughts side by side.'),
  max_concurrency: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(6)
    .describe('Most thoughts side by side; never more than the machine has cores.'),
})

const SentinelValues = z.strictObject({
  roi_floor: z
    .number()
    .min(-1)
    .max(1e6)
    .default(0.25)
    .describe('Return below which the host stops; -1 never stops it.'),
  min_samples: z.number().int().min(1).max(200).default(10).describe('Jobs before the return is judged.'),
  roi_window_jobs: z
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .describe('Latest jobs that the return is over.'),
  daily_budget: Money.nullable()
    .default(5)
    .describe('Most electricity cost per day (UTC).')
    .meta({ unset: 'no limit' }),
  max_latency_ms: z
    .number()
    .int()
    .min(1)
    .max(86_400_000)
    .default(900_000)
    .describe('Longest that a job may take, in milliseconds.'),
  max_cycles: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(40_000)
    .describe('Most network calls that one job may spend.'),
  failure_streak: z
    .number()
    .int()
    .min(1)
    .max(100)
    // Above the five of one caller's breaker, which is to stop that caller before all others are stopped with him.
    .default(15)
    .describe('Failures in a row that stop the host.'),
})

const TelemetryValues = z.strictObject({
  max_file_bytes: z
    .number()
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(16_777_216)
    .describe('Size at which a new telemetry file is begun.'),
  max_total_gib: z
    .number()
    .min(0.001)
    .max(1_024)
    .nullable()
    .default(1)
    .describe('Most telemetry that is kept; the oldest files go first.')
    .meta({ unset: 'all of it' }),
  keep_days: z
    .number()
    .int()
    .min(1)
    .max(36_500)
    .nullable()
    .default(null)
    .describe('Days after which telemetry is dropped.')
    .meta({ unset: 'kept as long as there is room' }),
})

const MeshValues = z.strictObject({
  send_prompts: z
    .boolean()
    .default(false)
    .describe(
      'Other hosts may answer what your own keys ask for models that this host does not serve. They can read it.',
    ),
  routing: z
    .enum(['cost', 'balanced', 'quality'])
    .default('balanced')
    .describe('Which host is asked: the cheapest, the one with the best reputation, or something of both.'),
  max_price: z
    .number()
    .min(0.01)
    .max(100)
    .nullable()
    .default(null)
    .describe('Other hosts are asked up to this price, in TRM for a billion floating-point operations.'),
  audit_trm_per_day: z
    .number()
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(1_000)
    .describe(
      'TRM that this host may spend in 24 hours to test whether others serve the model they say; 0: it does not.',
    ),
})

/** What the owner decides: the content of `owner.yaml`. What the file leaves out has its default. */
export const OwnerValues = z
  .strictObject({
    serving: Serving.prefault({}),
    earning: EarningSection.prefault({}),
    schedule: ScheduleSection.prefault({}),
    prices: Prices.prefault({}),
    thermostat: ThermostatValues.prefault({}),
    sentinel: SentinelValues.prefault({}),
    telemetry: TelemetryValues.prefault({}),
    mesh: MeshValues.prefault({}),
  })
  .superRefine((values, context) => {
    const { thermostat, sentinel } = values
    const problem = (path: string[], message: string, params: Record<string, unknown>) =>
      context.addIssue({ code: 'custom', path, message, params })
    for (const knob of ['inner_cycles', 'outer_steps', 'halt_threshold', 'concurrency'] as const) {
      if (thermostat[`min_${knob}`] > thermostat[`max_${knob}`])
        problem(['thermostat', `max_${knob}`], `it is below min_${knob}`, { other: `min_${knob}` })
    }
    if (thermostat.min_inner_cycles * thermostat.min_outer_steps > sentinel.max_cycles)
      problem(['sentinel', 'max_cycles'], 'the least depth of the thermostat is already above it', {
        depth: true,
      })
    if (sentinel.min_samples > sentinel.roi_window_jobs)
      problem(['sentinel', 'roi_window_jobs'], 'it is below min_samples', { other: 'min_samples' })
  })
export type OwnerValues = z.infer<typeof OwnerValues>

/** `section.name` of one value in `owner.yaml`. */
const OwnerKey = z.string().regex(/^[a-z]{1,32}\.[a-z_]{1,32}$/)
const OwnerScalar = z.union([z.boolean(), z.number(), z.string().max(2_048), z.null()])

export const OwnerChange = z.strictObject({ key: OwnerKey, value: OwnerScalar })
export type OwnerChange = z.infer<typeof OwnerChange>

/** One value with what it may be, for a form. */
export const OwnerField = z.object({
  key: OwnerKey,
  type: z.enum(['boolean', 'integer', 'number', 'text']),
  nullable: z.boolean(),
  minimum: z.number().nullable(),
  maximum: z.number().nullable(),
  fallback: OwnerScalar,
  value: OwnerScalar,
  about: z.string(),
  /** What it means that nothing is set, in few words; null where the text above says it. */
  unset: z.string().nullable(),
})
export type OwnerField = z.infer<typeof OwnerField>

/** What can be wrong with the file. Stable: the window has a sentence for each. */
export const OwnerFaultCode = z.enum([
  ...(['missing', 'unreadable', 'too-large', 'documents', 'shape'] as const),
  ...(['tab', 'indent', 'missing-mark', 'duplicate', 'syntax'] as const),
  ...(['unknown', 'section', 'boolean', 'number', 'integer', 'text'] as const),
  ...(['least', 'above', 'most', 'long', 'choice', 'value'] as const),
  ...(['currency', 'windows', 'time', 'time-zone', 'gpus', 'line', 'below-other', 'below-depth'] as const),
])
export type OwnerFaultCode = z.infer<typeof OwnerFaultCode>

/** Why the file is not in force; the last good values are. */
export const OwnerFileProblem = z.object({
  /** From 1; null where the fault is the whole file's. */
  line: z.number().int().positive().nullable(),
  /** English, and the same by code. */
  reason: z.string(),
  code: OwnerFaultCode,
  params: ReasonParams,
})
export type OwnerFileProblem = z.infer<typeof OwnerFileProblem>

/** Why the thermostat's settings are what they are. Stable: the window has a sentence for each. */
export const ThermostatCode = z.enum([
  'unmeasured',
  'forced',
  'too-slow',
  'below-target',
  'above-target',
  'bounds',
])
export type ThermostatCode = z.infer<typeof ThermostatCode>

export const ThermostatKnob = z.enum(['innerCycles', 'outerSteps', 'haltThreshold', 'concurrency'])
export type ThermostatKnob = z.infer<typeof ThermostatKnob>

/** What the last step has moved. */
export const ThermostatChange = z.object({ knob: ThermostatKnob, from: z.number(), to: z.number() })
export type ThermostatChange = z.infer<typeof ThermostatChange>

export const ThermostatView = z.object({
  innerCycles: Count,
  outerSteps: Count,
  haltThreshold: z.number(),
  concurrency: Count,
  forced: z.boolean(),
  /** Why the settings are what they are: English, and the same by code. */
  sentence: z.string(),
  /** Null: an earlier version of the host wrote the sentence, without a code. */
  code: ThermostatCode.nullable(),
  params: ReasonParams,
  changes: z.array(ThermostatChange),
  changedAtMs: TimestampMs.nullable(),
})
export type ThermostatView = z.infer<typeof ThermostatView>

export const ConsoleView = z.object({
  values: OwnerValues,
  fields: z.array(OwnerField),
  problem: OwnerFileProblem.nullable(),
  thermostat: ThermostatView,
})
export type ConsoleView = z.infer<typeof ConsoleView>

export const SentinelLevel = z.enum(['green', 'amber', 'red'])
export type SentinelLevel = z.infer<typeof SentinelLevel>

export const GuardrailName = z.enum([
  'daily_budget',
  'recursion',
  'metrics',
  'latency',
  'roi_floor',
  'failure_streak',
])
export type GuardrailName = z.infer<typeof GuardrailName>

/** What a guardrail reads. Stable: the window has a sentence for each, made of `value` and `limit`. */
export const GuardSentenceCode = z.enum([
  'daily_budget.reading',
  'daily_budget.unlimited',
  'recursion.reading',
  'metrics.reading',
  'latency.reading',
  'latency.unmeasured',
  'roi_floor.reading',
  'roi_floor.unmeasured',
  'failure_streak.reading',
])
export type GuardSentenceCode = z.infer<typeof GuardSentenceCode>

/** Why the sentinel is green, amber or red, and what to do. Amber is only what can come near its limit. */
export const SentinelCode = z.enum([
  'green',
  'amber.daily_budget',
  'amber.latency',
  'amber.roi_floor',
  'amber.failure_streak',
  'red.daily_budget',
  'red.recursion',
  'red.metrics',
  'red.latency',
  'red.roi_floor',
  'red.failure_streak',
])
export type SentinelCode = z.infer<typeof SentinelCode>

export const GuardrailView = z.object({
  name: GuardrailName,
  level: SentinelLevel,
  /** Null: not measured. */
  value: z.number().nullable(),
  /** Null: no limit. */
  limit: z.number().nullable(),
  sentence: z.string(),
  code: GuardSentenceCode,
  params: ReasonParams,
})
export type GuardrailView = z.infer<typeof GuardrailView>

export const SentinelView = z.object({
  level: SentinelLevel,
  reason: z.string(),
  nextStep: z.string(),
  /** Says both to a program; `params` are the figures of the guardrail that decided. */
  code: SentinelCode,
  params: ReasonParams,
  /** Since when it is red. */
  pausedAtMs: TimestampMs.nullable(),
  guardrails: z.array(GuardrailView),
  roi: z.object({
    /** Value / electricity; null: nothing measured yet. */
    gross: z.number().nullable(),
    /** (value - electricity) / electricity. */
    net: z.number().nullable(),
    samples: Count,
    /** How the energy of the samples is known. */
    energy: z.enum(['measured', 'declared', 'mixed', 'unknown']),
  }),
  /** Electricity cost of this UTC day. */
  costToday: z.number(),
  /** Jobs of this day whose electricity is not known: they are not in `costToday`. */
  unmeasuredJobsToday: Count,
  currency: z.string(),
})
export type SentinelView = z.infer<typeof SentinelView>

export const TelemetryKind = z.enum([
  'JobServed',
  'JobEnergy',
  'TRMInference',
  'SentinelStatus',
  'ThermostatUpdate',
  'SimulationSummary',
  'OwnerAction',
  'EthereumLog',
  'TelemetryDropped',
])
export type TelemetryKind = z.infer<typeof TelemetryKind>

export const TelemetryQuery = z.strictObject({
  kinds: z.array(TelemetryKind).min(1).max(16).optional(),
  fromMs: TimestampMs.optional(),
  /** Not included. */
  toMs: TimestampMs.optional(),
  /** Part of the payload's JSON, in any case. */
  text: z.string().min(1).max(200).optional(),
  /** Only events before this one: the `nextBeforeSeq` of the page before. */
  beforeSeq: z.number().int().positive().optional(),
  limit: z.number().int().min(1).max(500).default(100),
})
export type TelemetryQuery = z.infer<typeof TelemetryQuery>

export const TelemetryRecord = z.object({
  ts: z.string(),
  seq: z.number().int().positive(),
  event_type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  prevHash: z.string(),
  hash: z.string(),
})
export type TelemetryRecord = z.infer<typeof TelemetryRecord>

export const TelemetryPage = z.object({
  /** Newest first. */
  events: z.array(TelemetryRecord),
  /** Where the next page begins; null: this was the last. A page may be short, or empty, and not be the last. */
  nextBeforeSeq: z.number().int().positive().nullable(),
})
export type TelemetryPage = z.infer<typeof TelemetryPage>

const None = z.strictObject({})

/** Every answer is the whole view, so that the window never has to guess what a command changed. */
export const stewardshipProcedures = {
  'sentinel.get': { input: None, output: SentinelView },
  /** The owner has looked into why it is red. */
  'sentinel.resume': { input: None, output: SentinelView },
  'console.get': { input: None, output: ConsoleView },
  /** All changes or none. */
  'console.set': {
    input: z.strictObject({ changes: z.array(OwnerChange).min(1).max(64) }),
    output: ConsoleView,
  },
  'console.pause': { input: None, output: ConsoleView },
  'console.resume': { input: None, output: ConsoleView },
  'console.fullDepth': { input: z.strictObject({ active: z.boolean() }), output: ConsoleView },
  'telemetry.query': { input: TelemetryQuery, output: TelemetryPage },
} as const
