import type { OwnerField } from '../../../src-preload/contract/index.ts'
import { i18n } from '../../i18n/index.ts'

/** Which values of `owner.yaml` stand together. What has a control of its own is not here; the last group has the rest. */
export const groups = {
  idle: ['earning.idle_seconds', 'earning.lock_is_idle', 'schedule.needs_idle', 'earning.own_use'],
  conditions: [
    'earning.serve_on_battery',
    'earning.min_battery_percent',
    'earning.stop_when_hot',
    'earning.stop_for_full_screen',
    'earning.stop_on_metered',
    'earning.exclusive_apps',
    'earning.keep_awake',
    'earning.keep_model_loaded',
    'earning.settle_seconds',
    'earning.drain_seconds',
    'earning.morning_at',
    'schedule.time_zone',
  ],
  caps: [
    'earning.max_cpu_by_others_percent',
    'earning.min_free_memory_gib',
    'earning.max_gpu_temperature_c',
    'earning.max_cpu_temperature_c',
    'earning.max_model_memory_gib',
  ],
  prices: ['prices.currency', 'prices.per_kwh', 'prices.per_trm', 'earning.min_profit_per_kwh'],
  limits: [
    'sentinel.daily_budget',
    'sentinel.roi_floor',
    'sentinel.max_latency_ms',
    'sentinel.max_cycles',
    'sentinel.failure_streak',
    'sentinel.min_samples',
    'sentinel.roi_window_jobs',
  ],
  depth: [
    'serving.force_full_depth',
    'thermostat.target_roi',
    'thermostat.hysteresis',
    'thermostat.window_jobs',
    'thermostat.min_inner_cycles',
    'thermostat.max_inner_cycles',
    'thermostat.min_outer_steps',
    'thermostat.max_outer_steps',
    'thermostat.min_halt_threshold',
    'thermostat.max_halt_threshold',
    'thermostat.min_concurrency',
    'thermostat.max_concurrency',
  ],
  storage: ['telemetry.keep_days', 'telemetry.max_total_gib', 'telemetry.max_file_bytes'],
} as const satisfies Record<string, readonly string[]>

export type GroupName = keyof typeof groups

/** Fields of a group in its order; a field that the host does not have is left out. */
export function fieldsOf(group: GroupName, fields: readonly OwnerField[]): OwnerField[] {
  return groups[group].flatMap((key) => fields.filter((field) => field.key === key))
}

/** Have a control of their own. */
const elsewhere =
  /^(serving\.paused|earning\.(mode|gpus)|schedule\.[a-z]+day|mesh\.(send_prompts|routing|max_price|audit_trm_per_day))$/

/** Fields that a newer host has and this window does not know: shown, so that nothing can only be set in an editor. */
export function unknownFields(fields: readonly OwnerField[]): OwnerField[] {
  const known = new Set<string>(Object.values(groups).flat())
  return fields.filter(({ key }) => !known.has(key) && !elsewhere.test(key))
}

/** Unit that a value's name ends with. */
export function unitOf(key: string, currency: string): string {
  if (key === 'prices.per_kwh' || key === 'earning.min_profit_per_kwh') return `${currency}/kWh`
  if (key === 'prices.per_trm') return `${currency}/TRM`
  if (key === 'sentinel.daily_budget') return currency
  const suffixes: [RegExp, string][] = [
    [/_seconds$/, i18n.t('time.second')],
    [/_ms$/, 'ms'],
    [/_percent$/, '%'],
    [/_gib$/, 'GiB'],
    [/_c$/, '°C'],
    [/_bytes$/, 'B'],
  ]
  return suffixes.find(([suffix]) => suffix.test(key))?.[1] ?? ''
}

/** Proposed where there is no value yet. */
const proposals: Record<string, number> = {
  'earning.max_cpu_by_others_percent': 50,
  'earning.min_free_memory_gib': 4,
  'earning.max_gpu_temperature_c': 83,
  'earning.max_cpu_temperature_c': 90,
  'earning.max_model_memory_gib': 8,
  'earning.min_profit_per_kwh': 0,
  'prices.per_kwh': 0.3,
  'prices.per_trm': 0.000001,
  'sentinel.daily_budget': 5,
  'telemetry.keep_days': 365,
}

export function proposalOf({ key, fallback, minimum }: OwnerField): number {
  return proposals[key] ?? (typeof fallback === 'number' ? fallback : (minimum ?? 0))
}
