import { expect, test } from 'vitest'
import { MerkleLog, trmFromFlop } from '../kernel/index.ts'
import { tradeLeafHash } from '../ledger/index.ts'
import { FACTS, FAST_PARENT, signed, terms, withDirectory } from '../ledger/test-support.ts'
import { EconomyHouse, HOUR, NODE, stranger } from './testing/economy-house.ts'

/** Vectors of section V4 that take ledger and economy together. */
const ME = NODE.publicKeyHex
const GIGAFLOP = 10n ** 9n

function withHouse(body: (house: EconomyHouse) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    const house = await new EconomyHouse(directory).open()
    try {
      await body(house)
    } finally {
      await house.close()
    }
  }, FAST_PARENT)
}

function reserve(house: EconomyHouse, amountTrm: bigint): string {
  const parties = { provider: ME, consumer: stranger(0).publicKeyHex }
  const limits = { creditLimitTrm: 1_000_000n, expiresAtMs: house.clock.ms + HOUR }
  return house.ledger.reserve({ ...parties, amountTrm, ...limits })
}

const trade = (number: number, changes: Partial<ReturnType<typeof terms>> = {}) => {
  const parties = { provider: ME, consumer: stranger(0).publicKeyHex }
  return signed(terms(number, { ...parties, ...changes }), NODE, stranger(0))
}

test('V4.2 5 × 10⁹ FLOP are 5 TRM; 10 earned and 4 spent leave 6', () =>
  withHouse(async (house) => {
    expect(trmFromFlop(5n * GIGAFLOP, 1_000_000n)).toBe(5n)
    await house.trade(NODE, stranger(0), house.economy.jobPrice()(10n * GIGAFLOP))
    await house.trade(stranger(1), NODE, 4n)
    const { contributedTrm, consumedTrm } = house.ledger.balance(ME)
    expect(contributedTrm - consumedTrm).toBe(6n)
  }))

test('V4.8 no work costs nothing; an empty pool is all reserve', () =>
  withHouse(async (house) => {
    expect(house.economy.jobPrice()(0n)).toBe(0n)
    expect(house.economy.lending.pool().reserveRatio).toBe(1)
  }))

test.each([
  [100n, 100n, 50n, 50n],
  [100n, 100n, 33n, 33n],
  [10n, 3n, 1n, 4n],
  // Corrected: nothing done costs nothing (the original takes 1 TRM), and is not booked.
  [100n, 100n, 0n, 0n],
])('V4.10 of %d TRM reserved for %d tokens, %d tokens cost %d', (reserved, max, actual, cost) =>
  withHouse(async (house) => {
    expect(house.economy.jobPrice()((actual * reserved * GIGAFLOP) / max)).toBe(cost)
  }),
)

test('V4.10 more than was reserved is refused (corrected: it was cut down to the reservation)', () =>
  withHouse(async (house) => {
    const reservation = reserve(house, 100n)
    const above = house.ledger.settle(reservation, trade(0, { amountTrm: 200n }), FACTS)
    await expect(above).rejects.toMatchObject({ code: 'TRADE_INVALID' })
  }))

test('V4.12 a trade counts once, for ever; without a nonce never (corrected: v1 trades could be repeated, old nonces were forgotten)', () =>
  withHouse(async (house) => {
    const settle = (of: ReturnType<typeof trade>) => house.ledger.settle(reserve(house, 10n), of, FACTS)
    await settle(trade(0))
    await expect(settle(trade(0))).rejects.toMatchObject({ code: 'TRADE_INVALID' })
    const unsafe = settle(trade(0, { nonce: new Uint8Array(16) }))
    await expect(unsafe).rejects.toMatchObject({ code: 'TRADE_INVALID' })
    for (let number = 1; number < 20; number++) await settle(trade(number))
    await house.restart()
    await expect(settle(trade(0))).rejects.toMatchObject({ code: 'TRADE_INVALID' })
    expect(house.ledger.tradeCount()).toBe(20)
  }))

test('V4.14 every trade stays under the root (corrected: sealed trades fell out of it)', () =>
  withHouse(async (house) => {
    const tree = new MerkleLog()
    for (let number = 0; number < 5; number++) {
      house.clock.ms += 24 * HOUR
      const of = trade(number, { timestampMs: BigInt(house.clock.ms) })
      await house.ledger.settle(reserve(house, 10n), of, FACTS)
      tree.append(tradeLeafHash(of.terms))
    }
    await house.advance(48 * HOUR)
    await house.restart()
    expect(house.ledger.merkleRootHex()).toBe(Buffer.from(tree.root()).toString('hex'))
  }))
