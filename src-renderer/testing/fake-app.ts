import type {
  AppSettings,
  AppView,
  appProcedures,
  ProcedureInput,
  ProcedureOutput,
} from '../../src-preload/contract/index.ts'

type AppProcedure = keyof typeof appProcedures
type Handlers = { [P in AppProcedure]: (input: ProcedureInput<P>) => ProcedureOutput<P> }
type PresentApp = Extract<AppView, { available: true }>

/** The desktop app around the window, up to date and with nothing to say. */
export function sampleApp(change: Partial<PresentApp> = {}): PresentApp {
  return {
    available: true,
    platform: 'linux',
    settings: {
      startAtLogin: true,
      closeToTray: true,
      notifications: { firstEarning: true, sentinelRed: true, updateReady: false },
      updates: { enabled: true, channel: 'stable', onMetered: false },
    },
    loginProblem: null,
    hasTray: true,
    update: {
      state: 'idle',
      saying: { code: 'update.newest', sentence: 'This is the newest version.', parameters: {} },
      currentVersion: '0.1.0',
      version: null,
      progress: null,
      lastCheckAtMs: Date.now() - 3_600_000,
    },
    safeMode: null,
    note: null,
    ...change,
  }
}

/** @param changed is told of every change, as the page would be by an event */
export function fakeApp(first: PresentApp, changed: (view: AppView) => void): Handlers {
  let view = first
  const become = (change: Partial<PresentApp>): AppView => {
    view = { ...view, ...change }
    changed(view)
    return view
  }
  return {
    'app.get': () => view,
    'app.set': (change) => {
      const { notifications, updates, ...rest } = change
      const settings = {
        ...view.settings,
        ...rest,
        notifications: { ...view.settings.notifications, ...notifications },
        updates: { ...view.settings.updates, ...updates },
      } as AppSettings
      return become({ settings })
    },
    'app.update': ({ action }) =>
      become({
        update: {
          ...view.update,
          state: action === 'check' ? 'idle' : 'finishing-jobs',
          lastCheckAtMs: Date.now(),
        },
      }),
    'app.leaveSafeMode': () => become({ safeMode: null }),
  }
}
