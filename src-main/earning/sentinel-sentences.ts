import type {
  GuardrailName,
  GuardSentenceCode,
  ReasonParams,
  SentinelCode,
} from '../../src-preload/contract/index.ts'
import { fillSentence } from '../kernel/index.ts'

/** English; `value` and `limit` are figures of the guardrail, in its own unit. */
export const GUARD_SENTENCES: Readonly<Record<GuardSentenceCode, string>> = {
  'daily_budget.reading': 'Electricity cost {value} of {limit} today.',
  'daily_budget.unlimited': 'Electricity cost {value} today; there is no daily budget.',
  'recursion.reading': 'The last job spent {value} of {limit} network calls.',
  'metrics.reading': 'Every job’s figures make sense.',
  'latency.reading': 'The slowest of the last {count} jobs took {value} of {limit}.',
  'latency.unmeasured': 'No job has ended yet.',
  'roi_floor.reading': 'The return of the last {count} jobs is {value}; the floor is {limit}.',
  'roi_floor.unmeasured':
    'The return is not judged yet: {count} of {needed} jobs have a price and an energy figure.',
  'failure_streak.reading': '{value} of {limit} failures in a row.',
}

const RESUME = 'then resume the sentinel in the owner’s console.'
const CALM = 'Nothing to do.'

/** Why the sentinel is what it is, and what to do. */
export const SENTINEL_SENTENCES: Readonly<Record<SentinelCode, { reason: string; nextStep: string }>> = {
  green: { reason: 'All guardrails are within their limits.', nextStep: CALM },
  'amber.daily_budget': {
    reason: GUARD_SENTENCES['daily_budget.reading'],
    nextStep: 'Raise sentinel.daily_budget if today may cost more.',
  },
  'amber.latency': {
    reason: GUARD_SENTENCES['latency.reading'],
    nextStep: 'See what else keeps the machine busy.',
  },
  'amber.roi_floor': {
    reason: GUARD_SENTENCES['roi_floor.reading'],
    nextStep: 'Check the prices in the owner’s console.',
  },
  'amber.failure_streak': {
    reason: GUARD_SENTENCES['failure_streak.reading'],
    nextStep: 'See why jobs fail before more do.',
  },
  'red.daily_budget': {
    reason: 'Electricity cost {value} today; the daily budget is {limit}.',
    nextStep: `Raise sentinel.daily_budget or wait for 00:00 UTC, ${RESUME}`,
  },
  'red.recursion': {
    reason: 'A job spent {value} network calls; at most {limit} are allowed.',
    nextStep: `Raise sentinel.max_cycles if that was wanted, ${RESUME}`,
  },
  'red.metrics': {
    reason: 'A job reported figures that cannot be: a defect, since nothing can be judged by them.',
    nextStep: `Report it with the time it happened; ${RESUME}`,
  },
  'red.latency': {
    reason: 'A job took {value}; at most {limit} are allowed.',
    nextStep: `See what keeps the machine busy or raise sentinel.max_latency_ms, ${RESUME}`,
  },
  'red.roi_floor': {
    reason: 'The return of the last {count} jobs is {value}, below the floor of {limit}.',
    nextStep: `Check the prices in the owner’s console or choose a smaller model, ${RESUME}`,
  },
  'red.failure_streak': {
    reason: '{value} jobs in a row have failed.',
    nextStep: `Restart the model or choose another one, ${RESUME}`,
  },
}

const seconds = (ms: number): string => (ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`)
/** Significant digits, not decimals: a job's electricity may cost a millionth. */
const money = (amount: number): string => String(Number(amount.toPrecision(6)))
const factor = (net: number): string => String(Number(net.toPrecision(3)))

const FIGURES: Partial<Record<GuardrailName, (figure: number) => string>> = {
  daily_budget: money,
  latency: seconds,
  roi_floor: factor,
}

/** An English sentence about a guardrail, its figures in the guardrail's own form. */
export function guardrailSentence(template: string, name: GuardrailName, params: ReasonParams): string {
  const figure = FIGURES[name] ?? String
  const shown = Object.entries(params).map(([key, value]) => {
    const isFigure = (key === 'value' || key === 'limit') && typeof value === 'number'
    return [key, isFigure ? figure(value) : value] as const
  })
  return fillSentence(template, Object.fromEntries(shown))
}
