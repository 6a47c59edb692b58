import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }

const root = join(import.meta.dirname, '../..')

/** The shipped sources of a folder, without comments and tests. */
function sources(folder: string): { file: string; code: string }[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\.test\.tsx?$|[\\/]testing[\\/]/.test(path))
    .map((path) => ({
      file: relative(root, path).split(sep).join('/'),
      code: readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, ''),
    }))
}
const shell = sources('src-main/desktop')
const everything = [...shell, ...sources('src-preload'), ...sources('src-renderer'), ...sources('src-main')]
const filesWith = (pattern: RegExp, among = everything) => [
  ...new Set(among.filter(({ code }) => pattern.test(code)).map(({ file }) => file)),
]

describe('what can undo a wall is used in one place, which has its own tests', () => {
  it.each<[string, RegExp, string[]]>([
    ['windows are made', /new BrowserWindow\b/, ['src-main/desktop/window.ts']],
    [
      'addresses are handed to the system',
      /openExternal|openPath|showItemInFolder/,
      ['src-main/desktop/navigation.ts'],
    ],
    ['messages of pages are heard', /\bipcMain\b/, ['src-main/desktop/ipc.ts']],
    ['something is put into the page’s world', /exposeInMainWorld/, ['src-preload/index.ts']],
    ['processes are forked', /utilityProcess\.fork/, ['src-main/desktop/host-process.ts']],
    ['permissions are decided', /setPermission(Request|Check)Handler/, ['src-main/desktop/permissions.ts']],
    ['files are served to the page', /protocol\.handle/, ['src-main/desktop/protocol.ts']],
    ['updates are fetched', /autoUpdater/, ['src-main/desktop/updates.ts']],
  ])('%s', (_what, pattern, files) => expect(filesWith(pattern)).toEqual(files))

  it.each<[string, RegExp]>([
    ['another kind of page', /new (BrowserView|WebContentsView|BaseWindow)\b/],
    ['code given to a page as text', /executeJavaScript|insertCSS\(/],
    ['a handler that answers at once', /ipcMain\.handleOnce|sendSync|returnValue/],
    [
      'a weaker window',
      /nodeIntegration\w*: true|contextIsolation: false|sandbox: false|webSecurity: false|webviewTag: true|allowRunningInsecureContent: true|experimentalFeatures: true|enableBlinkFeatures/,
    ],
    [
      'weaker switches',
      /appendSwitch|ignore-certificate-errors|certificate-error|no-sandbox|disable-web-security/,
    ],
    ['markup from text', /dangerouslySetInnerHTML|\.innerHTML\b|insertAdjacentHTML|document\.write/],
    ['code from text', /\beval\(|new Function\(/],
    ['pages from files', /loadFile\(|file:\/\//],
  ])('nowhere: %s', (_what, pattern) => expect(filesWith(pattern)).toEqual([]))
})

describe('Electron itself', () => {
  it('is pinned to one version, whose types these sources are checked against', () => {
    const types = JSON.parse(readFileSync(join(root, 'node_modules/electron/package.json'), 'utf8'))
    expect(packageJson.devDependencies.electron).toMatch(/^\d+\.\d+\.\d+$/)
    expect(types.version).toBe(packageJson.devDependencies.electron)
  })
})
