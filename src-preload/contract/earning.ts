import { z } from 'zod'
import { ReasonParams } from './errors.ts'
import { GpuRules, gpuRulesIn } from './gpu-rules.ts'

const Count = z.number().int().nonnegative()
const TimestampMs = Count

/** When to earn, as the owner chose it. `paused` goes before all else and keeps the mode to go back to. */
export const EarningMode = z.enum(['now', 'when-idle', 'schedule', 'paused'])
export type EarningMode = z.infer<typeof EarningMode>

export const Weekday = z.enum(['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'])
export type Weekday = z.infer<typeof Weekday>

/** `HH:MM` on the clock on the wall; `24:00` is the end of the day. */
const WallTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'a time such as 22:30')

/** Belongs to the day it begins on. It ends on the next day where `to` is not after `from`: 22:00 to 07:00. */
export const ScheduleWindow = z.strictObject({ from: WallTime, to: WallTime })
export type ScheduleWindow = z.infer<typeof ScheduleWindow>

export const WINDOWS_PER_DAY_MAX = 6
const DayWindows = z.array(ScheduleWindow).max(WINDOWS_PER_DAY_MAX)

export const EarningSchedule = z.strictObject({
  monday: DayWindows,
  tuesday: DayWindows,
  wednesday: DayWindows,
  thursday: DayWindows,
  friday: DayWindows,
  saturday: DayWindows,
  sunday: DayWindows,
})
export type EarningSchedule = z.infer<typeof EarningSchedule>

/** Name of a program as the system's task list has it; a `.exe` at its end does not matter, nor do capitals. */
const AppName = z.string().regex(/^[^,\r\n]{1,64}$/, 'a name without a comma')

/** The owner's rules. They stand in `owner.yaml`, sections `earning` and `schedule`. */
export const EarningPolicy = z.strictObject({
  /** Mode while not paused. */
  mode: EarningMode.exclude(['paused']),
  /** Answer the owner's own requests while a rule keeps guests away. Never while paused. */
  ownUse: z.boolean(),
  /** How long a rule must be clear before earning goes on: nothing flaps. */
  settleSeconds: z.number().int().min(0).max(3_600),
  /** How long running answers may go on after a rule that is in no hurry. */
  drainSeconds: z.number().int().min(0).max(3_600),
  keepAwake: z.boolean(),
  /** Keep the model in memory while a rule that does not need it keeps guests away. */
  keepModelLoaded: z.boolean(),
  idleSeconds: z.number().int().min(10).max(86_400),
  /** A locked screen counts as idle at once. */
  lockIsIdle: z.boolean(),
  serveOnBattery: z.boolean(),
  /** On battery: least charge. */
  minBatteryPercent: z.number().int().min(0).max(100),
  stopWhenHot: z.boolean(),
  stopForFullScreen: z.boolean(),
  stopOnMetered: z.boolean(),
  exclusiveApps: z.array(AppName).max(32),
  /** Most of all cores that other programs may use; null: any. */
  maxCpuByOthersPercent: z.number().min(1).max(100).nullable(),
  /** Least memory that stays free for other programs; null: any. */
  minFreeMemoryGib: z.number().min(0.1).max(4_096).nullable(),
  maxGpuTemperatureC: z.number().min(30).max(120).nullable(),
  maxCpuTemperatureC: z.number().min(30).max(120).nullable(),
  /** Rules for single GPUs. */
  gpus: GpuRules,
  /** Most memory that the model may take, RAM or that of a GPU; null: what fits. */
  maxModelMemoryGib: z.number().min(0.001).max(4_096).nullable(),
  /** Least profit on one kWh, in the owner's currency; null: earn at any price. */
  minProfitPerKwh: z.number().min(-1e6).max(1e6).nullable(),
  /** Until when `snooze` until morning lasts. */
  morningAt: WallTime,
  /** In the mode `schedule`: only while nobody uses the machine, too. */
  scheduleNeedsIdle: z.boolean(),
  /** IANA name; null: that of the system. */
  timeZone: z.string().max(64).nullable(),
  schedule: EarningSchedule,
})
export type EarningPolicy = z.infer<typeof EarningPolicy>

