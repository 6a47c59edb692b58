/**
 * The ledger at size, each figure against a reference measured in the same run: durable signed trades per second,
 * replay and start from a snapshot, the trees' appends, the projection's queries, memory.
 *
 * node bench/ledger.ts [--records 1000000]
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type KeyPair,
  keyPairFromSeed,
  MerkleLog,
  sha256,
  systemClock,
  systemRng,
} from '../src-main/kernel/index.ts'
import { diskStorage, type Ledger, openLedger, type Storage } from '../src-main/ledger/index.ts'
import { TransparencyTree } from '../src-main/ledger/transparency.ts'
import { describeMachine, inMib, inMs, median, report } from './report.ts'

const { values } = parseArgs({ options: { records: { type: 'string', default: '1000000' } } })
const RECORDS = Number(values.records)
const CONSUMERS = 50
const scratch = mkdtempSync(join(tmpdir(), 'tirami-bench-'))
const projectionWorkerUrl = new URL('../src-main/ledger/projection.worker.ts', import.meta.url)

const provider = keyPairFromSeed(systemRng.bytes(32))
const consumers = Array.from({ length: CONSUMERS }, () => keyPairFromSeed(systemRng.bytes(32)))

async function book(ledger: Ledger, consumer: KeyPair): Promise<string> {
  const reservation = ledger.reserve({
    consumer: consumer.publicKeyHex,
    provider: provider.publicKeyHex,
    amountTrm: 10n,
    expiresAtMs: Date.now() + 60_000,
    creditLimitTrm: 10n ** 12n,
  })
  const terms = {
    provider: provider.publicKeyHex,
    consumer: consumer.publicKeyHex,
    amountTrm: 7n,
    tokensProcessed: 40n,
    timestampMs: BigInt(Date.now()),
    modelId: 'bench',
    nonce: systemRng.bytes(16),
  }
  const facts = {
    flop: 7n * 10n ** 9n,
    promptTokens: 20,
    completionTokens: 20,
    latencyMs: 1,
    consumerLabel: 'bench',
    ownKey: true,
  }
  return (await ledger.settle(reservation, { terms, providerKey: provider, consumerKey: consumer }, facts))
    .tradeId
}

/** Books `trades` trades, `atOnce` of them under way at any moment. @returns trades per second */
async function bookMany(ledger: Ledger, trades: number, atOnce: number): Promise<number> {
  let begun = 0
  const lane = async () => {
    while (begun < trades) await book(ledger, consumers[begun++ % CONSUMERS] ?? provider)
  }
  const startedAtMs = performance.now()
  await Promise.all(Array.from({ length: atOnce }, lane))
  return (trades * 1000) / (performance.now() - startedAtMs)
}

/** Appends of `bytes` bytes with one fdatasync for `perSync` of them. @returns appends per second */
function rawAppends(bytes: number, appends: number, perSync: number): number {
  const file = openSync(join(scratch, 'raw'), 'w')
  const block = Buffer.alloc(bytes * perSync, 1)
  const startedAtMs = performance.now()
  for (let written = 0; written < appends; written += perSync) {
    writeSync(file, block)
    fdatasyncSync(file)
  }
  const perSecond = (appends * 1000) / (performance.now() - startedAtMs)
  closeSync(file)
  return perSecond
}

const open = (directory: string, options: { storage?: Storage; foldVersion?: string } = {}) =>
  openLedger({ directory, clock: systemClock, projectionWorkerUrl, ...options })

async function durableTrades(): Promise<void> {
  const directory = join(scratch, 'durable')
  const ledger = await open(directory)
  await bookMany(ledger, 2_000, 64)
  const rates = new Map<number, number>()
  for (const atOnce of [1, 64, 256])
    rates.set(atOnce, await bookMany(ledger, atOnce === 1 ? 500 : 10_000, atOnce))
  await ledger.close()
  const bytesPerTrade = Math.round(statSync(join(directory, 'journal.log')).size / 22_500)
  for (const [atOnce, rate] of rates) {
    const raw = rawAppends(bytesPerTrade, atOnce === 1 ? 500 : 10_240, atOnce)
    report(
      `Durable double-signed trades per second, ${atOnce} at once (${bytesPerTrade} bytes each)`,
      rate.toFixed(0),
      `${raw.toFixed(0)} appends of the same size with one fdatasync for ${atOnce}`,
      `${(rate / raw).toFixed(3)} ×`,
    )
  }
}

/** A disk that does not wait: the history is made to be read. */
const hasty: Storage = {
  ...diskStorage,
  open: async (path) => ({ ...(await diskStorage.open(path)), sync: async () => undefined }),
}

function journalBytes(directory: string): { files: number; bytes: number; readMs: number } {
  const names = readdirSync(directory).filter((name) => /^journal.*\.log$/.test(name))
  const hash = createHash('sha256')
  const startedAtMs = performance.now()
  let bytes = 0
  for (const name of names) {
    const content = readFileSync(join(directory, name))
    bytes += content.length
    hash.update(content)
  }
  hash.digest()
  return { files: names.length, bytes, readMs: performance.now() - startedAtMs }
}

