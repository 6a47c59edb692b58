import {
  GuardrailName,
  type GuardrailView,
  type GuardSentenceCode,
  type OwnerValues,
  type ReasonParams,
  SentinelCode,
  type SentinelLevel,
  type SentinelView,
} from '../../src-preload/contract/index.ts'
import { TiramiError } from '../kernel/index.ts'
import type { CostEvent, EarningEvent, JobEvent, UnpaidEvent } from './events.ts'
import { type Return, type ReturnSample, returnOf } from './roi.ts'
import { GUARD_SENTENCES, guardrailSentence, SENTINEL_SENTENCES } from './sentinel-sentences.ts'

export type SentinelLimits = OwnerValues['sentinel']

interface SentinelSample extends ReturnSample {
  energySource: 'measured' | 'declared' | null
}

/** Follows from the events alone. */
export interface SentinelState {
  /** The latest time of any event: a clock set back makes no day new. */
  atMs: number
  /** Latched: only the owner takes it away. */
  pause: (Omit<Breach, 'params'> & { params?: ReasonParams; atMs: number }) | null
  /** Latest jobs of others whose value and electricity are known, oldest first. */
  samples: readonly SentinelSample[]
  /** Slowness of the latest jobs, milliseconds. */
  latenciesMs: readonly number[]
  lastCycles: number
  failureStreak: number
  /** Whole UTC days since 1970 that the next two count for. */
  day: number
  costToday: number
  unmeasuredToday: number
}

export const INITIAL_SENTINEL: SentinelState = {
  atMs: 0,
  pause: null,
  samples: [],
  latenciesMs: [],
  lastCycles: 0,
  failureStreak: 0,
  day: 0,
  costToday: 0,
  unmeasuredToday: 0,
}

const DAY_MS = 86_400_000
/** The longest window that the owner may choose. */
const SAMPLES_MAX = 200
const LATENCIES_MAX = 20
/** Part of a limit from which a guardrail is amber. */
const AMBER = 0.8
/** Failures before the limit that are amber. */
const AMBER_FAILURES = 2

/**
 * UTC days: they are all 24 hours long and are those of the ledger's statements; a day of the owner's zone would begin
 * anew whenever the zone of the machine changes.
 */
const dayOf = (atMs: number): number => Math.floor(atMs / DAY_MS)

export function applyToSentinel(state: SentinelState, event: EarningEvent): SentinelState {
  const atMs = Math.max(state.atMs, event.atMs)
  switch (event.kind) {
    case 'earning.job':
      return withJob({ ...sameDay(state, atMs), atMs }, event)
    case 'earning.cost':
      return withCost({ ...sameDay(state, atMs), atMs }, event)
    case 'earning.unpaid': {
      const today = sameDay(state, atMs)
      return { ...today, atMs, costToday: today.costToday + (event.cost ?? 0) }
    }
    case 'earning.paused': {
      const { kind: _, ...pause } = event
      return state.pause ? { ...state, atMs } : { ...state, atMs, pause: { ...pause, atMs } }
    }
    case 'earning.resumed':
      return { ...state, atMs, pause: null, samples: [], latenciesMs: [], lastCycles: 0, failureStreak: 0 }
    case 'earning.adjusted':
      return { ...state, atMs }
  }
}

function sameDay(state: SentinelState, atMs: number): SentinelState {
  const day = dayOf(atMs)
  return day <= state.day ? state : { ...state, day, costToday: 0, unmeasuredToday: 0 }
}

function withJob(state: SentinelState, job: JobEvent): SentinelState {
  return {
    ...(job.pending ? state : withCost(state, job)),
    latenciesMs: [...state.latenciesMs, job.latencyMs].slice(-LATENCIES_MAX),
    lastCycles: job.cycles,
    failureStreak: job.ok ? 0 : state.failureStreak + 1,
  }
}

/** A cost that becomes known after midnight counts for the new day: the old one can no longer be stopped. */
function withCost(state: SentinelState, event: JobEvent | CostEvent): SentinelState {
  const sample = sampleOf(event)
  return {
    ...state,
    samples: sample ? [...state.samples, sample].slice(-SAMPLES_MAX) : state.samples,
    costToday: state.costToday + (event.cost ?? 0),
    unmeasuredToday: state.unmeasuredToday + (event.cost === null ? 1 : 0),
  }
}

