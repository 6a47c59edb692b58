import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskStorage, type Ledger } from './index.ts'
import {
  book,
  CONSUMER,
  diskError,
  FACTS,
  FAST_PARENT,
  FaultyDisk,
  type FaultyOperation,
  open,
  reserve,
  signed,
  terms,
  withDirectory,
} from './test-support.ts'

const DAMAGED = expect.objectContaining({ code: 'JOURNAL_DAMAGED', httpStatus: 503 })
const WRITE_FAILED = expect.objectContaining({ code: 'JOURNAL_WRITE_FAILED', httpStatus: 503 })

interface Snapshot {
  log: Buffer
  head: Buffer
}

function snapshot(directory: string): Snapshot {
  return {
    log: readFileSync(join(directory, 'journal.log')),
    head: readFileSync(join(directory, 'journal.head')),
  }
}

function put(directory: string, log: Uint8Array, head: Uint8Array | null): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'journal.log'), log)
  if (head) writeFileSync(join(directory, 'journal.head'), head)
  else rmSync(join(directory, 'journal.head'), { force: true })
}

function view(ledger: Ledger) {
  const { contributedTrm, trades } = ledger.network()
  return { contributedTrm, trades, root: ledger.merkleRootHex(), of: ledger.balance(CONSUMER.publicKeyHex) }
}

/** An acknowledged trade, and the bytes that a second one adds. */
async function smallHistory(directory: string) {
  const ledger = await open(directory)
  await book(ledger, 0)
  const acknowledged = snapshot(directory)
  const seen = view(ledger)
  await book(ledger, 1)
  const longer = snapshot(directory)
  await ledger.close()
  return { acknowledged, seen, longer }
}

function flipBit(bytes: Buffer, position: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped[position] = (flipped[position] ?? 0) ^ (1 << (position % 8))
  return flipped
}

test('a flipped bit in any acknowledged byte is refused, and nothing on the disk is changed', () =>
  withDirectory(async (parent) => {
    const { acknowledged } = await smallHistory(join(parent, 'first'))
    const directory = join(parent, 'flipped')
    for (let position = 0; position < acknowledged.log.length; position++) {
      const log = flipBit(acknowledged.log, position)
      put(directory, log, acknowledged.head)
      const code = position >= 8 && position < 12 ? 'JOURNAL_UNSUPPORTED' : 'JOURNAL_DAMAGED'
      await expect(open(directory), `byte ${position}`).rejects.toEqual(expect.objectContaining({ code }))
      expect(snapshot(directory)).toEqual({ log, head: acknowledged.head })
    }
    expect(readdirSync(directory).sort()).toEqual(['journal.head', 'journal.log'])
  }, FAST_PARENT))

test('without the head file a flipped bit is refused or reported as torn, never passed over', () =>
  withDirectory(async (parent) => {
    const { acknowledged } = await smallHistory(join(parent, 'first'))
    const directory = join(parent, 'flipped')
    for (let position = 0; position < acknowledged.log.length; position += 7) {
      put(directory, flipBit(acknowledged.log, position), null)
      const ledger = await open(directory).catch((error) => {
        expect(error.code).toMatch(/^JOURNAL_(DAMAGED|UNSUPPORTED)$/)
        return null
      })
      if (!ledger) continue
      expect(ledger.journal().recovery?.tornBytes, `byte ${position}`).toBeGreaterThan(0)
      await ledger.close()
    }
  }, FAST_PARENT))

test('a damaged head file is no reason to refuse an intact journal', () =>
  withDirectory(async (parent) => {
    const { acknowledged, seen } = await smallHistory(join(parent, 'first'))
    const directory = join(parent, 'flipped')
    for (let position = 0; position < acknowledged.head.length; position++) {
      put(directory, acknowledged.log, flipBit(acknowledged.head, position))
      const ledger = await open(directory)
      expect(view(ledger)).toEqual(seen)
      expect(ledger.journal().recovery).toBeNull()
      await ledger.close()
    }
  }, FAST_PARENT))