async function timedOpen(directory: string, foldVersion?: string) {
  global.gc?.()
  const startedAtMs = performance.now()
  const ledger = await open(directory, foldVersion ? { foldVersion } : {})
  return { ledger, ms: performance.now() - startedAtMs }
}

async function history(): Promise<void> {
  const directory = join(scratch, 'history')
  const making = await open(directory, { storage: hasty, foldVersion: 'bench' })
  await bookMany(making, Math.ceil(RECORDS / 2), 512)
  await making.close()
  const { files, bytes, readMs } = journalBytes(directory)
  const size = `${RECORDS.toExponential(0)} records, ${inMib(bytes)} in ${files} files`

  const restored = await timedOpen(directory, 'bench')
  await restored.ledger.close()
  const replayed = await timedOpen(directory)
  const { records } = replayed.ledger.journal()
  const reference = `${inMs(readMs)} to read the same files and take their SHA-256`
  report(
    `Replay of the whole journal (${size})`,
    `${inMs(replayed.ms)}, ${((records * 1000) / replayed.ms).toFixed(0)} records/s`,
    reference,
    `${(replayed.ms / readMs).toFixed(1)} ×`,
  )
  report(
    `Start from a snapshot (${size})`,
    inMs(restored.ms),
    reference,
    `${(restored.ms / readMs).toFixed(1)} ×`,
  )
  await queries(replayed.ledger)
  await replayed.ledger.close()
}

async function queries(ledger: Ledger): Promise<void> {
  const startedAtMs = performance.now()
  const [newest] = await ledger.listTrades({ limit: 1 })
  const builtMs = performance.now() - startedAtMs
  const trades = ledger.tradeCount()
  const middle = (await ledger.listTrades({ limit: 1, beforeIndex: Math.floor(trades / 2) }))[0]
  if (!newest || !middle) throw new Error('there are no trades')
  const asked: Record<string, () => Promise<unknown>> = {
    'newest 100': () => ledger.listTrades({ limit: 100 }),
    '100 from the middle': () => ledger.listTrades({ limit: 100, beforeIndex: middle.index }),
    'earnings of 30 days': () => ledger.earnings(provider.publicKeyHex, '30d'),
    'proof of a trade': () => ledger.proveTrade(middle.tradeId),
    'proof of inclusion': () => ledger.proveInclusion(middle.tradeId),
  }
  const empty: number[] = []
  for (let round = 0; round < 50; round++)
    empty.push(await timed(() => ledger.listTrades({ limit: 1, beforeIndex: 0 })))
  for (const [question, ask] of Object.entries(asked)) {
    const took: number[] = []
    for (let round = 0; round < 50; round++) took.push(await timed(ask))
    report(
      `Query over ${trades} trades: ${question} (median of 50)`,
      inMs(median(took)),
      `${inMs(median(empty))} for an empty answer of the same thread`,
      `${(median(took) / median(empty)).toFixed(1)} ×`,
    )
  }
  const { rss } = process.memoryUsage()
  const perTrade = `${(rss / trades).toFixed(0)} bytes per trade`
  console.log(
    `Memory of the process with the projection loaded: ${inMib(rss)}, ${perTrade}; projection built in ${inMs(builtMs)}\n`,
  )
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now()
  await action()
  return performance.now() - startedAtMs
}

/** Time per append in the first and in the last tenth. */
function treeAppends(): void {
  const trees = {
    'RFC 6962 tree': (() => {
      const tree = new TransparencyTree()
      return (leaf: Uint8Array) => void tree.append(leaf)
    })(),
    "Tirami's root": (() => {
      const log = new MerkleLog()
      return (leaf: Uint8Array) => log.append(sha256(leaf))
    })(),
  }
  const leaf = Buffer.alloc(120)
  const tenth = Math.ceil(RECORDS / 10)
  for (const [name, append] of Object.entries(trees)) {
    const tenthsMs = Array.from({ length: 10 }, (_, part) => {
      const startedAtMs = performance.now()
      for (let number = 0; number < tenth; number++) {
        leaf.writeUInt32LE(part * tenth + number)
        append(leaf)
      }
      return performance.now() - startedAtMs
    })
    const [second = Number.NaN, last = Number.NaN] = [tenthsMs[1], tenthsMs[9]]
    report(
      `${name}: append ${RECORDS.toExponential(0)} leaves, last tenth`,
      `${((last * 1000) / tenth).toFixed(2)} µs each`,
      `${((second * 1000) / tenth).toFixed(2)} µs each in the second tenth`,
      `${(last / second).toFixed(2)} ×`,
    )
  }
}

describeMachine()
try {
  await durableTrades()
  treeAppends()
  await history()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(0)
