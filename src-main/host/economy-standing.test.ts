import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FAST_PARENT, T0, withDirectory } from '../ledger/test-support.ts'
import { DAY, EconomyHouse, HOUR, NODE, OWNER, stranger, sumTrm } from './testing/economy-house.ts'

const ME = NODE.publicKeyHex
const GIGAFLOP = 10n ** 9n

let house: EconomyHouse
let leave: () => void
let gone: Promise<void>
beforeEach(async () => {
  await new Promise<void>((ready, failed) => {
    gone = withDirectory(async (directory) => {
      house = await new EconomyHouse(directory).open()
      ready()
      await new Promise<void>((resolve) => {
        leave = resolve
      })
      await house.close()
    }, FAST_PARENT)
    gone.catch(failed)
  })
})
afterEach(async () => {
  expect(sumTrm(house, [NODE, OWNER, ...[0, 1, 2, 3].map(stranger)])).toBe(0n)
  leave()
  await gone
})

/** New supply, as yields and bonuses bring it: out of the mint, into an account. */
function mint(amountTrm: bigint, node = ME): Promise<void> {
  const event = { kind: 'market.updated', supplyFactor: 1, demandFactor: 1, atMs: house.clock.ms }
  return house.ledger.post(
    [event],
    [{ debit: 'system:mint', credit: `available:${node}`, amountTrm, code: 'yield' }],
  )
}

describe('the price of a job', () => {
  it('has a fee of 1 %, rounded down, once nine tenths of the supply exist (V6; corrected: it was shown and never charged)', async () => {
    const cost = (trm: bigint) => house.economy.jobPrice()(trm * GIGAFLOP)
    await mint(18_899_999_999n)
    expect(house.economy.staking.supply().feeActive).toBe(false)
    expect([1_000n, 10_000n, 100_000n].map(cost)).toEqual([1_000n, 10_000n, 100_000n])
    await mint(1n)
    expect(house.economy.staking.supply()).toMatchObject({ feeActive: true, feeRate: 0.01 })
    expect([0n, 1n, 99n, 199n, 1_000n, 10_000n, 100_000n].map(cost)).toEqual([
      0n,
      1n,
      99n,
      200n,
      1_010n,
      10_100n,
      101_000n,
    ])
    await house.restart()
    expect(cost(1_000n)).toBe(1_010n)
  })

  it('stays what it was when the job was reserved, whatever comes into force meanwhile', async () => {
    const price = house.economy.jobPrice()
    await mint(18_900_000_000n)
    await house.trade(NODE, stranger(0), 5n)
    expect(price(1_000n * GIGAFLOP)).toBe(1_000n)
  })

  it('is settled to the provider in the record of the trade, in double entry', async () => {
    await mint(18_900_000_000n, stranger(1).publicKeyHex)
    const amountTrm = house.economy.jobPrice()(1_000n * GIGAFLOP)
    const records = house.records()
    await house.trade(NODE, stranger(0), amountTrm)
    expect(house.trm(`available:${ME}`)).toBe(1_010n)
    expect(house.trm(`available:${stranger(0).publicKeyHex}`)).toBe(-1_010n)
    // Reserve, settle, and the provider's reputation: the fee needs no record of its own.
    expect(house.records()).toBe(records + 3)
  })
})

describe('the average reputation', () => {
  it('is the mean over the nodes of the ledger; 0 for an empty one (V4.8; corrected: it was a constant)', async () => {
    const average = () => house.economy.reputation.average()
    expect(average()).toBe(0)
    await house.trade(NODE, OWNER, 5n)
    expect(average()).toBe(0.5)
    for (let trade = 0; trade < 4; trade++) await house.trade(NODE, stranger(0), 5n)
    await house.trade(stranger(1), stranger(2), 5n)
    // NODE at 0.54, stranger 1 at 0.51, OWNER and strangers 0 and 2 at 0.5.
    expect(average()).toBeCloseTo((0.54 + 0.51 + 3 * 0.5) / 5, 12)
    await house.restart()
    expect(average()).toBeCloseTo((0.54 + 0.51 + 3 * 0.5) / 5, 12)
  })
})

