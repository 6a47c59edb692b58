import {
  type DepthMap,
  type DepthQuery,
  type ProcedureInput,
  type ProcedureOutput,
  type TelemetryKind,
  TelemetryQuery,
  type TelemetryRecord,
} from '../../src-preload/contract/index.ts'
import { hex32 } from './samples.ts'

const MINUTE_MS = 60_000
const SLOT_MS = 5 * MINUTE_MS
const EVENTS = 1_200

/** The same part of 1 for the same number. */
const chance = (seed: number): number =>
  (Number.parseInt(hex32(`chance ${seed}`).slice(0, 8), 16) % 1000) / 1000

/** Made-up thoughts: most at night, deeper towards its end. */
export function sampleDepthMap({ fromMs, toMs, buckets: wanted = 48, level, effort }: DepthQuery): DepthMap {
  const bucketMs = Math.ceil((toMs - fromMs) / wanted / SLOT_MS) * SLOT_MS
  const startMs = Math.floor(fromMs / bucketMs) * bucketMs
  const buckets = Math.ceil((toMs - startMs) / bucketMs)
  const part = (level === 'council' ? 0.12 : level === 'reflex' ? 0.88 : 1) * (effort ? 0.5 : 1)
  const cells: DepthMap['cells'] = []
  const columns: DepthMap['columns'] = []
  for (let bucket = 0; bucket < buckets; bucket++) {
    const night = Math.max(0, Math.sin((bucket / buckets) * Math.PI * 1.4 - 0.3))
    const thoughts = Math.round(night * 40 * part * (0.6 + chance(bucket)))
    if (thoughts === 0) continue
    const depth = 3 + Math.round(night * 9)
    let steps = 0
    for (let step = 1; step <= depth; step++) {
      const computing = Math.max(1, Math.round(thoughts * (1 - step / (depth + 1)) ** 1.6))
      steps += computing
      cells.push({ bucket, step, thoughts: computing, haltProbability: Math.min(0.99, 0.2 + step * 0.09) })
    }
    const council = Math.round(thoughts * 0.12)
    columns.push({ bucket, thoughts, meanSteps: steps / thoughts, council, answers: thoughts * 2 })
  }
  const sum = (of: (column: DepthMap['columns'][number]) => number) =>
    columns.reduce((total, column) => total + of(column), 0)
  const thoughts = sum((column) => column.thoughts)
  const meanSteps = thoughts === 0 ? null : sum((column) => column.meanSteps * column.thoughts) / thoughts
  return {
    fromMs: startMs,
    toMs: startMs + buckets * bucketMs,
    bucketMs,
    buckets,
    stepMax: Math.max(0, ...cells.map(({ step }) => step)),
    cells,
    columns,
    totals: {
      thoughts,
      meanSteps,
      halted: Math.round(thoughts * 0.93),
      council: sum((column) => column.council),
      right: Math.round(thoughts * 0.8),
      wrong: Math.round(thoughts * 0.02),
      unchecked: thoughts - Math.round(thoughts * 0.8) - Math.round(thoughts * 0.02),
      answers: sum((column) => column.answers),
      byEffort:
        thoughts === 0
          ? []
          : [
              { effort: 'host', thoughts: thoughts - 9, meanSteps: meanSteps ?? 0, council: 8 },
              { effort: 'high', thoughts: 9, meanSteps: 11.4, council: 4 },
            ],
    },
  }
}

const EMPTY_DEPTH = (query: DepthQuery): DepthMap => ({
  ...sampleDepthMap({ ...query, toMs: query.fromMs + SLOT_MS }),
  fromMs: query.fromMs,
  toMs: query.toMs,
  stepMax: 0,
  cells: [],
  columns: [],
  totals: {
    thoughts: 0,
    meanSteps: null,
    halted: 0,
    council: 0,
    right: 0,
    wrong: 0,
    unchecked: 0,
    answers: 0,
    byEffort: [],
  },
})

