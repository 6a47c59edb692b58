import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { app } from 'electron'
import electronUpdater from 'electron-updater'
import type { Saying } from '../../src-preload/contract/index.ts'
import { say } from './saying.ts'
import type { ShellPorts } from './shell.ts'
import { guardedEngine } from './update-engine.ts'
import { feedInstalled } from './update-feed-file.ts'

/** electron-updater behind our guards, or why this build has none. */
export function installedUpdates(safeMode: boolean): ShellPorts['updates'] {
  const { platform } = process
  const common = {
    currentVersion: app.getVersion(),
    platform: platform === 'darwin' || platform === 'win32' ? platform : ('linux' as const),
    random: Math.random,
  }
  const without = (unsupported: Saying) => ({ ...common, engine: null, unsupported })
  if (safeMode) return without(say('update.safe-mode'))
  // A deb belongs to the package manager, and replacing its files would need the administrator.
  if (platform === 'linux' && process.env.APPIMAGE === undefined) {
    return without(say(app.isPackaged ? 'update.unsupported-package' : 'update.unsupported-build'))
  }
  const feed = app.isPackaged
    ? feedInstalled(() => readText(join(process.resourcesPath, 'app-update.yml')))
    : null
  if (feed === null) return without(say('update.unsupported-build'))
  const updater = electronUpdater.autoUpdater
  updater.logger = console
  return { ...common, engine: guardedEngine(updater, feed), unsupported: say('update.unsupported-build') }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