/** The owner's own use and jobs without a figure say nothing about the return. A failed job earned nothing. */
export function sampleOf(job: JobEvent | CostEvent): SentinelSample | null {
  if (job.ownKey || job.value === null || job.cost === null) return null
  return { value: job.ok ? job.value : 0, cost: job.cost, energySource: job.energySource }
}

interface Breach {
  guardrail: GuardrailName
  reason: string
  nextStep: string
  /** Figures of the guardrail. */
  params: ReasonParams
}

/** Pauses on the job, or its cost, that goes past a limit. @returns it, and the pause if there is one */
export function decideJob(
  state: SentinelState,
  job: JobEvent | CostEvent | UnpaidEvent,
  limits: SentinelLimits,
): EarningEvent[] {
  const after = applyToSentinel(state, job)
  const own = job.kind === 'earning.job' ? jobBreach(job, limits) : null
  const found = after.pause ? null : (own ?? standingBreach(after, limits))
  return found ? [job, pausedEvent(found, after.atMs)] : [job]
}

/** What changed limits make of the state. @returns the pause, or nothing */
export function decideReview(state: SentinelState, limits: SentinelLimits, nowMs: number): EarningEvent[] {
  const now = at(state, nowMs)
  const found = now.pause ? null : standingBreach(now, limits)
  return found ? [pausedEvent(found, now.atMs)] : []
}

/**
 * @returns nothing when it is not red
 * @throws TiramiError SENTINEL_STILL_RED (409) while the day's budget is spent: the next job would stop it again
 */
export function decideResume(state: SentinelState, limits: SentinelLimits, nowMs: number): EarningEvent[] {
  const now = at(state, nowMs)
  if (!now.pause) return []
  const spent = budgetBreach(now, limits)
  if (spent) {
    const { reason, nextStep, params } = spent
    throw new TiramiError('SENTINEL_STILL_RED', reason, { nextStep, params, httpStatus: 409 })
  }
  return [{ kind: 'earning.resumed', atMs: now.atMs }]
}

/** Before any work. @throws TiramiError SENTINEL_RED (503) */
export function assertNotRed({ pause }: SentinelState): void {
  if (!pause) return
  throw new TiramiError('SENTINEL_RED', `The sentinel has stopped this host. ${pause.reason}`, {
    nextStep: pause.nextStep,
    httpStatus: 503,
  })
}

function at(state: SentinelState, nowMs: number): SentinelState {
  const atMs = Math.max(state.atMs, nowMs)
  return { ...sameDay(state, atMs), atMs }
}

function pausedEvent(breach: Breach, atMs: number): EarningEvent {
  return { kind: 'earning.paused', atMs, ...breach }
}

/** @param count how many jobs the figure is over */
function breachOf(guardrail: GuardrailName, value: number, limit: number, count?: number): Breach {
  const params = { value, limit, ...(count === undefined ? {} : { count }) }
  const { reason, nextStep } = SENTINEL_SENTENCES[`red.${guardrail}`]
  return { guardrail, reason: guardrailSentence(reason, guardrail, params), nextStep, params }
}

function jobBreach(job: JobEvent, limits: SentinelLimits): Breach | null {
  if (!job.valid) return { guardrail: 'metrics', ...SENTINEL_SENTENCES['red.metrics'], params: {} }
  if (job.cycles > limits.max_cycles) return breachOf('recursion', job.cycles, limits.max_cycles)
  if (job.latencyMs > limits.max_latency_ms) return breachOf('latency', job.latencyMs, limits.max_latency_ms)
  return null
}

/** What does not depend on one job only. */
function standingBreach(state: SentinelState, limits: SentinelLimits): Breach | null {
  const spent = budgetBreach(state, limits)
  if (spent) return spent
  const roi = windowReturn(state, limits)
  if (roi !== null && roi.net !== null && roi.net < limits.roi_floor)
    return breachOf('roi_floor', roi.net, limits.roi_floor, roi.samples)
  const { failureStreak } = state
  return failureStreak >= limits.failure_streak
    ? breachOf('failure_streak', failureStreak, limits.failure_streak)
    : null
}

function budgetBreach(state: SentinelState, limits: SentinelLimits): Breach | null {
  if (limits.daily_budget === null || state.costToday <= limits.daily_budget) return null
  return breachOf('daily_budget', state.costToday, limits.daily_budget)
}

/** Null before there are enough samples to judge by. */
function windowReturn(state: SentinelState, limits: SentinelLimits): (Return & { samples: number }) | null {
  const samples = state.samples.slice(-limits.roi_window_jobs)
  return samples.length < limits.min_samples ? null : { ...returnOf(samples), samples: samples.length }
}

