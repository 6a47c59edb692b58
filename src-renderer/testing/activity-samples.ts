import {
  type DepthMap,
  DepthQuery,
  type ProcedureInput,
  type ProcedureOutput,
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

const emptyDepthMap = (query: DepthQuery): DepthMap => ({
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

type ActivityCall = 'depth.map' | 'telemetry.verify' | 'telemetry.csv'

/** Answers for the Activity page. */
export function fakeActivity(hasWork: () => boolean): {
  [P in ActivityCall]: (input: ProcedureInput<P>) => ProcedureOutput<P>
} {
  return {
    'depth.map': (input) => {
      const query = DepthQuery.parse(input)
      return hasWork() ? sampleDepthMap(query) : emptyDepthMap(query)
    },
    'telemetry.verify': () => ({
      ok: true,
      files: hasWork() ? 3 : 0,
      events: hasWork() ? EVENTS : 0,
      from: hasWork() ? { seq: 1, atMs: Date.now() - 86_400_000 } : null,
      head: { seq: hasWork() ? EVENTS : 0, hash: hex32(`event ${EVENTS}`) },
      faults: [],
      faultCount: 0,
      writable: true,
      lost: 0,
      checkedAtMs: Date.now(),
    }),
    'telemetry.csv': () => ({ text: 'seq,ts,event_type,payload,hash\r\n', events: 0, nextSeq: null }),
  }
}
