import {
  applyToSentinel,
  applyToThermostat,
  decideDepth,
  decideJob,
  INITIAL_SENTINEL,
  INITIAL_THERMOSTAT,
  type JobEvent,
  type SentinelState,
  settingsOf,
  type ThermostatState,
} from '../../src-main/earning/index.ts'
import { InferenceEngine } from '../../src-main/recursion/index.ts'
import { OwnerValues } from '../../src-preload/contract/index.ts'
import { type Proportion, proportion } from '../recursion/evaluate.ts'
import type { Funnel } from './funnels.ts'
import type { Training } from './recursive.ts'

/**
 * The original's experiment (spec/recursion.md §1.2, §1.4): what a success is worth, what a call costs, and its bounds.
 * Its returns are value / cost and ours are net of cost, so its target of 2 is our 1 and its floor of 1.25 our 0.25. Its
 * inner cycles are calls of the network; here one supervision step takes as many as the recipe says, never another number.
 */
const VALUE_PER_SUCCESS = 100
const costOf = (calls: number): number => 0.001 + 0.0001 * calls
const MAX_CALLS = 18

function ownerValues(callsPerStep: number): OwnerValues {
  return OwnerValues.parse({
    thermostat: {
      target_roi: 1,
      window_jobs: 20,
      min_inner_cycles: callsPerStep,
      max_inner_cycles: callsPerStep,
      min_outer_steps: 1,
      max_outer_steps: Math.max(1, Math.floor(MAX_CALLS / callsPerStep)),
      min_halt_threshold: 0.45,
      max_halt_threshold: 0.85,
      min_concurrency: 1,
      max_concurrency: 1,
    },
    sentinel: {
      roi_floor: 0.25,
      daily_budget: 75,
      max_latency_ms: 2000,
      max_cycles: MAX_CALLS,
      failure_streak: 5,
      min_samples: 10,
    },
  })
}

interface Rules {
  readonly values: OwnerValues
  sentinel: SentinelState
  thermostat: ThermostatState
}

const boundsOf = ({ values: { thermostat, sentinel } }: Rules) => ({
  limits: thermostat,
  maxCycles: sentinel.max_cycles,
  maxLatencyMs: sentinel.max_latency_ms,
})

/** What sentinel and thermostat make of a job. @returns whether the sentinel has paused */
function jobDone(rules: Rules, job: JobEvent): boolean {
  const noted = decideJob(rules.sentinel, job, rules.values.sentinel)
  const moved = () => decideDepth(rules.thermostat, boundsOf(rules), { nowMs: job.atMs, forced: false })
  for (const events of [() => noted, moved]) {
    for (const event of events()) {
      rules.sentinel = applyToSentinel(rules.sentinel, event)
      rules.thermostat = applyToThermostat(rules.thermostat, event)
    }
  }
  return rules.sentinel.pause !== null
}

const START_MS = Date.UTC(2026, 0, 1, 8)

const jobOf = (changes: Partial<JobEvent>): JobEvent => ({
  kind: 'earning.job',
  atMs: START_MS,
  ok: true,
  valid: true,
  pending: false,
  latencyMs: 1,
  cycles: 6,
  ownKey: false,
  value: VALUE_PER_SUCCESS,
  cost: costOf(6),
  energySource: 'declared',
  forced: false,
  ...changes,
})

export interface Trials {
  readonly seed: number
  readonly conversion: Proportion
  /** False pauses: every breach here would be one. */
  readonly pauses: number
  /** What the sentinel said at the first pause. */
  readonly reason: string | null
  readonly meanCalls: number
  /** Supervision steps that the thermostat allowed at each trial. */
  readonly depth: readonly number[]
  readonly moves: number
}

/** `count` leads one by one through thermostat, network, ledger economics and sentinel, as the original meant it. */
export function runTrials(funnel: Funnel, training: Training, count: number, testSeed: number): Trials {
  const { inner, outer } = training.cycles
  const callsPerStep = outer * (inner + 1)
  const rules: Rules = {
    values: ownerValues(callsPerStep),
    sentinel: INITIAL_SENTINEL,
    thermostat: INITIAL_THERMOSTAT,
  }
  const items = funnel.task.testItems(count, testSeed)
  const instances = items.map(({ input }) => funnel.task.encode(input))
  const [first] = instances.flat()
  if (!first) throw new RangeError('no trials')
  const engine = new InferenceEngine(training.model, first.height * first.width)
  let [conversions, pauses, calls, moves] = [0, 0, 0, 0]
  let reason: string | null = null
  const depth: number[] = []
  for (const [i, item] of items.entries()) {
    const settings = settingsOf(rules.thermostat, boundsOf(rules))
    depth.push(settings.outerSteps)
    const startMs = performance.now()
    const jobs = (instances[i] ?? []).map((instance) => ({
      instance,
      maximumSteps: settings.outerSteps,
      halts: (steps: readonly { readonly haltProbability: number }[]) =>
        (steps.at(-1)?.haltProbability ?? 0) > settings.haltThreshold,
    }))
    const rollouts = engine.run(jobs, training.cycles)
    const answer = funnel.task.decode(
      item.input,
      rollouts.flatMap(({ steps }) => steps.slice(-1)),
    )
    const used = callsPerStep * Math.max(...rollouts.map(({ steps }) => steps.length))
    const score = item.score(answer)
    calls += used
    conversions += score
    const before = rules.thermostat.settings
    const paused = jobDone(
      rules,
      jobOf({
        atMs: START_MS + i * 1000,
        latencyMs: performance.now() - startMs,
        cycles: used,
        value: score * VALUE_PER_SUCCESS,
        cost: costOf(used),
      }),
    )
    if (rules.thermostat.settings !== before) moves++
    if (!paused) continue
    pauses++
    reason ??= rules.sentinel.pause?.reason ?? null
    rules.sentinel = { ...rules.sentinel, pause: null }
  }
  return {
    seed: training.seed,
    conversion: proportion(conversions, items.length),
    pauses,
    reason,
    meanCalls: calls / items.length,
    depth,
    moves,
  }
}

export interface Breach {
  readonly guardrail: string
  /** Calls from the breach to the pause; null where none came. */
  readonly calls: number | null
  readonly reason: string
}

/** Each guardrail breached on purpose after fifty healthy jobs. */
export function breachAll(callsPerStep: number): Breach[] {
  const failure: Partial<JobEvent> = { ok: false }
  const breaches: [string, Partial<JobEvent>[]][] = [
    ['daily budget', [{ cost: 76, value: 1e6 }]],
    ['recursion', [{ cycles: MAX_CALLS + 1 }]],
    ['metrics', [{ valid: false }]],
    ['latency', [{ latencyMs: 2001 }]],
    ['return', [{ value: 0, cost: 70 }]],
    // The fifth failure is the breach: four are allowed.
    ['failure streak', [failure, failure, failure, failure, failure]],
  ]
  return breaches.map(([guardrail, jobs]) => {
    const rules: Rules = {
      values: ownerValues(callsPerStep),
      sentinel: INITIAL_SENTINEL,
      thermostat: INITIAL_THERMOSTAT,
    }
    for (let i = 0; i < 50; i++) jobDone(rules, jobOf({ value: 1 }))
    const healthy = rules.sentinel.pause === null
    const paused = jobs.map((job) => jobDone(rules, jobOf(job)))
    const onlyAtTheBreach = healthy && paused.indexOf(true) === jobs.length - 1
    return {
      guardrail,
      calls: onlyAtTheBreach ? 1 : null,
      reason: rules.sentinel.pause?.reason ?? 'not paused',
    }
  })
}
