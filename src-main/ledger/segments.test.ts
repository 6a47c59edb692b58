import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Ledger } from './index.ts'
import { verifyLedger } from './index.ts'
import { book, CONSUMER, FAST_PARENT, open, reserve, withDirectory } from './test-support.ts'

const DAMAGED = expect.objectContaining({ code: 'JOURNAL_DAMAGED', httpStatus: 503 })
const verifier = fileURLToPath(new URL('../../e2e/verify-journal.mjs', import.meta.url))
/** About three records. */
const SMALL = { segmentMaxBytes: 2_500 }
const TRADES = 12

function segmentsIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /^journal.*\.log$/.test(name))
    .sort((a, b) => a.length - b.length || a.localeCompare(b))
}

function view(ledger: Ledger) {
  const { headHashHex, records } = ledger.journal()
  const of = ledger.balance(CONSUMER.publicKeyHex)
  return { headHashHex, records, root: ledger.merkleRootHex(), trades: ledger.tradeCount(), of }
}

/** A closed ledger of several files. */
async function history(directory: string) {
  const ledger = await open(directory, SMALL)
  for (let number = 0; number < TRADES; number++) await book(ledger, number)
  await ledger.close()
  return view(ledger)
}

test('a journal of many files is replayed, listed, proven, read offline and checked by the independent verifier', () =>
  withDirectory(async (directory) => {
    const seen = await history(directory)
    expect(segmentsIn(directory).length).toBeGreaterThan(4)
    const ledger = await open(directory, SMALL)
    expect(view(ledger)).toEqual(seen)
    const trades = await ledger.listTrades({ limit: 50 })
    expect(trades.map(({ index }) => index)).toEqual([...Array(TRADES).keys()].reverse())
    for (const { tradeId } of trades) expect((await ledger.proveTrade(tradeId)).providerValid).toBe(true)
    await book(ledger, TRADES)
    // A running host is read up to what it has acknowledged.
    expect(await verifyLedger(directory)).toMatchObject({ ok: true, trades: TRADES + 1, tornBytes: 0 })
    await ledger.close()
    const { status, stdout } = spawnSync(process.execPath, [verifier, join(directory, 'journal.log')])
    expect([status, JSON.parse(stdout.toString())]).toEqual([
      0,
      {
        records: ledger.journal().records,
        trades: TRADES + 1,
        merkleRoot: ledger.merkleRootHex(),
        headHash: ledger.journal().headHashHex,
        ok: true,
      },
    ])
  }))

test('the size of the files changes nothing else', () =>
  withDirectory(async (parent) => {
    const seen = await history(join(parent, 'many'))
    const whole = await open(join(parent, 'one'))
    for (let number = 0; number < TRADES; number++) await book(whole, number)
    await whole.close()
    expect(segmentsIn(join(parent, 'one'))).toEqual(['journal.log'])
    expect(view(whole)).toEqual(seen)
  }, FAST_PARENT))

test('a flipped bit, a missing file or a shorter file in the middle is refused', () =>
  withDirectory(async (directory) => {
    await history(directory)
    const names = segmentsIn(directory)
    for (const name of names) {
      const path = join(directory, name)
      const bytes = readFileSync(path)
      for (let position = 0; position < bytes.length; position += 97) {
        const flipped = Buffer.from(bytes)
        flipped[position] = (flipped[position] ?? 0) ^ 4
        writeFileSync(path, flipped)
        const code = expect.stringMatching(/^JOURNAL_(DAMAGED|UNSUPPORTED)$/)
        await expect(open(directory, SMALL), `${name}, byte ${position}`).rejects.toMatchObject({ code })
      }
      for (const size of [0, 20, bytes.length - 1]) {
        writeFileSync(path, bytes.subarray(0, size))
        await expect(open(directory, SMALL), `${name}, ${size} bytes`).rejects.toEqual(DAMAGED)
      }
      rmSync(path)
      await expect(open(directory, SMALL), `${name} missing`).rejects.toEqual(DAMAGED)
      writeFileSync(path, bytes)
    }
    const [first = '', second = ''] = names
    writeFileSync(join(directory, first), readFileSync(join(directory, second)))
    await expect(open(directory, SMALL), 'the second file twice').rejects.toEqual(DAMAGED)
  }, FAST_PARENT))

test('a crash at any byte of a new file’s creation leaves what was acknowledged', () =>
  withDirectory(async (directory) => {
    const seen = await history(directory)
    const last = segmentsIn(directory).at(-1) ?? ''
    const number = Number(/\d+/.exec(last)?.[0])
    const path = join(directory, last)
    const header = readFileSync(path).subarray(0, 76)
    const head = readFileSync(join(directory, 'journal.head'))
    // What an older head knew: everything up to the last file.
    const older = Buffer.concat([header.subarray(16)])
    for (let size = 0; size < header.length; size++) {
      writeFileSync(path, header.subarray(0, size))
      writeFileSync(join(directory, 'journal.head'), older)
      const ledger = await open(directory, SMALL)
      expect(ledger.journal().records, `${size} bytes`).toBe(number)
      expect(ledger.journal().recovery?.tornBytes ?? 0).toBe(size)
      ledger.void(reserve(ledger), 'cancelled')
      await ledger.close()
      const again = await open(directory, SMALL)
      expect(again.journal().records).toBe(number + 2)
      await again.close()
      expect(existsSync(path)).toBe(true)
    }
    // With the head that knew more, the same files are a loss.
    writeFileSync(path, header)
    writeFileSync(join(directory, 'journal.head'), head)
    await expect(open(directory, SMALL)).rejects.toEqual(DAMAGED)
    expect(seen.records).toBeGreaterThan(number)
  }, FAST_PARENT))

test('an unfinished record at the end of the last file is set aside', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory, SMALL)
    for (let number = 0; number < TRADES; number++) await book(ledger, number)
    const head = readFileSync(join(directory, 'journal.head'))
    await book(ledger, TRADES)
    await ledger.close()
    const last = join(directory, segmentsIn(directory).at(-1) ?? '')
    truncateSync(last, readFileSync(last).length - 7)
    writeFileSync(join(directory, 'journal.head'), head)
    const again = await open(directory, SMALL)
    expect(again.tradeCount()).toBe(TRADES)
    expect(again.journal().recovery?.tornBytes).toBeGreaterThan(0)
    await again.close()
  }))