/** Why the host is, or is not, earning. Stable: the window has a sentence for each in every language. */
export const EarningReasonCode = z.enum([
  'earning',
  'paused',
  'finishing',
  'snoozed',
  'schedule-closed',
  'schedule-empty',
  'in-use',
  'in-use-unknown',
  'on-battery',
  'battery-low',
  'battery-unknown',
  'too-hot',
  'heat-unknown',
  'gpu-too-hot',
  'gpu-temperature-unknown',
  'cpu-too-hot',
  'cpu-temperature-unknown',
  'exclusive-app',
  'exclusive-apps-unknown',
  'full-screen',
  'full-screen-unknown',
  'metered',
  'metered-unknown',
  'cpu-busy',
  'cpu-busy-unknown',
  'memory-short',
  'memory-unknown',
  'profit-too-low',
  'profit-no-price',
  'profit-no-energy',
  /** All conditions hold, but not yet for long enough. */
  'settling',
])
export type EarningReasonCode = z.infer<typeof EarningReasonCode>

export const EarningDecision = z.object({
  /** `drain`: running answers end, new ones are refused. */
  action: z.enum(['serve', 'drain', 'stop']),
  /** The model's memory is given back. */
  unloadModel: z.boolean(),
  code: EarningReasonCode,
  params: ReasonParams,
  /** English; the window says `code` and `params` in the owner's language. */
  sentence: z.string(),
  /** When this may change by itself; null: nobody can know. */
  nextChangeAtMs: TimestampMs.nullable(),
  sinceMs: TimestampMs,
})
export type EarningDecision = z.infer<typeof EarningDecision>

export const EarningRuleName = z.enum([
  'schedule',
  'idle',
  'battery',
  'heat',
  'gpu-temperature',
  'cpu-temperature',
  'exclusive-apps',
  'full-screen',
  'metered',
  'cpu',
  'memory',
  'profit',
])
export type EarningRuleName = z.infer<typeof EarningRuleName>

export const EarningRuleView = z.object({
  name: EarningRuleName,
  /** The owner has switched it on, and the mode asks for it. */
  enabled: z.boolean(),
  /** `settling`: clear, but not for long enough. `cannot-tell`: no reading; `stops` says what follows. */
  verdict: z.enum(['allows', 'stops', 'settling', 'cannot-tell']),
  stops: z.boolean(),
  /** Null where there is nothing to say. */
  code: EarningReasonCode.nullable(),
  params: ReasonParams,
  sentence: z.string().nullable(),
})
export type EarningRuleView = z.infer<typeof EarningRuleView>

export const EarningSensorName = z.enum([
  'idle',
  'locked',
  'on-battery',
  'battery-percent',
  'thermal',
  'exclusive-app',
  'full-screen',
  'metered',
  'cpu-by-others',
  'memory-available',
  'gpu-temperature',
  'cpu-temperature',
  'profit-per-kwh',
])
export type EarningSensorName = z.infer<typeof EarningSensorName>

export const EarningSensorView = z.object({
  name: EarningSensorName,
  /** Null: unknown, or nothing of the kind (no exclusive app runs). */
  value: z.union([z.number(), z.string(), z.boolean()]).nullable(),
  unit: z.enum(['s', '%', 'bytes', '°C', 'currency']).nullable(),
  known: z.boolean(),
  /** Why it is not known. */
  problem: z.string().nullable(),
  /** Program, file or interface that it was read from. */
  source: z.string(),
  atMs: TimestampMs,
  ageMs: Count,
})
export type EarningSensorView = z.infer<typeof EarningSensorView>

