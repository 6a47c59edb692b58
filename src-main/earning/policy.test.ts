import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EarningPolicy, EarningReasonCode } from '../../src-preload/contract/index.ts'
import { decideEarning, INITIAL_POLICY_STATE, type PolicyResult, type PolicyState } from './policy.ts'
import type { EarningSnapshot, PolicyInput } from './policy-rules.ts'
import { READING_MAX_AGE_MS } from './policy-rules.ts'
import { reasonSentence } from './policy-sentences.ts'
import { known, quietInput, quietMachine, unknown } from './testing/snapshots.ts'

const T = 1_800_000_000_000
const SECOND = 1_000
const GIB = 2 ** 30

type Change = {
  policy?: Partial<EarningPolicy>
  snapshot?: Partial<EarningSnapshot>
} & Partial<Omit<PolicyInput, 'policy' | 'snapshot'>>

function input({ policy, snapshot, ...rest }: Change, atMs = T): PolicyInput {
  const quiet = quietInput(atMs)
  return {
    ...quiet,
    ...rest,
    policy: { ...quiet.policy, ...policy },
    snapshot: { ...quietMachine(atMs), ...snapshot },
  }
}
const first = (change: Change): PolicyResult => decideEarning(INITIAL_POLICY_STATE, input(change))

const FREE_GPU = { use: true, maxMemoryGib: null, maxTemperatureC: null }
const TWO_GPUS = known(
  [
    { gpuId: 'a', celsius: 60 },
    { gpuId: 'b', celsius: 81 },
  ],
  T,
)

