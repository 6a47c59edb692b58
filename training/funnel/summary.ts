import { systemClock } from '../../src-main/kernel/index.ts'
import { openTelemetry, type TelemetryPayload } from '../../src-main/telemetry/index.ts'
import { costOf, type FunnelResult, type PolicyResult, type Study } from './study.ts'

type Summary = TelemetryPayload<'SimulationSummary'>

/** Money-like figures are TRM: the value of the conversions, the computation, and what is left. */
function strategyOf(policy: PolicyResult, valueTrm: number): Summary['strategies'][string] {
  const { conversion } = policy
  const cost = conversion.count * costOf(policy)
  const gmv = conversion.successes * valueTrm
  return {
    attempts: conversion.count,
    conversions: conversion.successes,
    conversion_rate: conversion.rate,
    total_cost: cost,
    gmv,
    profit: gmv - cost,
    roi: cost > 0 ? (gmv - cost) / cost : null,
  }
}

/** Telemetry has names, not sentences. */
const nameOf = (title: string): string => title.replaceAll(/[^\w.]+/g, '-')

function summaryOf({ funnel, policies }: FunnelResult, valueTrm: number): Summary {
  return {
    simulation: funnel.name,
    strategies: Object.fromEntries(
      policies.map((policy) => [nameOf(policy.name), strategyOf(policy, valueTrm)]),
    ),
  }
}

const NO_LIMITS = { maxFileBytes: 1 << 20, maxTotalBytes: null, keepDays: null }

/** One SimulationSummary per funnel, behind those of earlier runs, in the hash-chained log at `directory`. */
export async function recordSummaries(directory: string, { funnels, options }: Study): Promise<void> {
  const log = await openTelemetry({ directory, clock: systemClock, limits: () => NO_LIMITS })
  for (const funnel of funnels) log.record('SimulationSummary', summaryOf(funnel, options.valueTrm))
  await log.close()
}
