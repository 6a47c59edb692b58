import { OwnerValues } from '../../../src-preload/contract/index.ts'
import type { EarningSnapshot, PolicyInput, Reading } from '../policy-rules.ts'
import { policyOf } from '../policy-values.ts'

export const known = <T>(value: T, atMs: number): Reading<T> => ({ known: true, value, source: 'test', atMs })
export const unknown = (problem: string, atMs: number) =>
  ({ known: false, problem, source: 'test', atMs }) as const

/** A computer on mains that nobody has used for a day. */
export function quietMachine(atMs: number): EarningSnapshot {
  return {
    idleSeconds: known(86_400, atMs),
    locked: known(false, atMs),
    power: known({ onBattery: false, percent: null }, atMs),
    thermal: known('nominal', atMs),
    exclusiveApp: known(null, atMs),
    fullScreen: known(false, atMs),
    metered: known(false, atMs),
    cpuByOthers: known(0, atMs),
    memoryAvailableBytes: known(64 * 2 ** 30, atMs),
    gpuTemperaturesC: known([{ gpuId: 'gpu-0', celsius: 40 }], atMs),
    cpuTemperatureC: known(40, atMs),
    profitPerKwh: known(1, atMs),
  }
}

export const DEFAULT_POLICY = policyOf(OwnerValues.parse({}))

/** A moment at which the default host would earn. */
export function quietInput(atMs: number): PolicyInput {
  return {
    nowMs: atMs,
    policy: DEFAULT_POLICY,
    paused: false,
    finishing: false,
    snoozedUntilMs: null,
    schedule: { openNow: true, nextChangeAtMs: null },
    snapshot: quietMachine(atMs),
    model: { loaded: true, bytes: 2 ** 30 },
    runningJobs: 0,
  }
}
