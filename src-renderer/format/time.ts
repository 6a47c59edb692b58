const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long something took, cut and not rounded (59.999 s is not a minute): `84 ms`, `2.41 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND) return `${Math.floor(ms)} ms`
  if (ms < MINUTE) return `${Math.floor(ms / 10) / 100} s`
  if (ms < HOUR) return twoUnits(ms, MINUTE, 'min', SECOND, 's')
  if (ms < DAY) return twoUnits(ms, HOUR, 'h', MINUTE, 'min')
  return twoUnits(ms, DAY, 'd', HOUR, 'h')
}

function twoUnits(ms: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % big) / small)
  return `${Math.floor(ms / big)} ${bigName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`
}

/** `just now`, `3 min ago`, `5 h ago`; a date from two days on. A clock that runs ahead reads as now. */
export function formatRelative(thenMs: number, nowMs: number): string {
  const age = nowMs - thenMs
  if (age < 10 * SECOND) return 'just now'
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s ago`
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`
  if (age < 2 * DAY) return `${Math.floor(age / HOUR)} h ago`
  return new Date(thenMs).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
}

export function formatDateTime(ms: number): string {
  return new Date(ms).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
}

/** What a bar of the earnings chart is called: the hour, or the day where a bar is a day or longer. */
export function formatBucket(startMs: number, bucketMs: number): string {
  const start = new Date(startMs)
  if (bucketMs >= DAY) return start.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
  const time = start.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  return bucketMs > HOUR ? `${start.toLocaleDateString('en-GB', { weekday: 'short' })} ${time}` : time
}