describe('income', () => {
  const income = () => house.economy.income()

  it('tells what others still owe from what they have earned themselves, and from own use', async () => {
    expect(income()).toEqual({ fromOthersTrm: 0n, onCreditTrm: 0n, ownUseTrm: 0n, passedOnTrm: 0n })
    await house.trade(NODE, OWNER, 70n)
    await house.trade(NODE, stranger(0), 40n)
    expect(income()).toEqual({ fromOthersTrm: 40n, onCreditTrm: 40n, ownUseTrm: 70n, passedOnTrm: 0n })
    await mint(30n, stranger(0).publicKeyHex)
    expect(income()).toEqual({ fromOthersTrm: 40n, onCreditTrm: 10n, ownUseTrm: 70n, passedOnTrm: 0n })
    await mint(30n, stranger(0).publicKeyHex)
    await house.trade(NODE, stranger(0), 15n)
    expect(income()).toEqual({ fromOthersTrm: 55n, onCreditTrm: 0n, ownUseTrm: 70n, passedOnTrm: 0n })
    await house.restart()
    expect(income()).toEqual({ fromOthersTrm: 55n, onCreditTrm: 0n, ownUseTrm: 70n, passedOnTrm: 0n })
  })

  it('does not count what is only held for a job', async () => {
    const parties = { provider: ME, consumer: stranger(0).publicKeyHex }
    await house.trade(NODE, stranger(0), 40n)
    house.ledger.reserve({ ...parties, amountTrm: 500n, creditLimitTrm: 1_000n, expiresAtMs: T0 + HOUR })
    expect(income()).toMatchObject({ fromOthersTrm: 40n, onCreditTrm: 40n })
  })

  it('on credit is never more than what this node was paid', async () => {
    await house.trade(stranger(1), stranger(0), 500n)
    await house.trade(NODE, stranger(2), 40n)
    expect(income()).toMatchObject({ fromOthersTrm: 40n, onCreditTrm: 40n })
  })
})

describe('the next step of an owner', () => {
  const standing = () => house.economy.standing()

  it('is the welcome loan while he is new, also after his first earnings; then a stake', async () => {
    expect(standing()).toMatchObject({ eligibility: 'bootstrap-window', welcomeLoan: 'available' })
    expect(standing().nextStep).toMatch(/^Claim the welcome loan: .* 72 hours\. .* 10 TRM in all\.$/)
    await house.trade(NODE, OWNER, 5_000n)
    await house.trade(NODE, stranger(0), 60n)
    expect(standing()).toMatchObject({ eligibility: 'stake-required', welcomeLoan: 'available' })
    await house.economy.staking.claimWelcome(ME, '127.0.0')
    const until = new Date(T0 + 72 * HOUR).toISOString()
    expect(standing()).toMatchObject({ eligibility: 'welcome-loan', welcomeLoan: 'active' })
    expect(standing().nextStep).toContain(`ends ${until}. Stake at least 100 TRM`)
    expect(standing().next).toMatchObject({ code: 'loan-ends', params: { endsAt: until } })
    house.clock.ms += 72 * HOUR
    expect(standing()).toMatchObject({ eligibility: 'stake-required', welcomeLoan: 'used' })
    expect(standing().nextStep).toBe('Guests are refused: 100 TRM must be staked, and 60 are at hand.')
    await house.trade(NODE, stranger(0), 40n)
    expect(standing().nextStep).toMatch(/^Stake at least 100 TRM\. /)
    await house.economy.staking.stake({ node: ME, amountTrm: 100n, days: 7 })
    expect(standing()).toEqual({
      eligibility: 'staked',
      welcomeLoan: 'used',
      nextStep: null,
      next: null,
    })
    house.clock.ms += 7 * DAY
    expect(standing().eligibility).toBe('stake-required')
  })

  it('is no loan that would be refused', async () => {
    await house.trade(NODE, stranger(0), 100n)
    expect(standing()).toMatchObject({ eligibility: 'stake-required', welcomeLoan: 'unavailable' })
    await expect(house.economy.staking.claimWelcome(ME, '127.0.0')).rejects.toMatchObject({
      code: 'WELCOME_ALREADY_KNOWN',
    })
    expect(standing().nextStep).toMatch(/^Stake at least 100 TRM\. /)
  })

  it('of a slashed node is a stake', async () => {
    for (let number = 0; number < 10; number++) await house.trade(NODE, stranger(0), 20n)
    for (const provider of [1, 2, 3]) await house.trade(stranger(provider), stranger(0), 10n)
    await house.advance(1)
    expect(standing().eligibility).toBe('previously-slashed')
    expect(standing().nextStep).toMatch(/^Stake at least 100 TRM: a node that was slashed/)
  })
})
