import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EarningPolicyChange } from '../../src-preload/contract/index.ts'
import type { EarningSnapshot } from '../earning/index.ts'
import type { Admission } from './earning-policy.ts'
import { openEarningHouse } from './testing/earning-house.ts'

const MINUTE_MS = 60_000
const ZONE = 'Europe/Berlin'
/** In the night to Sunday 25 October 2026 the hour from 2 to 3 comes twice. */
const MONDAY = '2026-10-19'
const SUMMER_ENDS_MS = Date.parse('2026-10-25T01:00Z')

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun', 'Mon+']
/** `Tue 22:40` of that week, as milliseconds; worked out by hand, not by the code under test. */
function at(text: string): number {
  const [day = '', time = ''] = text.split(' ')
  const local = Date.parse(`${MONDAY}T${time}Z`) + DAYS.indexOf(day) * 86_400_000
  const summer = local - 2 * 60 * MINUTE_MS
  return summer < SUMMER_ENDS_MS ? summer : local - 60 * MINUTE_MS
}
function wall(atMs: number): string {
  const local = atMs + (atMs < SUMMER_ENDS_MS ? 2 : 1) * 60 * MINUTE_MS
  const days = Math.floor((local - Date.parse(`${MONDAY}T00:00Z`)) / 86_400_000)
  return `${DAYS[days]} ${new Date(local).toISOString().slice(11, 16)}`
}

/** The owner commutes, plays at the weekend, and unplugs his laptop. */
const USES: [from: string, to: string][] = [
  ['Mon 18:30', 'Mon 22:40'],
  ['Tue 18:30', 'Tue 21:30'],
  ['Wed 02:15', 'Wed 02:20'],
  ['Wed 18:00', 'Wed 20:00'],
  ['Wed 23:10', 'Wed 23:10'],
  ['Thu 18:30', 'Thu 20:00'],
  ['Thu 23:00', 'Thu 23:00'],
  ['Fri 19:00', 'Sat 01:35'],
  ['Sat 12:00', 'Sat 19:00'],
  ['Sat 23:30', 'Sat 23:30'],
  ['Sun 00:30', 'Sun 00:30'],
  ['Sun 15:00', 'Sun 20:00'],
]
const UNPLUGGED: [string, string] = ['Wed 21:00', 'Wed 23:10']
const PLAYING: [string, string] = ['Fri 20:00', 'Sat 01:30']

const POLICY: EarningPolicyChange = {
  mode: 'schedule',
  timeZone: ZONE,
  scheduleNeedsIdle: true,
  exclusiveApps: ['elden', 'solitaire'],
  schedule: {
    monday: [{ from: '22:00', to: '07:00' }],
    tuesday: [{ from: '22:00', to: '07:00' }],
    wednesday: [{ from: '22:00', to: '07:00' }],
    thursday: [{ from: '22:00', to: '07:00' }],
    friday: [{ from: '23:00', to: '09:00' }],
    saturday: [{ from: '23:00', to: '09:00' }],
    sunday: [{ from: '22:00', to: '07:00' }],
  },
}

/** Written by hand, from the habits above and the meaning of the rules. */
const EXPECTED = [
  'Mon 00:00 serve earning',
  'Mon 07:00 stop schedule-closed',
  'Mon 22:00 stop in-use',
  'Mon 22:50 serve earning',
  'Tue 07:00 stop schedule-closed',
  'Tue 22:00 serve earning',
  'Wed 02:15 stop in-use',
  'Wed 02:30 serve earning',
  'Wed 07:00 stop schedule-closed',
  'Wed 22:00 stop on-battery',
  'Wed 23:10 stop in-use',
  'Wed 23:20 serve earning',
  'Thu 07:00 stop schedule-closed',
  'Thu 22:00 serve earning',
  'Thu 23:00 stop snoozed',
  // The host was killed at 23:30 and came back at 23:35; the snooze ends when it was to end.
  'Fri 00:00 serve earning',
  'Fri 07:00 stop schedule-closed',
  'Fri 23:00 stop exclusive-app',
  'Sat 01:30 stop in-use',
  'Sat 01:45 serve earning',
  'Sat 09:00 stop schedule-closed',
  'Sat 23:00 serve earning',
  'Sat 23:30 stop paused',
  'Sun 00:30 stop in-use',
  'Sun 00:40 serve earning',
  // Nine hours and twenty minutes later: the hour from 2 to 3 came twice.
  'Sun 09:00 stop schedule-closed',
  'Sun 22:00 serve earning',
  'Sun 23:00 drain finishing',
  'Sun 23:20 stop paused',
]

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-week-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function snapshotAt(nowMs: number): Omit<EarningSnapshot, 'profitPerKwh'> {
  const known = <T>(value: T) => ({ known: true as const, value, source: 'script', atMs: nowMs })
  const within = ([from, to]: [string, string]) => at(from) <= nowMs && nowMs < at(to)
  const rest = USES.map(([from, to]) =>
    at(from) > nowMs ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - at(to)),
  )
  return {
    idleSeconds: known(Math.min(86_400_000, ...rest) / 1000),
    locked: known(false),
    power: known({ onBattery: within(UNPLUGGED), percent: 70 }),
    thermal: known('nominal'),
    exclusiveApp: known(within(PLAYING) ? 'elden' : null),
    fullScreen: known(false),
    metered: known(false),
    cpuByOthers: known(0),
    memoryAvailableBytes: known(2 ** 35),
    gpuTemperaturesC: known([{ gpuId: 'gpu', celsius: 50 }]),
    cpuTemperatureC: known(50),
  }
}

