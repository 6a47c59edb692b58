import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import type { EarningsRange } from '../../src-preload/contract/index.ts'
import type { JobFacts, Ledger } from './index.ts'
import {
  book,
  CONSUMER,
  FACTS,
  ManualClock,
  open,
  PROVIDER,
  reserve,
  signed,
  T0,
  terms,
  withDirectory,
  workerUrl,
} from './test-support.ts'

const HOUR_MS = 3_600_000
const RANGES: EarningsRange[] = ['24h', '7d', '30d']

async function answers(ledger: Ledger) {
  const trades = await ledger.listTrades({ limit: 1000 })
  const earnings = await Promise.all(RANGES.map((range) => ledger.earnings(PROVIDER.publicKeyHex, range)))
  const proofs = await Promise.all(trades.map(({ tradeId }) => ledger.proveTrade(tradeId)))
  return { trades, earnings, proofs, page: await ledger.listTrades({ limit: 2, beforeIndex: 4 }) }
}

test('a projection that is lost, damaged, stale or foreign gives the same answers', () =>
  withDirectory(async (parent) => {
    const directory = join(parent, 'ledger')
    const file = join(directory, 'projection.sqlite')
    const stale = join(parent, 'stale')
    let ledger = await open(directory)
    for (let number = 0; number < 5; number++) await book(ledger, number)
    await ledger.close()
    copyFileSync(file, stale)
    ledger = await open(directory)
    for (let number = 5; number < 12; number++) await book(ledger, number)
    const expected = await answers(ledger)
    await ledger.close()

    const foreign = await open(join(parent, 'foreign'))
    for (let number = 0; number < 7; number++) await book(foreign, number, { modelId: 'foreign' })
    await foreign.close()

    const whole = readFileSync(file)
    const damage: [string, () => void][] = [
      ['untouched', () => undefined],
      ['lost', () => rmSync(file)],
      ['stale', () => copyFileSync(stale, file)],
      ['foreign', () => copyFileSync(join(parent, 'foreign', 'projection.sqlite'), file)],
      ['empty', () => writeFileSync(file, '')],
      ['cut short', () => writeFileSync(file, whole.subarray(0, whole.length >> 1))],
      [
        'flipped',
        () =>
          writeFileSync(
            file,
            whole.map((byte, at) => (at === 9_000 ? byte ^ 4 : byte)),
          ),
      ],
      ['not SQLite', () => writeFileSync(file, 'x'.repeat(9_000))],
    ]
    for (const [what, spoil] of damage) {
      spoil()
      ledger = await open(directory)
      expect(await answers(ledger), what).toEqual(expected)
      await ledger.close()
    }
  }))

test('earnings agree with sums by hand over 35 days, own keys told apart', () =>
  withDirectory(async (directory) => {
    const clock = new ManualClock()
    const ledger = await open(directory, { clock })
    const booked: { atMs: number; amountTrm: bigint; own: boolean }[] = []
    for (let number = 0; number < 120; number++) {
      clock.ms += 7 * HOUR_MS + number * 1000
      const amountTrm = 2n ** 60n + BigInt(number)
      const of = terms(number, { amountTrm, timestampMs: BigInt(clock.ms) })
      const held = ledger.reserve({
        consumer: CONSUMER.publicKeyHex,
        provider: PROVIDER.publicKeyHex,
        amountTrm,
        creditLimitTrm: 2n ** 64n - 1n,
        expiresAtMs: clock.ms + 1,
      })
      await ledger.settle(held, signed(of), { ...FACTS, ownKey: number % 3 === 0 })
      booked.push({ atMs: clock.ms, amountTrm, own: number % 3 === 0 })
      // The debt would pass 64 bits: another trade pays it back.
      if (number % 8 === 7) await payBack(ledger, clock, number, 8n * 2n ** 60n)
    }
    const sum = (trades: typeof booked) => trades.reduce((all, trade) => all + trade.amountTrm, 0n).toString()
    for (const [range, bucketMs, count] of [
      ['24h', HOUR_MS, 24],
      ['7d', 6 * HOUR_MS, 28],
      ['30d', 24 * HOUR_MS, 30],
    ] as const) {
      const earnings = await ledger.earnings(PROVIDER.publicKeyHex, range)
      const lastMs = Math.floor(clock.ms / bucketMs) * bucketMs
      const within = (fromMs: number, toMs: number) =>
        booked.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      const inRange = within(lastMs - (count - 1) * bucketMs, lastMs + bucketMs)
      expect(earnings).toMatchObject({ range, bucketMs, rangeTrm: sum(inRange), rangeTrades: inRange.length })
      expect(earnings.rangeOwnKeysTrm).toBe(sum(inRange.filter(({ own }) => own)))
      expect(earnings.allTimeTrm).toBe(sum(booked))
      expect(earnings.allTimeOwnKeysTrm).toBe(sum(booked.filter(({ own }) => own)))
      expect(earnings.buckets).toEqual(
        Array.from({ length: count }, (_, position) => {
          const startMs = lastMs - (count - 1 - position) * bucketMs
          const trades = within(startMs, startMs + bucketMs)
          const ownKeysTrm = sum(trades.filter(({ own }) => own))
          return { startMs, amountTrm: sum(trades), ownKeysTrm, trades: trades.length }
        }),
      )
    }
    const empty = await ledger.earnings('00'.repeat(32), '24h')
    expect(empty).toMatchObject({ allTimeTrm: '0', allTimeOwnKeysTrm: '0', rangeTrm: '0', rangeTrades: 0 })
    expect(empty.buckets.length).toBe(24)
    await ledger.close()
  }))

