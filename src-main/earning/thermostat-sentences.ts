import type { ReasonParams, ThermostatCode } from '../../src-preload/contract/index.ts'
import { fillSentence } from '../kernel/index.ts'

/** Why the depth is what it is. After a change of the settings the sentence begins with that change. */
export const THERMOSTAT_SENTENCES: Readonly<Record<ThermostatCode, string>> = {
  unmeasured: 'Nothing has been measured yet; this is the middle of the range.',
  forced: 'The owner forced full depth.',
  'too-slow': 'a job took {latencyMs} ms, close to the ceiling of {ceilingMs} ms.',
  'below-target': 'over {jobs} jobs value was {gross} times the electricity, below the target of {target}.',
  'above-target': 'over {jobs} jobs value was {gross} times the electricity, above the target of {target}.',
  bounds: 'the owner changed the bounds.',
}

export const thermostatSentence = (code: ThermostatCode, params: ReasonParams = {}): string =>
  fillSentence(THERMOSTAT_SENTENCES[code], params)
