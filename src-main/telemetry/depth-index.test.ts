import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DepthMap, DepthQuery, TelemetryCsvQuery } from '../../src-preload/contract/index.ts'
import {
  createDepthIndex,
  openTelemetry,
  type TelemetryLog,
  type TelemetryPayload,
  telemetryCsv,
  telemetryCsvPart,
} from './index.ts'

const HOUR_MS = 3_600_000
/** A whole hour. */
const T0 = 472_222 * HOUR_MS
let directory: string
let nowMs: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-depth-'))
  nowMs = T0
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const open = (maxFileBytes = 20_000) =>
  openTelemetry({
    directory,
    clock: { nowMs: () => nowMs },
    limits: () => ({ maxFileBytes, maxTotalBytes: null, keepDays: null }),
  })

type Inference = TelemetryPayload<'TRMInference'>

function think(log: TelemetryLog, atMs: number, haltProbs: number[], changes: Partial<Inference> = {}): void {
  nowMs = atMs
  log.record('TRMInference', {
    task: 'sudoku-4x4',
    effort: 'host',
    cycles: 21 * haltProbs.length,
    steps: haltProbs.length,
    council_steps: 0,
    halted: true,
    halt_probs: haltProbs,
    success: true,
    ...changes,
  })
}
const answer = (log: TelemetryLog, model: string): void =>
  log.record('JobServed', {
    trade_id: null,
    model,
    ok: true,
    own_key: false,
    latency_ms: 1,
    depth: 1,
    flop: '1',
    amount_trm: '1',
    value: null,
    energy_j: null,
    energy_source: null,
    cost: null,
  })
const hour = (query: Partial<DepthQuery> = {}) =>
  DepthQuery.parse({ fromMs: T0, toMs: T0 + HOUR_MS, buckets: 12, ...query })

it('counts who still computed at each step, and how sure they were', async () => {
  const log = await open()
  think(log, T0 + 1, [0.2, 0.4])
  think(log, T0 + 2, [0.4], { halted: false, success: false })
  think(log, T0 + 10 * 60_000, [0.1, 0.2, 0.9], { council_steps: 7, effort: 'high', success: null })
  answer(log, 'some-model')
  answer(log, 'trm-sudoku-4x4')
  await log.close()
  const map = DepthMap.parse(await createDepthIndex(directory).map(hour()))
  expect(map).toMatchObject({ fromMs: T0, toMs: T0 + HOUR_MS, bucketMs: 300_000, buckets: 12, stepMax: 3 })
  expect(map.cells).toEqual([
    { bucket: 0, step: 1, thoughts: 2, haltProbability: expect.closeTo(0.3, 9) },
    { bucket: 0, step: 2, thoughts: 1, haltProbability: expect.closeTo(0.4, 9) },
    { bucket: 2, step: 1, thoughts: 1, haltProbability: expect.closeTo(0.1, 9) },
    { bucket: 2, step: 2, thoughts: 1, haltProbability: expect.closeTo(0.2, 9) },
    { bucket: 2, step: 3, thoughts: 1, haltProbability: expect.closeTo(0.9, 9) },
  ])
  expect(map.columns).toEqual([
    { bucket: 0, thoughts: 2, meanSteps: 1.5, council: 0, answers: 0 },
    { bucket: 2, thoughts: 1, meanSteps: 3, council: 1, answers: 1 },
  ])
  expect(map.totals).toEqual({
    thoughts: 3,
    meanSteps: 2,
    halted: 2,
    council: 1,
    right: 1,
    wrong: 1,
    unchecked: 1,
    answers: 1,
    byEffort: [
      { effort: 'host', thoughts: 2, meanSteps: 1.5, council: 0 },
      { effort: 'high', thoughts: 1, meanSteps: 3, council: 1 },
    ],
  })
})

