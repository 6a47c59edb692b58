import type {
  EnergyLabel,
  MoneyFigure,
  MoneyMissing,
  MoneyView,
  MoneyWindow,
  MoneyWindowName,
  OwnerValues,
  RoiThermometer,
  SentinelView,
} from '../../src-preload/contract/index.ts'
import type { EarningEvent } from './events.ts'
import { energyCost, returnOf, trmValue } from './roi.ts'

/** Every time zone is whole quarters of an hour off UTC, so that an evening begins with one wherever the host is. */
const QUARTER_MS = 900_000
const HOUR_MS = 3_600_000
/** Quarters in which something happened: 31 days of them, and more where the host rests. */
const QUARTERS_MAX = 31 * 96
const EVENING_HOUR = 18

/** Sums over a quarter of an hour. Amounts in TRM, energy in joules. */
interface Quarter {
  jobs: number
  earnedTrm: bigint
  ownUseTrm: bigint
  /** Of others' jobs whose energy is known. */
  knownJobs: number
  knownTrm: bigint
  measuredJ: number
  declaredJ: number
  ownUseJ: number
}

/** By start, in ms. Follows from the journal alone. */
export type MoneyBook = Map<number, Quarter>

export interface MoneyTrade {
  amountTrm: bigint
  timestampMs: number
  ownKey: boolean
}

/** Adds a trade to the book. */
export function bookTrade(book: MoneyBook, { amountTrm, timestampMs, ownKey }: MoneyTrade): void {
  const quarter = quarterAt(book, timestampMs)
  if (ownKey) {
    quarter.ownUseTrm += amountTrm
    return
  }
  quarter.jobs++
  quarter.earnedTrm += amountTrm
}

/** Adds what an event says of energy to the book. */
export function bookEnergy(book: MoneyBook, event: EarningEvent): void {
  if (event.kind === 'earning.unpaid') {
    const quarter = quarterAt(book, event.atMs)
    if (event.ownKey) quarter.ownUseJ += event.energyJ
    else addEnergy(quarter, event.energyJ, event.energySource)
    return
  }
  if (event.kind !== 'earning.cost' && (event.kind !== 'earning.job' || event.pending)) return
  const { energyJ, energySource, amountTrm, ownKey, ok } = event
  if (energyJ == null) return
  const quarter = quarterAt(book, event.atMs)
  if (ownKey) {
    quarter.ownUseJ += energyJ
    return
  }
  addEnergy(quarter, energyJ, energySource)
  if (!ok) return
  quarter.knownJobs++
  quarter.knownTrm += BigInt(amountTrm ?? 0)
}

function addEnergy(quarter: Quarter, energyJ: number, source: 'measured' | 'declared' | null): void {
  if (source === 'measured') quarter.measuredJ += energyJ
  else quarter.declaredJ += energyJ
}

const nothing = (): Quarter => ({
  jobs: 0,
  earnedTrm: 0n,
  ownUseTrm: 0n,
  knownJobs: 0,
  knownTrm: 0n,
  measuredJ: 0,
  declaredJ: 0,
  ownUseJ: 0,
})

function quarterAt(book: MoneyBook, atMs: number): Quarter {
  const startMs = floorQuarter(atMs)
  const known = book.get(startMs)
  if (known) return known
  const quarter = nothing()
  book.set(startMs, quarter)
  if (book.size > QUARTERS_MAX) book.delete(Math.min(...book.keys()))
  return quarter
}

const floorQuarter = (atMs: number): number => Math.floor(atMs / QUARTER_MS) * QUARTER_MS

const WINDOWS: Record<MoneyWindowName, (nowMs: number) => number> = {
  hour: (nowMs) => nowMs - HOUR_MS,
  tonight: eveningBefore,
  '24h': (nowMs) => nowMs - 24 * HOUR_MS,
  '7d': (nowMs) => nowMs - 7 * 24 * HOUR_MS,
  '30d': (nowMs) => nowMs - 30 * 24 * HOUR_MS,
}

/** The latest 18:00 of this machine's time zone, whatever its daylight saving time does. */
function eveningBefore(nowMs: number): number {
  const now = new Date(nowMs)
  const evening = (daysAgo: number): number =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo, EVENING_HOUR).getTime()
  return evening(0) <= nowMs ? evening(0) : evening(1)
}

export interface MoneyFacts {
  book: MoneyBook
  values: Pick<OwnerValues, 'prices' | 'thermostat' | 'sentinel'>
  roi: SentinelView['roi']
  power: MoneyView['power']
  nowMs: number
}

/** What was earned and what it cost, at today's prices: a price that the owner sets now counts for last night too. */
export function moneyView({ book, values, roi, power, nowMs }: MoneyFacts): MoneyView {
  const { prices } = values
  const names = Object.keys(WINDOWS) as MoneyWindowName[]
  return {
    atMs: nowMs,
    currency: prices.currency,
    perTrm: prices.per_trm,
    perKwh: prices.per_kwh,
    windows: names.map((name) => windowOf(book, name, prices, nowMs)),
    thermometer: thermometerOf(values, roi),
    power,
  }
}

