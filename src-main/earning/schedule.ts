import { type EarningSchedule, Weekday } from '../../src-preload/contract/index.ts'

/** From and to, in minutes of the week that begins on Monday at 00:00; in order and apart from one another. */
export type WeekSpans = readonly (readonly [from: number, to: number])[]

const DAY_MINUTES = 1_440
const WEEK_MINUTES = 7 * DAY_MINUTES
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
/** 5 January 1970 was the first Monday. */
const FIRST_MONDAY_MINUTES = 4 * DAY_MINUTES
/** A week, and what a change of the clock may add to it. */
const HORIZON_MS = 8 * 24 * HOUR_MS

/** The weekly windows as spans; those that touch or overlap are one. */
export function weekSpans(schedule: EarningSchedule): WeekSpans {
  const spans = Weekday.options.flatMap((day, index) =>
    schedule[day].flatMap(({ from, to }) => {
      const start = index * DAY_MINUTES + minutesOf(from)
      const length = minutesOf(to) - minutesOf(from)
      return withinWeek(start, length > 0 ? length : length + DAY_MINUTES)
    }),
  )
  return joined(spans)
}

/** Spans that begin every day at `from` and last half a day: their beginning is the next time it is `from`. */
export function dailySpans(from: string): WeekSpans {
  const starts = Weekday.options.map((_day, index) => index * DAY_MINUTES + minutesOf(from))
  return joined(starts.flatMap((start) => withinWeek(start % WEEK_MINUTES, DAY_MINUTES / 2)))
}

function minutesOf(wallTime: string): number {
  const [hours = 0, minutes = 0] = wallTime.split(':').map(Number)
  return hours * 60 + minutes
}

/** What reaches past Sunday midnight goes on on Monday. */
function withinWeek(start: number, length: number): [number, number][] {
  const end = start + length
  return end <= WEEK_MINUTES
    ? [[start, end]]
    : [
        [start, WEEK_MINUTES],
        [0, end - WEEK_MINUTES],
      ]
}

function joined(spans: readonly (readonly [number, number])[]): WeekSpans {
  const result: [number, number][] = []
  for (const [from, to] of [...spans].sort((left, right) => left[0] - right[0])) {
    const last = result.at(-1)
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else result.push([from, to])
  }
  return result
}

/** The zone that this system is set to. */
export const systemTimeZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone

/**
 * Whether the clock on the wall stands within `spans`. An hour that comes twice counts both times, one that is left out
 * does not come.
 */
export function isOpen(spans: WeekSpans, timeZone: string, nowMs: number): boolean {
  return isWithin(spans, weekMinute(nowMs, offsetMs(timeZone, nowMs)))
}

/** The next moment at which `isOpen` becomes what it is not now; null: never. */
export function nextFlipMs(spans: WeekSpans, timeZone: string, nowMs: number): number | null {
  const [only] = spans
  if (!only || (only[0] === 0 && only[1] === WEEK_MINUTES)) return null
  const openNow = isOpen(spans, timeZone, nowMs)
  const endMs = nowMs + HORIZON_MS
  let fromMs = nowMs
  while (fromMs < endMs) {
    const offset = offsetMs(timeZone, fromMs)
    const untilMs = nextOffsetChangeMs(timeZone, fromMs, endMs)
    const flipMs = flipWithin(spans, openNow, offset, fromMs, untilMs)
    if (flipMs !== null) return flipMs
    fromMs = untilMs
  }
  return null
}

/** The next time the wall clock shows `wallTime`, or passes it where that hour is left out. */
export function nextWallTimeMs(wallTime: string, timeZone: string, nowMs: number): number {
  const spans = dailySpans(wallTime)
  const flipMs = nextFlipMs(spans, timeZone, nowMs) ?? nowMs + 24 * HOUR_MS
  return isOpen(spans, timeZone, nowMs) ? (nextFlipMs(spans, timeZone, flipMs) ?? flipMs) : flipMs
}

/** While the offset stays the same, the clock on the wall runs evenly. */
function flipWithin(
  spans: WeekSpans,
  openNow: boolean,
  offset: number,
  fromMs: number,
  untilMs: number,
): number | null {
  const startMinute = weekMinute(fromMs, offset)
  if (isWithin(spans, startMinute) !== openNow) return fromMs
  const minuteStartMs = fromMs - ((((fromMs + offset) % MINUTE_MS) + MINUTE_MS) % MINUTE_MS)
  const waits = spans
    .flat()
    .map((edge) => (edge - startMinute + WEEK_MINUTES) % WEEK_MINUTES || WEEK_MINUTES)
    .sort((left, right) => left - right)
  for (const wait of waits) {
    const atMs = minuteStartMs + wait * MINUTE_MS
    if (atMs >= untilMs) return null
    if (isWithin(spans, (startMinute + wait) % WEEK_MINUTES) !== openNow) return atMs
  }
  return null
}

const isWithin = (spans: WeekSpans, minute: number): boolean =>
  spans.some(([from, to]) => from <= minute && minute < to)

function weekMinute(atMs: number, offset: number): number {
  const minute = Math.floor((atMs + offset) / MINUTE_MS) - FIRST_MONDAY_MINUTES
  return ((minute % WEEK_MINUTES) + WEEK_MINUTES) % WEEK_MINUTES
}

/** The first moment after `fromMs` with another offset; `endMs` where there is none before it. */
function nextOffsetChangeMs(timeZone: string, fromMs: number, endMs: number): number {
  const offset = offsetMs(timeZone, fromMs)
  let beforeMs = fromMs
  for (let atMs = fromMs + HOUR_MS; beforeMs < endMs; atMs += HOUR_MS) {
    if (offsetMs(timeZone, atMs) !== offset) return firstChangeMs(timeZone, offset, beforeMs, atMs)
    beforeMs = atMs
  }
  return endMs
}

function firstChangeMs(timeZone: string, offset: number, beforeMs: number, afterMs: number): number {
  let low = beforeMs
  let high = afterMs
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetMs(timeZone, middle) === offset) low = middle
    else high = middle
  }
  return high
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** How far the clock on the wall is ahead of UTC. */
export function offsetMs(timeZone: string, atMs: number): number {
  let format = formats.get(timeZone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(timeZone, format)
  }
  const parts: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(atMs)) parts[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000
}