it('is the same however the thoughts fall into files and questions, and by level and effort adds up to the whole', async () => {
  const thought = fc.record({
    afterMs: fc.integer({ min: 0, max: 400_000 }),
    probabilities: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 70 }),
    council: fc.boolean(),
    effort: fc.constantFrom('host' as const, 'high' as const),
    ask: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(thought, { minLength: 1, maxLength: 40 }), async (thoughts) => {
      rmSync(directory, { recursive: true, force: true })
      nowMs = T0
      const log = await open(3_000)
      const index = createDepthIndex(directory)
      let atMs = T0
      for (const { afterMs, probabilities, council, effort, ask } of thoughts) {
        atMs += afterMs
        think(log, atMs, probabilities, { council_steps: council ? 3 : 0, effort })
        if (!ask) continue
        await log.flush()
        await index.map(hour())
      }
      await log.close()
      const day = hour({ toMs: T0 + 24 * HOUR_MS })
      const map = await index.map(day)
      expect(await createDepthIndex(directory).map(day)).toEqual(map)
      expect(map.totals.thoughts).toBe(thoughts.length)
      const total = (cells: DepthMap['cells']) => cells.reduce((sum, cell) => sum + cell.thoughts, 0)
      const steps = thoughts.reduce((sum, { probabilities }) => sum + Math.min(64, probabilities.length), 0)
      expect(total(map.cells)).toBe(steps)
      for (const parts of [
        [{ level: 'reflex' }, { level: 'council' }] as const,
        [{ effort: 'host' }, { effort: 'high' }] as const,
      ]) {
        const [one, other] = await Promise.all(parts.map((part) => index.map({ ...day, ...part })))
        expect(total(one?.cells ?? []) + total(other?.cells ?? [])).toBe(steps)
      }
    }),
    { seed: 20261202, numRuns: 40 },
  )
})

it('answers for an earlier time than it was asked for first', async () => {
  const log = await open(2_000)
  for (let i = 0; i < 60; i++) think(log, T0 + i * HOUR_MS, [0.5, 0.6])
  await log.close()
  const index = createDepthIndex(directory)
  const thoughts = async (fromHour: number) =>
    (await index.map(hour({ fromMs: T0 + fromHour * HOUR_MS, toMs: T0 + 60 * HOUR_MS, buckets: 120 }))).totals
      .thoughts
  expect([await thoughts(50), await thoughts(0), await thoughts(30)]).toEqual([10, 60, 30])
})

it('leaves out what is damaged, unfinished or of another version, and goes on behind it', async () => {
  const log = await open()
  think(log, T0, [0.5])
  think(log, T0, [0.5])
  await log.close()
  const name = join(directory, readdirSync(directory)[0] ?? '')
  writeFileSync(name, readFileSync(name, 'utf8').replace('"cycles":21', '"cycles":22'))
  appendFileSync(name, '{"ts":"2026","event_type":"TRMInference"')
  const index = createDepthIndex(directory)
  expect((await index.map(hour())).totals.thoughts).toBe(1)
  const again = await open()
  think(again, T0 + 1, [0.5])
  await again.close()
  expect((await index.map(hour())).totals.thoughts).toBe(2)
  expect((await createDepthIndex(join(directory, 'none')).map(hour())).totals.thoughts).toBe(0)
})

it('lets other work through while it reads', async () => {
  const log = await open(50_000_000)
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 500; i++) think(log, T0 + i, Array(12).fill(0.123456789))
    await log.flush()
  }
  await log.close()
  let turns = 0
  let isReading = true
  const count = (): void => {
    turns++
    if (isReading) setImmediate(count)
  }
  setImmediate(count)
  expect((await createDepthIndex(directory).map(hour())).totals.thoughts).toBe(10_000)
  isReading = false
  // 64 KiB, some 130 events, at a time.
  expect(turns).toBeGreaterThan(40)
})

it('CSV in parts is the CSV as a whole', async () => {
  const log = await open(500_000)
  for (let i = 0; i < 4_500; i++) think(log, T0 + i, [0.5])
  await log.close()
  let [text, parts] = ['', 0]
  for (let fromSeq: number | null = 1; fromSeq !== null; parts++) {
    const part = await telemetryCsvPart(directory, TelemetryCsvQuery.parse({ fromSeq }))
    text += part.text
    fromSeq = part.nextSeq
  }
  expect(parts).toBe(3)
  let whole = ''
  for await (const line of telemetryCsv(directory)) whole += line
  expect(text).toBe(whole)
})
