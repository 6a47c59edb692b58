import type { activityProcedures, stewardshipProcedures } from '../../src-preload/contract/index.ts'
import type { Earning } from './earning-policy.ts'
import type { Handlers } from './handlers.ts'
import type { Stewardship } from './stewardship.ts'

/** Sentinel, owner's values and telemetry, for the window. */
export function stewardshipHandlers(
  stewardship: Stewardship,
  earning: Pick<Earning, 'pause' | 'resume'>,
): Pick<Handlers, keyof typeof stewardshipProcedures | keyof typeof activityProcedures> {
  const consoleAfter =
    <Input>(action: (input: Input) => void) =>
    async (input: Input) => {
      action(input)
      return stewardship.console()
    }
  return {
    'sentinel.get': async () => stewardship.sentinel(),
    'sentinel.resume': async () => {
      await stewardship.resumeSentinel('window')
      return stewardship.sentinel()
    },
    'console.get': async () => stewardship.console(),
    'console.set': consoleAfter(({ changes }) => stewardship.set(changes, 'window')),
    // Nobody waits for the model; what comes of it is in the status.
    'console.pause': consoleAfter(() => void earning.pause('window').catch(() => undefined)),
    'console.resume': consoleAfter(() => void earning.resume('window').catch(() => undefined)),
    'console.fullDepth': consoleAfter(({ active }) =>
      stewardship.set([{ key: 'serving.force_full_depth', value: active }], 'window'),
    ),
    'telemetry.query': (query) => stewardship.queryTelemetry(query),
    'telemetry.csv': (query) => stewardship.telemetryCsvPart(query),
    'telemetry.verify': () => stewardship.verifyTelemetry(),
    'depth.map': (query) => stewardship.depthMap(query),
  }
}
