import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Ledger, SignedTrade } from './index.ts'
import {
  CONSUMER,
  FACTS,
  FAST_PARENT,
  ManualClock,
  nonce,
  open,
  PROVIDER,
  signed,
  T0,
  terms,
  withDirectory,
} from './test-support.ts'

const HOUR = 3_600_000
const YEAR = 365 * 24 * HOUR
const CREDIT_TRM = 10n ** 12n

interface Step {
  by: number
  act: 'reserve' | 'settle' | 'void' | 'replay' | 'restart'
  pick: number
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    by: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.integer({ min: -HOUR, max: HOUR }) },
      { weight: 2, arbitrary: fc.constantFrom(-20 * YEAR, -YEAR, -1, 1, YEAR, 20 * YEAR) },
    ),
    act: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('reserve' as const, 'settle' as const, 'replay' as const) },
      { weight: 2, arbitrary: fc.constant('void' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    ),
    pick: fc.nat(),
  }),
  { minLength: 50, maxLength: 70 },
)

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'booked',
    (error: { code?: string }) => error.code ?? String(error),
  )

describe('reservations and nonces under a hostile clock', () => {
  it('a hold is good until its reading of the clock has passed once; a nonce is good once for ever', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (history) =>
        withDirectory(async (directory) => {
          const clock = new ManualClock()
          let ledger: Ledger = await open(directory, { clock })
          /** Expiry by reservation id. */
          const pending = new Map<string, number>()
          const settled: SignedTrade[] = []
          let bookedTrm = 0n
          const reserve = () => {
            for (const [id, expiresAtMs] of pending) if (clock.ms > expiresAtMs) pending.delete(id)
            const parties = { consumer: CONSUMER.publicKeyHex, provider: PROVIDER.publicKeyHex }
            const expiresAtMs = clock.ms + HOUR
            const id = ledger.reserve({ ...parties, amountTrm: 10n, creditLimitTrm: CREDIT_TRM, expiresAtMs })
            pending.set(id, expiresAtMs)
            return id
          }
          const pick = (from: string[], index: number) => from[index % Math.max(1, from.length)] ?? 'r1'
          for (const [number, step] of history.entries()) {
            clock.ms = Math.max(0, clock.ms + step.by)
            const timestampMs = BigInt(clock.ms)
            if (step.act === 'reserve') reserve()
            else if (step.act === 'settle') {
              const id = pick([...pending.keys()], step.pick)
              const good = clock.ms <= (pending.get(id) ?? Number.NEGATIVE_INFINITY)
              const trade = signed(
                terms(number, { amountTrm: 7n, timestampMs, nonce: nonce(1_000 + number) }),
              )
              expect(await codeOf(ledger.settle(id, trade, FACTS))).toBe(
                good ? 'booked' : 'RESERVATION_UNKNOWN',
              )
              pending.delete(id)
              if (good) settled.push(trade)
              if (good) bookedTrm += 7n
            } else if (step.act === 'replay') {
              const old = settled[step.pick % Math.max(1, settled.length)]
              if (!old) continue
              // Signed anew for the time of day, or as it was: the nonce alone decides.
              const again = step.pick % 2 === 0 ? old : signed({ ...old.terms, timestampMs })
              expect(await codeOf(ledger.settle(reserve(), again, FACTS))).toBe('TRADE_INVALID')
            } else if (step.act === 'void') {
              const id = pick([...pending.keys()], step.pick)
              ledger.void(id, 'test')
              pending.delete(id)
            } else {
              await ledger.close()
              ledger = await open(directory, { clock })
              pending.clear()
            }
            const { reservedTrm, consumedTrm } = ledger.balance(CONSUMER.publicKeyHex)
            expect([reservedTrm, consumedTrm]).toEqual([10n * BigInt(pending.size), bookedTrm])
            expect(ledger.accountTrm(`available:${CONSUMER.publicKeyHex}`)).toBe(-reservedTrm - bookedTrm)
          }
          await ledger.close()
        }, FAST_PARENT),
      ),
      { numRuns: 3 },
    )
  })

  it('a trade dated more than an hour off is refused on either side of the year 2038', () =>
    withDirectory(async (directory) => {
      const clock = new ManualClock()
      const ledger = await open(directory, { clock })
      let trades = 0
      for (const ms of [0, T0, 2 ** 31 * 1_000 - 1, 2 ** 31 * 1_000, 2 ** 32 * 1_000, 2 ** 45]) {
        clock.ms = ms
        for (const [offset, code] of [
          [-HOUR - 1, 'TRADE_INVALID'],
          [HOUR + 1, 'TRADE_INVALID'],
          [-HOUR, 'booked'],
          [HOUR, 'booked'],
        ] as const) {
          if (ms + offset < 0) continue
          const parties = { consumer: CONSUMER.publicKeyHex, provider: PROVIDER.publicKeyHex }
          const id = ledger.reserve({
            ...parties,
            amountTrm: 10n,
            creditLimitTrm: CREDIT_TRM,
            expiresAtMs: ms + HOUR,
          })
          const trade = signed(terms(0, { timestampMs: BigInt(ms + offset), nonce: nonce(++trades) }))
          expect(await codeOf(ledger.settle(id, trade, FACTS))).toBe(code)
        }
      }
      await ledger.close()
    }, FAST_PARENT))
})
