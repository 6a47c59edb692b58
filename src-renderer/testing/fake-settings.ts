import type {
  CallerSafety,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
  SafetyView,
  SettingsView,
} from '../../src-preload/contract/index.ts'
import { hex32 } from './samples.ts'

type Handlers<P extends ProcedureName> = { [N in P]: (input: ProcedureInput<N>) => ProcedureOutput<N> }

const HOUR_MS = 3_600_000

export function sampleSettings(change: Partial<SettingsView> = {}): SettingsView {
  return {
    guide: { state: 'done', step: 'earn' },
    storage: {
      dataDirectory: '/home/anna/.tirami-host',
      journalBytes: 839_812,
      telemetryBytes: 14_210_018,
      modelBytes: 5_402_118_400,
      freeBytes: 212_000_000_000,
      telemetrySinceMs: Date.UTC(2026, 8, 2, 5),
      telemetryLost: 0,
    },
    network: {
      address: '127.0.0.1',
      port: 8347,
      loopbackOnly: true,
      api: {
        chosen: { address: '127.0.0.1', port: 8347 },
        fixed: { address: false, port: false },
        addresses: ['127.0.0.1', '0.0.0.0', '192.168.1.20'],
        problem: null,
      },
      mesh: {
        setup: { enabled: false, port: 4001, reach: 'local', bootstrap: [], group: 'tirami' },
        fixed: false,
        on: false,
        problem: null,
      },
      upstream: null,
    },
    backup: { lastAtMs: null, pending: null, passwordLengthMin: 10 },
    restart: { needed: false, possible: true },
    ...change,
  }
}

/** Taking part in the market, as `sampleMesh` shows it. */
export const inTheMarket = (view: SettingsView): SettingsView => {
  const { mesh } = view.network
  return {
    ...view,
    network: { ...view.network, mesh: { ...mesh, on: true, setup: { ...mesh.setup, enabled: true } } },
  }
}

export const fakeSettings = (
  settings: SettingsView,
): Handlers<
  | 'settings.get'
  | 'settings.guide'
  | 'settings.ownerFile'
  | 'backup.create'
  | 'backup.verify'
  | 'backup.restore'
  | 'backup.cancelRestore'
  | 'settings.setApi'
  | 'settings.setMesh'
  | 'host.restart'
> => {
  let view = settings
  const put = (change: Partial<SettingsView>) => {
    view = { ...view, ...change }
    return view
  }
  const summary = { nodeId: hex32('me'), createdAtMs: Date.now(), keys: ['local', 'node', 'window'] }
  return {
    'settings.get': () => view,
    'settings.guide': (guide) => put({ guide }),
    'settings.ownerFile': () => ({
      path: `${view.storage.dataDirectory}/owner.yaml`,
      text: '# What you decide.\nserving:\n  paused: false\n',
    }),
    'backup.create': () => ({
      ...put({ backup: { ...view.backup, lastAtMs: Date.now() } }),
      fileName: 'tirami-keys.tirami-backup',
      text: 'tirami-host-backup 1\n',
    }),
    'backup.verify': () => ({ ...summary, journalBytes: null }),
    'backup.restore': () =>
      put({ backup: { ...view.backup, pending: { ...summary, journalBytes: null, ledgerAside: false } } }),
    'backup.cancelRestore': () => put({ backup: { ...view.backup, pending: null } }),
    'settings.setApi': (chosen) =>
      put({
        network: { ...view.network, api: { ...view.network.api, chosen } },
        restart: { ...view.restart, needed: true },
      }),
    'settings.setMesh': (setup) =>
      put({ network: { ...view.network, mesh: { ...view.network.mesh, setup, on: setup.enabled } } }),
    'host.restart': () => ({ restarting: true }),
  }
}

export function sampleCaller(change: Partial<CallerSafety> = {}): CallerSafety {
  return {
    nodeId: hex32('caller'),
    label: '',
    kind: 'guest',
    hourTrm: { used: '0', limit: '10000', fullness: 0 },
    lifetimeTrm: { used: '0', limit: '100000', fullness: 0 },
    heldTrm: '0',
    requestLimitTrm: '1000',
    approvalThresholdTrm: '500',
    attempts: { used: 0, limit: 30 },
    errors: { used: 0, limit: 5 },
    breaker: null,
    ...change,
  }
}

export function sampleSafety(change: Partial<SafetyView> = {}): SafetyView {
  return {
    killSwitch: { active: false, reason: null, activatedAtMs: null, operator: null },
    clockBehindMs: 0,
    callers: [
      sampleCaller({ nodeId: hex32('local'), kind: 'local', attempts: { used: 3, limit: null } }),
      sampleCaller({ nodeId: hex32('window'), kind: 'window', attempts: { used: 0, limit: null } }),
    ],
    ...change,
  }
}

/** Guests in every state. */
export const busySafety = (): SafetyView =>
  sampleSafety({
    callers: [
      ...sampleSafety().callers,
      sampleCaller({
        nodeId: hex32('anna'),
        label: 'Anna’s laptop',
        hourTrm: { used: '8210', limit: '10000', fullness: 0.821 },
        lifetimeTrm: { used: '48211', limit: '100000', fullness: 0.482 },
        heldTrm: '120',
        attempts: { used: 12, limit: 30 },
        errors: { used: 1, limit: 5 },
      }),
      sampleCaller({
        nodeId: hex32('bot'),
        label: 'Nightly summaries',
        hourTrm: { used: '10000', limit: '10000', fullness: 1 },
        attempts: { used: 30, limit: 30 },
        breaker: {
          cause: 'velocity',
          trippedAtMs: Date.now() - 240_000,
          resetsAtMs: Date.now() + HOUR_MS - 240_000,
        },
      }),
    ],
  })

export const fakeSafety = (
  safety: SafetyView,
): Handlers<'safety.get' | 'safety.reset' | 'safety.acceptClock'> => {
  let view = safety
  return {
    'safety.get': () => view,
    'safety.reset': ({ nodeId }) => {
      const callers = view.callers.map((caller) =>
        caller.nodeId === nodeId ? { ...caller, breaker: null } : caller,
      )
      view = { ...view, callers }
      return view
    },
    'safety.acceptClock': () => {
      view = { ...view, clockBehindMs: 0 }
      return view
    },
  }
}
