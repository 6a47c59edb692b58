import { describe, expect, it } from 'vitest'
import { createProfit } from './earning-profit.ts'

const FLOP = '3600000000000000'

function profit(prices: { perTrm: number | null; perKwh: number | null }, microPerTrm = 1n) {
  const market = { microPerTrm }
  const made = createProfit({
    prices: () => prices,
    costTrm: (flop) => (flop / 1_000_000_000n) * market.microPerTrm,
    nowMs: () => 5,
  })
  /** One job of 3.6e15 FLOP. */
  const job = (tradeId: string, energyJ: number | null) => {
    made.trade({ tradeId, flop: FLOP })
    made.energy(tradeId, energyJ === null ? { label: 'unknown', energyJ } : { label: 'measured', energyJ })
  }
  return { made, job, market }
}

describe('profit on a kWh', () => {
  it('is what the work that it does brings, less its price', () => {
    const { made, job } = profit({ perTrm: 1e-9, perKwh: 0.3 })
    // 3.6e15 FLOP for 3.6e6 J, one kWh: 3.6e6 TRM, worth 0.0036.
    job('a', 3_600_000)
    expect(made.perKwh()).toMatchObject({ known: true, value: expect.closeTo(0.0036 - 0.3, 9) })
  })

  it('follows the market and the prices without a new job', () => {
    const prices = { perTrm: 1e-7, perKwh: 0.3 }
    const { made, job, market } = profit(prices)
    job('a', 3_600_000)
    expect(made.perKwh()).toMatchObject({ value: expect.closeTo(0.06, 9) })
    market.microPerTrm = 2n
    expect(made.perKwh()).toMatchObject({ value: expect.closeTo(0.42, 9) })
    prices.perKwh = 0.5
    expect(made.perKwh()).toMatchObject({ value: expect.closeTo(0.22, 9) })
  })

  it.each([
    [{ perTrm: null, perKwh: 0.3 }, 'no-price'],
    [{ perTrm: 1, perKwh: null }, 'no-price'],
    [{ perTrm: 1, perKwh: 0.3 }, 'not-measured-yet'],
  ])('is not made up: %j', (prices, problem) => {
    expect(profit(prices).made.perKwh()).toMatchObject({ known: false, problem })
  })

  it('after five jobs without a figure there will be none', () => {
    const { made, job } = profit({ perTrm: 1, perKwh: 0.3 })
    for (const id of ['a', 'b', 'c', 'd']) job(id, null)
    expect(made.perKwh()).toMatchObject({ problem: 'not-measured-yet' })
    job('e', null)
    expect(made.perKwh()).toMatchObject({ problem: 'no-energy' })
  })
})
