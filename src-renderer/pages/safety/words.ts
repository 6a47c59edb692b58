import {
  GuardrailName,
  type GuardrailView,
  ReasonParams,
  SentinelCode,
  type SentinelView,
  type TelemetryRecord,
} from '../../../src-preload/contract/index.ts'
import { formatDuration, formatMoney, formatNumber, groupDigits } from '../../format/index.ts'
import { hostWords, i18n } from '../../i18n/index.ts'

export const guardTones = { green: 'earning', amber: 'warn', red: 'bad' } as const

/** A figure of a guardrail with its unit; a dash where there is none. */
export function guardFigure(name: GuardrailView['name'], figure: number | null, currency: string): string {
  if (figure === null) return '–'
  switch (name) {
    case 'daily_budget':
      return formatMoney(figure, currency)
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

/** What a sentence about a guardrail mentions, its figures with their units. */
function figures(name: GuardrailView['name'], params: ReasonParams, currency: string) {
  const shown = Object.entries(params).map(([key, value]) => {
    const isFigure = typeof value === 'number' && (key === 'value' || key === 'limit')
    return [key, isFigure ? guardFigure(name, value, currency).trim() : value] as const
  })
  return Object.fromEntries(shown)
}

export function guardSentence({ name, code, params, sentence }: GuardrailView, currency: string): string {
  return hostWords(`guards.${code}`, sentence, figures(name, params, currency))
}

const guardOf = (code: SentinelCode) => GuardrailName.safeParse(code.split('.')[1]).data

export function sentinelWords(view: SentinelView): { reason: string; nextStep: string } {
  const name = guardOf(view.code)
  // Stopped by an earlier version, which kept no figures: those of now have the limit.
  const now = view.guardrails.find((guard) => guard.name === name)?.params
  const values = name === undefined ? {} : figures(name, { ...now, ...view.params }, view.currency)
  return {
    reason: hostWords(`sentinel.${view.code}.reason`, view.reason, values),
    nextStep: hostWords(`sentinel.${view.code}.nextStep`, view.nextStep, values),
  }
}

/** The same of an event; null where an earlier version wrote it without its code. */
function reasonOf({ code, params, reason }: TelemetryRecord['payload']): string | null {
  const known = SentinelCode.safeParse(code).data
  const name = known && guardOf(known)
  if (known === undefined || name === undefined) return null
  const values = figures(name, ReasonParams.catch({}).parse(params), '')
  return hostWords(`sentinel.${known}.reason`, String(reason), values)
}

/** One line of the history: what it is about is decided here, its words are in `safety.json`. */
export type HistoryLine =
  | { kind: 'sentinel'; level: SentinelView['level']; reason: string | null; english: boolean }
  | { kind: 'set'; key: string; before: string; after: string; source: string }
  | { kind: 'resumed' | 'refused'; source: string; line: number | null }

/** Null for an event that is not for here. */
export function historyLine({ event_type, payload }: TelemetryRecord): HistoryLine | null {
  const text = (name: string) => String(payload[name] ?? '')
  if (event_type === 'SentinelStatus') {
    const level = (['green', 'amber', 'red'] as const).find((known) => known === payload.level)
    if (!level) return null
    const reason = payload.reason === null ? null : (reasonOf(payload) ?? text('reason'))
    return { kind: 'sentinel', level, reason, english: reason !== null && reasonOf(payload) === null }
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

function shown(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–'
  return typeof value === 'boolean' ? i18n.t(`safety:history.value.${value}`) : String(value)
}
