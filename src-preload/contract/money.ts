import { z } from 'zod'

const Count = z.number().int().nonnegative()
const TimestampMs = Count
const Trm = z.string().regex(/^\d{1,40}$/)
const Joules = z.number().nonnegative()

/** Why a figure is not there. None is made up. */
export const MoneyMissing = z.enum([
  /** `prices.per_trm` is not set. */
  'no-trm-price',
  /** `prices.per_kwh` is not set. */
  'no-kwh-price',
  /** Jobs were done, and of none is the energy known: no sensor, and no declared power. */
  'no-energy',
  /** Nobody else paid for a job in this time. */
  'no-jobs',
  /** Nothing was spent, so that there is nothing to divide by. */
  'no-cost',
  /** The thermometer waits for `sentinel.min_samples` jobs with both figures. */
  'few-jobs',
])
export type MoneyMissing = z.infer<typeof MoneyMissing>

/** Exactly one of the two is null. */
export const MoneyFigure = z.union([
  z.object({ amount: z.number(), missing: z.null() }),
  z.object({ amount: z.null(), missing: MoneyMissing }),
])
export type MoneyFigure = z.infer<typeof MoneyFigure>

/** `mixed`: partly measured, partly declared. `unknown`: neither, or no job. */
export const EnergyLabel = z.enum(['measured', 'declared', 'mixed', 'unknown'])
export type EnergyLabel = z.infer<typeof EnergyLabel>

/** `tonight`: since the latest 18:00 of the host's time zone. The others end now and are as long as their names say. */
export const MoneyWindowName = z.enum(['hour', 'tonight', '24h', '7d', '30d'])
export type MoneyWindowName = z.infer<typeof MoneyWindowName>

/** What others paid in a window, and what its electricity cost. */
export const MoneyWindow = z.object({
  name: MoneyWindowName,
  /** A quarter of an hour: windows begin with one, so they may be up to 15 minutes longer than their name. */
  fromMs: TimestampMs,
  toMs: TimestampMs,
  /** Paid by others. */
  earnedTrm: Trm,
  /** Paid by keys of this machine: use, no income, and no part of any figure below but `ownUseCost`. */
  ownUseTrm: Trm,
  /** Paid by others. */
  jobs: Count,
  jobsPerHour: z.number().nonnegative(),
  /** `earnedTrm` × `prices.per_trm`. */
  value: MoneyFigure,
  energy: z.object({
    label: EnergyLabel,
    measuredJ: Joules,
    declaredJ: Joules,
    /** Jobs of others whose energy is not known: they are in `value` and not in `cost`. Lately ended ones are measured yet. */
    unknownJobs: Count,
  }),
  /** Electricity of jobs of others, those that failed or were cancelled included. */
  cost: MoneyFigure,
  /** Electricity of the owner's own use. */
  ownUseCost: MoneyFigure,
  /** `value` − `cost`; with `energy.unknownJobs` above 0 it is at most this. */
  net: MoneyFigure,
  /** value / cost, over the jobs whose energy is known. */
  roiGross: MoneyFigure,
  /** (value − cost) / cost, over the same. */
  roiNet: MoneyFigure,
})
export type MoneyWindow = z.infer<typeof MoneyWindow>

/** Returns as (value − cost) / cost, over the sentinel's window of jobs. */
export const RoiThermometer = z.object({
  now: MoneyFigure,
  /** value / cost. */
  gross: MoneyFigure,
  /** Jobs with both figures, of the `needed` before it is judged. */
  samples: Count,
  needed: Count,
  energy: EnergyLabel,
  /** The thermostat thinks deeper above the band and less deep below it. */
  target: z.number(),
  bandLow: z.number(),
  bandHigh: z.number(),
  /** The sentinel stops the host below it. */
  floor: z.number(),
})
export type RoiThermometer = z.infer<typeof RoiThermometer>

export const MoneyView = z.object({
  atMs: TimestampMs,
  /** ISO 4217, as the owner wrote it. */
  currency: z.string(),
  perTrm: z.number().nullable(),
  perKwh: z.number().nullable(),
  /** Every name once, shortest first. */
  windows: z.array(MoneyWindow),
  thermometer: RoiThermometer,
  power: z.object({
    /** Null: nothing computes now, or nobody knows. */
    watts: z.number().nonnegative().nullable(),
    label: z.enum(['measured', 'declared', 'unknown', 'idle']),
  }),
})
export type MoneyView = z.infer<typeof MoneyView>

/** The energy of a job is known a few seconds after its trade: ask again then. */
export const moneyProcedures = {
  'money.get': { input: z.strictObject({}), output: MoneyView },
} as const
