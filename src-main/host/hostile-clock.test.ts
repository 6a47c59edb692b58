import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LATEST_MS, TiramiError } from '../kernel/index.ts'
import { FAST_PARENT, T0, withDirectory } from '../ledger/test-support.ts'
import { DAY, EconomyHouse, HOUR, NODE, stranger, sumTrm } from './testing/economy-house.ts'

const ME = NODE.publicKeyHex
const PEOPLE = [NODE, stranger(0), stranger(1), stranger(2)]
const YEAR = 365 * DAY

/** Where clocks have been known to go wrong. */
const INSTANTS = [
  0,
  1,
  Date.UTC(2011, 11, 30, 10), // Samoa left this day out
  Date.UTC(2016, 11, 31, 23, 59, 59, 999), // a leap second follows
  Date.UTC(2024, 1, 29),
  Date.UTC(2026, 2, 29, 1), // summer time begins in Berlin
  Date.UTC(2026, 10, 1, 6), // and ends in New York
  2 ** 31 * 1_000 - 1,
  2 ** 31 * 1_000,
  2 ** 32 * 1_000,
  Date.UTC(2100, 1, 28, 23, 59, 59, 999),
  Date.UTC(9998, 11, 31),
]

type ClockMove = { by: number } | { to: number } | 'still'
const clockMoves: fc.Arbitrary<ClockMove> = fc.oneof(
  { weight: 5, arbitrary: fc.constant('still' as const) },
  { weight: 6, arbitrary: fc.record({ by: fc.integer({ min: 1, max: 2 * DAY }) }) },
  {
    weight: 5,
    arbitrary: fc.record({ by: fc.constantFrom(-1, -1_000, -HOUR, -DAY, -8 * DAY, -YEAR, -20 * YEAR) }),
  },
  { weight: 3, arbitrary: fc.record({ by: fc.constantFrom(HOUR, 8 * DAY, YEAR, 20 * YEAR) }) },
  { weight: 2, arbitrary: fc.record({ to: fc.constantFrom(...INSTANTS) }) },
  { weight: 3, arbitrary: fc.constant({ to: T0 }) },
)

/** Later times can be read by nobody: those are in wrong-clock.test.ts. */
function moved(clockMs: number, move: ClockMove): number {
  if (move === 'still') return clockMs
  return 'to' in move ? move.to : Math.min(Math.max(0, clockMs + move.by), LATEST_MS)
}

const ACTS = [
  'trade',
  'stake',
  'extend',
  'unstake',
  'deposit',
  'withdraw',
  'borrow',
  'repay',
  'welcome',
] as const
type Act = (typeof ACTS)[number] | 'sample' | 'tick' | 'restart'
interface Step {
  clock: ClockMove
  act: Act
  who: number
  amountTrm: bigint
  days: 7 | 30
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    clock: clockMoves,
    act: fc.oneof(
      { weight: 18, arbitrary: fc.constantFrom(...ACTS) },
      { weight: 8, arbitrary: fc.constantFrom('sample' as const, 'tick' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    ),
    who: fc.nat(3),
    amountTrm: fc.bigInt({ min: 100n, max: 2_000n }),
    days: fc.constantFrom(7 as const, 30 as const),
  }),
  { minLength: 50, maxLength: 70 },
)

async function perform(house: EconomyHouse, { act, who, amountTrm, days }: Step): Promise<unknown> {
  const { staking, lending } = house.economy
  const person = PEOPLE[who] ?? NODE
  switch (act) {
    case 'trade':
      return house.trade(person, PEOPLE[(who + 1) % PEOPLE.length] ?? NODE, amountTrm * 10n)
    case 'stake':
      return staking.stake({ node: ME, amountTrm, days })
    case 'extend':
      return staking.extend({ node: ME, addTrm: amountTrm, days })
    case 'unstake':
      return staking.unstake(ME)
    case 'deposit':
      return lending.deposit({ amountTrm, maxTermHours: 168, minRatePerHour: 0 })
    case 'withdraw':
      return lending.withdraw(amountTrm)
    case 'borrow':
      return lending.borrow({
        amountTrm: amountTrm / 20n,
        termHours: 24 * (who + 1),
        collateralTrm: amountTrm,
      })
    case 'repay':
      return lending.repay(lending.loans()[0]?.loanId ?? '00'.repeat(32))
    case 'welcome':
      return staking.claimWelcome(person.publicKeyHex, '10.0.0')
    case 'sample':
      return house.economy.sampleMarket({ activeProviders: 1, pendingJobs: who * 5, slots: 2 })
    case 'tick':
      expect((await house.advance(0)).failures).toEqual([])
      return
    case 'restart':
      return house.restart()
  }
}

/** What was promised, remembered outside the house. */
class Promises {
  /** Latest reading at which something other than a trade was written. */
  latestMs = 0
  unlocksAtMs = 0
  paidDay = Number.NEGATIVE_INFINITY
  readonly dueMs = new Map<string, number>()
  mintedTrm = 0n

