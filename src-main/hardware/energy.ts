/** One look at the machine's power. Null: no such sensor. */
export interface PowerSample {
  atMs: number
  /** Counter of the CPU packages, joules; wraps or restarts from a smaller value. */
  cpuEnergyJ: number | null
  /** All GPUs that compute, watts. */
  gpuPowerW: number | null
}

/** A job's part in the machine's time. */
export interface JobShare {
  startedAtMs: number
  endedAtMs: number
  /** What it computed: tokens, or any other measure that all jobs share. At least 0. */
  work: number
}

/** Energy and how it is known. `unknown` has no number: none is made up. */
export type Energy = { label: 'measured' | 'declared'; energyJ: number } | { label: 'unknown'; energyJ: null }

const UNKNOWN: Energy = { label: 'unknown', energyJ: null }

/**
 * Energy of one job: its part of what the machine used while it ran, idle draw included. Where jobs overlap
 * they share by how fast each computes, so that the parts of all jobs add up to the whole.
 * @param samples in order of time; a measurement needs them to span the job
 * @param others jobs that ran beside it; the job itself is not among them
 * @param computesOn which sensor covers the computation: with a GPU, CPU energy alone is not the answer
 * @param declaredW what the owner says the machine draws while it computes; null: nothing was said
 */
export function jobEnergy(
  job: JobShare,
  others: readonly JobShare[],
  samples: readonly PowerSample[],
  { computesOn, declaredW }: { computesOn: 'cpu' | 'gpu'; declaredW: number | null },
): Energy {
  if (job.endedAtMs < job.startedAtMs) return UNKNOWN
  const measured = sumShares(job, others, (fromMs, toMs) => machineEnergyJ(samples, fromMs, toMs, computesOn))
  if (measured !== null) return { label: 'measured', energyJ: measured }
  if (declaredW === null) return UNKNOWN
  const declared = sumShares(job, others, (fromMs, toMs) => (declaredW * (toMs - fromMs)) / 1000)
  return declared === null ? UNKNOWN : { label: 'declared', energyJ: declared }
}

/** Adds the job's part over the stretches between which no other job begins or ends; null when one is unknown. */
function sumShares(
  job: JobShare,
  others: readonly JobShare[],
  energyJ: (fromMs: number, toMs: number) => number | null,
): number | null {
  const isWithin = (atMs: number): boolean => atMs > job.startedAtMs && atMs < job.endedAtMs
  const changes = others.flatMap((other) => [other.startedAtMs, other.endedAtMs]).filter(isWithin)
  const edges = [job.startedAtMs, ...changes.sort((a, b) => a - b), job.endedAtMs]
  let sum = 0
  for (let i = 1; i < edges.length; i++) {
    const fromMs = edges[i - 1] ?? 0
    const toMs = edges[i] ?? 0
    const whole = energyJ(fromMs, toMs)
    if (whole === null) return null
    const beside = others.filter((other) => other.startedAtMs < toMs && other.endedAtMs > fromMs)
    sum += whole * shareOf(job, beside)
  }
  return sum
}

/** 0 to 1, by speed; evenly where nobody computed anything. */
function shareOf(job: JobShare, beside: readonly JobShare[]): number {
  const all = rate(job) + beside.reduce((sum, other) => sum + rate(other), 0)
  return all > 0 ? rate(job) / all : 1 / (1 + beside.length)
}

function rate({ startedAtMs, endedAtMs, work }: JobShare): number {
  return endedAtMs > startedAtMs ? work / (endedAtMs - startedAtMs) : 0
}

/**
 * Energy of the machine from `fromMs` to `toMs`; null when the samples do not span that time or a sensor is
 * missing in one of them. CPU counters are differences; GPU power is integrated by trapezoids.
 */
export function machineEnergyJ(
  samples: readonly PowerSample[],
  fromMs: number,
  toMs: number,
  computesOn: 'cpu' | 'gpu',
): number | null {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || samples.length < 2 || first.atMs > fromMs || last.atMs < toMs) return null
  let energyJ = 0
  for (let i = 1; i < samples.length; i++) {
    const before = samples[i - 1]
    const after = samples[i]
    if (!before || !after || after.atMs < before.atMs) return null
    const commonMs = Math.min(after.atMs, toMs) - Math.max(before.atMs, fromMs)
    const spanMs = after.atMs - before.atMs
    if (commonMs <= 0 || spanMs === 0) continue
    const spanJ = spanEnergyJ(before, after, computesOn)
    if (spanJ === null) return null
    energyJ += (spanJ * commonMs) / spanMs
  }
  return energyJ
}

function spanEnergyJ(before: PowerSample, after: PowerSample, computesOn: 'cpu' | 'gpu'): number | null {
  const seconds = (after.atMs - before.atMs) / 1000
  const hasCpu = before.cpuEnergyJ !== null && after.cpuEnergyJ !== null
  const cpuJ = hasCpu ? Number(after.cpuEnergyJ) - Number(before.cpuEnergyJ) : null
  if (computesOn === 'cpu') return cpuJ !== null && cpuJ >= 0 ? cpuJ : null
  if (before.gpuPowerW === null || after.gpuPowerW === null) return null
  const gpuJ = ((before.gpuPowerW + after.gpuPowerW) / 2) * seconds
  return gpuJ + Math.max(0, cpuJ ?? 0)
}