function sampleEvent(seq: number, nowMs: number): TelemetryRecord {
  const kinds: TelemetryKind[] = [
    'JobServed',
    'TRMInference',
    'JobEnergy',
    'JobServed',
    'SentinelStatus',
    'OwnerAction',
  ]
  const event_type =
    kinds[seq % 6 === 4 && seq % 60 !== 4 ? 0 : seq % 6 === 5 && seq % 90 !== 5 ? 1 : seq % 6] ?? 'JobServed'
  const payloads: Partial<Record<TelemetryKind, Record<string, unknown>>> = {
    JobServed: {
      trade_id: hex32(`trade ${seq}`),
      model: 'tirami-concierge-q8',
      ok: true,
      own_key: false,
      latency_ms: 820.4,
      depth: 1,
      flop: '74100000000',
      amount_trm: '75',
      value: 0.0015,
      energy_j: null,
      energy_source: null,
      cost: null,
    },
    JobEnergy: {
      trade_id: hex32(`trade ${seq - 2}`),
      energy_j: 61.2,
      energy_source: 'measured',
      cost: 0.0000053,
    },
    TRMInference: {
      task: 'sudoku-9x9',
      effort: 'host',
      cycles: 105,
      steps: 5,
      council_steps: 0,
      halted: true,
      halt_probs: [0.02, 0.11, 0.34, 0.78, 0.98],
      success: true,
    },
    SentinelStatus: {
      level: 'amber',
      healthy: false,
      paused: false,
      reason: 'Electricity cost 4.1 of 5 today.',
      roi: 1.2,
      total_cost: 4.1,
    },
    OwnerAction: {
      action: 'set',
      source: 'window',
      key: 'sentinel.daily_budget',
      old: 5,
      new: 6,
      line: null,
    },
  }
  return {
    ts: new Date(nowMs - (EVENTS - seq) * 21_000).toISOString(),
    seq,
    event_type,
    payload: payloads[event_type] ?? {},
    prevHash: hex32(`event ${seq - 1}`),
    hash: hex32(`event ${seq}`),
  }
}

type ActivityCall = 'depth.map' | 'telemetry.query' | 'telemetry.verify' | 'telemetry.csv'

/** Answers for the Activity page. */
export function fakeActivity(hasWork: () => boolean): {
  [P in ActivityCall]: (input: ProcedureInput<P>) => ProcedureOutput<P>
} {
  const matching = (input: unknown) => {
    const { kinds, text, fromMs, toMs, beforeSeq, limit } = TelemetryQuery.parse(input)
    const nowMs = Date.now()
    const all = Array.from({ length: hasWork() ? EVENTS : 0 }, (_, i) => sampleEvent(EVENTS - i, nowMs))
    const fitting = all.filter(({ event_type, ts, seq, payload }) => {
      const atMs = Date.parse(ts)
      if (kinds && !kinds.some((kind) => kind === event_type)) return false
      if ((fromMs !== undefined && atMs < fromMs) || (toMs !== undefined && atMs >= toMs)) return false
      if (beforeSeq !== undefined && seq >= beforeSeq) return false
      return text === undefined || JSON.stringify(payload).toLowerCase().includes(text.toLowerCase())
    })
    return { fitting, limit }
  }
  return {
    'depth.map': (query) =>
      hasWork() ? sampleDepthMap(query as DepthQuery) : EMPTY_DEPTH(query as DepthQuery),
    'telemetry.query': (input) => {
      const { fitting, limit } = matching(input)
      const events = fitting.slice(0, limit)
      return { events, nextBeforeSeq: fitting.length > limit ? (events.at(-1)?.seq ?? null) : null }
    },
    'telemetry.verify': () => ({
      ok: true,
      files: hasWork() ? 3 : 0,
      events: hasWork() ? EVENTS : 0,
      head: { seq: hasWork() ? EVENTS : 0, hash: hex32(`event ${EVENTS}`) },
      faults: [],
      faultCount: 0,
      writable: true,
      lost: 0,
      checkedAtMs: Date.now(),
    }),
    'telemetry.csv': ({ fromSeq: _, ...input }) => {
      const { fitting } = matching({ ...input, limit: 500 })
      const rows = fitting.map(({ seq, ts, event_type, hash }) => `${seq},${ts},${event_type},,${hash}\r\n`)
      return {
        text: `seq,ts,event_type,payload,hash\r\n${rows.toReversed().join('')}`,
        events: rows.length,
        nextSeq: null,
      }
    },
  }
}
