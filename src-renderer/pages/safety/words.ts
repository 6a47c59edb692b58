import type { GuardrailView, SentinelView, TelemetryRecord } from '../../../src-preload/contract/index.ts'
import { formatDuration, formatNumber, groupDigits } from '../../format/index.ts'
import { hostWords } from '../../i18n/index.ts'

export const guardTones = { green: 'earning', amber: 'warn', red: 'bad' } as const

/** A figure of a guardrail with its unit; a dash where there is none. */
export function guardFigure(
  name: GuardrailView['name'],
  figure: number | null,
  currency: string,
  cut = false,
): string {
  if (figure === null) return '–'
  switch (name) {
    case 'daily_budget':
      return `${formatNumber(figure, { maximumFractionDigits: cut ? 2 : 4 })} ${currency}`
    case 'latency':
      return formatDuration(figure)
    case 'roi_floor':
      return formatNumber(figure, { maximumFractionDigits: 2 })
    default:
      return groupDigits(Math.round(figure))
  }
}

/** How near a guardrail is to its limit: 0 to 1, above it past 1; null where nothing was measured or limited. */
export function nearness({ name, value, limit }: GuardrailView): number | null {
  if (value === null || limit === null) return null
  // A floor: value over cost against the least value over cost.
  if (name === 'roi_floor') return value <= -1 ? 1 : Math.max(0, (limit + 1) / (value + 1))
  return limit <= 0 ? (value > 0 ? 1 : 0) : Math.max(0, value / limit)
}

function figures(guard: GuardrailView, currency: string): Record<string, string> {
  const { name, value, limit } = guard
  return { value: guardFigure(name, value, currency), limit: guardFigure(name, limit, currency) }
}

export function guardSentence(guard: GuardrailView, currency: string): string {
  const state = guard.value === null && guard.name !== 'metrics' ? 'unmeasured' : 'reading'
  const code = guard.limit === null && guard.name !== 'metrics' ? 'unlimited' : state
  return hostWords(`guards.${guard.name}.${code}`, guard.sentence, figures(guard, currency))
}

/** The guardrail that made the sentinel what it is; null while it is green. */
function decisive({ level, guardrails }: SentinelView): GuardrailView | null {
  return level === 'green' ? null : (guardrails.find((guard) => guard.level === level) ?? null)
}

export function sentinelWords(view: SentinelView): { reason: string; nextStep: string } {
  const guard = decisive(view)
  const code = guard === null ? view.level : `${view.level}.${guard.name}`
  const values = guard === null ? {} : figures(guard, view.currency)
  return {
    reason: hostWords(`sentinel.${code}.reason`, view.reason, values),
    nextStep: hostWords(`sentinel.${code}.nextStep`, view.nextStep, values),
  }
}

/** One line of the history: what it is about is decided here, its words are in `safety.json`. */
export type HistoryLine =
  | { kind: 'sentinel'; level: SentinelView['level']; reason: string | null }
  | { kind: 'set'; key: string; before: string; after: string; source: string }
  | { kind: 'resumed' | 'refused'; source: string; line: number | null }

/** Null for an event that is not for here. */
export function historyLine({ event_type, payload }: TelemetryRecord): HistoryLine | null {
  const text = (name: string) => String(payload[name] ?? '')
  if (event_type === 'SentinelStatus') {
    const level = (['green', 'amber', 'red'] as const).find((known) => known === payload.level)
    return level ? { kind: 'sentinel', level, reason: payload.reason === null ? null : text('reason') } : null
  }
  if (event_type !== 'OwnerAction') return null
  const source = text('source')
  switch (payload.action) {
    case 'set':
      return { kind: 'set', key: text('key'), before: shown(payload.old), after: shown(payload.new), source }
    case 'sentinel-resumed':
      return { kind: 'resumed', source, line: null }
    case 'file-refused':
      return { kind: 'refused', source, line: typeof payload.line === 'number' ? payload.line : null }
    default:
      return null
  }
}

const shown = (value: unknown): string => (value === null || value === undefined ? '–' : String(value))
