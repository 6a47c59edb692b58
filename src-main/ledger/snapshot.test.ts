import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type JournalEvent, type JournalObserver, type Ledger, memoryStorage, type Storage } from './index.ts'
import { book, CONSUMER, FAST_PARENT, open, PROVIDER, reserve, withDirectory } from './test-support.ts'

const SNAPSHOT = 'snapshot.bin'

/** Counts what it hears, so that a start tells what it replayed. */
class Listener implements JournalObserver {
  kinds: string[] = []
  heard = 0
  events(events: readonly JournalEvent[]): void {
    this.heard++
    this.kinds.push(...events.map(({ kind }) => kind))
  }
  trade(): void {
    this.heard++
    this.kinds.push('trade')
  }
  save(): unknown {
    return { kinds: this.kinds }
  }
  restore(saved: unknown): void {
    this.kinds = [...(saved as { kinds: string[] }).kinds]
  }
}

/** Small enough that a short history has several files and a snapshot. */
const options = (observer: JournalObserver, more: { storage?: Storage; foldVersion?: string } = {}) => ({
  observer,
  foldVersion: '1',
  snapshotEveryRecords: 8,
  segmentMaxBytes: 4_000,
  ...more,
})

function view(ledger: Ledger) {
  const { headHashHex, records } = ledger.journal()
  const balances = [CONSUMER, PROVIDER].map(({ publicKeyHex }) => ledger.balance(publicKeyHex))
  const roots = [ledger.merkleRootHex(), ledger.transparency().rootHex]
  return { headHashHex, records, balances, roots, trades: ledger.tradeCount(), network: ledger.network() }
}

async function history(directory: string, trades = 12, version = '1') {
  const listener = new Listener()
  const ledger = await open(directory, options(listener, { foldVersion: version }))
  for (let number = 0; number < trades; number++) {
    await book(ledger, number)
    await ledger.post([{ kind: 'test.said' }])
  }
  await ledger.close()
  return { seen: view(ledger), kinds: listener.kinds }
}

test('a start folds only what came after the snapshot, and knows all the same', () =>
  withDirectory(async (directory) => {
    const { seen, kinds } = await history(directory)
    expect(readdirSync(directory)).toContain(SNAPSHOT)
    const listener = new Listener()
    const ledger = await open(directory, options(listener))
    expect(view(ledger)).toEqual(seen)
    expect(listener.kinds).toEqual(kinds)
    expect(listener.heard).toBeLessThan(kinds.length / 2)
    // Nonces of before the snapshot are still spent, and the proofs reach back.
    await expect(book(ledger, 0)).rejects.toMatchObject({ code: 'TRADE_INVALID' })
    for (const { tradeId } of await ledger.listTrades({ limit: 20 })) {
      expect((await ledger.proveInclusion(tradeId)).rootHex).toBe(ledger.transparency().rootHex)
    }
    await ledger.close()
  }))

test('a snapshot that is damaged, foreign or of another version is not used', () =>
  withDirectory(async (directory) => {
    const { seen, kinds } = await history(directory)
    const path = join(directory, SNAPSHOT)
    const bytes = readFileSync(path)
    const everything = async (version = '1') => {
      const listener = new Listener()
      const ledger = await open(directory, {
        ...options(listener, { foldVersion: version }),
        snapshotEveryRecords: 1e9,
      })
      expect(view(ledger)).toEqual(seen)
      expect(listener.heard).toBe(kinds.length)
      await ledger.close()
    }
    for (let position = 0; position < bytes.length; position += 61) {
      const flipped = Buffer.from(bytes)
      flipped[position] = (flipped[position] ?? 0) ^ 1
      writeFileSync(path, flipped)
      await everything()
    }
    for (const size of [0, 3, 16, 40, bytes.length - 1]) {
      writeFileSync(path, bytes.subarray(0, size))
      await everything()
    }
    writeFileSync(path, bytes)
    await everything('2')
  }, FAST_PARENT))

test('a flipped bit under a snapshot is found at the next start', () =>
  withDirectory(async (directory) => {
    await history(directory)
    const names = readdirSync(directory).filter((name) => /^journal.*\.log$/.test(name))
    for (const name of names) {
      const path = join(directory, name)
      const bytes = readFileSync(path)
      for (let position = 0; position < bytes.length; position += 151) {
        const flipped = Buffer.from(bytes)
        flipped[position] = (flipped[position] ?? 0) ^ 32
        writeFileSync(path, flipped)
        const code = expect.stringMatching(/^JOURNAL_(DAMAGED|UNSUPPORTED)$/)
        const opening = open(directory, options(new Listener()))
        await expect(opening, `${name}, byte ${position}`).rejects.toMatchObject({ code })
      }
      writeFileSync(path, bytes)
    }
  }, FAST_PARENT))

test('an observer that cannot save hears the whole journal', () =>
  withDirectory(async (directory) => {
    const { kinds } = await history(directory)
    const heard: string[] = []
    const ledger = await open(directory, {
      ...options({
        events: (events) => heard.push(...events.map(({ kind }) => kind)),
        trade: () => heard.push('trade'),
      }),
    })
    expect(heard).toEqual(kinds)
    await ledger.close()
  }))

const Step = fc.oneof(
  fc.record({ kind: fc.constant('book' as const), amount: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ kind: fc.constant('hold' as const), amount: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ kind: fc.constant('post' as const), amount: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constant('restart' as const), amount: fc.constant(0) }),
)

test('random histories give the same state with snapshots and without', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(Step, { maxLength: 60 }), async (steps) => {
      const lane = (foldVersion: string | undefined) => {
        const [storage, listener] = [memoryStorage(), new Listener()]
        let current = listener
        const reopen = () => {
          current = new Listener()
          const { foldVersion: _, ...rest } = options(current, { storage })
          return open('/lane', {
            ...rest,
            ...(foldVersion ? { foldVersion } : {}),
            projectionWorkerUrl: null,
          })
        }
        return { reopen, kinds: () => current.kinds }
      }
      const [quick, full] = [lane('1'), lane(undefined)]
      let ledgers = [await quick.reopen(), await full.reopen()] as const
      for (const [number, { kind, amount }] of steps.entries()) {
        if (kind === 'restart') {
          for (const ledger of ledgers) await ledger.close()
          ledgers = [await quick.reopen(), await full.reopen()]
        }
        for (const ledger of ledgers) {
          if (kind === 'book') await book(ledger, number, { amountTrm: BigInt(amount) })
          if (kind === 'hold') reserve(ledger, BigInt(amount))
          if (kind === 'post')
            await ledger.post(Array.from({ length: amount }, () => ({ kind: 'test.said' })))
        }
        expect(view(ledgers[0])).toEqual(view(ledgers[1]))
        expect(quick.kinds()).toEqual(full.kinds())
      }
      for (const ledger of ledgers) await ledger.close()
    }),
    { numRuns: 60 },
  )
})
