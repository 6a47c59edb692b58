import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TelemetryQuery } from '../../src-preload/contract/index.ts'
import {
  openTelemetry,
  queryTelemetry,
  readTelemetry,
  type TelemetryLog,
  type TelemetryPayload,
  telemetryCsv,
  verifyTelemetry,
} from './index.ts'

const T0 = 1_700_000_000_000
let directory: string
let nowMs: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-telemetry-'))
  nowMs = T0
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const open = (maxFileBytes = 1_000_000) =>
  openTelemetry({
    directory,
    clock: { nowMs: () => nowMs },
    limits: () => ({ maxFileBytes, maxTotalBytes: null, keepDays: null }),
  })

const inference = (cycles: number): TelemetryPayload<'TRMInference'> => ({
  task: 'sudoku-4x4',
  effort: 'host',
  cycles,
  steps: 2,
  council_steps: 0,
  halted: true,
  halt_probs: [0.1, 0.9],
  success: true,
})

/** One event per millisecond: every third an owner's action. */
function fill(log: TelemetryLog, count: number): void {
  for (let i = 1; i <= count; i++) {
    nowMs = T0 + i
    if (i % 3 !== 0) log.record('TRMInference', inference(i))
    else {
      log.record('OwnerAction', {
        action: 'set',
        source: 'api',
        key: 'sentinel.daily_budget',
        old: i,
        new: i + 1,
        line: null,
      })
    }
  }
}

const names = () =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
const textOf = (name: string) => readFileSync(join(directory, name), 'utf8')
const lines = () => names().flatMap((name) => textOf(name).split('\n').slice(0, -1))
const query = (filter: Partial<TelemetryQuery> = {}) =>
  queryTelemetry(directory, TelemetryQuery.parse(filter))
const lastName = () => names().at(-1) ?? ''

async function gather<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const gathered: Item[] = []
  for await (const item of items) gathered.push(item)
  return gathered
}

describe('a line', () => {
  // Golden G1, corrected: event_type and payload stay; without time, number and hash nothing could be ordered or checked.
  it('G1: is one JSON object with event_type and payload, its time, number and place in the chain', async () => {
    const log = await open()
    log.record('TRMInference', inference(12))
    await log.close()
    const [line = ''] = lines()
    expect(Object.keys(JSON.parse(line))).toEqual(['ts', 'seq', 'event_type', 'payload', 'prevHash', 'hash'])
    expect(JSON.parse(line)).toMatchObject({
      ts: new Date(T0).toISOString(),
      seq: 1,
      event_type: 'TRMInference',
      payload: inference(12),
      prevHash: '0'.repeat(64),
    })
  })

  it('hashes to the SHA-256 of itself without its last member', async () => {
    const log = await open()
    fill(log, 5)
    await log.close()
    let before = '0'.repeat(64)
    for (const line of lines()) {
      const { prevHash, hash } = JSON.parse(line)
      expect(prevHash).toBe(before)
      const body = line.replace(/,"hash":"[0-9a-f]{64}"\}$/, '}')
      expect(createHash('sha256').update(body).digest('hex')).toBe(hash)
      before = hash
    }
    expect((await verifyTelemetry(directory)).head).toEqual({ seq: 5, hash: before })
  })

  it('holds nothing but its kind’s own fields, whatever it is given', async () => {
    const log = await open()
    const marker = 'MARKER-prompt-or-key'
    for (const more of [{ prompt: marker }, { task: `${marker} with spaces` }, { halt_probs: [marker] }]) {
      expect(() => log.record('TRMInference', { ...inference(1), ...more } as never)).toThrow(
        expect.objectContaining({ code: 'TELEMETRY_EVENT_INVALID' }),
      )
    }
    const record = { owner: `0x${'1'.repeat(40)}`, roi: 1, gmv: 2 }
    const contract = `0x${'0'.repeat(40)}`
    for (const rpc_host of [`https://node.example/v3/${marker}`, `user:${marker}@node.example`]) {
      expect(() => log.record('EthereumLog', { rpc_host, contract, chain_id: 1, record })).toThrow()
    }
    log.record('EthereumLog', { rpc_host: 'node.example', contract, chain_id: 1, record })
    await log.close()
    expect(lines()).toHaveLength(1)
    expect(lines().join()).not.toContain('MARKER')
  })

  it('is for the owner only', async () => {
    const log = await open()
    fill(log, 1)
    await log.close()
    expect(statSync(join(directory, lastName())).mode & 0o077).toBe(0)
  })
})

