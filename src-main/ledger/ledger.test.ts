import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Trade } from '../../src-preload/contract/index.ts'
import { hexFromBytes } from '../kernel/index.ts'
import { type JobFacts, type Ledger, type SignedTrade, tradeLeafHash } from './index.ts'
import {
  book,
  CONSUMER,
  FACTS,
  key,
  ManualClock,
  open,
  PROVIDER,
  reserve,
  signed,
  T0,
  terms,
  withDirectory,
} from './test-support.ts'

const OTHER = key(3)

function failure(code: string, httpStatus: number) {
  return expect.objectContaining({ code, httpStatus })
}

test('a settled trade moves the amount, releases the rest and is listed, proven and announced', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    const announced: Trade[] = []
    const stop = ledger.onTrade((trade) => announced.push(trade))
    const of = terms(0, { amountTrm: 24n })
    const held = reserve(ledger, 25n)
    expect(ledger.balance(CONSUMER.publicKeyHex).reservedTrm).toBe(25n)
    const trade = await ledger.settle(held, signed(of), FACTS)
    expect(trade).toMatchObject({
      tradeId: hexFromBytes(tradeLeafHash(of)),
      index: 0,
      amountTrm: '24',
      flop: '9999999999',
      consumerLabel: FACTS.consumerLabel,
      providerSigned: true,
      consumerSigned: true,
    })
    const none = { contributedTrm: 0n, consumedTrm: 0n, reservedTrm: 0n }
    expect(ledger.balance(CONSUMER.publicKeyHex)).toEqual({ ...none, consumedTrm: 24n })
    expect(ledger.balance(PROVIDER.publicKeyHex)).toEqual({ ...none, contributedTrm: 24n })
    expect(ledger.network()).toEqual({ nodes: 2, contributedTrm: 24n, consumedTrm: 24n, trades: 1 })
    expect(ledger.merkleRootHex()).toBe(trade.tradeId)
    expect(announced).toEqual([trade])
    stop()
    await book(ledger, 1)
    expect(announced.length).toBe(1)
    expect((await ledger.listTrades({ limit: 9 })).map((listed) => listed.index)).toEqual([1, 0])
    expect(await ledger.listTrades({ limit: 9, beforeIndex: 1 })).toEqual([trade])
    expect(await ledger.proveTrade(trade.tradeId)).toMatchObject({ providerValid: true, consumerValid: true })
    await expect(ledger.proveTrade('00'.repeat(32))).rejects.toEqual(failure('TRADE_NOT_FOUND', 404))
    await ledger.close()
    await ledger.close()
    expect(() => reserve(ledger)).toThrow(failure('LEDGER_CLOSED', 503))
  }))

test('files are readable by the owner only', () =>
  withDirectory(async (directory) => {
    chmodSync(directory, 0o755)
    const ledger = await open(directory)
    await book(ledger, 0)
    const modeOf = (name: string) => statSync(join(directory, name)).mode & 0o777
    expect(['journal.log', 'journal.head', 'lock'].map(modeOf)).toEqual([0o600, 0o600, 0o600])
    await ledger.close()
    expect(modeOf('projection.sqlite')).toBe(0o600)
    expect(readdirSync(directory).sort()).toEqual(['journal.head', 'journal.log', 'projection.sqlite'])
  }))

type Refusal = [
  string,
  (of: { trade: SignedTrade; facts: JobFacts }) => { trade?: SignedTrade; facts?: JobFacts },
]

const flipped = (bytes: Uint8Array) => bytes.map((byte, position) => (position === 40 ? byte ^ 1 : byte))

const refusals: Refusal[] = [
  ['another provider', () => ({ trade: signed(terms(0, { provider: OTHER.publicKeyHex }), OTHER) })],
  [
    'another consumer',
    () => ({ trade: signed(terms(0, { consumer: OTHER.publicKeyHex }), PROVIDER, OTHER) }),
  ],
  ['amount above the reservation', () => ({ trade: signed(terms(0, { amountTrm: 51n })) })],
  ['amount zero', () => ({ trade: signed(terms(0, { amountTrm: 0n })) })],
  ['zero nonce', () => ({ trade: signed(terms(0, { nonce: new Uint8Array(16) })) })],
  ['short nonce', ({ trade }) => ({ trade: { ...trade, terms: terms(0, { nonce: Uint8Array.of(1) }) } })],
  ['timestamp too old', () => ({ trade: signed(terms(0, { timestampMs: BigInt(T0 - 3_600_001) })) })],
  ['timestamp too new', () => ({ trade: signed(terms(0, { timestampMs: BigInt(T0 + 3_600_001) })) })],
  [
    'provider signature',
    ({ trade }) => ({ trade: { ...trade, providerSignature: flipped(trade.providerSignature) } }),
  ],
  [
    'consumer signature',
    ({ trade }) => ({ trade: { ...trade, consumerSignature: flipped(trade.consumerSignature) } }),
  ],
  ['swapped signatures', () => ({ trade: signed(terms(0), CONSUMER, PROVIDER) })],
  [
    'terms changed after signing',
    ({ trade }) => ({ trade: { ...trade, terms: terms(0, { amountTrm: 11n }) } }),
  ],
  ['negative flop', ({ facts }) => ({ facts: { ...facts, flop: -1n } })],
  ['latency not a number', ({ facts }) => ({ facts: { ...facts, latencyMs: Number.NaN } })],
  ['label too long', ({ facts }) => ({ facts: { ...facts, consumerLabel: 'x'.repeat(257) } })],
]