describe('a week of nights', () => {
  it('goes as the owner expects, through a crash and the hour that comes twice', async () => {
    let nowMs = at('Mon 00:00')
    const clock = { nowMs: () => nowMs }
    const open = () => openEarningHouse(directory, clock, () => snapshotAt(nowMs))
    let house = open()
    house.earning.setPolicy(POLICY, 'window')
    let guest: Admission | null = null
    const words: Record<string, () => unknown> = {
      'Thu 23:00': () => house.earning.snooze({ minutes: 60 }),
      'Thu 23:30': () => {
        // Killed: nothing is closed, nothing written.
        house.close()
        house = open()
      },
      'Sat 23:30': () => house.earning.pause('window'),
      'Sun 00:30': () => house.earning.resume('window'),
      'Sun 22:59': async () => {
        guest = await house.earning.admit({ ownKey: false })
      },
      'Sun 23:00': () => house.earning.finish(),
      'Sun 23:20': () => guest?.leave(),
    }
    const timeline: string[] = []
    const changes: number[] = []
    const end = at('Mon+ 07:00')
    for (; nowMs < end; nowMs += MINUTE_MS) {
      const isDown = at('Thu 23:30') < nowMs && nowMs < at('Thu 23:35')
      if (isDown) continue
      const word = words[wall(nowMs)]
      // In the hour that comes twice nobody says anything.
      if (word) await word()
      await house.earning.tick()
      const { decision, mode } = house.earning.view()
      const line = `${decision.action} ${decision.code}`
      if (
        timeline.at(-1)?.slice(-line.length) !== line ||
        timeline.at(-1)?.split(' ').slice(2).join(' ') !== line
      ) {
        timeline.push(`${wall(nowMs)} ${line}`)
        changes.push(nowMs)
      }
      // Whatever happens.
      if (mode === 'paused') expect(decision.action).not.toBe('serve')
      expect(house.engine.status().state).toBe(decision.action === 'stop' ? 'stopped' : 'ready')
      expect(changes.filter((change) => change > nowMs - 60 * MINUTE_MS).length).toBeLessThanOrEqual(4)
    }
    expect(timeline).toEqual(EXPECTED)
    const nights = timeline.filter((line) => line.endsWith('serve earning')).length
    expect(nights).toBe(EXPECTED.filter((line) => line.endsWith('serve earning')).length)
    house.close()
  }, 60_000)

  it('whatever the owner says and whenever the host is killed, a pause holds, a snooze ends and a finish pauses', async () => {
    const step = fc.record({
      minutes: fc.integer({ min: 1, max: 40 }),
      word: fc.constantFrom(
        'none',
        'none',
        'pause',
        'resume',
        'snooze',
        'wake',
        'finish',
        'job',
        'end',
        'kill',
        'back',
      ),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        const home = mkdtempSync(join(directory, 'run-'))
        let nowMs = at('Tue 12:00')
        const open = () => openEarningHouse(home, { nowMs: () => nowMs }, () => snapshotAt(nowMs))
        let house = open()
        await house.earning.tick()
        let paused = false
        let finishing = false
        let snoozeEndsMs = 0
        let jobs: Admission[] = []
        for (const { minutes, word } of steps) {
          nowMs += minutes * MINUTE_MS
          const { earning } = house
          await earning.tick()
          if (snoozeEndsMs <= nowMs) snoozeEndsMs = 0
          if (word === 'pause') await earning.pause('window')
          if (word === 'resume') await earning.resume('window')
          if (word === 'snooze' && !paused) earning.snooze({ minutes: 30 })
          if (word === 'wake') earning.wake()
          if (word === 'finish') earning.finish()
          if (word === 'job')
            jobs.push(
              ...(await earning.admit({ ownKey: false }).then(
                (one) => [one],
                () => [],
              )),
            )
          if (word === 'end') jobs.pop()?.leave()
          if (word === 'kill') {
            house.close()
            house = open()
            jobs = []
          }
          if (word === 'back') nowMs -= 3 * 60 * MINUTE_MS
          if (word === 'pause') [paused, finishing, snoozeEndsMs] = [true, false, 0]
          if (word === 'resume') [paused, finishing, snoozeEndsMs] = [false, false, 0]
          if (word === 'snooze' && !paused) [finishing, snoozeEndsMs] = [false, nowMs + 30 * MINUTE_MS]
          if (word === 'wake') snoozeEndsMs = 0
          if (word === 'finish' && !paused) [finishing, snoozeEndsMs] = [true, 0]
          // A clock that is set back makes no snooze longer than it was to be.
          if (word === 'back') snoozeEndsMs = Math.min(snoozeEndsMs, nowMs + 30 * MINUTE_MS)
          await house.earning.tick()
          const running = jobs.filter(({ signal }) => !signal.aborted)
          if (finishing && jobs.length === 0) [paused, finishing] = [true, false]
          const view = house.earning.view()
          expect(view.mode === 'paused').toBe(paused)
          expect(view.finishing).toBe(finishing)
          if (paused || finishing) expect(view.decision.action).not.toBe('serve')
          if (!paused && !finishing) expect(view.decision.code === 'snoozed').toBe(snoozeEndsMs > nowMs)
          if (paused) expect(running.length === 0 || view.decision.action === 'drain').toBe(true)
          for (const job of jobs.filter(({ signal }) => signal.aborted)) job.leave()
          jobs = running
          if (finishing && jobs.length === 0) {
            await house.earning.tick()
            paused = true
            finishing = false
          }
        }
        house.close()
        for (const job of jobs) job.leave()
      }),
      { numRuns: 10, seed: 6_104, endOnFailure: true },
    )
  }, 60_000)
})