export const EarningView = z.object({
  /** `paused`, or the mode in force. */
  mode: EarningMode,
  /** Mode that `resume` goes back to. */
  modeWhenResumed: EarningMode.exclude(['paused']),
  decision: EarningDecision,
  /** The owner's own requests are answered now. */
  ownUseNow: z.boolean(),
  /** The system is to be kept awake, its display never. */
  keepAwakeNow: z.boolean(),
  /** Why it may sleep all the same: no program for it on this system, or the one there is has ended. Null: it is well. */
  keepAwakeProblem: z.enum(['no-program', 'refused']).nullable(),
  snooze: z.object({ untilMs: TimestampMs }).nullable(),
  /** Running answers end, then the host pauses. */
  finishing: z.boolean(),
  schedule: z.object({
    timeZone: z.string(),
    openNow: z.boolean(),
    /** When a window opens or closes next; null: never. */
    nextChangeAtMs: TimestampMs.nullable(),
  }),
  rules: z.array(EarningRuleView),
  sensors: z.array(EarningSensorView),
  policy: EarningPolicy,
  /** ISO 4217, of the owner's prices. */
  currency: z.string(),
})
export type EarningView = z.infer<typeof EarningView>

/** What is left out stays as it is; a schedule likewise by its days. */
export const EarningPolicyChange = EarningPolicy.omit({ schedule: true })
  .partial()
  .extend({ schedule: EarningSchedule.partial().optional() })
  .refine(
    ({ schedule, ...values }) =>
      Object.values(values).some((value) => value !== undefined) ||
      Object.values(schedule ?? {}).some((day) => day !== undefined),
    'name at least one value',
  )
export type EarningPolicyChange = z.infer<typeof EarningPolicyChange>

/** How long nothing is earned before it goes on by itself. */
export const SnoozeLength = z.union([
  z.strictObject({ minutes: z.number().int().min(1).max(1_440) }),
  z.strictObject({ until: z.literal('morning') }),
])
export type SnoozeLength = z.infer<typeof SnoozeLength>

const None = z.strictObject({})

/** Every answer is the whole view. */
export const earningProcedures = {
  'earning.get': { input: None, output: EarningView },
  /** `paused` is the same as `earning.pause`; any other mode also ends a pause, a snooze and a finish. */
  'earning.setMode': { input: z.strictObject({ mode: EarningMode }), output: EarningView },
  'earning.pause': { input: None, output: EarningView },
  /** Ends a pause, a snooze and a finish. */
  'earning.resume': { input: None, output: EarningView },
  'earning.snooze': { input: SnoozeLength, output: EarningView },
  /** Ends a snooze before its time. */
  'earning.wake': { input: None, output: EarningView },
  /** Running answers end, however long they take; then the host pauses. */
  'earning.finish': { input: None, output: EarningView },
  /** All or nothing; in `owner.yaml` when it is answered. */
  'earning.setPolicy': { input: EarningPolicyChange, output: EarningView },
} as const

const WINDOW = String.raw`(?:[01]\d|2[0-3]):[0-5]\d-(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)`
/** `22:00-07:00, 12:00-13:00`; empty: not on this day. */
const WindowsText = z
  .string()
  .regex(
    new RegExp(`^(?:${WINDOW}(?:, ?${WINDOW}){0,${WINDOWS_PER_DAY_MAX - 1}})?$`),
    'windows such as 22:00-07:00, separated by commas',
  )
const night = (day: string) =>
  WindowsText.default('22:00-07:00').describe(`Windows that begin on ${day}, such as 22:00-07:00.`)
/** Nothing set has a meaning of its own. */
const limit = (field: z.ZodNumber, about: string, unset = 'no limit') =>
  field.nullable().default(null).describe(about).meta({ unset })
const { shape } = EarningPolicy
/** A number of the policy without its `nullable`. */
const numberIn = (field: z.ZodNullable<z.ZodNumber>) => field.unwrap()

