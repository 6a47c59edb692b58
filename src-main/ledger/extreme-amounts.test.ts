import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_AMOUNT_TRM, TiramiError } from '../kernel/index.ts'
import {
  canonicalTradeBytes,
  exportStatement,
  type Ledger,
  statementCsv,
  statementJson,
  verifyLedger,
} from './index.ts'
import {
  CONSUMER,
  FACTS,
  FAST_PARENT,
  key,
  nonce,
  open,
  PROVIDER,
  signed,
  T0,
  terms,
  withDirectory,
} from './test-support.ts'

const AVAILABLE = `available:${CONSUMER.publicKeyHex}`
const FIT = [1n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, MAX_AMOUNT_TRM]
const DO_NOT_FIT = [0n, -1n, -(2n ** 63n), 2n ** 64n, 2n ** 127n, 2n ** 128n - 1n, 10n ** 40n]

/** Around every power of two, and anything between. */
const amounts = fc.oneof(
  fc.bigInt({ min: -(2n ** 130n), max: 2n ** 130n }),
  fc
    .record({ bits: fc.bigInt({ min: 0n, max: 130n }), by: fc.bigInt({ min: -2n, max: 2n }) })
    .map(({ bits, by }) => (1n << bits) + by),
)

const reserveOf = (
  ledger: Ledger,
  amountTrm: bigint,
  creditLimitTrm = MAX_AMOUNT_TRM,
  consumer = CONSUMER.publicKeyHex,
) =>
  ledger.reserve({
    consumer,
    provider: PROVIDER.publicKeyHex,
    amountTrm,
    creditLimitTrm,
    expiresAtMs: T0 + 60_000,
  })

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'taken'
  } catch (error) {
    if (error instanceof TiramiError) return error.code
    throw error
  }
}

