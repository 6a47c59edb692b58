import type {
  ReasonParams,
  ThermostatChange,
  ThermostatCode,
  ThermostatView,
} from '../../src-preload/contract/index.ts'
import type { AdjustedEvent, DepthSettings, EarningEvent } from './events.ts'
import { changesOf, depthLadder, describeChanges, rungOf, type ThermostatLimits } from './ladder.ts'
import { type ReturnSample, returnOf } from './roi.ts'
import { sampleOf } from './sentinel.ts'
import { thermostatSentence } from './thermostat-sentences.ts'

/** What the thermostat obeys. */
export interface ThermostatBounds {
  limits: ThermostatLimits
  /** The sentinel's. */
  maxCycles: number
  maxLatencyMs: number
}

/** Follows from the events alone. */
export interface ThermostatState {
  /** Null until the first change: the middle of the ladder. */
  settings: DepthSettings | null
  /** Jobs with a return since the last change, oldest first. */
  samples: readonly ReturnSample[]
  /** All jobs with a return since the last change. */
  sampleCount: number
  slowestMs: number
  wentDeeper: boolean
  /** Windows since depth was last taken back. */
  windowsSinceFall: number
  holdoffWindows: number
  sentence: string | null
  /** Null: nothing has changed yet, or an event of an earlier version did not say. */
  why: { code: ThermostatCode; params: ReasonParams; changes: readonly ThermostatChange[] } | null
  changedAtMs: number | null
}

export const INITIAL_THERMOSTAT: ThermostatState = {
  settings: null,
  samples: [],
  sampleCount: 0,
  slowestMs: 0,
  wentDeeper: false,
  windowsSinceFall: 0,
  holdoffWindows: 0,
  sentence: null,
  why: null,
  changedAtMs: null,
}

/** The longest window that the owner may choose. */
const SAMPLES_MAX = 500
const HOLDOFF_MAX_WINDOWS = 64
/** The holdoff halves each time this many windows pass without depth being taken back. */
const HOLDOFF_DECAY_WINDOWS = 64
/** Slower than this part of the sentinel's ceiling: less depth. The sentinel is amber from here on. */
const TOO_SLOW = 0.8
/** Slower than this part: no more depth. */
const SLOW = 0.64

export function applyToThermostat(state: ThermostatState, event: EarningEvent): ThermostatState {
  if (event.kind === 'earning.adjusted') return adjusted(state, event)
  // At the owner's depth nothing is learnt about the thermostat's.
  if ((event.kind !== 'earning.job' && event.kind !== 'earning.cost') || event.forced) return state
  const latencyMs = event.kind === 'earning.job' ? event.latencyMs : 0
  const slowestMs = Math.max(state.slowestMs, latencyMs)
  const sample = sampleOf(event)
  if (!sample) return { ...state, slowestMs }
  const { value, cost } = sample
  const samples = [...state.samples, { value, cost }].slice(-SAMPLES_MAX)
  return { ...state, slowestMs, samples, sampleCount: state.sampleCount + 1 }
}

function adjusted(state: ThermostatState, event: AdjustedEvent): ThermostatState {
  const {
    settings,
    direction,
    windows,
    holdoffWindows,
    sentence,
    atMs,
    code,
    params = {},
    changes = [],
  } = event
  return {
    settings,
    samples: [],
    sampleCount: 0,
    slowestMs: 0,
    wentDeeper: direction === 'deeper',
    windowsSinceFall: direction === 'shallower' ? 0 : state.windowsSinceFall + windows,
    holdoffWindows,
    sentence,
    why: code ? { code, params, changes } : null,
    changedAtMs: atMs,
  }
}

/**
 * What the last job means for the depth. After each full window of jobs: value / electricity above its band buys depth,
 * below it takes depth back, inside it nothing changes. One knob, one step. A step deeper that had to be taken back is
 * not tried again at once: the wait doubles each time, so that noise or a rung on either side of the band cannot make
 * the settings swing.
 * @returns the change, or nothing
 */