describe('files', () => {
  it('rotate by size, with the chain carried over, and over restarts', async () => {
    for (let round = 0; round < 3; round++) {
      const log = await open(2_000)
      fill(log, 40)
      await log.close()
    }
    expect(names().length).toBeGreaterThan(10)
    for (const name of names()) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(2_000)
    const report = await verifyTelemetry(directory)
    expect(report).toMatchObject({ ok: true, events: 120, files: names().length, tornBytes: 0 })
    const numbers = lines().map((line) => JSON.parse(line).seq)
    expect(numbers).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
  })

  it('events that come while others are written are all kept, in order', async () => {
    const log = await open(5_000)
    for (let i = 0; i < 20; i++) {
      fill(log, 25)
      await new Promise(setImmediate)
    }
    await log.close()
    expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, events: 500 })
  })

  it('an unfinished last line is set aside and told, wherever it was cut', async () => {
    const log = await open()
    fill(log, 3)
    await log.close()
    const whole = textOf(lastName())
    const third = whole.trimEnd().lastIndexOf('\n') + 1
    for (let cut = third; cut < whole.length; cut++) {
      writeFileSync(join(directory, lastName()), whole.slice(0, cut))
      expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, events: 2, tornBytes: cut - third })
      const again = await open()
      const { recovery } = again.status()
      if (cut === third) expect(recovery).toBeNull()
      else {
        expect(recovery).toMatchObject({ tornBytes: cut - third, damagedLines: 0 })
        expect(readFileSync(recovery?.savedAs ?? '', 'utf8')).toBe(whole.slice(third, cut))
      }
      again.record('TRMInference', inference(9))
      await again.close()
      expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, events: 3, head: { seq: 3 } })
    }
  })

  it('a crash just after a rotation leaves an empty file that goes on', async () => {
    const log = await open()
    fill(log, 3)
    await log.close()
    writeFileSync(join(directory, 'telemetry-000000000004.jsonl'), '')
    const again = await open()
    fill(again, 2)
    await again.close()
    expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, events: 5, files: 2 })
  })

  it('damage at the end stays, is told, and does not keep a host from starting', async () => {
    const log = await open()
    fill(log, 4)
    await log.close()
    const name = lastName()
    writeFileSync(join(directory, name), textOf(name).replace('"cycles":4', '"cycles":5'))
    const damaged = textOf(name)
    const again = await open()
    expect(again.status().recovery).toMatchObject({ damagedLines: 1, tornBytes: 0 })
    again.record('TRMInference', inference(1))
    await again.close()
    expect(textOf(name)).toBe(damaged)
    const report = await verifyTelemetry(directory)
    expect(report.ok).toBe(false)
    expect(report.faults[0]).toEqual({ file: name, line: 4, problem: 'its hash does not fit its content' })
  })

  it('a disk that refuses stops the log, not the caller, and is told', async () => {
    const log = await open(300)
    fill(log, 1)
    await log.flush()
    rmSync(directory, { recursive: true })
    fill(log, 5)
    await log.flush()
    expect(log.status()).toMatchObject({ writable: false })
    expect(log.status().lost).toBeGreaterThan(0)
    await log.close()
    mkdirSync(directory, { recursive: true })
  })
})

describe('verification', () => {
  const written = async (count: number) => {
    const log = await open(3_000)
    fill(log, count)
    await log.close()
  }

  it('finds every changed byte', async () => {
    await written(8)
    const name = names()[0] ?? ''
    const whole = readFileSync(join(directory, name))
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(whole)
        changed[at] = (changed[at] ?? 0) ^ flip
        writeFileSync(join(directory, name), changed)
        const { ok, tornBytes } = await verifyTelemetry(directory)
        // A last newline that is gone looks like a write under way.
        expect(ok && tornBytes === 0).toBe(false)
      }),
      { seed: 20261128, numRuns: 200 },
    )
  })

  it('finds lines that were taken out, added, swapped or repeated, and files that are gone', async () => {
    await written(40)
    const [first = '', second = ''] = names()
    const original = textOf(first)
    const rows = original.trimEnd().split('\n')
    const [a = '', b = '', c = '', ...rest] = rows
    for (const forged of [
      [a, c, ...rest],
      [b, c, ...rest],
      [a, a, b, c, ...rest],
      [a, c, b, ...rest],
      [a, b, '{"event_type":"x"}', c, ...rest],
      [a, b, '', c, ...rest],
    ]) {
      writeFileSync(join(directory, first), `${forged.join('\n')}\n`)
      expect((await verifyTelemetry(directory)).ok).toBe(false)
    }
    writeFileSync(join(directory, first), original)
    expect((await verifyTelemetry(directory)).ok).toBe(true)
    truncateSync(join(directory, second), 0)
    expect((await verifyTelemetry(directory)).ok).toBe(false)
    rmSync(join(directory, second))
    expect((await verifyTelemetry(directory)).ok).toBe(false)
    rmSync(join(directory, first))
    const { ok, faults } = await verifyTelemetry(directory)
    expect(ok).toBe(false)
    expect(faults[0]?.problem).toMatch(/are missing, and nothing says that they were dropped/)
  })

  it('an empty or missing directory holds nothing and is whole', async () => {
    expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, events: 0 })
    expect(await verifyTelemetry(join(directory, 'none'))).toMatchObject({ ok: true, events: 0 })
  })

  it('what is no text at all is a fault, not a crash', async () => {
    await written(2)
    appendFileSync(
      join(directory, lastName()),
      Buffer.concat([Buffer.alloc(400_000, 0xff), Buffer.from('\n')]),
    )
    expect(await verifyTelemetry(directory)).toMatchObject({ ok: false, events: 2, faultCount: 1 })
    expect((await query()).events).toHaveLength(2)
  })
})

