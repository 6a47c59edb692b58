import { z } from 'zod'
import { TelemetryQuery } from './stewardship.ts'

const Count = z.number().int().nonnegative()
const TimestampMs = Count

/** Who chose how deep to think: the host's thermostat, or the request. */
export const DepthEffort = z.enum(['host', 'low', 'medium', 'high', 'full', 'steps'])
export type DepthEffort = z.infer<typeof DepthEffort>

/** `reflex`: the first steps sufficed. `council`: noisy tries were called too. */
export const DepthLevel = z.enum(['reflex', 'council'])
export type DepthLevel = z.infer<typeof DepthLevel>

/** The last column holds this step and all after it. */
export const DEPTH_STEPS_MAX = 64

export const DepthQuery = z.strictObject({
  fromMs: TimestampMs,
  /** Not included. */
  toMs: TimestampMs,
  /** Columns of time; whole five minutes each, so that there may be fewer. */
  buckets: z.number().int().min(1).max(120).default(48),
  level: DepthLevel.optional(),
  effort: DepthEffort.optional(),
})
export type DepthQuery = z.infer<typeof DepthQuery>

/** Where the recursive model's thoughts were, over time and supervision steps. */
export const DepthMap = z.object({
  /** Whole buckets around what was asked. */
  fromMs: TimestampMs,
  toMs: TimestampMs,
  bucketMs: z.number().int().positive(),
  buckets: Count,
  /** Deepest step of any thought; 0 where there was none. */
  stepMax: Count,
  /** What is not listed is empty. */
  cells: z.array(
    z.object({
      /** From 0. */
      bucket: Count,
      /** From 1. */
      step: z.number().int().min(1).max(DEPTH_STEPS_MAX),
      /** That still computed at this step. */
      thoughts: Count,
      /** Mean of the halting head's sureness at this step. */
      haltProbability: z.number().min(0).max(1),
    }),
  ),
  columns: z.array(
    z.object({
      bucket: Count,
      thoughts: Count,
      meanSteps: z.number().nonnegative(),
      council: Count,
      /** Of a language model: one pass each, so that they have no depth to show. */
      answers: Count,
    }),
  ),
  totals: z.object({
    thoughts: Count,
    meanSteps: z.number().nonnegative().nullable(),
    /** Stopped because they were sure. */
    halted: Count,
    council: Count,
    /** Confirmed by the rules, refuted by them, and without rules. */
    right: Count,
    wrong: Count,
    unchecked: Count,
    answers: Count,
    byEffort: z.array(
      z.object({ effort: DepthEffort, thoughts: Count, meanSteps: z.number().nonnegative(), council: Count }),
    ),
  }),
})
export type DepthMap = z.infer<typeof DepthMap>

export const TelemetryCheck = z.object({
  ok: z.boolean(),
  files: Count,
  events: Count,
  head: z.object({ seq: Count, hash: z.string() }),
  /** The first event that is still there; later than 1 where older ones were dropped. Null: there is none. */
  from: z.object({ seq: Count, atMs: TimestampMs }).nullable(),
  /** The first ones. */
  faults: z.array(z.object({ file: z.string(), line: Count, problem: z.string() })),
  faultCount: Count,
  /** False after a failed write: nothing more is kept until the host has been restarted. */
  writable: z.boolean(),
  /** Events that could not be kept. */
  lost: Count,
  checkedAtMs: TimestampMs,
})
export type TelemetryCheck = z.infer<typeof TelemetryCheck>

export const TelemetryCsvQuery = TelemetryQuery.omit({ beforeSeq: true, limit: true }).extend({
  /** The `nextSeq` of the part before. */
  fromSeq: z.number().int().positive().default(1),
})
export type TelemetryCsvQuery = z.infer<typeof TelemetryCsvQuery>

/** Lines of CSV, oldest event first; the header stands before the first part only. */
export const TelemetryCsvPart = z.object({
  text: z.string(),
  events: Count,
  /** Null: this was the last part. */
  nextSeq: z.number().int().positive().nullable(),
})
export type TelemetryCsvPart = z.infer<typeof TelemetryCsvPart>

export const activityProcedures = {
  'depth.map': { input: DepthQuery, output: DepthMap },
  /** Reads the whole chain: seconds for gigabytes. */
  'telemetry.verify': { input: z.strictObject({}), output: TelemetryCheck },
  'telemetry.csv': { input: TelemetryCsvQuery, output: TelemetryCsvPart },
} as const
