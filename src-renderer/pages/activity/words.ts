import type { TelemetryRecord } from '../../../src-preload/contract/index.ts'

/** Amber and red of the sentinel, jobs that failed, thoughts that the rules refuted. */
export function kindTone({ event_type, payload }: TelemetryRecord): 'plain' | 'warn' | 'bad' | 'earning' {
  if (event_type === 'SentinelStatus') {
    return payload.level === 'red' ? 'bad' : payload.level === 'amber' ? 'warn' : 'earning'
  }
  if (event_type === 'JobServed') return payload.ok === false ? 'bad' : 'earning'
  if (event_type === 'TRMInference') return payload.success === false ? 'warn' : 'earning'
  return 'plain'
}

/** The fields in their own names, the long ones left out: a line to look along, not to read. */
export function summaryOf({ payload }: TelemetryRecord): string {
  const fields = Object.entries(payload).filter(([name]) => name !== 'trade_id')
  const known = fields.filter(([, value]) => value !== null)
  return (known.length > 0 ? known : fields)
    .map(([name, value]) => `${name} ${value === null ? '–' : shortOf(value)}`)
    .join(' · ')
}

function shortOf(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)))
  if (Array.isArray(value)) return `[${value.length}]`
  return typeof value === 'object' ? '{…}' : String(value)
}
