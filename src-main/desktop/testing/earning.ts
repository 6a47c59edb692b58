import { type EarningPolicy, type EarningView, Weekday } from '../../../src-preload/contract/index.ts'

const NOBODY_MINDS = {
  mode: 'now',
  ownUse: true,
  settleSeconds: 60,
  drainSeconds: 120,
  keepAwake: true,
  keepModelLoaded: false,
  idleSeconds: 600,
  lockIsIdle: true,
  serveOnBattery: false,
  minBatteryPercent: 50,
  stopWhenHot: true,
  stopForFullScreen: true,
  stopOnMetered: true,
  exclusiveApps: [],
  maxCpuByOthersPercent: null,
  minFreeMemoryGib: null,
  maxGpuTemperatureC: null,
  maxCpuTemperatureC: null,
  gpus: [],
  maxModelMemoryGib: null,
  minProfitPerKwh: null,
  morningAt: '07:00',
  scheduleNeedsIdle: false,
  timeZone: null,
} satisfies Omit<EarningPolicy, 'schedule'>

/** The owner's rules with nothing against earning, for tests. */
export function exampleEarning(change: Partial<EarningView> = {}): EarningView {
  const schedule = Object.fromEntries(
    Weekday.options.map((day) => [day, []]),
  ) as unknown as EarningPolicy['schedule']
  return {
    mode: 'now',
    modeWhenResumed: 'now',
    decision: {
      action: 'serve',
      unloadModel: false,
      code: 'earning',
      params: {},
      sentence: 'Earning.',
      nextChangeAtMs: null,
      sinceMs: 0,
    },
    ownUseNow: true,
    keepAwakeNow: true,
    keepAwakeProblem: null,
    snooze: null,
    finishing: false,
    schedule: { timeZone: 'UTC', openNow: true, nextChangeAtMs: null },
    rules: [],
    sensors: [],
    policy: { ...NOBODY_MINDS, schedule },
    currency: 'EUR',
    ...change,
  }
}
