import type {
  MoneyFigure,
  MoneyMissing,
  MoneyView,
  MoneyWindow,
  MoneyWindowName,
} from '../../src-preload/contract/index.ts'

const HOUR_MS = 3_600_000
const HOURS: Record<MoneyWindowName, number> = { hour: 1, tonight: 9, '24h': 24, '7d': 168, '30d': 720 }
const PER_TRM = 0.000_02
const PER_KWH = 0.31

const known = (amount: number): MoneyFigure => ({ amount, missing: null })
const missing = (why: MoneyMissing): MoneyFigure => ({ amount: null, missing: why })

/** Made-up earnings of a host; without prices as a new owner sees them. */
export function sampleMoney({ priced = true, nowMs = Date.now() } = {}): MoneyView {
  const names = Object.keys(HOURS) as MoneyWindowName[]
  return {
    atMs: nowMs,
    currency: 'EUR',
    perTrm: priced ? PER_TRM : null,
    perKwh: priced ? PER_KWH : null,
    windows: names.map((name) => sampleWindow(name, priced, nowMs)),
    thermometer: {
      now: priced ? known(1.34) : missing('no-trm-price'),
      gross: priced ? known(2.34) : missing('no-trm-price'),
      samples: priced ? 50 : 0,
      needed: 10,
      energy: priced ? 'measured' : 'unknown',
      target: 1,
      bandLow: 0.6,
      bandHigh: 1.4,
      floor: 0.25,
    },
    power: { watts: 84, label: 'measured' },
  }
}

function sampleWindow(name: MoneyWindowName, priced: boolean, nowMs: number): MoneyWindow {
  const hours = HOURS[name]
  const jobs = Math.round(hours * 14 * (hours > 24 ? 0.4 : 1))
  const earnedTrm = jobs * 61
  const energyJ = jobs * 5_900
  const value = earnedTrm * PER_TRM
  const cost = (energyJ / 3_600_000) * PER_KWH
  const figure = (amount: number): MoneyFigure => (priced ? known(amount) : missing('no-trm-price'))
  return {
    name,
    fromMs: nowMs - hours * HOUR_MS,
    toMs: nowMs,
    earnedTrm: String(earnedTrm),
    ownUseTrm: String(hours * 3),
    jobs,
    jobsPerHour: jobs / hours,
    value: figure(value),
    energy: { label: 'measured', measuredJ: energyJ, declaredJ: 0, unknownJobs: 0 },
    cost: priced ? known(cost) : missing('no-kwh-price'),
    ownUseCost: priced ? known(cost / 40) : missing('no-kwh-price'),
    net: figure(value - cost),
    roiGross: figure(value / cost),
    roiNet: figure(value / cost - 1),
  }
}