function windowOf(
  book: MoneyBook,
  name: MoneyWindowName,
  { per_trm: perTrm, per_kwh: perKwh }: OwnerValues['prices'],
  nowMs: number,
): MoneyWindow {
  const fromMs = Math.max(0, floorQuarter(WINDOWS[name](nowMs)))
  const sum = sumOf(book, fromMs, nowMs)
  const { jobs, earnedTrm, ownUseTrm, knownJobs, knownTrm, measuredJ, declaredJ, ownUseJ } = sum
  const energyJ = measuredJ + declaredJ
  const noEnergy = jobs > 0 && knownJobs === 0 && energyJ === 0
  const value = figureOf(trmValue(earnedTrm, perTrm), 'no-trm-price')
  const cost = noEnergy ? missing('no-energy') : figureOf(energyCost(energyJ, perKwh), 'no-kwh-price')
  const known = returnOf([{ value: trmValue(knownTrm, perTrm) ?? 0, cost: energyCost(energyJ, perKwh) ?? 0 }])
  const whyNoReturn: MoneyMissing | null =
    value.missing ??
    (jobs === 0 ? 'no-jobs' : cost.missing) ??
    (energyJ === 0 || perKwh === 0 ? 'no-cost' : null)
  const ownUseUnknown = ownUseTrm > 0n && ownUseJ === 0
  return {
    name,
    fromMs,
    toMs: nowMs,
    earnedTrm: String(earnedTrm),
    ownUseTrm: String(ownUseTrm),
    jobs,
    jobsPerHour: nowMs > fromMs ? (jobs * HOUR_MS) / (nowMs - fromMs) : 0,
    value,
    energy: {
      label: labelOf(measuredJ, declaredJ),
      measuredJ,
      declaredJ,
      unknownJobs: Math.max(0, jobs - knownJobs),
    },
    cost,
    ownUseCost: ownUseUnknown ? missing('no-energy') : figureOf(energyCost(ownUseJ, perKwh), 'no-kwh-price'),
    net: difference(value, cost),
    roiGross: whyNoReturn ? missing(whyNoReturn) : figureOf(known.gross, 'no-cost'),
    roiNet: whyNoReturn ? missing(whyNoReturn) : figureOf(known.net, 'no-cost'),
  }
}

function sumOf(book: MoneyBook, fromMs: number, toMs: number): Quarter {
  const sum = nothing()
  for (const [startMs, quarter] of book) {
    if (startMs < fromMs || startMs > toMs) continue
    sum.jobs += quarter.jobs
    sum.earnedTrm += quarter.earnedTrm
    sum.ownUseTrm += quarter.ownUseTrm
    sum.knownJobs += quarter.knownJobs
    sum.knownTrm += quarter.knownTrm
    sum.measuredJ += quarter.measuredJ
    sum.declaredJ += quarter.declaredJ
    sum.ownUseJ += quarter.ownUseJ
  }
  return sum
}

function labelOf(measuredJ: number, declaredJ: number): EnergyLabel {
  if (measuredJ > 0) return declaredJ > 0 ? 'mixed' : 'measured'
  return declaredJ > 0 ? 'declared' : 'unknown'
}

const missing = (why: MoneyMissing): MoneyFigure => ({ amount: null, missing: why })

function figureOf(amount: number | null, why: MoneyMissing): MoneyFigure {
  return amount === null || !Number.isFinite(amount) ? missing(why) : { amount, missing: null }
}

function difference(value: MoneyFigure, cost: MoneyFigure): MoneyFigure {
  if (value.missing !== null) return missing(value.missing)
  return cost.missing === null ? { amount: value.amount - cost.amount, missing: null } : missing(cost.missing)
}

function thermometerOf(
  { prices, thermostat, sentinel }: MoneyFacts['values'],
  { gross, net, samples, energy }: SentinelView['roi'],
): RoiThermometer {
  const why: MoneyMissing | null =
    (prices.per_trm === null ? 'no-trm-price' : null) ??
    (prices.per_kwh === null ? 'no-kwh-price' : null) ??
    (samples < sentinel.min_samples ? 'few-jobs' : null)
  const edge = (part: number): number => (thermostat.target_roi + 1) * part - 1
  return {
    now: why ? missing(why) : figureOf(net, 'no-cost'),
    gross: why ? missing(why) : figureOf(gross, 'no-cost'),
    samples,
    needed: sentinel.min_samples,
    energy,
    target: thermostat.target_roi,
    bandLow: edge(1 - thermostat.hysteresis),
    bandHigh: edge(1 + thermostat.hysteresis),
    floor: sentinel.roi_floor,
  }
}
