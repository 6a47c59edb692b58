import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import {
  DEPTH_STEPS_MAX,
  DepthEffort,
  type DepthLevel,
  type DepthMap,
  type DepthQuery,
  type TelemetryRecord,
} from '../../src-preload/contract/index.ts'
import { linesForward, type TelemetryFile, telemetryFiles } from './files.ts'
import { decodeLine } from './format.ts'
import { firstRecordOf } from './retention.ts'

/** How deep the recursive model thought, by time and step; kept in memory and brought up to date by each question. */
export interface DepthIndex {
  map(query: DepthQuery): Promise<DepthMap>
}

const SLOT_MS = 5 * 60_000
/** A millisecond or so of work; then whatever else waits gets its turn. */
const LINES_PER_TURN = 64
/** Most lines are of other kinds: what cannot be one of these is not even parsed. */
const WANTED = /"event_type":"(?:TRMInference|JobServed)"/

const Inference = z.object({
  effort: DepthEffort.catch('host'),
  steps: z.number().int().nonnegative(),
  council_steps: z.number().int().nonnegative().catch(0),
  halted: z.boolean(),
  halt_probs: z.array(z.number().min(0).max(1)),
  success: z.boolean().nullable(),
})
const Answer = z.object({ ok: z.boolean(), model: z.string().nullable() })

/** Thoughts of one effort and level in one slot of time. */
interface Group {
  effort: DepthEffort
  level: DepthLevel
  thoughts: number
  steps: number
  halted: number
  right: number
  wrong: number
  /** By step: thoughts that still computed, and the sum of their halting probabilities. */
  computing: number[]
  haltSum: number[]
}

interface Slot {
  groups: Map<string, Group>
  answers: number
}

/** What has been read: everything from `fromFile` on, up to `offset` of `file`. */
interface Progress {
  fromFile: number
  file: TelemetryFile
  offset: number
}

export function createDepthIndex(directory: string): DepthIndex {
  let slots = new Map<number, Slot>()
  let progress: Progress | null = null
  let last: Promise<unknown> = Promise.resolve()
  const beginnings = new Map<string, number>()

  /** The last file that begins at `fromMs` or earlier; the first of all where none does. */
  async function firstFileFor(files: readonly TelemetryFile[], fromMs: number) {
    let chosen = files[0]
    for (const file of files) {
      const first = beginnings.has(file.name) ? null : await firstRecordOf(file)
      const startMs = first ? Date.parse(first.ts) : beginnings.get(file.name)
      if (startMs === undefined) continue
      beginnings.set(file.name, startMs)
      if (startMs <= fromMs) chosen = file
    }
    return chosen
  }

  async function catchUp(fromMs: number): Promise<void> {
    const files = await telemetryFiles(directory)
    const first = await firstFileFor(files, fromMs)
    const known: Progress | null = progress
    const current = known && files.find(({ name }) => name === known.file.name)
    // An earlier time than was read, or files that are not the ones that were read: from the beginning.
    if (!known || !current || current.sizeBytes < known.offset || (first?.firstSeq ?? 0) < known.fromFile) {
      slots = new Map()
      progress = first ? { fromFile: first.firstSeq, file: first, offset: 0 } : null
    }
    for (const file of files) {
      if (!progress || file.firstSeq < progress.file.firstSeq) continue
      const offset: number = file.name === progress.file.name ? progress.offset : 0
      progress = { fromFile: progress.fromFile, file, offset: await readFrom(slots, file, offset) }
    }
  }
  return {
    map: (query) => {
      const answer = last.then(async () => {
        await catchUp(query.fromMs)
        return mapOf(slots, query)
      })
      last = answer.catch(() => undefined)
      return answer
    },
  }
}

/** @returns where the first line begins that was not complete */
async function readFrom(slots: Map<number, Slot>, file: TelemetryFile, offset: number): Promise<number> {
  let at = offset
  let parsed = 0
  for await (const { text, bytes, ended } of linesForward(file, offset)) {
    if (!ended) break
    at += bytes + 1
    if (!WANTED.test(text)) continue
    const decoded = decodeLine(text)
    if ('record' in decoded) add(slots, decoded.record)
    parsed++
    if (parsed % LINES_PER_TURN === 0) await setImmediate()
  }
  return at
}

function add(slots: Map<number, Slot>, { ts, event_type, payload }: TelemetryRecord): void {
  const startMs = Math.floor(Date.parse(ts) / SLOT_MS) * SLOT_MS
  const slot = slots.get(startMs) ?? { groups: new Map<string, Group>(), answers: 0 }
  if (event_type === 'TRMInference') {
    const parsed = Inference.safeParse(payload)
    if (!parsed.success) return
    addThought(slot, parsed.data)
  } else {
    const parsed = Answer.safeParse(payload)
    if (!parsed.success || !parsed.data.ok || parsed.data.model?.startsWith('trm-')) return
    slot.answers++
  }
  slots.set(startMs, slot)
}

