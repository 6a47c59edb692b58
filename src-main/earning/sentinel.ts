import type {
  GuardrailName,
  GuardrailView,
  OwnerValues,
  SentinelLevel,
  SentinelView,
} from '../../src-preload/contract/index.ts'
import { TiramiError } from '../kernel/index.ts'
import type { CostEvent, EarningEvent, JobEvent, UnpaidEvent } from './events.ts'
import { type Return, type ReturnSample, returnOf } from './roi.ts'

export type SentinelLimits = OwnerValues['sentinel']

interface SentinelSample extends ReturnSample {
  energySource: 'measured' | 'declared' | null
}

/** Follows from the events alone. */
export interface SentinelState {
  /** The latest time of any event: a clock set back makes no day new. */
  atMs: number
  /** Latched: only the owner takes it away. */
  pause: { guardrail: GuardrailName; reason: string; nextStep: string; atMs: number } | null
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
      const { guardrail, reason, nextStep } = event
      return state.pause
        ? { ...state, atMs }
        : { ...state, atMs, pause: { guardrail, reason, nextStep, atMs } }
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
    const { reason, nextStep } = spent
    throw new TiramiError('SENTINEL_STILL_RED', reason, { nextStep, httpStatus: 409 })
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

const RESUME = 'then resume the sentinel in the owner’s console.'

function jobBreach(job: JobEvent, limits: SentinelLimits): Breach | null {
  if (!job.valid) {
    return {
      guardrail: 'metrics',
      reason: 'A job reported figures that cannot be: a defect, since nothing can be judged by them.',
      nextStep: `Report it with the time it happened; ${RESUME}`,
    }
  }
  if (job.cycles > limits.max_cycles) {
    return {
      guardrail: 'recursion',
      reason: `A job spent ${job.cycles} network calls; at most ${limits.max_cycles} are allowed.`,
      nextStep: `Raise sentinel.max_cycles if that was wanted, ${RESUME}`,
    }
  }
  if (job.latencyMs > limits.max_latency_ms) {
    return {
      guardrail: 'latency',
      reason: `A job took ${seconds(job.latencyMs)}; at most ${seconds(limits.max_latency_ms)} are allowed.`,
      nextStep: `See what keeps the machine busy or raise sentinel.max_latency_ms, ${RESUME}`,
    }
  }
  return null
}

/** What does not depend on one job only. */
function standingBreach(state: SentinelState, limits: SentinelLimits): Breach | null {
  const spent = budgetBreach(state, limits)
  if (spent) return spent
  const roi = windowReturn(state, limits)
  if (roi !== null && roi.net !== null && roi.net < limits.roi_floor) {
    return {
      guardrail: 'roi_floor',
      reason: `The return of the last ${roi.samples} jobs is ${factor(roi.net)}, below the floor of ${factor(limits.roi_floor)}.`,
      nextStep: `Check the prices in the owner’s console or choose a smaller model, ${RESUME}`,
    }
  }
  if (state.failureStreak >= limits.failure_streak) {
    return {
      guardrail: 'failure_streak',
      reason: `${state.failureStreak} jobs in a row have failed.`,
      nextStep: `Restart the model or choose another one, ${RESUME}`,
    }
  }
  return null
}

function budgetBreach(state: SentinelState, limits: SentinelLimits): Breach | null {
  if (limits.daily_budget === null || state.costToday <= limits.daily_budget) return null
  return {
    guardrail: 'daily_budget',
    reason: `Electricity cost ${money(state.costToday)} today; the daily budget is ${money(limits.daily_budget)}.`,
    nextStep: `Raise sentinel.daily_budget or wait for 00:00 UTC, ${RESUME}`,
  }
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
  const worst = guardrails.find(({ level }) => level === 'amber')
  const { pause } = now
  return {
    level: pause ? 'red' : worst ? 'amber' : 'green',
    reason: pause?.reason ?? worst?.sentence ?? 'All guardrails are within their limits.',
    nextStep: pause?.nextStep ?? (worst ? AMBER_STEPS[worst.name] : 'Nothing to do.'),
    pausedAtMs: pause?.atMs ?? null,
    guardrails,
    roi: roiView(now, limits),
    costToday: now.costToday,
    unmeasuredJobsToday: now.unmeasuredToday,
    currency,
  }
}

const AMBER_STEPS: Record<GuardrailName, string> = {
  daily_budget: 'Raise sentinel.daily_budget if today may cost more.',
  recursion: 'Nothing to do.',
  metrics: 'Nothing to do.',
  latency: 'See what else keeps the machine busy.',
  roi_floor: 'Check the prices in the owner’s console.',
  failure_streak: 'See why jobs fail before more do.',
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
  const isRed = (name: GuardrailName): boolean => state.pause?.guardrail === name
  const view = (
    name: GuardrailName,
    near: boolean,
    value: number | null,
    limit: number | null,
    sentence: string,
  ): GuardrailView => {
    const level: SentinelLevel = isRed(name) ? 'red' : near ? 'amber' : 'green'
    return { name, level, value, limit, sentence }
  }
  const slowestMs = state.latenciesMs.length > 0 ? Math.max(...state.latenciesMs) : null
  const budget = limits.daily_budget
  const roi = windowReturn(state, limits)
  const nearFloor = roi?.gross != null && roi.gross < (limits.roi_floor + 1) * (2 - AMBER)
  const warnAt = limits.failure_streak - AMBER_FAILURES
  return [
    view(
      'daily_budget',
      budget !== null && budget > 0 && state.costToday >= AMBER * budget,
      state.costToday,
      budget,
      budget === null
        ? `Electricity cost ${money(state.costToday)} today; there is no daily budget.`
        : `Electricity cost ${money(state.costToday)} of ${money(budget)} today.`,
    ),
    // The host keeps to this limit by itself, so being near it means nothing.
    view(
      'recursion',
      false,
      state.lastCycles,
      limits.max_cycles,
      `The last job spent ${state.lastCycles} of ${limits.max_cycles} network calls.`,
    ),
    view('metrics', false, null, null, 'Every job’s figures make sense.'),
    view(
      'latency',
      slowestMs !== null && slowestMs >= AMBER * limits.max_latency_ms,
      slowestMs,
      limits.max_latency_ms,
      slowestMs === null
        ? 'No job has ended yet.'
        : `The slowest of the last ${state.latenciesMs.length} jobs took ${seconds(slowestMs)} of ${seconds(limits.max_latency_ms)}.`,
    ),
    view(
      'roi_floor',
      nearFloor,
      finite(roi?.net ?? null),
      limits.roi_floor,
      roi?.net == null
        ? `The return is not judged yet: ${Math.min(state.samples.length, limits.min_samples)} of ${limits.min_samples} jobs have a price and an energy figure.`
        : `The return of the last ${roi.samples} jobs is ${factor(roi.net)}; the floor is ${factor(limits.roi_floor)}.`,
    ),
    view(
      'failure_streak',
      warnAt > 0 && state.failureStreak >= warnAt,
      state.failureStreak,
      limits.failure_streak,
      `${state.failureStreak} of ${limits.failure_streak} failures in a row.`,
    ),
  ]
}

const seconds = (ms: number): string => (ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`)
/** Significant digits, not decimals: a job's electricity may cost a millionth. */
const money = (amount: number): string => String(Number(amount.toPrecision(6)))
const factor = (net: number): string => String(Number(net.toPrecision(3)))
