import type { TelemetryRecord } from '../../../src-preload/contract/index.ts'
import { formatNumber, groupDigits } from '../../format/index.ts'

/** Amber and red of the sentinel, jobs that failed, thoughts that the rules refuted. */
export function kindTone({ event_type, payload }: TelemetryRecord): 'plain' | 'warn' | 'bad' | 'earning' {
  if (event_type === 'SentinelStatus') {
    return payload.level === 'red' ? 'bad' : payload.level === 'amber' ? 'warn' : 'earning'
  }
  if (event_type === 'JobServed') return payload.ok === false ? 'bad' : 'earning'
  if (event_type === 'TRMInference') return payload.success === false ? 'warn' : 'earning'
  return 'plain'
}

/** The fields that are known, in their own names, the long ones left out: a line to look along. Empty: none is. */
export function summaryOf({ payload }: TelemetryRecord): string {
  return Object.entries(payload)
    .filter(([name, value]) => name !== 'trade_id' && value !== null)
    .map(([name, value]) => `${name} ${shortOf(value)}`)
    .join(' · ')
}

function shortOf(value: unknown): string {
  if (typeof value === 'number') return formatNumber(value, { maximumSignificantDigits: 4 })
  if (typeof value === 'string' && /^\d{5,}$/.test(value)) return groupDigits(value)
  if (Array.isArray(value)) return `[${value.length}]`
  return typeof value === 'object' ? '{…}' : String(value)
}