function addThought(slot: Slot, thought: z.infer<typeof Inference>): void {
  const { effort } = thought
  const level = thought.council_steps > 0 ? 'council' : 'reflex'
  const key = `${effort} ${level}`
  const group = slot.groups.get(key) ?? newGroup(effort, level)
  slot.groups.set(key, group)
  group.thoughts++
  group.steps += thought.steps
  if (thought.halted) group.halted++
  if (thought.success === true) group.right++
  if (thought.success === false) group.wrong++
  for (const [position, probability] of thought.halt_probs.slice(0, DEPTH_STEPS_MAX).entries()) {
    group.computing[position] = (group.computing[position] ?? 0) + 1
    group.haltSum[position] = (group.haltSum[position] ?? 0) + probability
  }
}

const newGroup = (effort: DepthEffort, level: DepthLevel): Group => ({
  effort,
  level,
  thoughts: 0,
  steps: 0,
  halted: 0,
  right: 0,
  wrong: 0,
  computing: [],
  haltSum: [],
})

function mapOf(slots: Map<number, Slot>, query: DepthQuery): DepthMap {
  const spanMs = Math.max(SLOT_MS, query.toMs - query.fromMs)
  const bucketMs = Math.ceil(spanMs / query.buckets / SLOT_MS) * SLOT_MS
  const fromMs = Math.floor(query.fromMs / bucketMs) * bucketMs
  const buckets = Math.ceil((query.fromMs + spanMs - fromMs) / bucketMs)
  const all = newGroup('host', 'reflex')
  const efforts = new Map<DepthEffort, Group & { council: number }>()
  const columns = Array.from({ length: buckets }, () => ({
    ...newGroup('host', 'reflex'),
    council: 0,
    answers: 0,
  }))
  let council = 0
  for (const [startMs, slot] of slots) {
    const column = columns[Math.floor((startMs - fromMs) / bucketMs)]
    if (startMs < fromMs || !column) continue
    column.answers += slot.answers
    for (const group of slot.groups.values()) {
      if (query.level && group.level !== query.level) continue
      if (query.effort && group.effort !== query.effort) continue
      const ofEffort = efforts.get(group.effort) ?? { ...newGroup(group.effort, 'reflex'), council: 0 }
      efforts.set(group.effort, ofEffort)
      for (const sum of [all, ofEffort, column]) sumInto(sum, group)
      if (group.level !== 'council') continue
      council += group.thoughts
      ofEffort.council += group.thoughts
      column.council += group.thoughts
    }
  }
  return {
    fromMs,
    toMs: fromMs + buckets * bucketMs,
    bucketMs,
    buckets,
    stepMax: all.computing.length,
    cells: columns.flatMap(({ computing, haltSum }, bucket) =>
      computing.map((thoughts, position) => ({
        bucket,
        step: position + 1,
        thoughts,
        haltProbability: Math.min(1, (haltSum[position] ?? 0) / thoughts),
      })),
    ),
    columns: columns.flatMap(({ thoughts, steps, council: councils, answers }, bucket) =>
      thoughts + answers === 0
        ? []
        : [{ bucket, thoughts, meanSteps: mean(steps, thoughts), council: councils, answers }],
    ),
    totals: {
      thoughts: all.thoughts,
      meanSteps: all.thoughts === 0 ? null : mean(all.steps, all.thoughts),
      halted: all.halted,
      council,
      right: all.right,
      wrong: all.wrong,
      unchecked: all.thoughts - all.right - all.wrong,
      answers: columns.reduce((sum, { answers }) => sum + answers, 0),
      byEffort: DepthEffort.options.flatMap((effort) => {
        const group = efforts.get(effort)
        if (!group) return []
        const { thoughts, steps, council: councils } = group
        return [{ effort, thoughts, meanSteps: mean(steps, thoughts), council: councils }]
      }),
    },
  }
}

const mean = (sum: number, count: number): number => (count === 0 ? 0 : sum / count)

function sumInto(sum: Group, group: Group): void {
  sum.thoughts += group.thoughts
  sum.steps += group.steps
  sum.halted += group.halted
  sum.right += group.right
  sum.wrong += group.wrong
  for (const [position, computing] of group.computing.entries()) {
    sum.computing[position] = (sum.computing[position] ?? 0) + computing
    sum.haltSum[position] = (sum.haltSum[position] ?? 0) + (group.haltSum[position] ?? 0)
  }
}
