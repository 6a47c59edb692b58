import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { canonicalObservationBytes } from '../economy/reputation.ts'
import { trmFromFlop } from '../kernel/index.ts'
import { FAST_PARENT, T0, withDirectory } from '../ledger/test-support.ts'
import { DAY, EconomyHouse, HOUR, NODE, OWNER, signHex, stranger, sumTrm } from './testing/economy-house.ts'

const ME = NODE.publicKeyHex
const EVERYBODY = [NODE, OWNER, ...[0, 1, 2, 3, 4, 5, 6].map(stranger)]
const refused = (code: string) => expect.objectContaining({ code })
const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

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
  expect(sumTrm(house, EVERYBODY)).toBe(0n)
  leave()
  await gone
})

async function afterRestart<T>(look: () => T): Promise<T> {
  const before = house.economy.encodedState()
  await house.restart()
  expect(house.economy.encodedState()).toEqual(before)
  return look()
}

describe('a stake', () => {
  it('is debited, locked over a restart, and comes back whole when it has expired', async () => {
    const { economy } = house
    await house.trade(NODE, stranger(0), 500n)
    await expect(economy.staking.stake({ node: ME, amountTrm: 501n, days: 7 })).rejects.toThrow(
      refused('INSUFFICIENT_BALANCE'),
    )
    await economy.staking.stake({ node: ME, amountTrm: 200n, days: 7 })
    await economy.staking.extend({ node: ME, addTrm: 100n, days: 7 })
    expect(house.trm(`available:${ME}`)).toBe(200n)
    const view = await afterRestart(() => house.economy.staking.view(ME))
    expect(view).toMatchObject({ stakedTrm: 300n, locked: true, multiplier: 1.2 })
    await expect(house.economy.staking.unstake(ME)).rejects.toThrow(refused('STAKE_LOCKED'))
    house.clock.ms += 8 * DAY
    await house.economy.staking.unstake(ME)
    expect(house.trm(`available:${ME}`)).toBe(500n)
    expect(house.economy.staking.view(ME)).toMatchObject({ stakedTrm: 0n, stake: null })
  })

  it('cannot be made of what the owner paid himself', async () => {
    await house.trade(NODE, OWNER, 5_000n)
    const all = { node: ME, amountTrm: 100n, days: 7 } as const
    await expect(house.economy.staking.stake(all)).rejects.toThrow(refused('INSUFFICIENT_BALANCE'))
    const deposit = { amountTrm: 1n, maxTermHours: 168, minRatePerHour: 0 }
    await expect(house.economy.lending.deposit(deposit)).rejects.toThrow(refused('INSUFFICIENT_BALANCE'))
    await house.trade(NODE, stranger(0), 100n)
    await house.restart()
    await house.economy.staking.stake(all)
    expect(house.trm(`staked:${ME}`)).toBe(100n)
  })

  it('moves no more while the kill switch is on', async () => {
    await house.trade(NODE, stranger(0), 500n)
    const pause = { active: true, reason: 'test', operator: 'owner', atMs: T0 }
    await house.ledger.post([{ kind: 'safety.kill-switch', ...pause } as { kind: string }])
    const attempts = [
      house.economy.staking.stake({ node: ME, amountTrm: 200n, days: 7 }),
      house.economy.lending.deposit({ amountTrm: 10n, maxTermHours: 168, minRatePerHour: 0 }),
      house.economy.lending.borrow({ amountTrm: 10n, termHours: 1, collateralTrm: 10n }),
    ]
    for (const attempt of attempts) await expect(attempt).rejects.toThrow(refused('KILL_SWITCH_ACTIVE'))
  })
})

