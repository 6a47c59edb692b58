import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, type Bank, book, codeOf, nodeId, openBank } from './testing/bank.ts'
import { mintedTrm } from './tokenomics.ts'
import { decideYield, yieldTrm } from './yield.ts'

const DAY = 86_400_000
const NODE = nodeId(1)
const settle = (bank: Bank, nowMs: number, contributedTrm: bigint, more = {}) => {
  const command = { node: NODE, contributedTrm, reputation: 1, stakeMultiplier: 1, hoursServed: 24, ...more }
  book(bank, decideYield(bank.state.yield, command, at(bank, nowMs)))
}
const available = (bank: Bank) => bank.balances.get(`available:${NODE}`) ?? 0n

describe('yield', () => {
  it('pays 80 TRM on 10,000 for 8 hours (vector V4.4; corrected: minted, and no contribution)', () => {
    const bank = openBank()
    settle(bank, 0, 10_000n)
    expect(available(bank)).toBe(0n)
    settle(bank, DAY, 10_000n, { hoursServed: 8 })
    expect(available(bank)).toBe(80n)
    expect(bank.balances.get('system:mint')).toBe(-80n)
  })

  it('follows reputation, stake multiplier and halving epoch (corrected: both were ignored)', () => {
    const { parameters } = openBank()
    const basis = { contributedTrm: 100_000n, reputation: 0.5, stakeMultiplier: 3, hours: 10, epoch: 0 }
    expect(yieldTrm(basis, parameters)).toBe(1_500n)
    expect(yieldTrm({ ...basis, epoch: 1 }, parameters)).toBe(750n)
    expect(yieldTrm({ ...basis, epoch: 2, stakeMultiplier: 1 }, parameters)).toBe(125n)
    expect(yieldTrm({ ...basis, reputation: Number.NaN }, parameters)).toBe(0n)
    expect(yieldTrm({ ...basis, contributedTrm: 10n ** 40n }, parameters)).toBe(15n * 10n ** 37n)
  })

  it('pays a period once, also when the clock runs backwards', () => {
    const bank = openBank()
    settle(bank, DAY, 10_000n)
    settle(bank, 2 * DAY, 10_000n)
    for (const nowMs of [2 * DAY, 3 * DAY - 1, DAY, 0]) {
      expect(codeOf(() => settle(bank, nowMs, 10_000n))).toBe('YIELD_NOT_DUE')
    }
    expect(available(bank)).toBe(240n)
  })

  it('counts hours served, at most those that passed', () => {
    const bank = openBank()
    settle(bank, 0, 10_000n)
    settle(bank, DAY, 10_000n, { hoursServed: 1_000 })
    expect(available(bank)).toBe(240n)
    settle(bank, 4 * DAY, 10_000n, { hoursServed: 30.9 })
    expect(available(bank)).toBe(540n)
    settle(bank, 5 * DAY, 10_000n, { hoursServed: Number.NaN })
    expect(available(bank)).toBe(540n)
  })

  it('pays nothing backwards on a burst of trades', () => {
    const bank = openBank()
    settle(bank, 0, 0n)
    settle(bank, 100 * DAY, 1_000_000n, { hoursServed: 2_400 })
    expect(available(bank)).toBe(0n)
  })

  it('never exceeds the cap', () => {
    const arbitrary = fc.array(
      fc.tuple(fc.integer({ min: -3, max: 400 }), fc.bigInt({ min: 0n, max: 1n << 64n }), fc.nat(10_000)),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(arbitrary, (steps) => {
        const bank = openBank()
        let nowMs = 0
        for (const [days, contributedTrm, hoursServed] of steps) {
          nowMs = Math.max(0, nowMs + days * DAY)
          codeOf(() => settle(bank, nowMs, contributedTrm, { hoursServed, stakeMultiplier: 3 }))
          expect(mintedTrm(at(bank, nowMs)) <= bank.parameters.TOTAL_TRM_SUPPLY).toBe(true)
        }
      }),
    )
  })
})
