import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SettingsView, settingsProcedures } from '../../src-preload/contract/index.ts'
import {
  cancelRestore,
  createBackup,
  PASSWORD_LENGTH_MIN,
  pendingRestore,
  stageRestore,
  verifyBackup,
} from '../backup/index.ts'
import { type Clock, TiramiError } from '../kernel/index.ts'
import type { ApiAddress } from './api-address.ts'
import type { Handlers } from './handlers.ts'
import { inOrder } from './in-order.ts'
import type { MeshSwitch } from './mesh-switch.ts'
import type { Settings, UpstreamChoice } from './settings.ts'

export interface SettingsPorts {
  dataDirectory: string
  settings: Settings
  /** The server that computes in this host's place now. */
  upstream(): UpstreamChoice | null
  api: ApiAddress
  mesh: Pick<MeshSwitch, 'view' | 'set'>
  /** Starts the host anew; null: whoever started it has to. */
  restart: (() => void) | null
  journalBytes(): number
  telemetryLost(): number
  modelDisk(): Promise<{ installedBytes: number; freeBytes: number }>
  clock: Clock
}

const OWNER_FILE = 'owner.yaml'
/** As much as the host itself reads of it. */
const OWNER_FILE_BYTES_MAX = 65_536

/** What is set here and nowhere else, where things lie, and backups of the keys, for the window. */
export function settingsHandlers(ports: SettingsPorts): Pick<Handlers, keyof typeof settingsProcedures> {
  const { dataDirectory, settings, clock } = ports
  // Each one takes 128 MiB for its password.
  const serially = inOrder()
  return {
    'settings.get': () => settingsView(ports),
    'settings.guide': (guide) => {
      settings.set({ guide })
      return settingsView(ports)
    },
    'settings.ownerFile': async () => {
      const path = join(dataDirectory, OWNER_FILE)
      return { path, text: await textOf(path) }
    },
    'backup.create': ({ password }) =>
      serially(async () => {
        const { text, summary } = await createBackup({ dataDirectory, password, withLedger: false, clock })
        settings.set({ lastBackupAtMs: summary.createdAtMs })
        return { ...(await settingsView(ports)), fileName: fileNameOf(summary), text }
      }),
    'backup.verify': ({ text, password }) => serially(() => verifyBackup(text, password)),
    'backup.restore': (backup) =>
      serially(async () => {
        await stageRestore(dataDirectory, backup)
        return settingsView(ports)
      }),
    'backup.cancelRestore': () =>
      serially(async () => {
        await cancelRestore(dataDirectory)
        return settingsView(ports)
      }),
    'settings.setApi': async (choice) => {
      await ports.api.choose(choice)
      return settingsView(ports)
    },
    'settings.setMesh': async (setup) => {
      await ports.mesh.set(setup)
      return settingsView(ports)
    },
    'host.restart': async () => {
      if (ports.restart === null) throw notRestartable()
      ports.restart()
      return { restarting: true }
    },
  }
}

async function settingsView(ports: SettingsPorts): Promise<SettingsView> {
  const { dataDirectory, settings } = ports
  const upstream = ports.upstream()
  const { guide, lastBackupAtMs } = settings.get()
  const [telemetry, models, pending] = await Promise.all([
    telemetryFiles(join(dataDirectory, 'telemetry')),
    ports.modelDisk(),
    pendingRestore(dataDirectory),
  ])
  const inForce = ports.api.inForce()
  return {
    guide,
    storage: {
      dataDirectory,
      journalBytes: ports.journalBytes(),
      telemetryBytes: telemetry.bytes,
      modelBytes: models.installedBytes,
      freeBytes: models.freeBytes,
      telemetrySinceMs: telemetry.sinceMs,
      telemetryLost: ports.telemetryLost(),
    },
    network: {
      address: inForce?.address ?? '',
      port: inForce?.port ?? 0,
      loopbackOnly: inForce === null || inForce.address === '127.0.0.1',
      api: ports.api.view(),
      mesh: ports.mesh.view(),
      upstream: upstream && { baseUrl: withoutSecrets(upstream.baseUrl), model: upstream.model },
    },
    backup: { lastAtMs: lastBackupAtMs, pending, passwordLengthMin: PASSWORD_LENGTH_MIN },
    restart: { needed: pending !== null || ports.api.restartNeeded(), possible: ports.restart !== null },
  }
}

function notRestartable(): TiramiError {
  return new TiramiError('RESTART_NOT_HERE', 'This host cannot start itself anew.', {
    nextStep: 'End it and start it again the way it was started.',
    httpStatus: 409,
  })
}

async function telemetryFiles(directory: string): Promise<{ bytes: number; sinceMs: number | null }> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort()
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size))
  const [oldest] = names
  return {
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    sinceMs: oldest === undefined ? null : await firstEventMs(join(directory, oldest)),
  }
}

/** Time of the first event of a file; null where there is none yet. */
async function firstEventMs(path: string): Promise<number | null> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
    const [, ts = ''] = /"ts":"([^"]{1,40})"/.exec(buffer.toString('utf8', 0, bytesRead)) ?? []
    const atMs = Date.parse(ts)
    return Number.isNaN(atMs) ? null : atMs
  } finally {
    await file.close()
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return (await readFile(path)).toString('utf8', 0, OWNER_FILE_BYTES_MAX)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/** An address may carry a user’s name and password. */
function withoutSecrets(address: string): string {
  const url = new URL(address)
  url.username = ''
  url.password = ''
  return url.href
}

const fileNameOf = ({ createdAtMs, nodeId }: { createdAtMs: number; nodeId: string }): string =>
  `tirami-keys-${nodeId.slice(0, 8)}-${new Date(createdAtMs).toISOString().slice(0, 10)}.tirami-backup`