/** Section `earning` of `owner.yaml`. */
export const EarningSection = z.strictObject({
  mode: shape.mode.default('now').describe('now, when-idle or schedule; serving.paused goes before it.'),
  own_use: shape.ownUse
    .default(true)
    .describe('Your own requests are answered while a rule keeps guests away; never while paused.'),
  settle_seconds: shape.settleSeconds
    .default(60)
    .describe('How long a rule must be clear before earning goes on.'),
  drain_seconds: shape.drainSeconds
    .default(120)
    .describe('How long running answers may go on after a rule that is in no hurry.'),
  keep_awake: shape.keepAwake
    .default(true)
    .describe('No sleep while guests are served; the display may turn off.'),
  keep_model_loaded: shape.keepModelLoaded
    .default(false)
    .describe('The model stays in memory while nobody needs that memory.'),
  idle_seconds: shape.idleSeconds
    .default(600)
    .describe('Time without keyboard and mouse after which nobody counts as being here.'),
  lock_is_idle: shape.lockIsIdle.default(true).describe('Whoever locks the screen has left: no wait.'),
  serve_on_battery: shape.serveOnBattery
    .default(false)
    .describe('Guests are served without mains power too, down to the charge below.'),
  min_battery_percent: shape.minBatteryPercent
    .default(50)
    .describe('Below this charge nothing is earned on battery.'),
  stop_when_hot: shape.stopWhenHot
    .default(true)
    .describe('Nothing is earned while the system reports serious thermal pressure.'),
  stop_for_full_screen: shape.stopForFullScreen
    .default(true)
    .describe('A game or a film that fills the screen has the machine to itself.'),
  stop_on_metered: shape.stopOnMetered
    .default(true)
    .describe('Nothing is earned on a connection that charges by volume.'),
  exclusive_apps: z
    .string()
    .max(2_048)
    .regex(/^[^\r\n]*$/, 'one line')
    .default('')
    .describe('Programs, separated by commas, while which run nothing is earned and the memory is free.'),
  max_cpu_by_others_percent: limit(
    numberIn(shape.maxCpuByOthersPercent),
    'Share of the processor that other programs may take before guests have to wait.',
  ),
  min_free_memory_gib: limit(
    numberIn(shape.minFreeMemoryGib),
    'Guests have to wait while less than this is free for other programs.',
  ),
  max_gpu_temperature_c: limit(
    numberIn(shape.maxGpuTemperatureC),
    'Nothing is earned while a GPU is hotter.',
  ),
  max_cpu_temperature_c: limit(
    numberIn(shape.maxCpuTemperatureC),
    'Nothing is earned while the processor is hotter.',
  ),
  gpus: z
    .string()
    .max(2_048)
    .refine((text) => gpuRulesIn(text) !== null, 'entries such as “GPU-0b1c off” or “GPU-0b1c 8 GiB 80 C”')
    .default('')
    .describe(
      'Rules for single GPUs, separated by commas: its id, then “off”, a limit of memory (8 GiB) or of heat (80 C).',
    ),
  max_model_memory_gib: limit(
    numberIn(shape.maxModelMemoryGib),
    'Most memory that the model may take.',
    'what fits',
  ),
  min_profit_per_kwh: limit(
    numberIn(shape.minProfitPerKwh),
    'Least profit on one kWh, in your currency; needs prices.per_trm and prices.per_kwh.',
  ),
  morning_at: shape.morningAt.default('07:00').describe('Then a snooze until morning ends.'),
})

/** Section `schedule` of `owner.yaml`. */
export const ScheduleSection = z.strictObject({
  time_zone: z
    .string()
    .max(64)
    .refine(isTimeZone, 'no such time zone; write one such as Europe/Berlin')
    .nullable()
    .default(null)
    .describe('Time zone of the windows, such as Europe/Berlin.')
    .meta({ unset: 'that of the system' }),
  needs_idle: shape.scheduleNeedsIdle
    .default(false)
    .describe('Within the windows only while nobody uses the machine.'),
  monday: night('Monday'),
  tuesday: night('Tuesday'),
  wednesday: night('Wednesday'),
  thursday: night('Thursday'),
  friday: night('Friday'),
  saturday: night('Saturday'),
  sunday: night('Sunday'),
})

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
