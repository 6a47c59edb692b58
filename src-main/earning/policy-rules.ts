import type {
  EarningPolicy,
  EarningReasonCode,
  EarningRuleName,
  ReasonParams,
} from '../../src-preload/contract/index.ts'

/** What a sensor says, or why it cannot. */
export type Reading<T> =
  | { known: true; value: T; source: string; atMs: number }
  | { known: false; problem: string; source: string; atMs: number }

/** Everything that the rules ask about, at one moment. */
export interface EarningSnapshot {
  /** Seconds without keyboard, mouse or the like. */
  idleSeconds: Reading<number>
  locked: Reading<boolean>
  /** `percent` is null where there is no battery, or it does not say. */
  power: Reading<{ onBattery: boolean; percent: number | null }>
  thermal: Reading<'nominal' | 'fair' | 'serious' | 'critical'>
  /** The first of the owner's exclusive apps that runs; null: none. */
  exclusiveApp: Reading<string | null>
  fullScreen: Reading<boolean>
  metered: Reading<boolean>
  /** 0 to 1 of all cores. */
  cpuByOthers: Reading<number>
  memoryAvailableBytes: Reading<number>
  /** Of every GPU that tells it. */
  gpuTemperaturesC: Reading<readonly { gpuId: string; celsius: number }[]>
  cpuTemperatureC: Reading<number>
  /** Expected, in the owner's currency; `problem` is `no-price`, `no-energy` or `not-measured-yet`. */
  profitPerKwh: Reading<number>
}

export interface PolicyInput {
  nowMs: number
  policy: EarningPolicy
  paused: boolean
  finishing: boolean
  /** Null: not snoozed. */
  snoozedUntilMs: number | null
  schedule: { openNow: boolean; nextChangeAtMs: number | null }
  snapshot: EarningSnapshot
  /** Whether the model is in memory, and how much it takes or would take. */
  model: { loaded: boolean; bytes: number }
  /** Guests' answers under way; while paused or finishing the owner's, too. */
  runningJobs: number
}

/** What one rule finds, before time smooths it. */
export interface Finding {
  name: EarningRuleName
  enabled: boolean
  verdict: 'clear' | 'blocked' | 'cannot-tell'
  /** What follows from `cannot-tell`. */
  unknownStops: boolean
  code: EarningReasonCode | null
  params: ReasonParams
  /** The owner needs the machine: running answers end in a second, and the memory is given back. */
  urgent: boolean
  /** It must be blocked for this long before it counts. */
  enterMs: number
  /** It must be clear for this long before it does not count any more. */
  settleMs: number
  /** It cannot tell yet, for nobody has looked lately: that counts only when it lasts. */
  pending: boolean
  /** When it may be clear. */
  clearAtMs: number | null
  /** Blocked as far as `settleMs` goes, though clear by itself. */
  nearlyBlocked: boolean
}

/** A load that lasts no longer is not worth unloading a model for. */
const CPU_ENTER_MS = 20_000
const MEMORY_ENTER_MS = 10_000
/** A reading older than this says nothing any more. Three looks may be late: a machine that works hard looks late. */
export const READING_MAX_AGE_MS = 120_000
/** How far below its limit a figure must fall before the rule lets go. */
const TEMPERATURE_BAND_C = 5
const BATTERY_BAND_PERCENT = 5
const CPU_BAND = 0.8
const GIB = 2 ** 30

/** Whether the rule keeps guests away already: then it lets go later than it takes hold. */
type InForce = (name: EarningRuleName) => boolean

