import {
  type EarningPolicy,
  type EarningPolicyChange,
  type EarningSchedule,
  gpuRulesIn,
  gpuRulesText,
  type OwnerChange,
  type OwnerValues,
  type ScheduleWindow,
  Weekday,
} from '../../src-preload/contract/index.ts'

/** Name in the policy → key in `owner.yaml`; the days of the schedule stand beside them. */
const KEYS = {
  mode: 'earning.mode',
  ownUse: 'earning.own_use',
  settleSeconds: 'earning.settle_seconds',
  drainSeconds: 'earning.drain_seconds',
  keepAwake: 'earning.keep_awake',
  keepModelLoaded: 'earning.keep_model_loaded',
  idleSeconds: 'earning.idle_seconds',
  lockIsIdle: 'earning.lock_is_idle',
  serveOnBattery: 'earning.serve_on_battery',
  minBatteryPercent: 'earning.min_battery_percent',
  stopWhenHot: 'earning.stop_when_hot',
  stopForFullScreen: 'earning.stop_for_full_screen',
  stopOnMetered: 'earning.stop_on_metered',
  exclusiveApps: 'earning.exclusive_apps',
  maxCpuByOthersPercent: 'earning.max_cpu_by_others_percent',
  minFreeMemoryGib: 'earning.min_free_memory_gib',
  maxGpuTemperatureC: 'earning.max_gpu_temperature_c',
  maxCpuTemperatureC: 'earning.max_cpu_temperature_c',
  gpus: 'earning.gpus',
  maxModelMemoryGib: 'earning.max_model_memory_gib',
  minProfitPerKwh: 'earning.min_profit_per_kwh',
  morningAt: 'earning.morning_at',
  scheduleNeedsIdle: 'schedule.needs_idle',
  timeZone: 'schedule.time_zone',
} as const satisfies Record<Exclude<keyof EarningPolicy, 'schedule'>, string>

/** The owner's rules as `owner.yaml` has them. */
export function policyOf({ earning, schedule }: Pick<OwnerValues, 'earning' | 'schedule'>): EarningPolicy {
  return {
    mode: earning.mode,
    ownUse: earning.own_use,
    settleSeconds: earning.settle_seconds,
    drainSeconds: earning.drain_seconds,
    keepAwake: earning.keep_awake,
    keepModelLoaded: earning.keep_model_loaded,
    idleSeconds: earning.idle_seconds,
    lockIsIdle: earning.lock_is_idle,
    serveOnBattery: earning.serve_on_battery,
    minBatteryPercent: earning.min_battery_percent,
    stopWhenHot: earning.stop_when_hot,
    stopForFullScreen: earning.stop_for_full_screen,
    stopOnMetered: earning.stop_on_metered,
    exclusiveApps: namesIn(earning.exclusive_apps),
    maxCpuByOthersPercent: earning.max_cpu_by_others_percent,
    minFreeMemoryGib: earning.min_free_memory_gib,
    maxGpuTemperatureC: earning.max_gpu_temperature_c,
    maxCpuTemperatureC: earning.max_cpu_temperature_c,
    gpus: gpuRulesIn(earning.gpus) ?? [],
    maxModelMemoryGib: earning.max_model_memory_gib,
    minProfitPerKwh: earning.min_profit_per_kwh,
    morningAt: earning.morning_at,
    scheduleNeedsIdle: schedule.needs_idle,
    timeZone: schedule.time_zone,
    schedule: Object.fromEntries(
      Weekday.options.map((day) => [day, windowsIn(schedule[day])]),
    ) as EarningSchedule,
  }
}

/** What has to be changed in `owner.yaml`. */
export function ownerChanges({ schedule, gpus, ...values }: EarningPolicyChange): OwnerChange[] {
  const changes: OwnerChange[] = gpus === undefined ? [] : [{ key: KEYS.gpus, value: gpuRulesText(gpus) }]
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    const key = KEYS[name as Exclude<keyof typeof KEYS, 'gpus'>]
    changes.push({ key, value: Array.isArray(value) ? value.join(', ') : value })
  }
  for (const [day, windows] of Object.entries(schedule ?? {})) {
    if (windows !== undefined) changes.push({ key: `schedule.${day}`, value: textOf(windows) })
  }
  return changes
}

const namesIn = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

function windowsIn(text: string): ScheduleWindow[] {
  return namesIn(text).map((window) => {
    const [from = '', to = ''] = window.split('-')
    return { from, to }
  })
}

const textOf = (windows: readonly ScheduleWindow[]): string =>
  windows.map(({ from, to }) => `${from}-${to}`).join(', ')
