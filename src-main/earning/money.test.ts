import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { MoneyView, OwnerValues } from '../../src-preload/contract/index.ts'
import type { EarningEvent } from './events.ts'
import { bookEnergy, bookTrade, type MoneyBook, moneyView } from './money.ts'
import { T0 } from './testing/presets.ts'

const HOUR_MS = 3_600_000
const KWH_J = 3_600_000
const PRICED = OwnerValues.parse({ prices: { per_trm: 0.01, per_kwh: 0.4 } })
const UNPRICED = OwnerValues.parse({})
const NO_ROI = { gross: null, net: null, samples: 0, energy: 'unknown' } as const
const IDLE = { watts: null, label: 'idle' } as const

const bookOf = (fill: (book: MoneyBook) => void): MoneyBook => {
  const book: MoneyBook = new Map()
  fill(book)
  return book
}
const viewOf = (book: MoneyBook, values = PRICED, nowMs = T0) =>
  moneyView({ book, values, roi: NO_ROI, power: IDLE, nowMs })
const windowOf = (view: MoneyView, name: string) => {
  const found = view.windows.find((window) => window.name === name)
  if (!found) throw new Error(`no window ${name}`)
  return found
}
const costEvent = (changes: Partial<Extract<EarningEvent, { kind: 'earning.cost' }>> = {}): EarningEvent => ({
  kind: 'earning.cost',
  atMs: T0,
  ok: true,
  ownKey: false,
  value: null,
  cost: null,
  energyJ: KWH_J,
  energySource: 'measured',
  amountTrm: '100',
  forced: false,
  ...changes,
})

describe('a window of money', () => {
  it('is value less electricity, and the return over the jobs whose energy is known', () => {
    const book = bookOf((it) => {
      for (const ownKey of [false, false, true]) bookTrade(it, { amountTrm: 100n, timestampMs: T0, ownKey })
      bookEnergy(it, costEvent())
      bookEnergy(it, costEvent({ ownKey: true, energyJ: KWH_J / 2 }))
    })
    const day = windowOf(viewOf(book), '24h')
    expect(day).toMatchObject({
      earnedTrm: '200',
      ownUseTrm: '100',
      jobs: 2,
      value: { amount: 2 },
      cost: { amount: 0.4 },
      ownUseCost: { amount: 0.2 },
      net: { amount: 1.6 },
      roiGross: { amount: 2.5 },
      roiNet: { amount: 1.5 },
      energy: { label: 'measured', measuredJ: KWH_J, declaredJ: 0, unknownJobs: 1 },
    })
  })

  it('weighs work that nobody paid for', () => {
    const book = bookOf((it) => {
      bookTrade(it, { amountTrm: 100n, timestampMs: T0, ownKey: false })
      bookEnergy(it, costEvent())
      bookEnergy(it, {
        kind: 'earning.unpaid',
        atMs: T0,
        ownKey: false,
        energyJ: KWH_J,
        energySource: 'declared',
        cost: 0.4,
      })
    })
    const day = windowOf(viewOf(book), '24h')
    expect(day).toMatchObject({ cost: { amount: 0.8 }, roiGross: { amount: 1.25 } })
    expect(day.energy.label).toBe('mixed')
  })

  it('makes up nothing, and says what is missing', () => {
    const nobody = bookOf(() => undefined)
    const paid = bookOf((it) => bookTrade(it, { amountTrm: 1n, timestampMs: T0, ownKey: false }))
    const metered = bookOf((it) => {
      bookTrade(it, { amountTrm: 1n, timestampMs: T0, ownKey: false })
      bookEnergy(it, costEvent())
    })
    const free = OwnerValues.parse({ prices: { per_trm: 0.01, per_kwh: 0 } })
    const half = OwnerValues.parse({ prices: { per_trm: 0.01 } })
    const figures: [MoneyBook, OwnerValues, string | null, string | null, string | null][] = [
      [metered, UNPRICED, 'no-trm-price', 'no-kwh-price', 'no-trm-price'],
      [metered, half, null, 'no-kwh-price', 'no-kwh-price'],
      [paid, PRICED, null, 'no-energy', 'no-energy'],
      [nobody, PRICED, null, null, 'no-jobs'],
      [metered, free, null, null, 'no-cost'],
    ]
    for (const [book, values, value, cost, roi] of figures) {
      const window = windowOf(viewOf(book, values), '7d')
      expect([window.value.missing, window.cost.missing, window.roiNet.missing]).toEqual([value, cost, roi])
    }
    const { thermometer } = viewOf(nobody)
    expect(thermometer).toMatchObject({ now: { amount: null, missing: 'few-jobs' }, target: 1, floor: 0.25 })
    expect([thermometer.bandLow, thermometer.bandHigh]).toEqual([
      expect.closeTo(0.6, 9),
      expect.closeTo(1.4, 9),
    ])
  })

  it('holds what happened in it, and nothing else, whatever the order of the records', () => {
    const record = fc.record({
      agoMs: fc.integer({ min: 0, max: 40 * 24 * HOUR_MS }),
      trm: fc.bigInt({ min: 0n, max: 10n ** 30n }),
      ownKey: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(record, { maxLength: 60 }), (records) => {
        const book = bookOf((it) => {
          for (const { agoMs, trm, ownKey } of records)
            bookTrade(it, { amountTrm: trm, timestampMs: T0 - agoMs, ownKey })
        })
        const view = MoneyView.parse(viewOf(book))
        for (const { fromMs, earnedTrm, ownUseTrm, jobs } of view.windows) {
          const inside = records.filter(({ agoMs }) => T0 - agoMs >= fromMs)
          const sum = (own: boolean) =>
            inside.filter(({ ownKey }) => ownKey === own).reduce((total, { trm }) => total + trm, 0n)
          expect([earnedTrm, ownUseTrm, jobs]).toEqual([
            String(sum(false)),
            String(sum(true)),
            inside.filter(({ ownKey }) => !ownKey).length,
          ])
        }
      }),
      { seed: 20261130, numRuns: 200 },
    )
  })

  it('keeps a month of busy quarters and no more', () => {
    const book: MoneyBook = new Map()
    for (let i = 0; i < 4_000; i++)
      bookTrade(book, { amountTrm: 1n, timestampMs: T0 - (4_000 - i) * 900_000, ownKey: false })
    expect(book.size).toBe(31 * 96)
    expect(windowOf(viewOf(book), '30d').earnedTrm).toBe(String(30 * 96))
  })
})

describe('tonight', () => {
  const zone = process.env.TZ
  afterEach(() => {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  })

  it.each([
    ['Asia/Tokyo', '2026-03-10T03:00:00+09:00', '2026-03-09T18:00:00+09:00'],
    ['Asia/Tokyo', '2026-03-10T18:00:00+09:00', '2026-03-10T18:00:00+09:00'],
    ['Asia/Kathmandu', '2026-03-10T17:59:59+05:45', '2026-03-09T18:00:00+05:45'],
    // The clocks go forward at 02:00 and back at 03:00.
    ['Europe/Berlin', '2026-03-29T07:00:00+02:00', '2026-03-28T18:00:00+01:00'],
    ['Europe/Berlin', '2026-10-25T07:00:00+01:00', '2026-10-24T18:00:00+02:00'],
  ])('begins at 18:00 in %s (%s)', (timeZone, now, evening) => {
    process.env.TZ = timeZone
    const { fromMs } = windowOf(viewOf(new Map(), PRICED, Date.parse(now)), 'tonight')
    expect(new Date(fromMs).toISOString()).toBe(new Date(evening).toISOString())
  })
})
