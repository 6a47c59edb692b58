import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { Saying } from '../../src-preload/contract/index.ts'
import { say } from './saying.ts'

/** Given to the app when the system starts it: no window is shown. */
export const HIDDEN_SWITCH = 'hidden'

/** By this line the app knows its own entry again. */
const OURS = 'X-Tirami-Host=true'
const ENTRY_NAME = 'tirami-host.desktop'
const ENTRY_BYTES_MAX = 16 * 1024

/** What is started at login; null where that would be a file that goes away. */
export function startCommand(at: {
  packaged: boolean
  platform: NodeJS.Platform
  execPath: string
  /** `APPIMAGE`, which an AppImage finds in its environment: its own place is a mount that goes away. */
  appImage: string | undefined
}): string | null {
  if (!at.packaged) return null
  const path = at.platform === 'linux' && at.appImage !== undefined ? at.appImage : at.execPath
  return isAbsolute(path) && !/\p{Cc}/u.test(path) ? path : null
}

/** Folder of the entries that a Linux desktop starts. */
export function autostartFolder(environment: NodeJS.ProcessEnv, home: string): string {
  const given = environment.XDG_CONFIG_HOME
  // The specification has relative paths ignored.
  return join(given !== undefined && isAbsolute(given) ? given : join(home, '.config'), 'autostart')
}

/** A desktop entry (freedesktop.org, 1.5) that starts `command` without a window. */
export function autostartEntry(command: string): string {
  return [
    '[Desktop Entry]',
    'Type=Application',
    'Version=1.5',
    'Name=Tirami Host',
    `Exec=${execArgument(command)} --${HIDDEN_SWITCH}`,
    // Without the app the entry does nothing: no uninstaller can find it in every home.
    `TryExec=${command.replaceAll('\\', '\\\\')}`,
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    OURS,
    '',
  ].join('\n')
}

/** Quoted twice, as the specification has it: as an argument, and then as a value of the file. */
function execArgument(path: string): string {
  const quoted = `"${path.replace(/["`$\\]/g, '\\$&')}"`
  return quoted.replaceAll('\\', '\\\\').replaceAll('%', '%%')
}

/**
 * Makes the entry say `command`, or takes it away for null. A file that is not ours, or no plain file, is left alone.
 * @returns why it could not be done; null when it is
 */
export function setAutostart(folder: string, command: string | null): Saying | null {
  const path = join(folder, ENTRY_NAME)
  try {
    const there = entryAt(path)
    if (there === 'foreign') return say('login.not-ours', { path })
    if (command === null) {
      if (there !== null) rmSync(path)
      return null
    }
    const text = autostartEntry(command)
    if (there !== text) writeEntry(path, text)
    return null
  } catch (error) {
    return say('login.not-written', { problem: (error as Error).message })
  }
}

/** Whether the entry is there and starts `command`. */
export function autostarts(folder: string, command: string): boolean {
  return entryAt(join(folder, ENTRY_NAME)) === autostartEntry(command)
}

/** Text of our entry; null where there is none. */
function entryAt(path: string): string | 'foreign' | null {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return null
  if (!stat.isFile() || stat.size > ENTRY_BYTES_MAX) return 'foreign'
  const text = readFileSync(path, 'utf8')
  return text.split('\n').includes(OURS) ? text : 'foreign'
}

function writeEntry(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  // `wx`: never through a link that somebody else has laid there.
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}