test('a crash at every byte of an unacknowledged tail leaves exactly what was acknowledged', () =>
  withDirectory(async (parent) => {
    const { acknowledged, seen, longer } = await smallHistory(join(parent, 'first'))
    const directory = join(parent, 'crashed')
    const from = acknowledged.log.length
    const reserveEnd = from + 8 + longer.log.readUInt32LE(from) + 32
    for (let size = from; size < longer.log.length; size++) {
      put(directory, longer.log.subarray(0, size), acknowledged.head)
      const ledger = await open(directory)
      expect(view(ledger), `cut at ${size}`).toEqual(seen)
      const torn = longer.log.subarray(size < reserveEnd ? from : reserveEnd, size)
      const { recovery } = ledger.journal()
      expect(recovery?.tornBytes ?? 0).toBe(torn.length)
      if (recovery) expect(readFileSync(recovery.savedAs)).toEqual(torn)
      await ledger.close()
    }
    put(directory, longer.log, acknowledged.head)
    const ledger = await open(directory)
    expect(ledger.tradeCount()).toBe(2)
    await ledger.close()
  }, FAST_PARENT))

test('a journal that lost acknowledged bytes at its end is refused at every length', () =>
  withDirectory(async (parent) => {
    const { acknowledged } = await smallHistory(join(parent, 'first'))
    const directory = join(parent, 'short')
    for (let size = 0; size < acknowledged.log.length; size += 9) {
      put(directory, acknowledged.log.subarray(0, size), acknowledged.head)
      await expect(open(directory), `length ${size}`).rejects.toEqual(DAMAGED)
    }
    rmSync(join(directory, 'journal.log'))
    await expect(open(directory)).rejects.toEqual(DAMAGED)
  }, FAST_PARENT))

test('a crash while the journal is created leaves an empty ledger that works', () =>
  withDirectory(async (parent) => {
    const first = await open(join(parent, 'first'))
    await first.close()
    const { log } = snapshot(join(parent, 'first'))
    const directory = join(parent, 'created')
    for (let size = 0; size <= log.length; size++) {
      put(directory, log.subarray(0, size), null)
      const ledger = await open(directory)
      expect(ledger.journal().records).toBe(0)
      ledger.void(reserve(ledger), 'cancelled')
      await ledger.close()
      const again = await open(directory)
      expect(again.journal().records).toBe(2)
      await again.close()
    }
  }, FAST_PARENT))

test('another history of the same length is refused', () =>
  withDirectory(async (parent) => {
    const histories: Snapshot[] = []
    for (const model of ['model-a', 'model-b']) {
      const directory = join(parent, model)
      const ledger = await open(directory)
      await book(ledger, 0, { modelId: model })
      await ledger.close()
      histories.push(snapshot(directory))
    }
    const [a, b] = histories
    if (!a || !b) throw new Error('two histories expected')
    const directory = join(parent, 'mixed')
    put(directory, a.log, b.head)
    await expect(open(directory)).rejects.toEqual(DAMAGED)
  }, FAST_PARENT))

type Fault = [string, FaultyOperation, (length: number) => number | undefined]

const raise = (code: string) => () => {
  throw diskError(code)
}
const faults: Fault[] = [
  ['ENOSPC', 'write', raise('ENOSPC')],
  ['EIO', 'write', raise('EIO')],
  ['a short write', 'write', (length) => length - 1],
  ['EIO', 'sync', raise('EIO')],
]

