import { describe, expect, it } from 'vitest'
import { systemRng } from '../kernel/index.ts'
import { type JournalEvent, openLedger } from '../ledger/index.ts'
import { FAST_PARENT, key, ManualClock, T0, withDirectory, workerUrl } from '../ledger/test-support.ts'
import { type Access, createAccess } from './access.ts'
import { DAY, EconomyHouse, HOUR, NODE, stranger } from './testing/economy-house.ts'

const ME = NODE.publicKeyHex
const YEAR = 365 * DAY

async function withHouse(body: (house: EconomyHouse) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const house = await new EconomyHouse(directory).open()
    await body(house)
    await house.close()
  }, FAST_PARENT)
}

describe('a clock that was wrong', () => {
  it('earns no yield twice for an hour that was paid, however often it is served again', () =>
    withHouse(async (house) => {
      const begins = Math.ceil(T0 / DAY) * DAY
      const serve = async (fromMs: number) => {
        for (let hour = 0; hour < 24; hour++) {
          house.clock.ms = fromMs + hour * HOUR
          await house.economy.sampleMarket({ activeProviders: 1, pendingJobs: hour, slots: 1 })
        }
      }
      const mintedOn = async (ms: number) => {
        house.clock.ms = ms
        expect((await house.economy.tick(ms)).failures).toEqual([])
        return -house.trm('system:mint')
      }
      await house.trade(NODE, stranger(0), 1_000_000n)
      await mintedOn(begins)
      await serve(begins)
      const oncePaidTrm = await mintedOn(begins + DAY)
      expect(oncePaidTrm).toBeGreaterThan(0n)
      await serve(begins)
      await house.restart()
      expect(await mintedOn(begins + 2 * DAY)).toBe(oncePaidTrm)
    }))

  it('makes no loan that would be overdue, and lose its collateral, once the clock is right', () =>
    withHouse(async (house) => {
      const { lending } = house.economy
      await house.trade(NODE, stranger(0), 10_000n)
      await lending.deposit({ amountTrm: 5_000n, maxTermHours: 168, minRatePerHour: 0 })
      house.clock.ms = T0 - YEAR
      const loan = { amountTrm: 50n, termHours: 100, collateralTrm: 500n }
      await expect(lending.borrow(loan)).rejects.toMatchObject({ code: 'CLOCK_BEHIND' })
      house.clock.ms = T0
      await lending.borrow(loan)
      await house.economy.tick(T0)
      expect([lending.loans().length, house.trm('system:burn')]).toEqual([1, 0n])
    }))

  it('revives no token that was refused as expired', () =>
    withDirectory(async (directory) => {
      const clock = new ManualClock()
      const guest = { ...key(9), label: 'guest', ownKey: false, creditLimitTrm: 0n }
      const access: Access = createAccess({
        ledger: () => ledger,
        keys: () => ({ isApiKey: () => false, localConsumer: guest, guestConsumer: () => guest }),
        clock,
        rng: systemRng,
      })
      const observer = {
        events: (events: readonly JournalEvent[]) => {
          for (const event of events) access.observe(event)
        },
      }
      const ledger = await openLedger({ directory, clock, projectionWorkerUrl: workerUrl, observer })
      const { token } = await access.issue({ scope: 'readonly', ttlSecs: 60 })
      expect(access.authorise(token, 'model.read').consumer.label).toBe('guest')
      for (const ms of [T0 + 60_000, T0 + 1_000, T0 - YEAR]) {
        clock.ms = ms
        expect(() => access.authorise(token, 'model.read')).toThrow(
          expect.objectContaining({ code: 'API_KEY_INVALID' }),
        )
      }
      await ledger.close()
    }, FAST_PARENT))
})

describe('an economy whose clock cannot be read', () => {
  const UNREADABLE = [Number.NaN, Number.POSITIVE_INFINITY, -1, 2 ** 53]

  it.each(UNREADABLE)('at %d refuses whatever depends on time, and is unchanged', (unreadable) =>
    withHouse(async (house) => {
      const { staking, lending, governance } = house.economy
      await house.trade(NODE, stranger(0), 10_000n)
      await staking.stake({ node: ME, amountTrm: 2_000n, days: 30 })
      await lending.deposit({ amountTrm: 5_000n, maxTermHours: 168, minRatePerHour: 0 })
      const before = house.economy.encodedState()
      house.clock.ms = unreadable
      const attempts = [
        async () => staking.stake({ node: ME, amountTrm: 100n, days: 7 }),
        async () => staking.extend({ node: ME, addTrm: 100n, days: 30 }),
        async () => staking.unstake(ME),
        async () => staking.view(ME),
        async () => staking.refer(stranger(5).publicKeyHex),
        async () => staking.claimWelcome(stranger(6).publicKeyHex, '10.0.0'),
        async () => lending.deposit({ amountTrm: 1n, maxTermHours: 168, minRatePerHour: 0 }),
        async () => lending.withdraw(1n),
        async () => lending.borrow({ amountTrm: 50n, termHours: 100, collateralTrm: 500n }),
        async () => governance.proposeOwn({ type: 'emergency_pause', reason: 'test' } as never, T0 + DAY),
        async () => house.economy.requireEligibleProvider(),
        async () => house.economy.sampleMarket({ activeProviders: 1, pendingJobs: 9, slots: 1 }),
        async () => house.economy.tick(unreadable),
      ]
      for (const attempt of attempts)
        await expect(attempt()).rejects.toMatchObject({ code: 'CLOCK_UNREADABLE' })
      expect(house.economy.encodedState()).toEqual(before)
      house.clock.ms = T0
      await house.restart()
      expect(house.economy.encodedState()).toEqual(before)
    }),
  )
})
