import type { Trade } from '../../src-preload/contract/index.ts'
import type { Reading } from '../earning/index.ts'
import type { Energy } from '../hardware/index.ts'

const JOULES_PER_KWH = 3_600_000
/** Jobs that the efficiency of this machine is measured over. */
const SAMPLES_MAX = 50
const WAITING_MAX = 1_000
/** So many jobs without any figure show that there will be none. */
const BLIND_JOBS = 5
/** Enough FLOP that rounding up to whole TRM does not show. */
const PROBE_FLOP = 10n ** 18n

interface ProfitPorts {
  prices(): { perTrm: number | null; perKwh: number | null }
  /** What FLOP cost at the market's present price, in TRM. */
  costTrm(flop: bigint): bigint
  nowMs(): number
}

/**
 * What one kWh would bring: FLOP that this machine does with it, times what the market pays for them now, less its
 * price. The efficiency is that of the latest jobs and does not change while nothing is served, so that the rule can
 * let go again when prices change.
 */
export function createProfit({ prices, costTrm, nowMs }: ProfitPorts) {
  const flopOf = new Map<string, number>()
  let samples: { flop: number; energyJ: number }[] = []
  let blindJobs = 0
  return {
    trade: ({ tradeId, flop }: Pick<Trade, 'tradeId' | 'flop'>): void => {
      flopOf.set(tradeId, Number(flop))
      const [oldest] = flopOf.keys()
      if (flopOf.size > WAITING_MAX && oldest !== undefined) flopOf.delete(oldest)
    },
    energy: (tradeId: string, { energyJ }: Energy): void => {
      const flop = flopOf.get(tradeId)
      flopOf.delete(tradeId)
      if (flop === undefined) return
      if (energyJ === null || energyJ <= 0) blindJobs++
      else samples = [...samples, { flop, energyJ }].slice(-SAMPLES_MAX)
    },
    perKwh: (): Reading<number> => {
      const atMs = nowMs()
      const source = `latest ${samples.length} jobs`
      const { perTrm, perKwh } = prices()
      if (perTrm === null || perKwh === null)
        return { known: false, problem: 'no-price', source: 'prices', atMs }
      const energyJ = samples.reduce((sum, sample) => sum + sample.energyJ, 0)
      if (energyJ === 0) {
        const problem = blindJobs >= BLIND_JOBS ? 'no-energy' : 'not-measured-yet'
        return { known: false, problem, source, atMs }
      }
      const flopPerKwh = (samples.reduce((sum, { flop }) => sum + flop, 0) / energyJ) * JOULES_PER_KWH
      const trmPerFlop = Number(costTrm(PROBE_FLOP)) / Number(PROBE_FLOP)
      return { known: true, value: flopPerKwh * trmPerFlop * perTrm - perKwh, source, atMs }
    },
  }
}
