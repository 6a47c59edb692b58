import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideSlashes } from './slashing.ts'
import {
  decideExtendStake,
  decideStake,
  decideUnstake,
  lockedStakeTrm,
  stakeMultiplier,
  stakeOf,
} from './staking.ts'
import { at, type Bank, book, codeOf, nodeId, openBank } from './testing/bank.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NODE = nodeId(1)
const rich = () => openBank({ [`available:${NODE}`]: 1_000_000n })
type Days = 7 | 30 | 90 | 365
const stake = (bank: Bank, amountTrm: bigint, days: Days, nowMs = 0) =>
  book(bank, decideStake(bank.state.staking, { node: NODE, amountTrm, days }, at(bank, nowMs)))
const unstake = (bank: Bank, nowMs: number) =>
  book(bank, decideUnstake(bank.state.staking, { node: NODE }, at(bank, nowMs)))
const multiplier = (bank: Bank, nowMs: number) => stakeMultiplier(bank.state.staking, NODE, at(bank, nowMs))

describe('staking (vectors V6)', () => {
  it.each([
    [7, 100n, 1.2],
    [30, 1_000n, 1.5],
    [90, 10_000n, 2],
    [365, 100_000n, 3],
  ] as const)('%i days: at least %d TRM, multiplier %d', (days, minimum, factor) => {
    const bank = rich()
    expect(codeOf(() => stake(bank, minimum - 1n, days))).toBe('STAKE_BELOW_MINIMUM')
    stake(bank, minimum, days)
    expect(multiplier(bank, days * DAY - 1)).toBe(factor)
    expect(multiplier(bank, days * DAY)).toBe(1)
    expect(lockedStakeTrm(bank.state.staking, NODE, at(bank, days * DAY - 1))).toBe(minimum)
    expect(lockedStakeTrm(bank.state.staking, NODE, at(bank, days * DAY))).toBe(0n)
  })

  it('debits the account (corrected: stakes were only declared)', () => {
    const bank = openBank({ [`available:${NODE}`]: 150n })
    expect(codeOf(() => stake(bank, 151n, 7))).toBe('INSUFFICIENT_BALANCE')
    stake(bank, 150n, 7)
    expect(bank.balances.get(`available:${NODE}`)).toBe(0n)
    expect(bank.balances.get(`staked:${NODE}`)).toBe(150n)
    for (const amount of [0n, -5n, 1n << 64n])
      expect(codeOf(() => stake(rich(), amount, 7))).toBe('AMOUNT_INVALID')
  })

  it('keeps one stake; an expired one must be taken back first (corrected: it was discarded)', () => {
    const bank = rich()
    stake(bank, 100n, 7)
    expect(codeOf(() => stake(bank, 100n, 7, DAY))).toBe('STAKE_EXISTS')
    expect(codeOf(() => unstake(bank, 7 * DAY - 1))).toBe('STAKE_LOCKED')
    expect(codeOf(() => stake(bank, 100n, 7, 8 * DAY))).toBe('STAKE_EXISTS')
    unstake(bank, 7 * DAY)
    expect(bank.balances.get(`available:${NODE}`)).toBe(1_000_000n)
    expect(codeOf(() => unstake(bank, 7 * DAY))).toBe('STAKE_MISSING')
    stake(bank, 100n, 7, 8 * DAY)
  })

  it('extends: more TRM, never a shorter lock', () => {
    const bank = rich()
    const extend = (addTrm: bigint, days: Days, nowMs: number) =>
      book(bank, decideExtendStake(bank.state.staking, { node: NODE, addTrm, days }, at(bank, nowMs)))
    expect(codeOf(() => extend(1n, 7, 0))).toBe('STAKE_MISSING')
    stake(bank, 1_000n, 30)
    expect(codeOf(() => extend(0n, 7, DAY))).toBe('STAKE_SHORTENED')
    expect(codeOf(() => extend(1n, 90, DAY))).toBe('STAKE_BELOW_MINIMUM')
    extend(9_000n, 90, DAY)
    expect(stakeOf(bank.state.staking, NODE)).toMatchObject({
      days: 90,
      multiplier: 2,
      unlocksAtMs: 91 * DAY,
    })
    expect(bank.balances.get(`staked:${NODE}`)).toBe(10_000n)
    expect(codeOf(() => extend(1n, 90, 91 * DAY))).toBe('STAKE_EXPIRED')
  })

  it('loses the multiplier when slashing leaves less than the minimum', () => {
    const bank = rich()
    stake(bank, 100n, 7)
    const candidates = [{ node: NODE, reason: 'audit-fail', evidence: 'a1', trustPenalty: 0.3 }] as const
    const [slash] = decideSlashes(bank.state.slashing, { candidates, distinctProviders: 1 }, at(bank, 1))
    if (slash) book(bank, slash)
    expect(bank.balances.get(`staked:${NODE}`)).toBe(80n)
    expect(multiplier(bank, 2)).toBe(1)
    unstake(bank, 7 * DAY)
    expect(bank.balances.get(`available:${NODE}`)).toBe(999_980n)
  })

  it('locks from the last entry of the ledger when the clock is a little behind, and refuses when it is far behind', () => {
    const bank = rich()
    stake(bank, 100n, 7, 10 * DAY)
    unstake(bank, 17 * DAY)
    expect(codeOf(() => stake(bank, 100n, 7, 17 * DAY - HOUR - 1))).toBe('CLOCK_BEHIND')
    stake(bank, 100n, 7, 17 * DAY - HOUR)
    expect(stakeOf(bank.state.staking, NODE)?.unlocksAtMs).toBe(24 * DAY)
    const extend = { node: NODE, addTrm: 0n, days: 7 } as const
    const attempt = (nowMs: number) =>
      codeOf(() => decideExtendStake(bank.state.staking, extend, at(bank, nowMs)))
    expect(attempt(15 * DAY)).toBe('CLOCK_BEHIND')
    expect(attempt(18 * DAY)).toBeNull()
  })

  it('is never unlocked early by a clock that runs backwards', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 * DAY }), { minLength: 2, maxLength: 40 }),
        (times) => {
          const bank = rich()
          let openedAtMs: number | null = null
          let latestMs = 0
          for (const nowMs of times) {
            if (openedAtMs === null) {
              const refused = codeOf(() => stake(bank, 100n, 7, nowMs))
              expect(refused).toBe(nowMs < latestMs - HOUR ? 'CLOCK_BEHIND' : null)
              if (refused) continue
              openedAtMs = Math.max(nowMs, latestMs)
            } else if (codeOf(() => unstake(bank, nowMs)) === null) {
              expect(nowMs - openedAtMs).toBeGreaterThanOrEqual(7 * DAY)
              openedAtMs = null
            } else continue
            latestMs = Math.max(latestMs, nowMs)
          }
        },
      ),
    )
  })
})
