import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trmFromFlop } from '../kernel/index.ts'
import { defaultParameters, withParameter } from './parameters.ts'
import {
  applyMarket,
  decideMarketUpdate,
  deflationFactor,
  estimateCostForTierTrm,
  INITIAL_MARKET,
  type MarketSample,
  type MarketState,
  marketMultiplierMicro,
  pricePerToken,
  pricingView,
  reputationAdjustedCostTrm,
  tierOf,
} from './pricing.ts'
import { at, openBank } from './testing/bank.ts'

const p = defaultParameters()
const context = at(openBank(), 1_000)
const step = (market: MarketState, sample: MarketSample) =>
  applyMarket(market, decideMarketUpdate(market, sample, context).event)

describe('deflation (vectors V5)', () => {
  it.each([
    [0, 1, 1],
    [1, 0.9990014976703275, 1.0009995003330836],
    [10, 0.9901477027639939, null],
    [100, 0.9129833890329114, null],
    [1_000, 0.5906161091496412, 1.6931471805599454],
    [10_000, 0.2942998296638024, null],
    [100_000, 0.1780905676023748, null],
    [1_000_000, 0.12644215529547434, null],
  ])('%i trades', (trades, deflation, power) => {
    expect(deflationFactor(trades, p)).toBeCloseTo(deflation, 14)
    const view = pricingView(INITIAL_MARKET, trades, p)
    expect(view.deflationFactor).toBe(Math.round(deflation * 1e6) / 1e6)
    if (power !== null) expect(view.purchasingPower).toBe(Math.round(power * 1e6) / 1e6)
    expect(marketMultiplierMicro(INITIAL_MARKET, trades, p)).toBe(BigInt(Math.round(deflation * 1e6)))
  })

  it('shows 0.999001 after the first trade, and 100 tokens for 100, 60 and 30 TRM', () => {
    expect(pricingView(INITIAL_MARKET, 1, p).trmPerToken).toBe(0.999001)
    expect(
      [0, 1_000, 10_000].map((n) => pricingView(INITIAL_MARKET, n, p).estimatedCost100TokensTrm),
    ).toEqual([100n, 60n, 30n])
  })
})

describe('market (vectors V5)', () => {
  it('follows supply and demand', () => {
    const busy = { activeProviders: 10, pendingJobs: 20, knownNodes: 4 }
    const once = step(INITIAL_MARKET, busy)
    expect(once.supplyFactor).toBeCloseTo(1.3, 12)
    expect(once.demandFactor).toBeCloseTo(1.6, 12)
    expect(pricePerToken(once, 0, p)).toBeCloseTo(1.230769, 6)
    const twice = step(once, busy)
    expect(twice.supplyFactor).toBeCloseTo(1.51, 12)
    expect(twice.demandFactor).toBeCloseTo(2.02, 12)
    expect(pricePerToken(twice, 0, p)).toBeCloseTo(1.337748, 6)
    const quiet = step(INITIAL_MARKET, { activeProviders: 1, pendingJobs: 1, knownNodes: 4 })
    expect(quiet).toEqual({ supplyFactor: expect.closeTo(0.85, 12), demandFactor: expect.closeTo(0.85, 12) })
    expect(pricePerToken(quiet, 0, p)).toBeCloseTo(1, 12)
    const glut = step(INITIAL_MARKET, { activeProviders: 100, pendingJobs: 1, knownNodes: 4 })
    expect(pricePerToken(glut, 0, p)).toBeCloseTo(0.653846, 6)
  })

  it('stays within its bounds whatever is measured, also for NaN', () => {
    const measured = fc.double({ noDefaultInfinity: false })
    fc.assert(
      fc.property(fc.array(fc.tuple(measured, measured, fc.nat()), { maxLength: 30 }), (samples) => {
        let market = INITIAL_MARKET
        for (const [activeProviders, pendingJobs, knownNodes] of samples) {
          market = step(market, { activeProviders, pendingJobs, knownNodes })
        }
        expect(market.supplyFactor).toBeGreaterThanOrEqual(0.5)
        expect(market.supplyFactor).toBeLessThanOrEqual(2)
        expect(market.demandFactor).toBeGreaterThanOrEqual(0.5)
        expect(market.demandFactor).toBeLessThanOrEqual(3)
        expect(marketMultiplierMicro(market, 10 ** 15, p)).toBeGreaterThanOrEqual(10_000n)
      }),
    )
  })

  it('moves the meter, and obeys the base price that was voted', () => {
    const nineTokens = 9n * 10n ** 9n
    const market = { supplyFactor: 1, demandFactor: 2 }
    expect(trmFromFlop(nineTokens, marketMultiplierMicro(INITIAL_MARKET, 0, p))).toBe(9n)
    expect(trmFromFlop(nineTokens, marketMultiplierMicro(market, 0, p))).toBe(18n)
    const voted = withParameter(p, 'BASE_TRM_PER_TOKEN', 0.5)
    expect(trmFromFlop(nineTokens, marketMultiplierMicro(market, 0, voted))).toBe(9n)
  })
})

describe('tiers (vectors V5)', () => {
  it('prices 100 tokens at 100, 300, 800 and 2,000 TRM', () => {
    const cost = (tier: 'small' | 'medium' | 'large' | 'frontier') =>
      estimateCostForTierTrm(100n, tier, INITIAL_MARKET, 0, p)
    expect([cost('small'), cost('medium'), cost('large'), cost('frontier')]).toEqual([
      100n,
      300n,
      800n,
      2_000n,
    ])
    expect(estimateCostForTierTrm(0n, 'frontier', INITIAL_MARKET, 0, p)).toBe(0n)
  })

  it.each([
    [0.5e9, 'small'],
    [2.999e9, 'small'],
    [3e9, 'medium'],
    [8e9, 'medium'],
    [14e9, 'large'],
    [32e9, 'large'],
    [70e9, 'frontier'],
    [405e9, 'frontier'],
  ])('%d active parameters are %s', (active, tier) => {
    expect(tierOf(active, p)).toBe(tier)
  })
})

describe('reputation-adjusted cost (vectors V4.5)', () => {
  it.each([
    [100n, 1, 100n],
    [100n, 0.2, 180n],
    [100n, 0, 200n],
    [16n, 0.5, 24n],
    [1n, 0.5, 2n],
    [100n, Number.NaN, 200n],
    [(1n << 64n) - 1n, 0, ((1n << 64n) - 1n) * 2n],
  ])('%d at reputation %d', (cost, reputation, adjusted) => {
    expect(reputationAdjustedCostTrm(cost, reputation)).toBe(adjusted)
  })
})
