import type { OwnerValues } from '../../../src-preload/contract/index.ts'
import type { AdjustedEvent, DepthSettings, EarningEvent, JobEvent } from '../events.ts'
import { applyToSentinel, decideJob, INITIAL_SENTINEL, type SentinelState } from '../sentinel.ts'
import {
  applyToThermostat,
  decideDepth,
  INITIAL_THERMOSTAT,
  settingsOf,
  type ThermostatBounds,
  type ThermostatState,
} from '../thermostat.ts'
import { job } from './presets.ts'

/** Sentinel and thermostat over the events of jobs, as a host has them, without a host. */
export class Trials {
  readonly values: OwnerValues
  sentinel: SentinelState = INITIAL_SENTINEL
  thermostat: ThermostatState = INITIAL_THERMOSTAT
  readonly moves: AdjustedEvent[] = []

  constructor(values: OwnerValues) {
    this.values = values
  }

  get bounds(): ThermostatBounds {
    const { thermostat, sentinel } = this.values
    return { limits: thermostat, maxCycles: sentinel.max_cycles, maxLatencyMs: sentinel.max_latency_ms }
  }

  get settings(): DepthSettings {
    return settingsOf(this.thermostat, this.bounds)
  }

  apply(events: readonly EarningEvent[]): void {
    for (const event of events) {
      this.sentinel = applyToSentinel(this.sentinel, event)
      this.thermostat = applyToThermostat(this.thermostat, event)
      if (event.kind === 'earning.adjusted') this.moves.push(event)
    }
  }

  /** @returns whether the sentinel is red after it */
  run(changes: Partial<JobEvent> = {}): boolean {
    const event = job(changes)
    this.apply(decideJob(this.sentinel, event, this.values.sentinel))
    this.apply(decideDepth(this.thermostat, this.bounds, { nowMs: event.atMs, forced: event.forced }))
    return this.sentinel.pause !== null
  }
}