describe('what the owner does not keep', () => {
  const kept = (limits: { maxTotalBytes?: number; keepDays?: number }) =>
    openTelemetry({
      directory,
      clock: { nowMs: () => nowMs },
      limits: () => ({ maxFileBytes: 4_000, maxTotalBytes: null, keepDays: null, ...limits }),
    })
  const bytesThere = () => names().reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)

  it('goes by whole files, oldest first; the rest never takes more room and is still a chain', async () => {
    const log = await kept({ maxTotalBytes: 20_000 })
    for (let round = 0; round < 20; round++) {
      fill(log, 20)
      await log.flush()
      expect(bytesThere()).toBeLessThanOrEqual(20_000)
      expect((await verifyTelemetry(directory)).faults).toEqual([])
    }
    await log.close()
    const { from, ok, head } = await verifyTelemetry(directory)
    const first = JSON.parse(lines()[0] ?? '')
    expect([ok, from]).toEqual([true, { seq: first.seq, atMs: Date.parse(first.ts) }])
    expect(first.seq).toBeGreaterThan(100)
    expect(head.seq - first.seq + 1).toBe(lines().length)
    const { events } = await query({ kinds: ['TelemetryDropped'] })
    expect(events[0]?.payload).toMatchObject({
      reason: 'bytes',
      through_seq: first.seq - 1,
      last_hash: first.prevHash,
    })
  })

  it('goes by days, also while nothing happens and over a restart; a file holds one day', async () => {
    const day = 86_400_000
    const log = await kept({ keepDays: 3 })
    for (let at = 0; at < 6; at++) {
      nowMs = T0 + at * day
      log.record('TRMInference', inference(at + 1))
      await log.flush()
    }
    const cycles = () => lines().flatMap((line) => JSON.parse(line).payload.cycles ?? [])
    expect(cycles()).toEqual([3, 4, 5, 6])
    nowMs = T0 + 7 * day
    log.tidy()
    await log.close()
    expect(cycles()).toEqual([5, 6])
    nowMs = T0 + 30 * day
    const again = await kept({ keepDays: 3 })
    again.record('TRMInference', inference(7))
    await again.close()
    expect(cycles()).toEqual([7])
    expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, faults: [] })
  })

  it('a crash while files are being dropped leaves a chain, and more than was said', async () => {
    const log = await kept({})
    fill(log, 60)
    await log.close()
    const before = new Map(names().map((name) => [name, readFileSync(join(directory, name))]))
    const tidied = await kept({ maxTotalBytes: 12_000 })
    await tidied.flush()
    await tidied.close()
    const dropped = [...before.keys()].filter((name) => !names().includes(name))
    expect(dropped.length).toBeGreaterThan(2)
    for (const name of dropped.toReversed()) {
      writeFileSync(join(directory, name), before.get(name) ?? '')
      expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, faults: [] })
    }
  })

  it('what somebody else took away is no drop, even behind one', async () => {
    const log = await kept({ maxTotalBytes: 20_000 })
    for (let round = 0; round < 10; round++) {
      fill(log, 20)
      await log.flush()
    }
    await log.close()
    expect((await verifyTelemetry(directory)).ok).toBe(true)
    rmSync(join(directory, names()[0] ?? ''))
    const { ok, faults } = await verifyTelemetry(directory)
    expect(ok).toBe(false)
    expect(faults[0]?.problem).toMatch(/nothing says that they were dropped/)
  })

  it('whoever reads meanwhile is not disturbed', async () => {
    const log = await kept({ maxTotalBytes: 20_000 })
    fill(log, 60)
    await log.flush()
    const reader = readTelemetry(directory)
    await reader.next()
    fill(log, 200)
    await log.flush()
    const rest = await gather(reader)
    expect(rest.map(({ seq }) => seq)).toEqual(rest.map(({ seq }) => seq).toSorted((a, b) => a - b))
    await log.close()
  })

  it('what comes after the end is counted and harms nobody', async () => {
    const log = await kept({})
    fill(log, 2)
    await log.close()
    fill(log, 3)
    log.tidy()
    await log.flush()
    expect(log.status()).toMatchObject({ writable: false, lost: 3 })
    expect(lines()).toHaveLength(2)
  })
})

