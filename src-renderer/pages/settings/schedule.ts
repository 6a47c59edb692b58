import type { EarningSchedule, ScheduleWindow } from '../../../src-preload/contract/index.ts'

export const weekdays = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const
export type Weekday = (typeof weekdays)[number]

const everyDay = (windows: ScheduleWindow[]): EarningSchedule =>
  Object.fromEntries(weekdays.map((day) => [day, windows])) as EarningSchedule

const night = { from: '22:00', to: '07:00' }
const wholeDay = { from: '00:00', to: '24:00' }

export const presets = {
  nights: everyDay([night]),
  nightsAndWeekends: { ...everyDay([night]), saturday: [wholeDay], sunday: [wholeDay] },
  offHours: {
    ...everyDay([{ from: '18:00', to: '08:00' }]),
    saturday: [wholeDay],
    sunday: [{ from: '00:00', to: '24:00' }],
  },
  always: everyDay([wholeDay]),
  never: everyDay([]),
} as const satisfies Record<string, EarningSchedule>

/** As `<input type="time">` takes it: the end of a day is the beginning of the next. */
export const inputTime = (time: string): string => (time === '24:00' ? '00:00' : time)

export const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5))

/** Length in minutes; a window that ends where it begins is a whole day. */
function endOf({ from, to }: ScheduleWindow): number {
  const [start, end] = [minutesOf(from), minutesOf(to)]
  return end > start ? end : end + 1440
}

/** What of the windows of a day, and of those of the day before, lies in it. Minutes from 0 to 1440. */
export function daySpans(
  windows: readonly ScheduleWindow[],
  before: readonly ScheduleWindow[],
): { start: number; end: number }[] {
  const own = windows.map((window) => ({ start: minutesOf(window.from), end: Math.min(1440, endOf(window)) }))
  const left = before.flatMap((window) => {
    const end = endOf(window) - 1440
    return end > 0 ? { start: 0, end } : []
  })
  return [...left, ...own]
}

/** Windows of one day that lie over each other are a slip of the pen. */
export function scheduleProblem(windows: readonly ScheduleWindow[]): 'overlap' | null {
  const sorted = [...windows].sort((a, b) => minutesOf(a.from) - minutesOf(b.from))
  const overlaps = sorted.some((window, index) => {
    const next = sorted[index + 1]
    return next !== undefined && endOf(window) > minutesOf(next.from)
  })
  return overlaps ? 'overlap' : null
}

export function sameSchedule(left: EarningSchedule, right: EarningSchedule): boolean {
  return weekdays.every((day) => JSON.stringify(left[day]) === JSON.stringify(right[day]))
}
