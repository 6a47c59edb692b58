import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TiramiError } from '../kernel/index.ts'
import { FAST_PARENT, withDirectory } from '../ledger/test-support.ts'
import { DAY, EconomyHouse, HOUR, NODE, OWNER, stranger, sumTrm } from './testing/economy-house.ts'

interface Step {
  kind: keyof typeof moves
  who: number
  amountTrm: bigint
  days: 7 | 30 | 90 | 365
  hours: number
}
type Move = (house: EconomyHouse, step: Step) => Promise<unknown>

const PEOPLE = [NODE, OWNER, ...[0, 1, 2, 3, 4].map(stranger)]
const person = (index: number) => PEOPLE[index % PEOPLE.length] ?? NODE
const seller = (index: number) => (index === 1 ? NODE : person(index))

/** One way into everything that moves TRM or changes the state. */
const moves = {
  trade: (house, { who, amountTrm }) => {
    const other = person(who + 1)
    return house.trade(other === OWNER ? NODE : seller(who), other, amountTrm * 20n)
  },
  stake: (house, { who, amountTrm, days }) =>
    house.economy.staking.stake({ node: seller(who).publicKeyHex, amountTrm, days }),
  extend: (house, { who, amountTrm, days }) =>
    house.economy.staking.extend({ node: seller(who).publicKeyHex, addTrm: amountTrm, days }),
  unstake: (house, { who }) => house.economy.staking.unstake(seller(who).publicKeyHex),
  refer: (house, { who }) => house.economy.staking.refer(person(who).publicKeyHex),
  welcome: (house, { who }) => house.economy.staking.claimWelcome(person(who).publicKeyHex, '10.0.0'),
  deposit: (house, { amountTrm }) =>
    house.economy.lending.deposit({ amountTrm, maxTermHours: 168, minRatePerHour: 0 }),
  withdraw: (house, { amountTrm }) => house.economy.lending.withdraw(amountTrm),
  borrow: (house, { amountTrm, hours }) =>
    house.economy.lending.borrow({ amountTrm: amountTrm / 50n, termHours: hours, collateralTrm: amountTrm }),
  repay: (house) => house.economy.lending.repay(house.economy.lending.loans()[0]?.loanId ?? '00'.repeat(32)),
  sample: (house, { who, hours }) =>
    house.economy.sampleMarket({ activeProviders: who % 3, pendingJobs: hours, slots: 4 }),
  tick: async (house, { hours, days }) => {
    const report = await house.advance(days > 30 ? hours * DAY : hours * HOUR)
    expect(report.failures).toEqual([])
  },
  restart: (house) => house.restart(),
} satisfies Record<string, Move>

const LIVE_MOVES = (Object.keys(moves) as (keyof typeof moves)[]).filter((kind) => kind !== 'restart')

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 40, arbitrary: fc.constantFrom(...LIVE_MOVES) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    ),
    who: fc.nat({ max: 6 }),
    amountTrm: fc.bigInt({ min: 1n, max: 3_000n }),
    days: fc.constantFrom(7, 30, 90, 365),
    hours: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 90, maxLength: 120 },
)

describe('any history of the economy', () => {
  it('keeps every TRM, spends nothing that is not there, and replays to the same state', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (history) =>
        withDirectory(async (directory) => {
          const house = await new EconomyHouse(directory).open()
          for (const earner of [NODE, stranger(0), stranger(1)])
            await house.trade(earner, stranger(4), 9_000n)
          for (const step of history) {
            const run: Move = moves[step.kind]
            try {
              await run(house, step)
            } catch (error) {
              if (!(error instanceof TiramiError)) throw error
            }
            expect(sumTrm(house, PEOPLE)).toBe(0n)
            expect(house.trm('system:pool')).toBeGreaterThanOrEqual(0n)
          }
          const [state, reputation] = [
            house.economy.encodedState(),
            house.economy.reputation.of(NODE.publicKeyHex),
          ]
          await house.restart()
          expect(house.economy.encodedState()).toEqual(state)
          expect(house.economy.reputation.of(NODE.publicKeyHex)).toBe(reputation)
          await house.close()
        }, FAST_PARENT),
      ),
      { numRuns: 4 },
    )
  })
})