describe('one look', () => {
  it.each<
    [name: string, change: Change, action: string, code: EarningReasonCode, unload: boolean, own: boolean]
  >([
    ['nothing speaks against it', {}, 'serve', 'earning', false, true],
    ['paused', { paused: true }, 'stop', 'paused', true, false],
    [
      'paused, whatever else',
      { paused: true, snoozedUntilMs: T + 1, finishing: true },
      'stop',
      'paused',
      true,
      false,
    ],
    ['paused while an answer runs', { paused: true, runningJobs: 1 }, 'drain', 'paused', true, false],
    ['snoozed', { snoozedUntilMs: T + 900_000 }, 'stop', 'snoozed', true, true],
    ['finishing', { finishing: true, runningJobs: 2 }, 'drain', 'finishing', false, false],
    ['in use, but mode now', { snapshot: { idleSeconds: known(0, T) } }, 'serve', 'earning', false, true],
    [
      'in use',
      { policy: { mode: 'when-idle' }, snapshot: { idleSeconds: known(10, T) } },
      ...(['stop', 'in-use', true, true] as const),
    ],
    ['not in use', { policy: { mode: 'when-idle' } }, 'serve', 'earning', false, true],
    [
      'in use, the screen locked',
      { policy: { mode: 'when-idle' }, snapshot: { idleSeconds: known(3, T), locked: known(true, T) } },
      ...(['serve', 'earning', false, true] as const),
    ],
    [
      'in use, the screen locked, which does not count',
      {
        policy: { mode: 'when-idle', lockIsIdle: false },
        snapshot: { idleSeconds: known(3, T), locked: known(true, T) },
      },
      ...(['stop', 'in-use', true, true] as const),
    ],
    [
      'nobody knows whether it is in use',
      { policy: { mode: 'when-idle' }, snapshot: { idleSeconds: unknown('no-sensor', T) } },
      ...(['stop', 'in-use-unknown', true, true] as const),
    ],
    [
      'outside the hours',
      { policy: { mode: 'schedule' }, schedule: { openNow: false, nextChangeAtMs: T + 60_000 } },
      ...(['stop', 'schedule-closed', true, true] as const),
    ],
    [
      'outside the hours, the model stays',
      {
        policy: { mode: 'schedule', keepModelLoaded: true },
        schedule: { openNow: false, nextChangeAtMs: null },
      },
      ...(['stop', 'schedule-closed', false, true] as const),
    ],
    [
      'outside the hours, no use for the owner either',
      { policy: { mode: 'schedule', ownUse: false }, schedule: { openNow: false, nextChangeAtMs: null } },
      ...(['stop', 'schedule-closed', true, false] as const),
    ],
    [
      'within the hours and in use',
      { policy: { mode: 'schedule' }, snapshot: { idleSeconds: known(0, T) } },
      ...(['serve', 'earning', false, true] as const),
    ],
    [
      'within the hours and in use, which counts',
      { policy: { mode: 'schedule', scheduleNeedsIdle: true }, snapshot: { idleSeconds: known(0, T) } },
      ...(['stop', 'in-use', true, true] as const),
    ],
    [
      'on battery',
      { snapshot: { power: known({ onBattery: true, percent: 90 }, T) } },
      ...(['stop', 'on-battery', true, true] as const),
    ],
    [
      'on battery, allowed',
      { policy: { serveOnBattery: true }, snapshot: { power: known({ onBattery: true, percent: 90 }, T) } },
      ...(['serve', 'earning', false, true] as const),
    ],
    [
      'on battery, allowed, but low',
      { policy: { serveOnBattery: true }, snapshot: { power: known({ onBattery: true, percent: 49 }, T) } },
      ...(['stop', 'battery-low', true, true] as const),
    ],
    [
      'on battery, allowed, charge unknown',
      { policy: { serveOnBattery: true }, snapshot: { power: known({ onBattery: true, percent: null }, T) } },
      ...(['stop', 'battery-unknown', true, true] as const),
    ],
    [
      'nobody knows of the battery',
      { snapshot: { power: unknown('not-told', T) } },
      ...(['stop', 'battery-unknown', true, true] as const),
    ],
    [
      'nobody knows of the battery, and it does not matter',
      { policy: { serveOnBattery: true, minBatteryPercent: 0 }, snapshot: { power: unknown('not-told', T) } },
      ...(['serve', 'earning', false, true] as const),
    ],
    ['hot', { snapshot: { thermal: known('serious', T) } }, 'stop', 'too-hot', true, false],
    ['fair heat', { snapshot: { thermal: known('fair', T) } }, 'serve', 'earning', false, true],
    ['heat unknown', { snapshot: { thermal: unknown('no-sensor', T) } }, 'serve', 'earning', false, true],
    [
      'hot, which does not matter',
      { policy: { stopWhenHot: false }, snapshot: { thermal: known('critical', T) } },
      ...(['serve', 'earning', false, true] as const),
    ],
    [
      'a game',
      { policy: { exclusiveApps: ['game'] }, snapshot: { exclusiveApp: known('game', T) } },
      ...(['stop', 'exclusive-app', true, false] as const),
    ],
    [
      'nobody knows of games',
      { policy: { exclusiveApps: ['game'] }, snapshot: { exclusiveApp: unknown('not-told', T) } },
      ...(['stop', 'exclusive-apps-unknown', true, false] as const),
    ],
    ['full screen', { snapshot: { fullScreen: known(true, T) } }, 'stop', 'full-screen', true, false],
    [
      'full screen unknown',
      { snapshot: { fullScreen: unknown('no-sensor', T) } },
      'serve',
      'earning',
      false,
      true,
    ],
    ['metered', { snapshot: { metered: known(true, T) } }, 'stop', 'metered', true, true],
    ['metered unknown', { snapshot: { metered: unknown('no-sensor', T) } }, 'serve', 'earning', false, true],
    [
      'others are busy',
      { policy: { maxCpuByOthersPercent: 40 }, snapshot: { cpuByOthers: known(0.7, T) } },
      ...(['stop', 'cpu-busy', true, true] as const),
    ],
    [
      'little memory',
      { policy: { minFreeMemoryGib: 8 }, snapshot: { memoryAvailableBytes: known(4 * GIB, T) } },
      ...(['stop', 'memory-short', true, false] as const),
    ],
    [
      'too little memory for a model that is not loaded',
      {
        policy: { minFreeMemoryGib: 8 },
        snapshot: { memoryAvailableBytes: known(9 * GIB, T) },
        model: { loaded: false, bytes: 2 * GIB },
      },
      ...(['stop', 'memory-short', true, false] as const),
    ],
    [
      'a hot GPU',
      {
        policy: { maxGpuTemperatureC: 80 },
        snapshot: { gpuTemperaturesC: TWO_GPUS },
      },
      ...(['stop', 'gpu-too-hot', true, false] as const),
    ],
    [
      'a GPU above its own limit, though below that of all',
      {
        policy: { maxGpuTemperatureC: 90, gpus: [{ ...FREE_GPU, id: 'b', maxTemperatureC: 70 }] },
        snapshot: { gpuTemperaturesC: TWO_GPUS },
      },
      ...(['stop', 'gpu-too-hot', true, false] as const),
    ],
    [
      'a hot GPU that is kept from the engine: somebody plays on it',
      {
        policy: { maxGpuTemperatureC: 70, gpus: [{ ...FREE_GPU, id: 'b', use: false }] },
        snapshot: { gpuTemperaturesC: TWO_GPUS },
      },
      ...(['serve', 'earning', false, true] as const),
    ],
    [
      'a hot GPU whose own limit is above that of all',
      {
        policy: { maxGpuTemperatureC: 70, gpus: [{ ...FREE_GPU, id: 'b', maxTemperatureC: 85 }] },
        snapshot: { gpuTemperaturesC: TWO_GPUS },
      },
      ...(['serve', 'earning', false, true] as const),
    ],
    [
      'a limit for one GPU that says nothing',
      {
        policy: { gpus: [{ ...FREE_GPU, id: 'c', maxTemperatureC: 85 }] },
        snapshot: { gpuTemperaturesC: TWO_GPUS },
      },
      ...(['stop', 'gpu-temperature-unknown', true, false] as const),
    ],
    [
      'a limit for the GPU that cannot be checked',
      { policy: { maxGpuTemperatureC: 80 }, snapshot: { gpuTemperaturesC: unknown('no-sensor', T) } },
      ...(['stop', 'gpu-temperature-unknown', true, false] as const),
    ],
    [
      'a hot processor',
      { policy: { maxCpuTemperatureC: 80 }, snapshot: { cpuTemperatureC: known(95, T) } },
      ...(['stop', 'cpu-too-hot', true, false] as const),
    ],
    [
      'too little profit',
      { policy: { minProfitPerKwh: 0.1 }, snapshot: { profitPerKwh: known(0.05, T) } },
      ...(['stop', 'profit-too-low', true, true] as const),
    ],
    [
      'a profit without prices',
      { policy: { minProfitPerKwh: 0.1 }, snapshot: { profitPerKwh: unknown('no-price', T) } },
      ...(['stop', 'profit-no-price', true, true] as const),
    ],
    [
      'a profit without power',
      { policy: { minProfitPerKwh: 0.1 }, snapshot: { profitPerKwh: unknown('no-energy', T) } },
      ...(['stop', 'profit-no-energy', true, true] as const),
    ],
    [
      'a profit that the first jobs will tell',
      { policy: { minProfitPerKwh: 0.1 }, snapshot: { profitPerKwh: unknown('not-measured-yet', T) } },
      ...(['serve', 'earning', false, true] as const),
    ],
    [
      'a profit without prices that nobody asked for',
      { snapshot: { profitPerKwh: unknown('no-price', T) } },
      ...(['serve', 'earning', false, true] as const),
    ],
  ])('%s', (_name, change, action, code, unload, own) => {
    const { decision, ownUseNow } = first(change)
    expect([decision.action, decision.code, decision.unloadModel, ownUseNow]).toEqual([
      action,
      code,
      unload,
      own,
    ])
    expect(decision.sentence).not.toMatch(/[{}?]/)
    expect(decision.nextChangeAtMs ?? T + 1).toBeGreaterThan(T)
  })

  it('a pause goes before every rule, and every rule that stops is told beside it', () => {
    const { decision, rules } = first({
      paused: true,
      policy: { mode: 'schedule', exclusiveApps: ['game'] },
      schedule: { openNow: false, nextChangeAtMs: T + 5 },
      snapshot: { exclusiveApp: known('game', T), thermal: known('critical', T) },
    })
    expect(decision.code).toBe('paused')
    expect(rules.filter(({ stops }) => stops).map(({ name }) => name)).toEqual([
      'schedule',
      'exclusive-apps',
      'heat',
    ])
  })

  it('an old reading is no reading', () => {
    const readAtMs = T - READING_MAX_AGE_MS - SECOND
    const old = {
      ...quietMachine(readAtMs),
      power: known({ onBattery: false, percent: null }, readAtMs),
    }
    const before = first({})
    const later = (atMs: number) => input({ snapshot: old }, atMs)
    const missing = decideEarning(before.state, later(T))
    expect(missing.decision.action).toBe('serve')
    const still = decideEarning(missing.state, later(T + 11 * SECOND))
    expect([still.decision.action, still.decision.code]).toEqual(['stop', 'battery-unknown'])
  })

  it('every code has a sentence', () => {
    for (const code of EarningReasonCode.options) expect(reasonSentence(code, {}).length).toBeGreaterThan(20)
  })
})