/** What every rule finds, in the order in which their reasons are told. */
export function findings(input: PolicyInput, inForce: InForce): Finding[] {
  const { policy } = input
  const snapshot = freshOf(input)
  const rule = (
    name: EarningRuleName,
    enabled: boolean,
    found: Found,
    traits: Partial<Traits> = {},
  ): Finding => {
    const {
      unknownStops = true,
      urgent = false,
      enterMs = 0,
      settleMs = policy.settleSeconds * 1000,
    } = traits
    const blocked = found.verdict === 'blocked' || (found.verdict === 'cannot-tell' && unknownStops)
    return {
      name,
      enabled,
      verdict: found.verdict,
      unknownStops,
      urgent,
      enterMs,
      settleMs,
      code: found.code ?? null,
      params: found.params ?? {},
      clearAtMs: found.clearAtMs ?? null,
      pending: found.pending ?? false,
      nearlyBlocked: found.nearlyBlocked ?? blocked,
    }
  }
  const byMode = policy.mode === 'schedule'
  const needsIdle = policy.mode === 'when-idle' || (byMode && policy.scheduleNeedsIdle)
  return [
    rule('schedule', byMode, scheduleRule(input), { settleMs: 0 }),
    rule('exclusive-apps', policy.exclusiveApps.length > 0, appsRule(snapshot), { urgent: true }),
    rule('full-screen', policy.stopForFullScreen, fullScreenRule(snapshot), {
      urgent: true,
      unknownStops: false,
    }),
    rule('heat', policy.stopWhenHot, heatRule(snapshot), { urgent: true, unknownStops: false }),
    rule(
      'gpu-temperature',
      limitsGpuTemperature(policy),
      gpuTemperatureRule(snapshot, policy, inForce('gpu-temperature')),
      { urgent: true },
    ),
    rule(
      'cpu-temperature',
      policy.maxCpuTemperatureC !== null,
      cpuTemperatureRule(snapshot, policy, inForce('cpu-temperature')),
      { urgent: true },
    ),
    rule(
      'battery',
      !policy.serveOnBattery || policy.minBatteryPercent > 0,
      batteryRule(snapshot, policy, inForce('battery')),
    ),
    rule('memory', policy.minFreeMemoryGib !== null, memoryRule(snapshot, input), {
      urgent: true,
      enterMs: MEMORY_ENTER_MS,
    }),
    rule('idle', needsIdle, idleRule(snapshot, input, inForce('idle'))),
    rule('metered', policy.stopOnMetered, meteredRule(snapshot), { unknownStops: false }),
    rule('cpu', policy.maxCpuByOthersPercent !== null, cpuRule(snapshot, policy, inForce('cpu')), {
      enterMs: CPU_ENTER_MS,
    }),
    rule('profit', policy.minProfitPerKwh !== null, profitRule(snapshot, policy)),
  ]
}

type Traits = Pick<Finding, 'unknownStops' | 'urgent' | 'enterMs' | 'settleMs'>
type Found = Pick<Finding, 'verdict'> &
  Partial<Pick<Finding, 'code' | 'params' | 'clearAtMs' | 'pending' | 'nearlyBlocked'>>

const CLEAR: Found = { verdict: 'clear' }
const cannotTell = (
  { problem }: { problem: string },
  code: EarningReasonCode,
  params: ReasonParams = {},
): Found => ({
  verdict: 'cannot-tell',
  code,
  params,
  pending: problem === 'not-asked' || problem === 'stale',
})
const blocked = (code: EarningReasonCode, params: ReasonParams, clearAtMs: number | null = null): Found => ({
  verdict: 'blocked',
  code,
  params,
  clearAtMs,
})

/** Readings that are too old are as good as none. */
function freshOf({ snapshot, nowMs }: PolicyInput): EarningSnapshot {
  const fresh = Object.entries(snapshot).map(([name, reading]: [string, Reading<unknown>]) => {
    const isOld = Math.abs(nowMs - reading.atMs) > READING_MAX_AGE_MS
    const { source, atMs } = reading
    return [name, isOld && reading.known ? { known: false, problem: 'stale', source, atMs } : reading]
  })
  return Object.fromEntries(fresh) as EarningSnapshot
}

