import { ownerFields } from '../../src-main/earning/index.ts'
import {
  type ConsoleView,
  OwnerValues,
  type ProcedureInput,
  type ProcedureName,
  type ProcedureOutput,
  type SentinelView,
  type TelemetryRecord,
} from '../../src-preload/contract/index.ts'
import { hex32 } from './samples.ts'

type Handlers<P extends ProcedureName> = { [N in P]: (input: ProcedureInput<N>) => ProcedureOutput<N> }

export function sampleSentinel(change: Partial<SentinelView> = {}): SentinelView {
  return {
    level: 'green',
    reason: 'All guardrails are within their limits.',
    nextStep: 'Nothing to do.',
    code: 'green',
    params: {},
    pausedAtMs: null,
    guardrails: [
      guard('daily_budget', 'green', 0.84, 5, 'Electricity cost 0.84 of 5.00 today.'),
      guard('recursion', 'green', 24, 40_000, 'The last job spent 24 of 40000 network calls.'),
      guard('metrics', 'green', null, null, 'Every job’s figures make sense.'),
      guard('latency', 'green', 8_400, 900_000, 'The slowest of the last 20 jobs took 8.4 s of 900 s.'),
      guard('roi_floor', 'green', 1.31, 0.25, 'The return of the last 50 jobs is 1.31; the floor is 0.25.'),
      guard('failure_streak', 'green', 0, 15, '0 jobs in a row have failed; 15 stop the host.'),
    ],
    roi: { gross: 2.31, net: 1.31, samples: 50, energy: 'measured' },
    costToday: 0.84,
    unmeasuredJobsToday: 3,
    currency: 'EUR',
    ...change,
  }
}

/** Stopped because a job took too long, with the budget nearly spent. */
export const redSentinel = (): SentinelView => {
  const { guardrails } = sampleSentinel()
  return sampleSentinel({
    level: 'red',
    reason: 'A job took 912 s; at most 900 s are allowed.',
    nextStep:
      'See what keeps the machine busy or raise sentinel.max_latency_ms, then resume the sentinel in the owner’s console.',
    code: 'red.latency',
    params: { value: 912_000, limit: 900_000 },
    pausedAtMs: Date.now() - 840_000,
    guardrails: guardrails.map((one) => {
      const reads = (value: number) => ({ ...one, value, params: { ...one.params, value } })
      if (one.name === 'latency') return { ...reads(912_000), level: 'red' }
      return one.name === 'daily_budget' ? { ...reads(4.61), level: 'amber' } : one
    }),
    costToday: 4.61,
  })
}

function guard(
  name: SentinelView['guardrails'][number]['name'],
  level: SentinelView['level'],
  value: number | null,
  limit: number | null,
  sentence: string,
): SentinelView['guardrails'][number] {
  const params = { value: value ?? 0, limit: limit ?? 0, count: 20 }
  return { name, level, value, limit, sentence, code: `${name}.reading`, params }
}

function sampleHistory(): TelemetryRecord[] {
  const now = Date.now()
  const event = (seq: number, event_type: string, payload: TelemetryRecord['payload']): TelemetryRecord => ({
    ts: new Date(now - (9 - seq) * 4_100_000).toISOString(),
    seq,
    event_type,
    payload,
    prevHash: hex32(`${seq - 1}`),
    hash: hex32(`${seq}`),
  })
  const set = (key: string, old: unknown, value: unknown, source: string) => {
    return { action: 'set', source, key, old, new: value, line: null }
  }
  const status = (level: string, reason: string | null, code: string, params: object) => {
    return {
      code,
      params,
      level,
      healthy: level === 'green',
      paused: level === 'red',
      reason,
      roi: 1.2,
      total_cost: 4.6,
    }
  }
  return [
    event(
      8,
      'SentinelStatus',
      status('red', 'A job took 912 s; at most 900 s are allowed.', 'red.latency', {
        value: 912_000,
        limit: 900_000,
      }),
    ),
    event(
      7,
      'SentinelStatus',
      status('amber', 'Electricity cost 4.02 of 5.00 today.', 'amber.daily_budget', {
        value: 4.02,
        limit: 5,
      }),
    ),
    event(6, 'OwnerAction', set('sentinel.daily_budget', 3, 5, 'window')),
    event(5, 'SentinelStatus', status('green', null, 'green', {})),
    event(4, 'OwnerAction', { ...set('', null, null, 'api'), action: 'sentinel-resumed', key: null }),
    event(3, 'OwnerAction', { ...set('', null, null, 'file'), action: 'file-refused', key: null, line: 12 }),
    event(2, 'OwnerAction', set('prices.per_kwh', null, 0.29, 'file')),
  ]
}

export const sampleConsole = (values = OwnerValues.parse({})): ConsoleView => ({
  values,
  fields: ownerFields(values),
  problem: null,
  thermostat: {
    innerCycles: 3,
    outerSteps: 2,
    haltThreshold: 0.45,
    concurrency: 1,
    forced: false,
    sentence: 'Nothing has been measured yet; this is the middle of the range.',
    code: 'unmeasured',
    params: {},
    changes: [],
    changedAtMs: null,
  },
})

type Stewardship =
  | 'sentinel.get'
  | 'sentinel.resume'
  | 'telemetry.query'
  | `console.${'get' | 'set' | 'pause' | 'resume' | 'fullDepth'}`

export function fakeStewardship(sentinel: SentinelView): Handlers<Stewardship> {
  let view = sentinel
  let values: Record<string, Record<string, unknown>> = OwnerValues.parse({})
  const now = () => sampleConsole(OwnerValues.parse(values))
  const change = (key: string, value: unknown) => {
    const [section = '', name = ''] = key.split('.')
    values = { ...values, [section]: { ...values[section], [name]: value } }
    return now()
  }
  return {
    'sentinel.get': () => view,
    'sentinel.resume': () => {
      view = sampleSentinel()
      return view
    },
    'telemetry.query': ({ beforeSeq }) => ({
      events: beforeSeq === undefined ? sampleHistory() : [],
      nextBeforeSeq: null,
    }),
    'console.get': now,
    'console.set': ({ changes }) => {
      for (const { key, value } of changes) change(key, value)
      return now()
    },
    'console.pause': () => change('serving.paused', true),
    'console.resume': () => change('serving.paused', false),
    'console.fullDepth': ({ active }) => change('serving.force_full_depth', active),
  }
}