test('settle refuses what is wrong with a trade and changes nothing', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    const held = reserve(ledger, 50n)
    const good = { trade: signed(terms(0)), facts: FACTS }
    for (const [what, change] of refusals) {
      const bad = { ...good, ...change(good) }
      const settled = ledger.settle(held, bad.trade, bad.facts)
      await expect(settled, what).rejects.toEqual(failure('TRADE_INVALID', 400))
    }
    expect(ledger.balance(CONSUMER.publicKeyHex).reservedTrm).toBe(50n)
    expect(ledger.tradeCount()).toBe(0)
    expect((await ledger.settle(held, good.trade, good.facts)).index).toBe(0)
    await ledger.close()
  }))

test('timestamps exactly one hour away are taken', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    await book(ledger, 0, { timestampMs: BigInt(T0 - 3_600_000) })
    await book(ledger, 1, { timestampMs: BigInt(T0 + 3_600_000) })
    await ledger.close()
  }))

test('a reservation is good for one settle or void, also while the settle is on its way', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    const held = reserve(ledger, 50n)
    const first = ledger.settle(held, signed(terms(0)), FACTS)
    const second = ledger.settle(held, signed(terms(1)), FACTS)
    ledger.void(held, 'too late')
    await expect(second).rejects.toEqual(failure('RESERVATION_UNKNOWN', 409))
    expect((await first).index).toBe(0)
    const next = reserve(ledger, 50n)
    ledger.void(next, 'cancelled')
    ledger.void(next, 'cancelled')
    ledger.void('r999', 'never was')
    await expect(ledger.settle(next, signed(terms(2)), FACTS)).rejects.toEqual(
      failure('RESERVATION_UNKNOWN', 409),
    )
    expect(ledger.balance(CONSUMER.publicKeyHex)).toMatchObject({ consumedTrm: 10n, reservedTrm: 0n })
    await ledger.close()
  }))

test('V4.1/V4.3 the credit limit counts once; V4.8 self-trades and nothing are not booked', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    expect(() => reserve(ledger, 1001n, 1000n)).toThrow(failure('INSUFFICIENT_BALANCE', 402))
    const held = reserve(ledger, 600n, 1000n)
    expect(() => reserve(ledger, 401n, 1000n)).toThrow(failure('INSUFFICIENT_BALANCE', 402))
    ledger.void(held, 'cancelled')
    await book(ledger, 0, { amountTrm: 500n })
    expect(() => reserve(ledger, 501n, 1000n)).toThrow(failure('INSUFFICIENT_BALANCE', 402))
    ledger.void(reserve(ledger, 500n, 1000n), 'cancelled')
    expect(() => reserve(ledger, 0n)).toThrow(failure('TRADE_INVALID', 400))
    expect(() => reserve(ledger, 2n ** 64n)).toThrow(failure('TRADE_INVALID', 400))
    const self = { consumer: CONSUMER.publicKeyHex, provider: CONSUMER.publicKeyHex }
    expect(() => ledger.reserve({ ...self, amountTrm: 1n, creditLimitTrm: 9n, expiresAtMs: T0 })).toThrow(
      failure('TRADE_INVALID', 400),
    )
    await ledger.close()
  }))

test('an expired reservation cannot be settled and frees its amount when the consumer comes back', () =>
  withDirectory(async (directory) => {
    const clock = new ManualClock()
    const ledger = await open(directory, { clock })
    const [early, touched] = [reserve(ledger, 400n, 1000n), reserve(ledger, 600n, 1000n)]
    clock.ms = T0 + 60_000
    expect(() => reserve(ledger, 1n, 1000n)).toThrow(failure('INSUFFICIENT_BALANCE', 402))
    clock.ms++
    await expect(ledger.settle(touched, signed(terms(0)), FACTS)).rejects.toEqual(
      failure('RESERVATION_UNKNOWN', 409),
    )
    const request = {
      consumer: CONSUMER.publicKeyHex,
      provider: PROVIDER.publicKeyHex,
      creditLimitTrm: 1000n,
    }
    ledger.reserve({ ...request, amountTrm: 1000n, expiresAtMs: clock.ms + 1 })
    await expect(ledger.settle(early, signed(terms(1)), FACTS)).rejects.toEqual(
      failure('RESERVATION_UNKNOWN', 409),
    )
    // A clock that goes back revives nothing.
    clock.ms = T0
    await expect(ledger.settle(early, signed(terms(1)), FACTS)).rejects.toEqual(
      failure('RESERVATION_UNKNOWN', 409),
    )
    await ledger.close()
  }))

