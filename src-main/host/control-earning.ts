import type { earningProcedures } from '../../src-preload/contract/index.ts'
import type { Earning } from './earning-policy.ts'
import type { Handlers } from './handlers.ts'

/** The owner's rules, for the window. Nobody waits for a model: the view tells what comes of it. */
export function earningHandlers(earning: Earning): Pick<Handlers, keyof typeof earningProcedures> {
  const after =
    <Input>(action: (input: Input) => unknown) =>
    async (input: Input) => {
      // What comes of it later, such as a model that cannot be loaded, is a state and has its own sentence.
      void Promise.resolve(action(input)).catch(() => undefined)
      return earning.view()
    }
  return {
    'earning.get': async () => earning.view(),
    'earning.setMode': after(({ mode }) => earning.setMode(mode, 'window')),
    'earning.pause': after(() => earning.pause('window')),
    'earning.resume': after(() => earning.resume('window')),
    'earning.snooze': after((length) => earning.snooze(length)),
    'earning.wake': after(() => earning.wake()),
    'earning.finish': after(() => earning.finish()),
    'earning.setPolicy': after((change) => earning.setPolicy(change, 'window')),
  }
}
