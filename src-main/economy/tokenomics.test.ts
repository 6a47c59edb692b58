import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultParameters } from './parameters.ts'
import { at, book, nodeId, openBank } from './testing/bank.ts'
import {
  feeActive,
  halvingEpoch,
  mintableTrm,
  mintedTrm,
  mintRatePerToken,
  supplyFactor,
  transactionFeeTrm,
  yieldRatePerHour,
} from './tokenomics.ts'
import { decideYield } from './yield.ts'

const p = defaultParameters()
const CAP = p.TOTAL_TRM_SUPPLY

describe('supply (vectors V6)', () => {
  it.each([
    [0n, 1, 0, 0.001],
    [10_499_999_999n, 0.5, 0, 0.001],
    [10_500_000_000n, 0.5, 1, 0.0005],
    [15_750_000_000n, 0.25, 2, 0.00025],
    [18_375_000_000n, 0.125, 3, 0.000125],
    [18_900_000_000n, 0.1, 3, 0.000125],
    [19_687_500_000n, 0.0625, 4, 0.0000625],
    [20_999_999_999n, 4.76e-11, 32, 9.31e-13],
    [CAP, 0, 32, 9.31e-13],
    [CAP + 5n, 0, 32, 9.31e-13],
  ])('%d minted', (minted, factor, epoch, rate) => {
    expect(supplyFactor(minted, p)).toBeCloseTo(factor, 9)
    expect(halvingEpoch(minted, p)).toBe(epoch)
    expect(Math.abs(yieldRatePerHour(epoch, p) / rate - 1)).toBeLessThan(1e-3)
  })

  it('gives the epoch of the textbook formula on any supply', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: CAP - 1n }), (minted) => {
        const epoch = BigInt(halvingEpoch(minted, p))
        const left = CAP - minted
        expect(left << epoch <= CAP).toBe(true)
        expect(epoch === 32n || left << (epoch + 1n) > CAP).toBe(true)
      }),
    )
  })

  it('shows mint rates 1, 4.5, 24 and 200 at genesis and none at the cap', () => {
    const tiers = ['small', 'medium', 'large', 'frontier'] as const
    expect(tiers.map((tier) => mintRatePerToken(tier, 0n, p))).toEqual([1, 4.5, 24, 200])
    expect(tiers.map((tier) => mintRatePerToken(tier, CAP, p))).toEqual([0, 0, 0, 0])
  })

  it('charges 1 % once nine tenths exist', () => {
    expect(transactionFeeTrm(1_000n, 0n, p)).toBe(0n)
    expect(feeActive(18_899_999_999n, p)).toBe(false)
    const fees = [1_000n, 10_000n, 100_000n, 99n, 10n ** 30n].map((amount) =>
      transactionFeeTrm(amount, 18_900_000_000n, p),
    )
    expect(fees).toEqual([10n, 100n, 1_000n, 0n, 10n ** 28n])
  })
})

describe('minted (corrected: new supply, not trade volume)', () => {
  it('counts what left the mint account and nothing else', () => {
    const bank = openBank({ [`available:${nodeId(1)}`]: 10n ** 12n })
    expect(mintedTrm(at(bank, 0))).toBe(0n)
    const command = { node: nodeId(1), reputation: 1, stakeMultiplier: 1, hoursServed: 24 }
    book(bank, decideYield(bank.state.yield, { ...command, contributedTrm: 10_000n }, at(bank, 0)))
    book(bank, decideYield(bank.state.yield, { ...command, contributedTrm: 10_000n }, at(bank, 86_400_000)))
    expect(mintedTrm(at(bank, 0))).toBe(240n)
    expect(mintableTrm(240n, p)).toBe(CAP - 240n)
  })
})