  before(house: EconomyHouse): void {
    this.mintedTrm = -house.trm('system:mint')
    for (const { loanId, loan } of house.economy.lending.loans()) this.dueMs.set(loanId, loan.dueAtMs)
  }

  after(house: EconomyHouse, { act, days }: Step, succeeded: boolean): void {
    const { ms: nowMs } = house.clock
    const { stake, locked, stakedTrm } = house.economy.staking.view(ME)
    if (succeeded && (act === 'stake' || act === 'extend')) {
      // No shorter than promised by this clock and by every earlier one, nor than before.
      const least = Math.max(nowMs, this.latestMs) + days * DAY
      expect(stake?.unlocksAtMs).toBeGreaterThanOrEqual(
        Math.max(least, act === 'extend' ? this.unlocksAtMs : 0),
      )
      this.unlocksAtMs = stake?.unlocksAtMs ?? 0
    }
    if (succeeded && act === 'unstake') expect(nowMs).toBeGreaterThanOrEqual(this.unlocksAtMs)
    if (stake) expect([locked, stakedTrm > 0n]).toEqual([nowMs < this.unlocksAtMs, true])
    if (succeeded && act !== 'trade' && act !== 'restart') this.latestMs = Math.max(this.latestMs, nowMs)
    this.#yield(house)
    if (act === 'tick') this.#defaults(house)
  }

  /** New TRM only in a day (UTC) that is later than every day in which there was some. */
  #yield(house: EconomyHouse): void {
    if (-house.trm('system:mint') === this.mintedTrm) return
    const day = Math.floor(house.clock.ms / DAY)
    expect(day).toBeGreaterThan(this.paidDay)
    this.paidDay = day
  }

  #defaults(house: EconomyHouse): void {
    const open = new Set(house.economy.lending.loans().map(({ loanId }) => loanId))
    for (const [loanId, dueMs] of this.dueMs) {
      if (!open.has(loanId)) {
        expect(dueMs).toBeLessThan(house.clock.ms)
        this.dueMs.delete(loanId)
      }
    }
  }
}

/** All that a reader could tell two hosts apart by. */
function everything(house: EconomyHouse) {
  const { headHashHex, bytes } = house.ledger.journal()
  house.clock.ms = T0
  return {
    headHashHex,
    bytes,
    economy: house.economy.encodedState(),
    merkle: house.ledger.merkleRootHex(),
    transparency: house.ledger.transparency(),
    reputations: PEOPLE.map(({ publicKeyHex: id }) => house.economy.reputation.of(id)),
    balances: PEOPLE.map(({ publicKeyHex: id }) => house.ledger.balance(id)),
  }
}

describe('a clock that jumps, stands still and runs backwards', () => {
  it('creates no TRM, unlocks no stake early, pays no day twice, defaults no loan early, and replays alike', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (history) =>
        withDirectory(async (directory) => {
          const house = await new EconomyHouse(directory).open()
          const promises = new Promises()
          for (const person of [NODE, stranger(0)]) await house.trade(person, stranger(2), 20_000n)
          for (const step of history) {
            house.clock.ms = moved(house.clock.ms, step.clock)
            promises.before(house)
            const succeeded = await perform(house, step).then(
              () => true,
              (error: unknown) => {
                if (!(error instanceof TiramiError)) throw error
                return false
              },
            )
            if (step.act === 'repay' && succeeded) promises.dueMs.clear()
            expect(sumTrm(house, PEOPLE)).toBe(0n)
            expect(house.trm('system:pool')).toBeGreaterThanOrEqual(0n)
            promises.after(house, step, succeeded)
          }
          await house.restart()
          const expected = everything(house)
          for (const atReplay of [0, T0 - 20 * YEAR, 2 ** 31 * 1_000, Date.UTC(9998, 11, 31)]) {
            house.clock.ms = atReplay
            await house.restart()
            expect(everything(house)).toEqual(expected)
          }
          await house.close()
        }, FAST_PARENT),
      ),
      // A smaller example would take longer than the test may.
      { numRuns: 2, endOnFailure: true },
    )
  })

  it('keeps a stake locked when the clock is set back, the host restarted, and the clock corrected', () =>
    withDirectory(async (directory) => {
      const house = await new EconomyHouse(directory).open()
      await house.trade(NODE, stranger(0), 5_000n)
      await house.economy.staking.stake({ node: ME, amountTrm: 500n, days: 7 })
      for (const ms of [T0 - YEAR, 0, T0 + 7 * DAY - 1]) {
        house.clock.ms = ms
        await house.restart()
        await expect(house.economy.staking.unstake(ME)).rejects.toMatchObject({ code: 'STAKE_LOCKED' })
      }
      house.clock.ms = T0 - YEAR
      const cheap = house.economy.staking.extend({ node: ME, addTrm: 0n, days: 7 })
      await expect(cheap).rejects.toMatchObject({ code: 'CLOCK_BEHIND' })
      house.clock.ms = T0 + 7 * DAY
      await house.economy.staking.unstake(ME)
      expect(house.trm(`staked:${ME}`)).toBe(0n)
      await house.close()
    }, FAST_PARENT))
})