describe('the gate', () => {
  it('lets a newcomer earn a little, then asks for a real stake; the owner passes always', async () => {
    const sell = () => codeOf(() => house.economy.assertMayProvide({ ownKey: false }))
    await house.trade(NODE, OWNER, 1_000n)
    expect(house.economy.requireEligibleProvider()).toBe('bootstrap-window')
    await house.trade(NODE, stranger(0), 10n)
    expect(sell()).toBe('STAKE_REQUIRED')
    expect(codeOf(() => house.economy.assertMayProvide({ ownKey: true }))).toBe('ok')
    await house.restart()
    expect(sell()).toBe('STAKE_REQUIRED')
    await house.trade(NODE, stranger(0), 100n)
    await house.economy.staking.stake({ node: ME, amountTrm: 100n, days: 7 })
    expect(house.economy.requireEligibleProvider()).toBe('staked')
    house.clock.ms += 7 * DAY
    expect(sell()).toBe('STAKE_REQUIRED')
  })

  it('opens for a welcome loan and shuts when it ends', async () => {
    await house.economy.staking.claimWelcome(ME, '127.0.0')
    await house.trade(NODE, stranger(0), 50n)
    expect(house.economy.requireEligibleProvider()).toBe('welcome-loan')
    expect(house.economy.welcomeCreditTrm(ME)).toBe(1_000n)
    const again = house.economy.staking.claimWelcome(ME, '127.0.0')
    await expect(again).rejects.toThrow(refused('WELCOME_ALREADY_KNOWN'))
    expect((await house.advance(72 * HOUR)).failures).toEqual([])
    expect(codeOf(() => house.economy.requireEligibleProvider())).toBe('STAKE_REQUIRED')
    expect(await afterRestart(() => house.economy.welcomeCreditTrm(ME))).toBe(0n)
  })
})

describe('the market multiplier', () => {
  it('is exactly 1 on a fresh host, idle or busy within its slots, and falls with every trade ever', async () => {
    expect(house.economy.multiplierMicro()).toBe(1_000_000n)
    for (let minute = 0; minute < 100; minute++) {
      house.clock.ms += 60_000
      await house.economy.sampleMarket({ activeProviders: 1, pendingJobs: minute % 5, slots: 4 })
      expect(house.economy.multiplierMicro()).toBe(1_000_000n)
    }
    await house.trade(NODE, OWNER, 1n)
    expect(house.economy.multiplierMicro()).toBe(999_001n)
    const price = (flop: bigint) => trmFromFlop(flop, house.economy.multiplierMicro())
    expect(price(999_999_999n)).toBe(1n)
    expect(price(10_000_000_000_000n)).toBe(9_991n)
    expect(house.economy.pricing()).toMatchObject({ trmPerToken: 0.999001, totalTrades: 1 })
  })

  it('rises with what waits for a slot, as far as the rule allows, and comes back', async () => {
    const sample = async (pendingJobs: number) => {
      house.clock.ms += 60_000
      await house.economy.sampleMarket({ activeProviders: 1, pendingJobs, slots: 4 })
    }
    for (let minute = 0; minute < 60; minute++) await sample(400)
    expect(Number(house.economy.multiplierMicro()) / 1e6).toBeCloseTo(6, 3)
    expect(trmFromFlop(1_000_000_000n, house.economy.multiplierMicro())).toBe(6n)
    const price = house.economy.multiplierMicro()
    expect(await afterRestart(() => house.economy.multiplierMicro())).toBe(price)
    for (let minute = 0; minute < 100; minute++) await sample(0)
    expect(house.economy.multiplierMicro()).toBe(1_000_000n)
  })

  it('that stands still is written once an hour; a host that cannot serve writes nothing', async () => {
    const sample = (activeProviders: number) =>
      house.economy.sampleMarket({ activeProviders, pendingJobs: 0, slots: 4 })
    await sample(0)
    expect(house.records()).toBe(0)
    for (let number = 0; number < 80; number++) await sample(1)
    const before = house.records()
    for (let hour = 0; hour < 3; hour++) {
      house.clock.ms += HOUR
      for (let number = 0; number < 5; number++) await sample(1)
    }
    expect(house.records()).toBe(before + 3)
  })
})