export function decideDepth(
  state: ThermostatState,
  bounds: ThermostatBounds,
  context: { nowMs: number; forced: boolean },
): EarningEvent[] {
  if (context.forced) return []
  const { limits, maxLatencyMs } = bounds
  const windows = Math.floor(state.sampleCount / limits.window_jobs)
  const step = (by: 1 | -1, code: ThermostatCode, params: ReasonParams): EarningEvent[] => {
    const ladder = depthLadder(limits, bounds.maxCycles)
    const settings = settingsOf(state, bounds)
    const next = ladder[rungOf(ladder, settings) + by]
    if (!next) return []
    return [
      {
        kind: 'earning.adjusted',
        atMs: context.nowMs,
        settings: next,
        direction: by > 0 ? 'deeper' : 'shallower',
        windows,
        holdoffWindows: by > 0 ? state.holdoffWindows : holdoffAfterFall(state, windows),
        ...explained(changesOf(settings, next), code, params),
      },
    ]
  }
  if (state.slowestMs > TOO_SLOW * maxLatencyMs) {
    return step(-1, 'too-slow', { latencyMs: Math.round(state.slowestMs), ceilingMs: maxLatencyMs })
  }
  if (state.sampleCount === 0 || state.sampleCount % limits.window_jobs !== 0) return []
  const { gross } = returnOf(state.samples.slice(-limits.window_jobs))
  if (gross === null) return []
  const target = limits.target_roi + 1
  const figures = { jobs: limits.window_jobs, gross: round(gross), target: round(target) }
  if (gross < target * (1 - limits.hysteresis)) return step(-1, 'below-target', figures)
  if (gross <= target * (1 + limits.hysteresis) || state.slowestMs > SLOW * maxLatencyMs) return []
  const waited = state.windowsSinceFall + windows
  if (!state.wentDeeper && waited <= decayed(state.holdoffWindows, waited)) return []
  return step(1, 'above-target', figures)
}

/** What has changed and why, in English and for a program. */
function explained(changes: ThermostatChange[], code: ThermostatCode, params: ReasonParams = {}) {
  const sentence = `${describeChanges(changes)}: ${thermostatSentence(code, params)}`
  return { sentence, code, params, changes }
}

function holdoffAfterFall(state: ThermostatState, windows: number): number {
  const now = decayed(state.holdoffWindows, state.windowsSinceFall + windows)
  return state.wentDeeper ? Math.min(HOLDOFF_MAX_WINDOWS, Math.max(1, 2 * now)) : now
}

function decayed(holdoffWindows: number, windows: number): number {
  return Math.floor(holdoffWindows / 2 ** Math.floor(windows / HOLDOFF_DECAY_WINDOWS))
}

/** After the owner changed the bounds. @returns the change, or nothing when the settings still fit */
export function decideBounds(
  state: ThermostatState,
  bounds: ThermostatBounds,
  nowMs: number,
): EarningEvent[] {
  if (!state.settings) return []
  const settings = settingsOf(state, bounds)
  const changes = changesOf(state.settings, settings)
  if (changes.length === 0) return []
  const { holdoffWindows } = state
  return [
    {
      kind: 'earning.adjusted',
      atMs: nowMs,
      settings,
      direction: 'bounds',
      windows: 0,
      holdoffWindows,
      ...explained(changes, 'bounds'),
    },
  ]
}

/** The settings in force, within the bounds whatever the state says. */
export function settingsOf(state: ThermostatState, { limits, maxCycles }: ThermostatBounds): DepthSettings {
  const ladder = depthLadder(limits, maxCycles)
  const rung = state.settings ? rungOf(ladder, state.settings) : Math.floor((ladder.length - 1) / 2)
  return ladder[rung] as DepthSettings
}

/** The most depth that the bounds allow. */
export function fullDepth({ limits, maxCycles }: ThermostatBounds): DepthSettings {
  return depthLadder(limits, maxCycles).at(-1) as DepthSettings
}

export function thermostatView(
  state: ThermostatState,
  bounds: ThermostatBounds,
  forced: boolean,
): ThermostatView {
  const settings = forced ? fullDepth(bounds) : settingsOf(state, bounds)
  return { ...settings, forced, ...whyOf(state, forced), changedAtMs: state.changedAtMs }
}

function whyOf(
  { sentence, why }: ThermostatState,
  forced: boolean,
): Pick<ThermostatView, 'sentence' | 'code' | 'params' | 'changes'> {
  if (!forced && sentence !== null)
    return { sentence, code: null, params: {}, ...why, changes: [...(why?.changes ?? [])] }
  const code = forced ? 'forced' : 'unmeasured'
  return { sentence: thermostatSentence(code), code, params: {}, changes: [] }
}

/** Three digits; JSON has no infinity. */
const round = (value: number): number | string =>
  Number.isFinite(value) ? Number(value.toPrecision(3)) : '∞'
