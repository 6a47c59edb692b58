import { OwnerValues } from '../../../src-preload/contract/index.ts'
import type { JobEvent } from '../events.ts'

export const T0 = 1_700_000_000_000

/**
 * Variant A of the original (spec/recursion.md §1.2). Its returns are value / cost; ours are net of cost, so its target
 * of 2 is our 1 and its floor of 1.25 our 0.25.
 */
export const VARIANT_A = OwnerValues.parse({
  thermostat: { target_roi: 1, window_jobs: 20, max_outer_steps: 5 },
  sentinel: {
    roi_floor: 0.25,
    daily_budget: 75,
    max_latency_ms: 2000,
    max_cycles: 18,
    failure_streak: 5,
    min_samples: 10,
  },
})

/** Golden L1: what a call of the original costs. */
export const variantACost = (cycles: number): number => Number((0.001 + 0.0001 * cycles).toFixed(6))

export function job(changes: Partial<JobEvent> = {}): JobEvent {
  return {
    kind: 'earning.job',
    atMs: T0,
    ok: true,
    valid: true,
    pending: false,
    latencyMs: 20,
    cycles: 12,
    ownKey: false,
    value: 100,
    cost: 0.0022,
    energySource: 'measured',
    forced: false,
    ...changes,
  }
}

/** Mulberry32: the same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
