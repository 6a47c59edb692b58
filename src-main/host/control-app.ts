import type { AppView, appProcedures } from '../../src-preload/contract/index.ts'
import { TiramiError } from '../kernel/index.ts'
import type { Handlers } from './handlers.ts'

const NO_APP: AppView = {
  available: false,
  saying: {
    code: 'app.not-here',
    sentence: 'This host runs without the desktop app: there is no tray, no login item and no update to set.',
    parameters: {},
  },
}

/** In the app these calls never get here: its shell answers them. */
const refuse = async (): Promise<never> => {
  throw new TiramiError('APP_NOT_HERE', 'This host runs without the desktop app.', {
    nextStep: 'Update and start it the way it was installed on this machine.',
    httpStatus: 409,
  })
}

/** The shell's calls, where there is no shell. */
export const appHandlers: Pick<Handlers, keyof typeof appProcedures> = {
  'app.get': async () => NO_APP,
  'app.set': refuse,
  'app.update': refuse,
  'app.leaveSafeMode': refuse,
}