describe('amounts at the edge of 64 bits', () => {
  it('are signed exactly or not at all', () => {
    fc.assert(
      fc.property(amounts, fc.constantFrom('amountTrm', 'tokensProcessed', 'timestampMs'), (value, field) => {
        const of = terms(1, { [field]: value })
        if (value < 0n || value > MAX_AMOUNT_TRM) {
          expect(() => canonicalTradeBytes(of)).toThrow(RangeError)
          return
        }
        const at = 1 + 64 + 8 * ['amountTrm', 'tokensProcessed', 'timestampMs'].indexOf(field)
        const bytes = canonicalTradeBytes(of)
        expect(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true)).toBe(value)
      }),
    )
  })

  it('are reserved and posted exactly, or refused with nothing written', () =>
    withDirectory(async (directory) => {
      let ledger = await open(directory)
      const records = () => ledger.journal().records
      for (const amountTrm of FIT) {
        const id = reserveOf(ledger, amountTrm)
        expect(ledger.balance(CONSUMER.publicKeyHex).reservedTrm).toBe(amountTrm)
        expect(codeOf(() => reserveOf(ledger, MAX_AMOUNT_TRM - amountTrm + 1n))).toBe('INSUFFICIENT_BALANCE')
        ledger.void(id, 'test')
        expect(ledger.accountTrm(AVAILABLE)).toBe(0n)
      }
      await ledger.post([{ kind: 'test.flush' }])
      const written = records()
      for (const amountTrm of DO_NOT_FIT) {
        expect(codeOf(() => reserveOf(ledger, amountTrm))).toBe('TRADE_INVALID')
        const movement = { debit: 'system:mint', credit: AVAILABLE, amountTrm, code: 'test' }
        expect(codeOf(() => ledger.post([{ kind: 'test.minted' }], [movement]))).toBe('EVENT_INVALID')
      }
      for (const creditLimitTrm of [2n ** 64n, 2n ** 127n, -1n]) {
        expect(codeOf(() => reserveOf(ledger, 1n, creditLimitTrm))).toBe('TRADE_INVALID')
      }
      await ledger.post([{ kind: 'test.flush' }])
      expect(records()).toBe(written + 1)
      await ledger.close()
      ledger = await open(directory)
      expect(ledger.accountTrm(AVAILABLE)).toBe(0n)
      await ledger.close()
    }, FAST_PARENT))

  it('add up beyond 64 bits: settled, listed, earned, stated and replayed digit for digit', () =>
    withDirectory(async (directory) => {
      let ledger = await open(directory)
      const settled = [...FIT, ...FIT, MAX_AMOUNT_TRM, MAX_AMOUNT_TRM]
      let totalTrm = 0n
      for (const [number, amountTrm] of settled.entries()) {
        const consumer = key(20 + number)
        const of = terms(number, {
          consumer: consumer.publicKeyHex,
          amountTrm,
          tokensProcessed: amountTrm,
          nonce: nonce(number),
        })
        const id = reserveOf(ledger, MAX_AMOUNT_TRM, MAX_AMOUNT_TRM, consumer.publicKeyHex)
        const facts = { ...FACTS, flop: 10n ** 40n - 1n }
        expect((await ledger.settle(id, signed(of, PROVIDER, consumer), facts)).amountTrm).toBe(
          String(amountTrm),
        )
        totalTrm += amountTrm
        expect(ledger.accountTrm(`available:${consumer.publicKeyHex}`)).toBe(-amountTrm)
      }
      const check = async () => {
        const { contributedTrm } = ledger.balance(PROVIDER.publicKeyHex)
        const { allTimeTrm, rangeTrm } = await ledger.earnings(PROVIDER.publicKeyHex, '24h')
        expect([contributedTrm, allTimeTrm, rangeTrm]).toEqual([totalTrm, String(totalTrm), String(totalTrm)])
        expect(ledger.accountTrm(`available:${PROVIDER.publicKeyHex}`)).toBe(totalTrm)
        const listed = await ledger.listTrades({ limit: 100 })
        expect(listed.map((trade) => BigInt(trade.amountTrm)).reverse()).toEqual(settled)
      }
      await check()
      await ledger.close()
      ledger = await open(directory)
      await check()
      await ledger.close()
      expect(await verifyLedger(directory)).toMatchObject({ ok: true, trades: settled.length, sumTrm: 0n })
      const statement = await exportStatement(directory, { price: '0.000000000000000001', nowMs: T0 })
      expect(statement.totalTrm).toBe(totalTrm)
      expect(statementJson(statement)).toContain(`"total_trm_transferred":${totalTrm},`)
      expect(statementCsv(statement).split('\r\n')[1]).toContain(
        `${PROVIDER.publicKeyHex},${totalTrm},0,${totalTrm},`,
      )
    }, FAST_PARENT))

  it('of work beyond 40 digits, or of a trade above its hold, are refused and the hold stays good', () =>
    withDirectory(async (directory) => {
      const ledger = await open(directory)
      const id = reserveOf(ledger, 10n)
      const refusedWith = (trade: Partial<Parameters<typeof terms>[1]>, facts = FACTS) =>
        ledger.settle(id, { ...signed(terms(1)), terms: terms(1, trade) }, facts).then(
          () => 'booked',
          (error: TiramiError) => error.code,
        )
      for (const amountTrm of [...DO_NOT_FIT, 11n, MAX_AMOUNT_TRM]) {
        expect(await refusedWith({ amountTrm })).toBe('TRADE_INVALID')
      }
      for (const tokensProcessed of [-1n, 2n ** 64n, 2n ** 127n]) {
        expect(await refusedWith({ tokensProcessed })).toBe('TRADE_INVALID')
      }
      for (const timestampMs of [-1n, 2n ** 63n, 2n ** 64n, 2n ** 127n]) {
        expect(await refusedWith({ timestampMs })).toBe('TRADE_INVALID')
      }
      for (const flop of [-1n, 10n ** 40n])
        expect(await refusedWith({}, { ...FACTS, flop })).toBe('TRADE_INVALID')
      expect(ledger.balance(CONSUMER.publicKeyHex).reservedTrm).toBe(10n)
      expect(await refusedWith({})).toBe('booked')
      await ledger.close()
    }, FAST_PARENT))
})