describe('the yield', () => {
  const serveFor = async (hours: number) => {
    for (let hour = 0; hour < hours; hour++) {
      await house.economy.sampleMarket({ activeProviders: 1, pendingJobs: 0, slots: 4 })
      house.clock.ms += HOUR
    }
  }

  it('is minted once per period, for the hours served, on what strangers paid', async () => {
    await house.trade(NODE, stranger(0), 100_000n)
    await house.trade(NODE, OWNER, 900_000n)
    await house.advance(0)
    await serveFor(12)
    await house.restart()
    await serveFor(12)
    expect(house.trm('system:mint')).toBe(0n)
    await house.advance(DAY)
    // 100,000 × 0.001 × (0.5 + one trade's 0.01) × hours that fell into finished periods.
    const minted = -house.trm('system:mint')
    expect(minted).toBe(51n * 24n)
    expect((await house.advance(HOUR)).records).toBe(0)
    await house.restart()
    await house.advance(HOUR)
    expect(-house.trm('system:mint')).toBe(minted)
  })

  it('is nothing for a host that served nobody but its owner, and for hours it did not serve', async () => {
    await house.trade(NODE, OWNER, 100_000n)
    await house.advance(0)
    await serveFor(24)
    await house.advance(2 * DAY)
    expect(house.trm('system:mint')).toBe(0n)
    await house.trade(NODE, stranger(0), 100_000n)
    await house.advance(0)
    await house.advance(3 * DAY)
    expect(house.trm('system:mint')).toBe(0n)
  })
})

describe('the pool', () => {
  const pooled = async () => {
    await house.trade(NODE, stranger(0), 12_000n)
    await house.economy.lending.deposit({ amountTrm: 10_000n, maxTermHours: 168, minRatePerHour: 0 })
  }

  it('lends against collateral and is paid back with interest, over a restart', async () => {
    await pooled()
    const { lending } = house.economy
    const { maxBorrowTrm, offeredRatePerHour } = lending.pool()
    const tooMuch = lending.borrow({ amountTrm: maxBorrowTrm + 1n, termHours: 100, collateralTrm: 1_000n })
    await expect(tooMuch).rejects.toThrow(refused('LOAN_ABOVE_LIMIT'))
    const loan = await lending.borrow({ amountTrm: maxBorrowTrm, termHours: 100, collateralTrm: 1_000n })
    expect(loan.ratePerHour).toBe(offeredRatePerHour)
    expect(house.trm(`available:${ME}`)).toBe(1_000n + maxBorrowTrm)
    const [active] = await afterRestart(() => house.economy.lending.loans())
    expect(active).toMatchObject({ loanId: loan.loanId, loan: { principalTrm: maxBorrowTrm } })
    const repaid = await house.economy.lending.repay(loan.loanId)
    expect(repaid.principalTrm + BigInt(repaid.interestTrm)).toBe(loan.dueTrm)
    const pool = house.economy.lending.pool()
    expect(pool).toMatchObject({
      totalTrm: 10_000n + BigInt(repaid.interestTrm),
      lentTrm: 0n,
      activeLoans: 0,
    })
    await expect(house.economy.lending.repay(loan.loanId)).rejects.toThrow(refused('LOAN_CLOSED'))
    expect(house.economy.lending.credit().components.repayment).toBe(1)
    await house.economy.lending.withdraw(pool.contributionTrm)
    expect(house.trm('system:pool')).toBeLessThanOrEqual(1n)
  })

  it('closes an overdue loan, once, burns a tenth of the collateral and stops lending for a while', async () => {
    await pooled()
    await house.economy.lending.borrow({ amountTrm: 100n, termHours: 2, collateralTrm: 500n })
    const killSwitch = async (active: boolean) => {
      const event = { kind: 'safety.kill-switch', active, reason: 'test', operator: 'owner', atMs: T0 }
      await house.ledger.post([event])
    }
    expect((await house.advance(2 * HOUR)).records).toBe(1)
    expect(house.economy.lending.loans()).toHaveLength(1)
    await killSwitch(true)
    house.clock.ms += 1
    expect((await house.economy.tick(house.clock.ms)).records).toBe(0)
    await killSwitch(false)
    const reputation = house.economy.reputation.of(ME)
    const report = await house.advance(1)
    expect(report).toMatchObject({ records: 1, failures: [] })
    expect(house.trm('system:burn')).toBe(50n)
    expect(house.trm('system:pool')).toBe(10_000n - 100n + 450n)
    expect(house.economy.reputation.of(ME)).toBeCloseTo(reputation - 0.2, 9)
    expect((await house.advance(1)).records).toBe(0)
    const next = house.economy.lending.borrow({ amountTrm: 10n, termHours: 2, collateralTrm: 50n })
    await expect(next).rejects.toThrow(refused('LENDING_PAUSED'))
  })
})