test('a restart keeps trades and refuses their nonces, and voids what was pending', () =>
  withDirectory(async (directory) => {
    let ledger = await open(directory)
    await book(ledger, 0)
    const held = reserve(ledger, 77n)
    await book(ledger, 1)
    await expect(book(ledger, 1)).rejects.toEqual(failure('TRADE_INVALID', 400))
    const twins = await Promise.allSettled([book(ledger, 2), book(ledger, 2, { amountTrm: 3n })])
    expect(twins.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    const before = { root: ledger.merkleRootHex(), trades: await ledger.listTrades({ limit: 9 }) }
    await ledger.close()
    ledger = await open(directory)
    expect({ root: ledger.merkleRootHex(), trades: await ledger.listTrades({ limit: 9 }) }).toEqual(before)
    expect(ledger.balance(CONSUMER.publicKeyHex)).toMatchObject({ consumedTrm: 30n, reservedTrm: 0n })
    await expect(book(ledger, 0, { amountTrm: 3n })).rejects.toEqual(failure('TRADE_INVALID', 400))
    await expect(ledger.settle(held, signed(terms(4)), FACTS)).rejects.toEqual(
      failure('RESERVATION_UNKNOWN', 409),
    )
    expect((await book(ledger, 3)).index).toBe(3)
    await ledger.close()
  }))

test('amounts of 2^63 and 2^64-1 survive booking, sums and restart exactly', () =>
  withDirectory(async (directory) => {
    const [half, most] = [2n ** 63n, 2n ** 64n - 1n]
    let ledger = await open(directory)
    const credit = 2n ** 64n - 1n
    const settle = (number: number, amountTrm: bigint) =>
      ledger.settle(reserve(ledger, amountTrm, credit), signed(terms(number, { amountTrm })), FACTS)
    await settle(0, half)
    expect(() => reserve(ledger, half, credit)).toThrow(failure('INSUFFICIENT_BALANCE', 402))
    await settle(1, half - 1n)
    const back = ledger.reserve({
      consumer: PROVIDER.publicKeyHex,
      provider: CONSUMER.publicKeyHex,
      amountTrm: most,
      creditLimitTrm: 0n,
      expiresAtMs: T0 + 1,
    })
    const reverse = terms(2, {
      provider: CONSUMER.publicKeyHex,
      consumer: PROVIDER.publicKeyHex,
      amountTrm: most,
    })
    await ledger.settle(back, signed(reverse, CONSUMER, PROVIDER), { ...FACTS, flop: 10n ** 30n })
    await settle(3, most)
    await ledger.close()
    ledger = await open(directory)
    expect(ledger.balance(PROVIDER.publicKeyHex)).toMatchObject({
      contributedTrm: 2n * most,
      consumedTrm: most,
    })
    expect((await ledger.earnings(PROVIDER.publicKeyHex, '24h')).rangeTrm).toBe(`${2n * most}`)
    expect((await ledger.listTrades({ limit: 2 })).map((trade) => trade.flop)).toEqual([
      `${FACTS.flop}`,
      `${10n ** 30n}`,
    ])
    await ledger.close()
  }))

test('a second opener is refused and told who has it; the lock of a dead process is taken over', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    await expect(open(directory)).rejects.toEqual(
      expect.objectContaining({
        code: 'LEDGER_LOCKED',
        message: expect.stringContaining(String(process.pid)),
      }),
    )
    await ledger.close()
    const dead = spawnSync(process.execPath, ['-e', '0']).pid
    const lock = join(directory, 'lock')
    for (const content of [
      JSON.stringify({ pid: dead, startedAs: null, token: 'x' }),
      JSON.stringify({ pid: process.pid, startedAs: 'an earlier boot', token: 'x' }),
      'cut sho',
    ]) {
      writeFileSync(lock, content)
      await (await open(directory)).close()
    }
    writeFileSync(lock, JSON.stringify({ pid: dead, startedAs: null, token: 'x' }))
    const racers = await Promise.allSettled([1, 2, 3].map(() => open(directory)))
    const winners = racers.filter((racer) => racer.status === 'fulfilled')
    expect(winners.length).toBe(1)
    for (const winner of winners) await winner.value.close()
  }))