function scheduleRule({ policy, schedule }: PolicyInput): Found {
  if (schedule.openNow) return CLEAR
  const isEmpty = Object.values(policy.schedule).every((windows) => windows.length === 0)
  if (isEmpty) return blocked('schedule-empty', {})
  const { nextChangeAtMs } = schedule
  return blocked(
    'schedule-closed',
    nextChangeAtMs === null ? {} : { untilMs: nextChangeAtMs },
    nextChangeAtMs,
  )
}

function appsRule({ exclusiveApp }: EarningSnapshot): Found {
  if (!exclusiveApp.known) return cannotTell(exclusiveApp, 'exclusive-apps-unknown')
  return exclusiveApp.value === null ? CLEAR : blocked('exclusive-app', { app: exclusiveApp.value })
}

function fullScreenRule({ fullScreen }: EarningSnapshot): Found {
  if (!fullScreen.known) return cannotTell(fullScreen, 'full-screen-unknown')
  return fullScreen.value ? blocked('full-screen', {}) : CLEAR
}

function heatRule({ thermal }: EarningSnapshot): Found {
  if (!thermal.known) return cannotTell(thermal, 'heat-unknown')
  const isHot = thermal.value === 'serious' || thermal.value === 'critical'
  return isHot ? blocked('too-hot', { state: thermal.value }) : CLEAR
}

/** Every GPU that may be used has its own limit, or that of all; those that the engine leaves alone may be hot. */
function gpuTemperatureRule(
  { gpuTemperaturesC }: EarningSnapshot,
  { maxGpuTemperatureC, gpus }: EarningPolicy,
  held: boolean,
): Found {
  const ruleOf = (gpuId: string) => gpus.find(({ id }) => id === gpuId)
  const limitOf = (gpuId: string) => ruleOf(gpuId)?.maxTemperatureC ?? maxGpuTemperatureC
  const own = gpus.filter(({ use, maxTemperatureC }) => use && maxTemperatureC !== null)
  const told = gpuTemperaturesC.known ? gpuTemperaturesC.value : []
  const silent = own.find(({ id }) => !told.some(({ gpuId }) => gpuId === id))
  if (!gpuTemperaturesC.known || silent) {
    const limit = silent?.maxTemperatureC ?? maxGpuTemperatureC ?? 0
    const reading = gpuTemperaturesC.known ? { problem: 'no-sensor' } : gpuTemperaturesC
    return cannotTell(reading, 'gpu-temperature-unknown', { limit })
  }
  const found = told.flatMap(({ gpuId, celsius }) => {
    const limit = limitOf(gpuId)
    return limit === null || ruleOf(gpuId)?.use === false ? [] : [{ gpuId, celsius, limit }]
  })
  const [worst] = found.sort((a, b) => b.celsius - b.limit - (a.celsius - a.limit))
  if (!worst) return CLEAR
  const isHot = worst.celsius > worst.limit - (held ? TEMPERATURE_BAND_C : 0)
  return isHot ? blocked('gpu-too-hot', { ...worst }) : CLEAR
}

/** Whether any GPU has a limit of heat. */
export const limitsGpuTemperature = ({ maxGpuTemperatureC, gpus }: EarningPolicy): boolean =>
  maxGpuTemperatureC !== null || gpus.some(({ use, maxTemperatureC }) => use && maxTemperatureC !== null)

function cpuTemperatureRule(
  { cpuTemperatureC }: EarningSnapshot,
  { maxCpuTemperatureC }: EarningPolicy,
  held: boolean,
): Found {
  const limit = maxCpuTemperatureC ?? Number.POSITIVE_INFINITY
  if (!cpuTemperatureC.known) return cannotTell(cpuTemperatureC, 'cpu-temperature-unknown', { limit })
  const celsius = cpuTemperatureC.value
  const isHot = celsius > limit - (held ? TEMPERATURE_BAND_C : 0)
  return isHot ? blocked('cpu-too-hot', { celsius, limit }) : CLEAR
}

