import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EarningSchedule, Weekday } from '../../src-preload/contract/index.ts'
import { isOpen, nextFlipMs, nextWallTimeMs, weekSpans } from './schedule.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const NEVER = Object.fromEntries(Weekday.options.map((day) => [day, []])) as unknown as EarningSchedule
const always = (from: string, to: string): EarningSchedule =>
  Object.fromEntries(Weekday.options.map((day) => [day, [{ from, to }]])) as unknown as EarningSchedule
const utc = (text: string): number => Date.parse(`${text}Z`)

/** The clock on the wall as the library of the language prints it: not how the code under test works it out. */
function wall(timeZone: string, atMs: number): { day: Weekday; time: string } {
  const text = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'long',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(atMs)
  const [, day = '', time = ''] = /^(\w+),? (?:at )?(\d\d:\d\d)$/.exec(text) ?? []
  return { day: Weekday.parse(day.toLowerCase()), time }
}

function openByWall(schedule: EarningSchedule, timeZone: string, atMs: number): boolean {
  const { day, time } = wall(timeZone, atMs)
  const before = Weekday.options[(Weekday.options.indexOf(day) + 6) % 7] ?? 'sunday'
  const today = schedule[day].some(({ from, to }) => from <= time && (to <= from || time < to))
  return today || schedule[before].some(({ from, to }) => to <= from && time < to)
}

const minute = fc
  .integer({ min: 0, max: 1_439 })
  .map((at) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`)
const windows = fc.array(fc.record({ from: minute, to: fc.oneof(minute, fc.constant('24:00')) }), {
  maxLength: 3,
})
const schedules = fc.record(
  Object.fromEntries(Weekday.options.map((day) => [day, windows])) as Record<Weekday, typeof windows>,
)
const zones = fc.constantFrom(
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Asia/Tokyo',
  'Africa/Casablanca',
  'Pacific/Chatham',
  'UTC',
)
/** Half of the moments lie near a change of the clock. */
const moments = fc.oneof(
  fc.integer({ min: utc('2026-01-01T00:00'), max: utc('2028-01-01T00:00') }),
  fc
    .record({
      at: fc.constantFrom(
        ...[
          '2026-03-08T07:00',
          '2026-03-29T01:00',
          '2026-04-04T15:00',
          '2026-10-03T15:30',
          '2026-10-25T01:00',
        ],
        ...['2026-11-01T06:00', '2026-04-04T14:00', '2026-02-15T02:00'],
      ),
      aside: fc.integer({ min: -30 * HOUR_MS, max: 6 * HOUR_MS }),
    })
    .map(({ at, aside }) => utc(at) + aside),
)

describe('hours of the week', () => {
  it('are open exactly when the clock on the wall stands within them, in every zone', () => {
    fc.assert(
      fc.property(schedules, zones, moments, (schedule, zone, atMs) => {
        expect(isOpen(weekSpans(schedule), zone, atMs)).toBe(openByWall(schedule, zone, atMs))
      }),
      { numRuns: 1_500, seed: 6_101 },
    )
  })

  it('change when they say so: not a minute earlier, and a minute before they had not changed', () => {
    fc.assert(
      fc.property(schedules, zones, moments, (schedule, zone, atMs) => {
        const spans = weekSpans(schedule)
        const flipMs = nextFlipMs(spans, zone, atMs)
        const now = openByWall(schedule, zone, atMs)
        if (flipMs === null) {
          for (let hours = 0; hours < 8 * 24; hours++)
            expect(openByWall(schedule, zone, atMs + hours * HOUR_MS)).toBe(now)
          return
        }
        expect(flipMs).toBeGreaterThan(atMs)
        expect(openByWall(schedule, zone, flipMs)).toBe(!now)
        // A look every seventh minute, and at the last one.
        for (let at = atMs; at < flipMs; at += 7 * MINUTE_MS) expect(openByWall(schedule, zone, at)).toBe(now)
        expect(openByWall(schedule, zone, flipMs - 1)).toBe(now)
      }),
      { numRuns: 60, seed: 6_102 },
    )
  })

  it.each([
    ['a plain night', '2026-07-04T20:00', 9],
    ['the night that an hour is left out', '2026-03-28T21:00', 8],
    ['the night that an hour comes twice', '2026-10-24T20:00', 10],
  ])('from 22:00 to 07:00 in Berlin, %s', (_name, openedAt, hours) => {
    const spans = weekSpans(always('22:00', '07:00'))
    expect(isOpen(spans, 'Europe/Berlin', utc(openedAt) - 1)).toBe(false)
    expect(nextFlipMs(spans, 'Europe/Berlin', utc(openedAt) - 1)).toBe(utc(openedAt))
    expect(nextFlipMs(spans, 'Europe/Berlin', utc(openedAt))).toBe(utc(openedAt) + hours * HOUR_MS)
  })

  it('that begin in the hour that is left out begin when it would have', () => {
    const spans = weekSpans({ ...NEVER, sunday: [{ from: '02:30', to: '05:00' }] })
    expect(nextFlipMs(spans, 'Europe/Berlin', utc('2026-03-29T00:00'))).toBe(utc('2026-03-29T01:00'))
  })

  it.each([
    ['none at all', NEVER, false],
    ['all day, every day', always('00:00', '24:00'), true],
    ['from a time to the same time', always('09:00', '09:00'), true],
  ])('never change: %s', (_name, schedule, open) => {
    const spans = weekSpans(schedule)
    expect(isOpen(spans, 'Asia/Tokyo', utc('2026-05-05T05:05'))).toBe(open)
    expect(nextFlipMs(spans, 'Asia/Tokyo', utc('2026-05-05T05:05'))).toBeNull()
  })
})

describe('until morning', () => {
  it.each([
    ['in the evening', '2026-07-04T20:00', '2026-07-05T05:00'],
    ['after midnight', '2026-07-05T01:00', '2026-07-05T05:00'],
    ['at seven itself: the next one', '2026-07-05T05:00', '2026-07-06T05:00'],
    ['over the hour that is left out', '2026-03-28T22:00', '2026-03-29T05:00'],
    ['over the hour that comes twice', '2026-10-24T22:00', '2026-10-25T06:00'],
  ])('%s, in Berlin', (_name, now, morning) => {
    expect(nextWallTimeMs('07:00', 'Europe/Berlin', utc(now))).toBe(utc(morning))
  })
})