test('a listener that throws harms neither the trade nor other listeners', () =>
  withDirectory(async (directory) => {
    const ledger = await open(directory)
    const seen: number[] = []
    ledger.onTrade(() => {
      throw new Error('a test of a broken listener')
    })
    ledger.onTrade((trade) => seen.push(trade.index))
    await book(ledger, 0)
    expect(seen).toEqual([0])
    await ledger.close()
  }))

// --- random histories against a naive model ---

const NODES = [key(1), key(2), key(3)]
const LIMIT_TRM = 100n

interface ModelHold {
  id: string
  from: number
  to: number
  amountTrm: bigint
  open: boolean
}

type Step =
  | { type: 'reserve'; from: number; to: number; amountTrm: bigint }
  | { type: 'settle'; hold: number; amountTrm: bigint }
  | { type: 'void'; hold: number }
  | { type: 'restart' }

const node = fc.nat(2)
const amountTrm = fc.oneof(fc.bigInt(1n, 3n), fc.bigInt(1n, 120n))
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('reserve' as const), from: node, to: node, amountTrm }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('settle' as const), hold: fc.nat(12), amountTrm }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('void' as const), hold: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'restart' as const }) },
)

class Model {
  readonly netTrm = [0n, 0n, 0n]
  readonly holds: ModelHold[] = []
  trades = 0

  heldTrm(from: number): bigint {
    return this.holds.reduce(
      (sum, hold) => (hold.open && hold.from === from ? sum + hold.amountTrm : sum),
      0n,
    )
  }

  affords(from: number, needTrm: bigint): boolean {
    return (this.netTrm[from] ?? 0n) - this.heldTrm(from) - needTrm >= -LIMIT_TRM
  }

  pay(hold: ModelHold, paidTrm: bigint): void {
    hold.open = false
    this.netTrm[hold.from] = (this.netTrm[hold.from] ?? 0n) - paidTrm
    this.netTrm[hold.to] = (this.netTrm[hold.to] ?? 0n) + paidTrm
    this.trades++
  }
}

async function takeStep(ledger: Ledger, model: Model, current: Exclude<Step, { type: 'restart' }>) {
  if (current.type === 'reserve') {
    const { from, to } = current
    const [consumer, provider] = [NODES[from]?.publicKeyHex ?? '', NODES[to]?.publicKeyHex ?? '']
    const request = { consumer, provider, amountTrm: current.amountTrm, creditLimitTrm: LIMIT_TRM }
    const attempt = () => ledger.reserve({ ...request, expiresAtMs: T0 + 1 })
    if (from === to || !model.affords(from, current.amountTrm)) expect(attempt).toThrow()
    else model.holds.push({ id: attempt(), from, to, amountTrm: current.amountTrm, open: true })
    return
  }
  const hold = model.holds[current.hold]
  if (!hold) return
  if (current.type === 'void') {
    ledger.void(hold.id, 'model')
    hold.open = false
    return
  }
  const [consumer, provider] = [NODES[hold.from], NODES[hold.to]]
  if (!consumer || !provider) return
  const parties = { provider: provider.publicKeyHex, consumer: consumer.publicKeyHex }
  const of = terms(model.trades, { ...parties, amountTrm: current.amountTrm })
  const settled = ledger.settle(hold.id, signed(of, provider, consumer), FACTS)
  if (!hold.open || current.amountTrm > hold.amountTrm) await expect(settled).rejects.toThrow()
  else {
    expect((await settled).index).toBe(model.trades)
    model.pay(hold, current.amountTrm)
  }
}

function expectAgreement(ledger: Ledger, model: Model): void {
  let sumTrm = 0n
  NODES.forEach(({ publicKeyHex }, position) => {
    const { contributedTrm, consumedTrm, reservedTrm } = ledger.balance(publicKeyHex)
    const netTrm = contributedTrm - consumedTrm
    expect(netTrm).toBe(model.netTrm[position])
    expect(reservedTrm).toBe(model.heldTrm(position))
    expect(netTrm - reservedTrm >= -LIMIT_TRM).toBe(true)
    sumTrm += netTrm
  })
  expect(sumTrm).toBe(0n)
  expect(ledger.tradeCount()).toBe(model.trades)
  const { contributedTrm, consumedTrm } = ledger.network()
  expect(contributedTrm).toBe(consumedTrm)
}

test('random histories with restarts agree with a naive model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) =>
      withDirectory(async (directory) => {
        let ledger = await open(directory)
        const model = new Model()
        for (const current of steps) {
          if (current.type === 'restart') {
            const root = ledger.merkleRootHex()
            await ledger.close()
            ledger = await open(directory)
            expect(ledger.merkleRootHex()).toBe(root)
            for (const hold of model.holds) hold.open = false
          } else await takeStep(ledger, model, current)
          expectAgreement(ledger, model)
        }
        await ledger.close()
      }),
    ),
    { numRuns: 25 },
  )
})