test.each(faults)(
  '%s at any %s loses nothing acknowledged and stops all writing',
  (_what, operation, break_) =>
    withDirectory(async (parent) => {
      for (const at of [3, 4, 6]) {
        const directory = join(parent, `at-${at}`)
        const disk = new FaultyDisk()
        disk.fault = (current, count, length) =>
          current === operation && count === at ? break_(length) : undefined
        const ledger = await open(directory, { storage: disk.storage })
        const acknowledged: string[] = []
        let failed = 0
        for (let number = 0; number < 9; number++) {
          await book(ledger, number).then(
            (trade) => acknowledged.push(trade.tradeId),
            (error) => {
              failed++
              expect(error).toEqual(WRITE_FAILED)
            },
          )
        }
        expect(failed).toBeGreaterThan(0)
        const [writes, syncs] = [disk.writes, disk.syncs]
        expect(ledger.tradeCount()).toBe(acknowledged.length)
        expect(() => reserve(ledger)).toThrow(WRITE_FAILED)
        ledger.void('r1', 'harmless')
        expect((await ledger.listTrades({ limit: 50 })).map((trade) => trade.tradeId).reverse()).toEqual(
          acknowledged,
        )
        await ledger.close()
        expect([disk.writes, disk.syncs]).toEqual([writes, syncs])
        const again = await open(directory)
        const kept = (await again.listTrades({ limit: 50 })).map((trade) => trade.tradeId).reverse()
        expect(kept.slice(0, acknowledged.length)).toEqual(acknowledged)
        expect(kept.length).toBeLessThanOrEqual(acknowledged.length + 1)
        await again.close()
      }
    }, FAST_PARENT),
)

test('a disk that cannot be opened or written at the start is reported and leaves no lock', () =>
  withDirectory(async (directory) => {
    const disk = new FaultyDisk()
    disk.fault = raise('EIO')
    const unavailable = expect.objectContaining({ code: 'JOURNAL_UNAVAILABLE' })
    await expect(open(directory, { storage: disk.storage })).rejects.toEqual(unavailable)
    await expect(open(directory, { storage: { ...diskStorage, open: raise('EACCES') } })).rejects.toEqual(
      unavailable,
    )
    expect(existsSync(join(directory, 'lock'))).toBe(false)
    await (await open(directory)).close()
  }))

test('when a batch fails, everybody who waits for it is refused', () =>
  withDirectory(async (directory) => {
    const disk = new FaultyDisk()
    const ledger = await open(directory, { storage: disk.storage })
    disk.syncDelayMs = 20
    const failing = disk.syncs + 2
    disk.fault = (operation, count) =>
      operation === 'sync' && count === failing ? raise('EIO')() : undefined
    const first = book(ledger, 0)
    // The first batch is being written: the others share the second.
    await new Promise((resolve) => setImmediate(resolve))
    const outcomes = await Promise.allSettled([first, ...[1, 2, 3, 4].map((number) => book(ledger, number))])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', ...Array(4).fill('rejected')])
    expect(ledger.tradeCount()).toBe(1)
    await ledger.close()
  }))

test('500 parallel settles share a few syncs, keep their order and can all be replayed', () =>
  withDirectory(async (directory) => {
    const disk = new FaultyDisk()
    let ledger = await open(directory, { storage: disk.storage })
    const before = disk.syncs
    const jobs = Array.from({ length: 500 }, (_, number) => ({
      held: reserve(ledger),
      trade: signed(terms(number)),
    }))
    const trades = await Promise.all(jobs.map(({ held, trade }) => ledger.settle(held, trade, FACTS)))
    expect(trades.map((trade) => trade.index)).toEqual(jobs.map((_, number) => number))
    expect(disk.syncs - before).toBeLessThanOrEqual(10)
    const seen = view(ledger)
    await ledger.close()
    ledger = await open(directory)
    expect(view(ledger)).toEqual(seen)
    await ledger.close()
  }))

test('a process killed in the middle of its work loses no trade that it acknowledged', () =>
  withDirectory(async (directory) => {
    const support = new URL('./test-support.ts', import.meta.url).href
    const script = `
      import { book, open } from '${support}'
      const ledger = await open(${JSON.stringify(directory)})
      for (let number = 0; ; number++) console.log((await book(ledger, number)).tradeId)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    for await (const chunk of child.stdout) {
      output += chunk
      if (output.length > 40 * 65) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    const acknowledged = output.split('\n').filter((line) => line.length === 64)
    const ledger = await open(directory)
    const kept = (await ledger.listTrades({ limit: 10_000 })).map((trade) => trade.tradeId).reverse()
    expect(kept.slice(0, acknowledged.length)).toEqual(acknowledged)
    expect(acknowledged.length).toBeGreaterThan(30)
    await ledger.close()
  }))