async function payBack(ledger: Ledger, clock: ManualClock, number: number, amountTrm: bigint) {
  const parties = { provider: CONSUMER.publicKeyHex, consumer: PROVIDER.publicKeyHex }
  const held = ledger.reserve({ ...parties, amountTrm, creditLimitTrm: 0n, expiresAtMs: clock.ms + 1 })
  const of = terms(number, { ...parties, amountTrm, timestampMs: BigInt(clock.ms) })
  await ledger.settle(held, signed(of, CONSUMER, PROVIDER), FACTS)
}

test('every query after a settle sees its trade, from the very first on', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    for (let number = 0; number < 30; number++) {
      const [trade] = await Promise.all([book(ledger, number * 2), book(ledger, number * 2 + 1)])
      const [newest, second] = await ledger.listTrades({ limit: 2 })
      expect([newest?.index, second?.index]).toEqual([trade.index + 1, trade.index])
    }
    await ledger.close()
  }))

test('a worker that dies is replaced and brought up to date', () =>
  withDirectory(async (directory) => {
    const mark = join(directory, 'died-once')
    const script = join(directory, 'worker.mjs')
    writeFileSync(
      script,
      `import { existsSync, writeFileSync } from 'node:fs'
       const mark = ${JSON.stringify(mark)}
       if (existsSync(mark)) await import(${JSON.stringify(workerUrl.href)})
       else { writeFileSync(mark, ''); process.exit(3) }`,
    )
    const ledger = await open(directory, { worker: pathToFileURL(script) })
    await book(ledger, 0)
    while (!existsSync(mark)) await new Promise((resolve) => setTimeout(resolve, 10))
    await book(ledger, 1)
    const list = () => ledger.listTrades({ limit: 9 })
    const trades = await list().catch(list)
    expect(trades.map((trade) => trade.index)).toEqual([1, 0])
    await ledger.close()
  }))

test('without any worker trades are booked all the same, and only queries are refused', () =>
  withDirectory(async (directory) => {
    let ledger = await open(directory, { worker: new URL('./no-such-worker.ts', import.meta.url) })
    expect((await book(ledger, 0)).index).toBe(0)
    const unavailable = expect.objectContaining({ code: 'PROJECTION_UNAVAILABLE', httpStatus: 503 })
    await expect(ledger.listTrades({ limit: 1 })).rejects.toEqual(unavailable)
    ledger.void(reserve(ledger), 'cancelled')
    await ledger.close()
    ledger = await open(directory)
    expect((await ledger.listTrades({ limit: 1 }))[0]).toMatchObject({ index: 0, timestampMs: T0 })
    await ledger.close()
  }))

test('trades with other hosts are found by number after any damage, and what passed through is not earned', () =>
  withDirectory(async (parent) => {
    const directory = join(parent, 'ledger')
    let ledger = await open(directory)
    const bookWith = (number: number, facts: Partial<JobFacts>) =>
      ledger.settle(reserve(ledger), signed(terms(number)), { ...FACTS, ...facts })
    for (let number = 0; number < 9; number++)
      await bookWith(number, number % 3 === 0 ? { remote: true } : {})
    await bookWith(9, { passedOnTrm: 7n })
    await bookWith(10, { remote: true, passedOnTrm: 10n })
    await expect(bookWith(11, { passedOnTrm: 11n })).rejects.toMatchObject({ code: 'TRADE_INVALID' })
    const found = async (from: number, limit: number) =>
      (await ledger.remoteTrades(from, limit)).map((trade) => tradeNumber(trade.terms.nonce))
    const check = async () => {
      expect(await found(0, 99)).toEqual([0, 3, 6, 10])
      expect(await found(1, 2)).toEqual([3, 6])
      expect(await found(4, 2)).toEqual([])
      // Of trade 9 the provider keeps 3; trade 10 is a purchase, all of which its provider has earned.
      expect((await ledger.earnings(PROVIDER.publicKeyHex, '24h')).allTimeTrm).toBe('103')
      const [last, through] = await ledger.listTrades({ limit: 2 })
      expect([last?.passedOnTrm, through?.passedOnTrm]).toEqual(['10', '7'])
      expect(ledger.sawNonce(terms(3))).toBe(true)
      expect(ledger.sawNonce(terms(99))).toBe(false)
    }
    await check()
    await ledger.close()
    rmSync(join(directory, 'projection.sqlite'))
    ledger = await open(directory)
    await check()
    await ledger.close()
  }))

const tradeNumber = (nonce: Uint8Array) => new DataView(nonce.buffer, nonce.byteOffset).getUint32(0) - 1