/** Green, amber or red, with every guardrail's reading. */
export function sentinelView(
  state: SentinelState,
  limits: SentinelLimits,
  currency: string,
  nowMs: number,
): SentinelView {
  const now = at(state, nowMs)
  const guardrails = guardrailsOf(now, limits)
  return {
    ...verdictOf(now, guardrails),
    pausedAtMs: now.pause?.atMs ?? null,
    guardrails,
    roi: roiView(now, limits),
    costToday: now.costToday,
    unmeasuredJobsToday: now.unmeasuredToday,
    currency,
  }
}

type Verdict = Pick<SentinelView, 'level' | 'code' | 'params' | 'reason' | 'nextStep'>

function verdictOf({ pause }: SentinelState, guardrails: readonly GuardrailView[]): Verdict {
  if (pause) {
    const { guardrail, reason, nextStep, params = {} } = pause
    return { level: 'red', code: `red.${guardrail}`, params, reason, nextStep }
  }
  for (const { name, level, params, sentence } of guardrails) {
    const code = SentinelCode.safeParse(`amber.${name}`).data
    if (level !== 'amber' || code === undefined) continue
    return { level, code, params, reason: sentence, nextStep: SENTINEL_SENTENCES[code].nextStep }
  }
  return { level: 'green', code: 'green', params: {}, ...SENTINEL_SENTENCES.green }
}

function roiView(state: SentinelState, limits: SentinelLimits): SentinelView['roi'] {
  const samples = state.samples.slice(-limits.roi_window_jobs)
  const { gross, net } = returnOf(samples)
  const sources = new Set(samples.map(({ energySource }) => energySource))
  const [only] = sources
  return {
    gross: finite(gross),
    net: finite(net),
    samples: samples.length,
    energy: sources.size > 1 ? 'mixed' : (only ?? 'unknown'),
  }
}

const finite = (value: number | null): number | null =>
  value !== null && Number.isFinite(value) ? value : null

function guardrailsOf(state: SentinelState, limits: SentinelLimits): GuardrailView[] {
  const view = (
    code: GuardSentenceCode,
    near: boolean,
    value: number | null,
    limit: number | null,
    counts: ReasonParams = {},
  ): GuardrailView => {
    const name = GuardrailName.parse(code.split('.')[0])
    const isRed = state.pause?.guardrail === name
    const level: SentinelLevel = isRed ? 'red' : near ? 'amber' : 'green'
    const figures = [
      ...(value === null ? [] : [['value', value] as const]),
      ...(limit === null ? [] : [['limit', limit] as const]),
    ]
    const params: ReasonParams = { ...Object.fromEntries(figures), ...counts }
    const sentence = guardrailSentence(GUARD_SENTENCES[code], name, params)
    return { name, level, value, limit, sentence, code, params }
  }
  const slowestMs = state.latenciesMs.length > 0 ? Math.max(...state.latenciesMs) : null
  const budget = limits.daily_budget
  const roi = windowReturn(state, limits)
  const isJudged = roi !== null && roi.net !== null
  const nearFloor = roi?.gross != null && roi.gross < (limits.roi_floor + 1) * (2 - AMBER)
  const warnAt = limits.failure_streak - AMBER_FAILURES
  return [
    view(
      budget === null ? 'daily_budget.unlimited' : 'daily_budget.reading',
      budget !== null && budget > 0 && state.costToday >= AMBER * budget,
      state.costToday,
      budget,
    ),
    // The host keeps to this limit by itself, so being near it means nothing.
    view('recursion.reading', false, state.lastCycles, limits.max_cycles),
    view('metrics.reading', false, null, null),
    view(
      slowestMs === null ? 'latency.unmeasured' : 'latency.reading',
      slowestMs !== null && slowestMs >= AMBER * limits.max_latency_ms,
      slowestMs,
      limits.max_latency_ms,
      { count: state.latenciesMs.length },
    ),
    view(
      isJudged ? 'roi_floor.reading' : 'roi_floor.unmeasured',
      nearFloor,
      finite(roi?.net ?? null),
      limits.roi_floor,
      isJudged
        ? { count: roi.samples }
        : { count: Math.min(state.samples.length, limits.min_samples), needed: limits.min_samples },
    ),
    view(
      'failure_streak.reading',
      warnAt > 0 && state.failureStreak >= warnAt,
      state.failureStreak,
      limits.failure_streak,
    ),
  ]
}