describe('referrals', () => {
  it('pay the sponsor once, when the newcomer has earned and repaid', async () => {
    const newcomer = stranger(5)
    await house.economy.staking.refer(newcomer.publicKeyHex)
    await house.economy.staking.claimWelcome(newcomer.publicKeyHex, '10.0.0')
    await house.trade(newcomer, stranger(0), 1_000n)
    expect((await house.advance(1)).failures).toEqual([])
    expect(house.trm('system:mint')).toBe(0n)
    await house.advance(72 * HOUR)
    expect(house.trm(`available:${ME}`)).toBe(100n)
    const [entry] = await afterRestart(() => house.economy.staking.referrals())
    expect(entry?.referral).toMatchObject({ loanRepaid: true, thresholdMet: true, bonusTrm: 100n })
    expect((await house.advance(1)).records).toBe(0)
    expect(house.economy.staking.supply()).toMatchObject({ mintedTrm: 100n, epoch: 0 })
  })
})

describe('slashing', () => {
  it('burns the stake of a provider that trades with itself under another name, once', async () => {
    const accomplice = stranger(0)
    for (let number = 0; number < 12; number++) {
      house.clock.ms += 20 * 60_000
      await house.trade(NODE, accomplice, 100n)
    }
    await house.economy.staking.stake({ node: ME, amountTrm: 1_000n, days: 30 })
    await house.advance(0)
    expect(house.trm('system:burn')).toBe(0n)
    expect(house.economy.reputation.of(ME)).toBeCloseTo(0.62, 9)
    for (const provider of [1, 2, 3]) await house.trade(stranger(provider), stranger(4), 10n)
    expect((await house.advance(299_000)).records).toBe(0)
    expect(await house.advance(1_000)).toMatchObject({ records: 1, failures: [] })
    expect(house.trm('system:burn')).toBe(500n)
    expect(house.economy.reputation.of(ME)).toBeCloseTo(0.12, 9)
    expect(house.economy.reputation.collusion(ME).tightClusterScore).toBe(1)
    for (let number = 0; number < 3; number++) expect((await house.advance(300_000)).records).toBe(0)
    const slashes = await afterRestart(() => house.economy.reputation.slashes())
    expect(slashes).toMatchObject([{ node: ME, reason: 'collusion', burnedTrm: 500n }])
    expect(house.economy.staking.view(ME)).toMatchObject({ stakedTrm: 500n, multiplier: 1 })
    // The evidence is a day old and gone; the judgement stays.
    await house.advance(25 * HOUR)
    expect(house.economy.reputation.collusion(ME).tradesInWindow).toBe(0)
    expect(house.economy.reputation.of(ME)).toBeCloseTo(0.12, 9)
  })

  it('leaves an owner alone who uses his own machine', async () => {
    for (let number = 0; number < 30; number++) await house.trade(NODE, OWNER, 50n)
    for (const provider of [1, 2, 3, 4]) await house.trade(stranger(provider), stranger(5), 10n)
    await house.advance(HOUR)
    expect(house.economy.reputation.slashes()).toEqual([])
    expect(house.economy.reputation.collusion(ME).tradesInWindow).toBe(0)
  })
})