describe('the explorer', () => {
  beforeEach(async () => {
    const log = await open(3_000)
    fill(log, 120)
    await log.close()
  })

  it('pages from the newest to the oldest, over all files, without gap or repetition', async () => {
    for (const limit of [1, 7, 50, 500]) {
      const seen: number[] = []
      for (let beforeSeq: number | null | undefined; beforeSeq !== null; ) {
        const page = await query({ limit, ...(beforeSeq === undefined ? {} : { beforeSeq }) })
        seen.push(...page.events.map(({ seq }) => seq))
        beforeSeq = page.nextBeforeSeq
      }
      expect(seen).toEqual(Array.from({ length: 120 }, (_, i) => 120 - i))
    }
  })

  it('filters by kind, time and text, alone and together', async () => {
    const all = await gather(readTelemetry(directory))
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.constantFrom('TRMInference' as const, 'OwnerAction' as const, 'JobServed' as const)),
        fc.option(fc.integer({ min: -5, max: 130 })),
        fc.option(fc.integer({ min: -5, max: 130 })),
        fc.option(fc.constantFrom('SUDOKU', 'daily_budget', '"cycles":1', 'nowhere')),
        async (kind, from, to, text) => {
          const filter = {
            ...(kind ? { kinds: [kind] } : {}),
            ...(from === null ? {} : { fromMs: T0 + from }),
            ...(to === null ? {} : { toMs: T0 + to }),
            ...(text === null ? {} : { text }),
          }
          const expected = all.filter(({ event_type, seq, payload }) => {
            if (kind && event_type !== kind) return false
            if (from !== null && seq < from) return false
            if (to !== null && seq >= to) return false
            return text === null || JSON.stringify(payload).toLowerCase().includes(text.toLowerCase())
          })
          const { events } = await query({ ...filter, limit: 500 })
          expect(events.toReversed()).toEqual(expected)
          expect(await gather(readTelemetry(directory, filter))).toEqual(expected)
        },
      ),
      { seed: 20261129, numRuns: 60 },
    )
  })

  it('exports CSV that gives every value back', async () => {
    const rows = (await gather(telemetryCsv(directory, { kinds: ['OwnerAction'] }))).join('').split('\r\n')
    expect(rows[0]).toBe('seq,ts,event_type,payload,hash')
    expect(rows).toHaveLength(42)
    const [, seq, payload] = /^(\d+),[^,]+,OwnerAction,"(.*)",[0-9a-f]{64}$/.exec(rows[1] ?? '') ?? []
    expect(seq).toBe('3')
    expect(JSON.parse((payload ?? '').replaceAll('""', '"'))).toMatchObject({
      key: 'sentinel.daily_budget',
      old: 3,
    })
  })

  it('shows what was there before a write that is under way', async () => {
    appendFileSync(join(directory, lastName()), '{"ts":"2026')
    expect((await query({ limit: 500 })).events).toHaveLength(120)
  })
})

it('a search for what is nowhere ends early and says where to go on', async () => {
  const log = await open(8_000_000)
  for (let i = 0; i < 60; i++) {
    for (let j = 0; j < 400; j++) {
      log.record('TRMInference', {
        ...inference(i),
        halt_probs: Array.from({ length: 60 }, () => 0.123456789),
      })
    }
    await log.flush()
  }
  await log.close()
  const bytes = names().reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
  expect(bytes).toBeGreaterThan(20_000_000)
  const first = await query({ text: 'nowhere' })
  expect(first.events).toEqual([])
  expect(first.nextBeforeSeq).not.toBeNull()
  const second = await query({ text: 'nowhere', beforeSeq: first.nextBeforeSeq ?? 1 })
  expect(second.nextBeforeSeq ?? 0).toBeLessThan(first.nextBeforeSeq ?? 0)
  expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, events: 24_000 })
})