/** Runs looks over time and gives every decision. */
function run(changes: readonly { atMs: number; change: Change }[]): PolicyResult[] {
  let state: PolicyState = INITIAL_POLICY_STATE
  return changes.map(({ atMs, change }) => {
    const result = decideEarning(state, input(change, atMs))
    state = result.state
    return result
  })
}

describe('over time', () => {
  const idle = (atMs: number, seconds: number) => ({
    atMs,
    change: { policy: { mode: 'when-idle' as const }, snapshot: { idleSeconds: known(seconds, atMs) } },
  })

  it('it begins at the tenth minute without input, and stops with the first key', () => {
    const looks = [0, 300, 540, 599, 600, 605].map((seconds) => idle(T + seconds * SECOND, seconds))
    const actions = run([...looks, idle(T + 610 * SECOND, 1)]).map(({ decision }) => decision.action)
    expect(actions).toEqual(['stop', 'stop', 'stop', 'stop', 'serve', 'serve', 'stop'])
  })

  it('says when it will begin', () => {
    const [look] = run([idle(T, 200)])
    expect(look?.decision.nextChangeAtMs).toBe(T + 400 * SECOND)
  })

  it('a rule that lets go is waited for, with the time at which it goes on', () => {
    const power = (atMs: number, onBattery: boolean) => ({
      atMs,
      change: { snapshot: { power: known({ onBattery, percent: 80 }, atMs) } },
    })
    const results = run([
      power(T, true),
      power(T + 10_000, false),
      power(T + 59_999, false),
      power(T + 60_000, false),
    ])
    expect(results.map(({ decision }) => decision.code)).toEqual([
      'on-battery',
      'settling',
      'settling',
      'earning',
    ])
    expect(results[1]?.decision.nextChangeAtMs).toBe(T + 60_000)
  })

  it('a burst of work by others does not stop it, a lasting one does', () => {
    const cpu = (seconds: number, share: number) => {
      const atMs = T + seconds * SECOND
      return {
        atMs,
        change: { policy: { maxCpuByOthersPercent: 50 }, snapshot: { cpuByOthers: known(share, atMs) } },
      }
    }
    const burst = run([cpu(0, 0), cpu(5, 0.9), cpu(10, 0.9), cpu(15, 0.1), cpu(20, 0.9), cpu(35, 0.9)])
    expect(burst.every(({ decision }) => decision.action === 'serve')).toBe(true)
    const lasting = run([cpu(0, 0), cpu(5, 0.9), cpu(15, 0.9), cpu(25, 0.9)])
    expect(lasting.at(-1)?.decision.code).toBe('cpu-busy')
  })

  it.each([
    ['in a hurry: a second', 'fullScreen' as const, 1],
    ['not in a hurry: as long as the owner said', 'metered' as const, 120],
  ])('running answers may go on, %s', (_name, sensor, seconds) => {
    const at = (atMs: number) => input({ snapshot: { [sensor]: known(true, atMs) }, runningJobs: 1 }, atMs)
    const result = decideEarning(INITIAL_POLICY_STATE, at(T))
    expect(result.drainUntilMs).toBe(T + seconds * SECOND)
    expect(result.decision.action).toBe('drain')
    const later = decideEarning(result.state, at(T + seconds * SECOND))
    expect(later.decision.action).toBe('stop')
  })

  it('a clock that is set back holds nothing for longer', () => {
    const power = (atMs: number, onBattery: boolean) => ({
      atMs,
      change: { snapshot: { power: known({ onBattery, percent: 80 }, atMs) } },
    })
    const back = T - 86_400_000
    const results = run([power(T, true), power(back, false), power(back + 60_000, false)])
    expect(results.at(-1)?.decision.action).toBe('serve')
  })

  it('never flaps, however noisy the sensors are', () => {
    const noisy = fc.array(
      fc.record({
        seconds: fc.integer({ min: 1, max: 30 }),
        idle: fc.constantFrom(0, 539, 541, 599, 601, 900),
        battery: fc.constantFrom(true, false, null),
        celsius: fc.integer({ min: 74, max: 82 }),
        cpu: fc.constantFrom(0.1, 0.45, 0.55, 0.9),
        app: fc.constantFrom('game', null, undefined),
        locked: fc.boolean(),
        freeGib: fc.constantFrom(7.9, 8.1, 20),
      }),
      { minLength: 100, maxLength: 600 },
    )
    fc.assert(
      fc.property(noisy, fc.integer({ min: 30, max: 300 }), (looks, settleSeconds) => {
        let atMs = T
        let state = INITIAL_POLICY_STATE
        let stoppedAtMs: number | null = null
        let lastBadMs = T
        for (const look of looks) {
          atMs += look.seconds * SECOND
          const reading = <V>(value: V | null | undefined, none: V | null) =>
            value === none || value === undefined ? unknown('not-told', atMs) : known(value as V, atMs)
          const result = decideEarning(
            state,
            input(
              {
                policy: {
                  mode: 'when-idle',
                  settleSeconds,
                  exclusiveApps: ['game'],
                  maxGpuTemperatureC: 80,
                  maxCpuByOthersPercent: 50,
                  minFreeMemoryGib: 8,
                },
                snapshot: {
                  idleSeconds: known(look.idle, atMs),
                  locked: known(look.locked, atMs),
                  power: reading(
                    look.battery === null ? null : { onBattery: look.battery, percent: 50 },
                    null,
                  ),
                  gpuTemperaturesC: known([{ gpuId: 'a', celsius: look.celsius }], atMs),
                  cpuByOthers: known(look.cpu, atMs),
                  exclusiveApp: look.app === undefined ? unknown('not-told', atMs) : known(look.app, atMs),
                  memoryAvailableBytes: known(look.freeGib * GIB, atMs),
                },
              },
              atMs,
            ),
          )
          state = result.state
          const serves = result.decision.action === 'serve'
          // Whatever is certain stops it at once, and it goes on only after a quiet time.
          const isBad = look.battery !== false || look.app !== null || look.celsius > 80
          if (isBad) expect(serves).toBe(false)
          if (isBad) lastBadMs = atMs
          if (serves && stoppedAtMs !== null)
            expect(atMs - lastBadMs).toBeGreaterThanOrEqual(settleSeconds * SECOND)
          stoppedAtMs = serves ? null : (stoppedAtMs ?? atMs)
        }
      }),
      { numRuns: 60, seed: 6_103 },
    )
  })
})
