import {
  type Energy,
  type JobShare,
  jobEnergy,
  machineEnergyJ,
  type PowerSample,
  type Sensors,
} from '../hardware/index.ts'
import type { Clock } from '../kernel/index.ts'

/** Energy of all jobs since the host started, by how it is known; nothing is made up for the rest. */
export interface EnergyTotals {
  measuredJ: number
  declaredJ: number
  unknownJobs: number
}

/** What each job drew. A measured figure is known with the first look at the sensors after the job. */
export interface EnergyMeter {
  /** A job computes from now on. @returns to be called once, at its end, with what it computed */
  begin(): (end: MeteredEnd) => void
  /** Null: not known yet, or forgotten; only the last thousand are kept. */
  of(tradeId: string): Energy | null
  totals(): EnergyTotals
  /** What the machine draws while it computes. Null: nothing computes now, or nobody knows. */
  power(): { watts: number | null; label: 'measured' | 'declared' | 'unknown' | 'idle' }
  /** What ended is told of with a last look; nothing is told of after that. */
  close(): Promise<void>
}

/** `tradeId` is null for work that nobody paid for. */
export interface MeteredEnd {
  work: number
  tradeId: string | null
  /** The owner's own use. */
  ownKey: boolean
}

interface EnergyPorts {
  sensors(): Promise<Pick<Sensors, 'cpuEnergyJ' | 'gpus'>>
  computesOn(): 'cpu' | 'gpu'
  declaredPowerW(): number | null
  /** A trade's energy is known, or known never to be. */
  onKnown(tradeId: string, energy: Energy): void
  /** The energy of work without a trade is known, or known never to be. */
  onUnpaid(energy: Energy, ownKey: boolean): void
  clock: Clock
}

const SAMPLE_INTERVAL_MS = 2_000
const KEPT_JOBS = 1_000
/** Ended jobs that may still overlap one that runs. */
const KEPT_SHARES = 2_000

type Ended = JobShare & MeteredEnd

export function createEnergyMeter(ports: EnergyPorts): EnergyMeter {
  const running = new Set<{ startedAtMs: number }>()
  let samples: PowerSample[] = []
  let shares: Ended[] = []
  let waiting: Ended[] = []
  let timer: NodeJS.Timeout | null = null
  let looking: Promise<void> = Promise.resolve()
  let closed = false
  const known = new Map<string, Energy>()
  const totals: EnergyTotals = { measuredJ: 0, declaredJ: 0, unknownJobs: 0 }
  const now = () => ports.clock.nowMs()

  const settle = (job: Ended): void => {
    const others = shares.filter((other) => other !== job)
    const energy = jobEnergy(job, others, samples, {
      computesOn: ports.computesOn(),
      declaredW: ports.declaredPowerW(),
    })
    if (energy.label === 'measured') totals.measuredJ += energy.energyJ
    else if (energy.label === 'declared') totals.declaredJ += energy.energyJ
    else totals.unknownJobs++
    if (job.tradeId === null) {
      ports.onUnpaid(energy, job.ownKey)
      return
    }
    known.set(job.tradeId, energy)
    ports.onKnown(job.tradeId, energy)
    const oldest = known.size > KEPT_JOBS ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
  }

  const sample = async (): Promise<void> => {
    // A job that still runs beside one has its part in what that one drew.
    const firstRunningMs = Math.min(...[...running].map(({ startedAtMs }) => startedAtMs))
    const ready = waiting.filter(({ endedAtMs }) => endedAtMs <= firstRunningMs)
    waiting = waiting.filter(({ endedAtMs }) => endedAtMs > firstRunningMs)
    try {
      samples.push({ atMs: now(), ...powerOf(await ports.sensors()) })
    } catch {
      // No reading now: what the owner declared stands in for it, or nothing does.
    }
    for (const job of ready) settle(job)
    if (closed) return
    if (running.size > 0 || waiting.length > 0) {
      timer = setTimeout(look, SAMPLE_INTERVAL_MS)
      timer.unref()
      return
    }
    timer = null
    samples = samples.slice(-1)
    shares = []
  }

  const look = (): void => {
    looking = sample()
  }

  return {
    begin: () => {
      const startedAtMs = now()
      const ticket = { startedAtMs }
      running.add(ticket)
      if (timer === null) {
        timer = setTimeout(() => undefined, 0)
        look()
      }
      return (end) => {
        if (!running.delete(ticket)) return
        const job = { startedAtMs, endedAtMs: now(), ...end }
        shares = [...shares, job].slice(-KEPT_SHARES)
        waiting.push(job)
      }
    },
    of: (tradeId) => known.get(tradeId) ?? null,
    totals: () => ({ ...totals }),
    power: () => {
      if (running.size === 0) return { watts: null, label: 'idle' }
      const watts = lastPowerW(samples, ports.computesOn())
      if (watts !== null) return { watts, label: 'measured' }
      const declaredW = ports.declaredPowerW()
      return declaredW === null ? { watts: null, label: 'unknown' } : { watts: declaredW, label: 'declared' }
    },
    close: async () => {
      closed = true
      if (timer) clearTimeout(timer)
      await looking
      // What still runs now has no end that could be told.
      running.clear()
      if (waiting.length > 0) await sample()
    },
  }
}

/** The sum over all GPUs; null where none of them tells. */
function powerOf({ cpuEnergyJ, gpus }: Pick<Sensors, 'cpuEnergyJ' | 'gpus'>) {
  const watts = gpus.flatMap(({ powerW }) => (powerW === null ? [] : [powerW]))
  return { cpuEnergyJ, gpuPowerW: watts.length > 0 ? watts.reduce((sum, power) => sum + power, 0) : null }
}

/** Between the two latest looks; null before there are two. */
function lastPowerW(samples: readonly PowerSample[], computesOn: 'cpu' | 'gpu'): number | null {
  const [before, after] = samples.slice(-2)
  if (!before || !after || after.atMs <= before.atMs) return null
  const energyJ = machineEnergyJ([before, after], before.atMs, after.atMs, computesOn)
  return energyJ === null ? null : (energyJ * 1000) / (after.atMs - before.atMs)
}
