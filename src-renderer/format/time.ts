import { i18n } from '../i18n/index.ts'
import { dateFormat } from './locale.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long something took, cut and not rounded (59.999 s is not a minute): `84 ms`, `2.41 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND) return `${Math.floor(ms)} ms`
  if (ms < MINUTE) return `${Math.floor(ms / 10) / 100} ${i18n.t('time.second')}`
  if (ms < HOUR) return twoUnits(ms, MINUTE, 'minute', SECOND, 'second')
  if (ms < DAY) return twoUnits(ms, HOUR, 'hour', MINUTE, 'minute')
  return twoUnits(ms, DAY, 'day', HOUR, 'hour')
}

type Unit = 'day' | 'hour' | 'minute' | 'second'

function twoUnits(ms: number, big: number, bigUnit: Unit, small: number, smallUnit: Unit): string {
  const rest = Math.floor((ms % big) / small)
  const bigPart = `${Math.floor(ms / big)} ${i18n.t(`time.${bigUnit}`)}`
  return rest === 0 ? bigPart : `${bigPart} ${rest} ${i18n.t(`time.${smallUnit}`)}`
}

/** `just now`, `3 min ago`, `5 h ago`; a date from two days on. A clock that runs ahead reads as now. */
export function formatRelative(thenMs: number, nowMs: number): string {
  const age = nowMs - thenMs
  if (age < 10 * SECOND) return i18n.t('time.now')
  if (age < MINUTE) return i18n.t('time.secondsAgo', { count: Math.floor(age / SECOND) })
  if (age < HOUR) return i18n.t('time.minutesAgo', { count: Math.floor(age / MINUTE) })
  if (age < 2 * DAY) return i18n.t('time.hoursAgo', { count: Math.floor(age / HOUR) })
  return formatDate(thenMs)
}

/** `21 Nov 2026`. */
export function formatDate(ms: number): string {
  return dateFormat({ day: 'numeric', month: 'short', year: 'numeric' }).format(ms)
}

/** `18:00`. */
export function formatClock(ms: number): string {
  return dateFormat({ hour: '2-digit', minute: '2-digit' }).format(ms)
}

/** To the second, as in a log: `21 Nov 2026, 18:00:07`. */
export function formatDateTime(ms: number): string {
  return dateFormat({ dateStyle: 'medium', timeStyle: 'medium' }).format(ms)
}

/** As people make an appointment: `21 Nov 2026, 18:00`. */
export function formatMoment(ms: number): string {
  return dateFormat({ dateStyle: 'medium', timeStyle: 'short' }).format(ms)
}

/** A sentence of the host with its times, which it writes as ISO 8601, as people read them. */
export const withReadableTimes = (sentence: string): string =>
  sentence.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (time) => formatMoment(Date.parse(time)))

/** What a bar of the earnings chart is called: the hour, or the day where a bar is a day or longer. */
export function formatBucket(startMs: number, bucketMs: number): string {
  const start = new Date(startMs)
  if (bucketMs >= DAY) return dateFormat({ day: 'numeric', month: 'short' }).format(start)
  const time = formatClock(startMs)
  return bucketMs > HOUR ? `${dateFormat({ weekday: 'short' }).format(start)} ${time}` : time
}
