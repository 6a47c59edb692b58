import type { OwnerValues, ThermostatChange, ThermostatKnob } from '../../src-preload/contract/index.ts'
import type { DepthSettings } from './events.ts'

export type ThermostatLimits = OwnerValues['thermostat']

const KNOBS: readonly ThermostatKnob[] = ['innerCycles', 'outerSteps', 'haltThreshold', 'concurrency']
const HALT_STEP = 0.05

/** The positions of one knob, lowest first. Whole steps: none is so small that rounding swallows it. */
function positions(limits: ThermostatLimits, knob: ThermostatKnob): number[] {
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
  if (knob === 'innerCycles') return range(limits.min_inner_cycles, limits.max_inner_cycles)
  if (knob === 'outerSteps') return range(limits.min_outer_steps, limits.max_outer_steps)
  if (knob === 'concurrency') return range(limits.min_concurrency, limits.max_concurrency)
  const { min_halt_threshold: from, max_halt_threshold: to } = limits
  const steps = Math.ceil((to - from) / HALT_STEP - 1e-9)
  return range(0, steps).map((i) => Math.min(to, Number((from + i * HALT_STEP).toFixed(4))))
}

/**
 * All settings the thermostat may choose, cheapest first. Each rung moves one knob by one step, the knobs in turn, and
 * none lets inner cycles × outer steps exceed `maxCycles`. At least one rung.
 */
export function depthLadder(limits: ThermostatLimits, maxCycles: number): DepthSettings[] {
  const scale = Object.fromEntries(KNOBS.map((knob) => [knob, positions(limits, knob)])) as Record<
    ThermostatKnob,
    number[]
  >
  const index: Record<ThermostatKnob, number> = {
    innerCycles: 0,
    outerSteps: 0,
    haltThreshold: 0,
    concurrency: 0,
  }
  const settingsAt = (at: Record<ThermostatKnob, number>): DepthSettings => ({
    innerCycles: scale.innerCycles[at.innerCycles] ?? 1,
    outerSteps: scale.outerSteps[at.outerSteps] ?? 1,
    haltThreshold: scale.haltThreshold[at.haltThreshold] ?? 0,
    concurrency: scale.concurrency[at.concurrency] ?? 1,
  })
  const rungs = [settingsAt(index)]
  for (;;) {
    const next = KNOBS.filter((knob) => {
      if (index[knob] + 1 >= scale[knob].length) return false
      const { innerCycles, outerSteps } = settingsAt({ ...index, [knob]: index[knob] + 1 })
      return innerCycles * outerSteps <= maxCycles
    })
    const progress = (knob: ThermostatKnob): number => index[knob] / (scale[knob].length - 1)
    const [knob] = next.toSorted((a, b) => progress(a) - progress(b))
    if (knob === undefined) return rungs
    index[knob]++
    rungs.push(settingsAt(index))
  }
}

/** The highest rung that is nowhere above `settings`; the lowest when there is none. */
export function rungOf(ladder: readonly DepthSettings[], settings: DepthSettings): number {
  const fits = (rung: DepthSettings): boolean => KNOBS.every((knob) => rung[knob] <= settings[knob])
  return Math.max(0, ladder.findLastIndex(fits))
}

const KNOB_NAMES: Record<ThermostatKnob, string> = {
  innerCycles: 'inner cycles',
  outerSteps: 'outer steps',
  haltThreshold: 'halting threshold',
  concurrency: 'thoughts side by side',
}

export function changesOf(from: DepthSettings, to: DepthSettings): ThermostatChange[] {
  return KNOBS.flatMap((knob) => (from[knob] === to[knob] ? [] : [{ knob, from: from[knob], to: to[knob] }]))
}

/** “Inner cycles 5 → 6, outer steps 2 → 3” */
export function describeChanges(changes: readonly ThermostatChange[]): string {
  const text = changes.map(({ knob, from, to }) => `${KNOB_NAMES[knob]} ${from} → ${to}`).join(', ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}