describe('reputation', () => {
  it('rises by a hundredth with every stranger served, up to 1, and hears what others sign', async () => {
    const lastMs = house.clock.ms
    for (let number = 0; number < 6; number++) await house.trade(NODE, stranger(0), 1n)
    await house.trade(NODE, OWNER, 1n)
    expect(house.economy.reputation.of(ME)).toBeCloseTo(0.56, 9)
    const seen = {
      observer: stranger(0).publicKeyHex,
      subject: ME,
      reputation: 0.2,
      tradeCount: 1_000_000n,
      volumeTrm: 6n,
      timestampMs: lastMs,
    }
    const signature = signHex(stranger(0), canonicalObservationBytes(seen))
    await house.economy.reputation.observe({ ...seen, signature })
    // It weighs the six trades that this ledger knows of, against our own five.
    expect(await afterRestart(() => house.economy.reputation.of(ME))).toBeCloseTo(0.2, 9)
    const forged = { ...seen, reputation: 0.9, signature, timestampMs: lastMs + 1 }
    await expect(house.economy.reputation.observe(forged)).rejects.toThrow(refused('OBSERVATION_INVALID'))
    const before = house.records()
    for (let number = 0; number < 60; number++) {
      await house.economy.rewardTrade({ provider: stranger(1).publicKeyHex, ownKey: false })
    }
    expect(house.records()).toBe(before + 50)
  })
})

describe('the tick', () => {
  it('writes nothing when nothing is due', async () => {
    await house.trade(stranger(1), stranger(0), 5_000n)
    const before = house.records()
    for (const ms of [0, 60_000, HOUR, DAY, 40 * DAY]) {
      expect(await house.advance(ms)).toEqual({ records: 0, failures: [] })
    }
    expect(house.records()).toBe(before)
  })

  it('goes on when one part fails, and says which', async () => {
    await house.economy.staking.claimWelcome(stranger(1).publicKeyHex, '10.0.0')
    await house.trade(NODE, stranger(0), 10n)
    const { ledger } = house
    const post = ledger.post.bind(ledger)
    ledger.post = (events, movements) => {
      if (events[0]?.kind === 'welcome.settled') throw new Error('broken')
      return post(events, movements)
    }
    const report = await house.advance(73 * HOUR)
    expect(report.failures).toMatchObject([{ part: 'welcome', error: { message: 'broken' } }])
    expect(report.records).toBe(1)
    expect((await house.advance(1)).failures).toHaveLength(1)
  })
})

describe('a clock that cannot be read', () => {
  it('writes nothing that the next start could not read', async () => {
    await house.trade(NODE, stranger(0), 500n)
    await house.economy.staking.claimWelcome(stranger(1).publicKeyHex, '10.0.0')
    const before = house.records()
    const readable = house.clock.ms
    house.clock.ms = Number.NaN
    const sample = { activeProviders: 1, pendingJobs: 9, slots: 4 }
    await expect(house.economy.sampleMarket(sample)).rejects.toThrow()
    await expect(house.economy.staking.stake({ node: ME, amountTrm: 100n, days: 7 })).rejects.toThrow()
    const deposit = { amountTrm: 10n, maxTermHours: 168, minRatePerHour: 0 }
    await expect(house.economy.lending.deposit(deposit)).rejects.toThrow()
    await expect(house.economy.tick(Number.NaN)).rejects.toThrow(refused('CLOCK_UNREADABLE'))
    expect(house.records()).toBe(before)
    house.clock.ms = readable
    await afterRestart(() => house.economy.staking.view(ME))
  })
})

describe('events of others', () => {
  it('are left to their rooms; what nobody knows stops the start', () => {
    const { observer } = house.economy
    const before = house.economy.encodedState()
    observer.events([{ kind: 'access.issued' }, { kind: 'safety.policy' }], T0)
    expect(house.economy.encodedState()).toEqual(before)
    expect(() => observer.events([{ kind: 'economy.unknown' }], T0)).toThrow()
    expect(() => observer.events([{ kind: 'stake.opened' }], T0)).toThrow()
  })
})