function batteryRule(
  { power }: EarningSnapshot,
  { serveOnBattery, minBatteryPercent }: EarningPolicy,
  held: boolean,
): Found {
  if (!power.known) return cannotTell(power, 'battery-unknown')
  const { onBattery, percent } = power.value
  if (!onBattery) return CLEAR
  if (!serveOnBattery) return blocked('on-battery', percent === null ? {} : { percent })
  if (percent === null) return cannotTell({ problem: 'no-sensor' }, 'battery-unknown')
  const least = Math.min(100, minBatteryPercent + (held ? BATTERY_BAND_PERCENT : 0))
  return percent < least ? blocked('battery-low', { percent, limit: minBatteryPercent }) : CLEAR
}

/** A model that is not loaded yet must fit beside what is to stay free: else loading it would end in the next stop. */
function memoryRule({ memoryAvailableBytes }: EarningSnapshot, { policy, model }: PolicyInput): Found {
  const limitGib = policy.minFreeMemoryGib ?? 0
  if (!memoryAvailableBytes.known) return cannotTell(memoryAvailableBytes, 'memory-unknown', { limitGib })
  const freeBytes = memoryAvailableBytes.value - (model.loaded ? 0 : model.bytes)
  const freeGib = Math.round((memoryAvailableBytes.value / GIB) * 10) / 10
  return freeBytes < limitGib * GIB ? blocked('memory-short', { freeGib, limitGib }) : CLEAR
}

function idleRule({ idleSeconds, locked }: EarningSnapshot, { policy }: PolicyInput, held: boolean): Found {
  if (policy.lockIsIdle && locked.known && locked.value) return CLEAR
  if (!idleSeconds.known) return cannotTell(idleSeconds, 'in-use-unknown', { problem: idleSeconds.problem })
  const limit = policy.idleSeconds
  // Seconds of rest only grow or begin anew; anything between the two lines is noise.
  const nearly = limit - Math.min(policy.settleSeconds, limit / 2)
  const { value, atMs } = idleSeconds
  const nearlyBlocked = value < nearly
  if (held ? value >= limit : !nearlyBlocked) return { ...CLEAR, nearlyBlocked }
  const params = { idleSeconds: Math.floor(value), limitSeconds: limit }
  return { ...blocked('in-use', params, atMs + (limit - value) * 1000), nearlyBlocked }
}

function meteredRule({ metered }: EarningSnapshot): Found {
  if (!metered.known) return cannotTell(metered, 'metered-unknown')
  return metered.value ? blocked('metered', {}) : CLEAR
}

function cpuRule(
  { cpuByOthers }: EarningSnapshot,
  { maxCpuByOthersPercent }: EarningPolicy,
  held: boolean,
): Found {
  const limit = maxCpuByOthersPercent ?? 100
  if (!cpuByOthers.known) return cannotTell(cpuByOthers, 'cpu-busy-unknown', { limit })
  const percent = Math.round(cpuByOthers.value * 100)
  return percent > limit * (held ? CPU_BAND : 1) ? blocked('cpu-busy', { percent, limit }) : CLEAR
}

function profitRule({ profitPerKwh }: EarningSnapshot, { minProfitPerKwh }: EarningPolicy): Found {
  const limit = minProfitPerKwh ?? Number.NEGATIVE_INFINITY
  if (!profitPerKwh.known) {
    const { problem } = profitPerKwh
    // The first jobs measure it: without them it would never be known.
    if (problem === 'not-measured-yet') return CLEAR
    const code = problem === 'no-price' ? 'profit-no-price' : 'profit-no-energy'
    return cannotTell(profitPerKwh, code, { limit })
  }
  const profit = Math.round(profitPerKwh.value * 1e4) / 1e4
  return profit < limit ? blocked('profit-too-low', { profit, limit }) : CLEAR
}
