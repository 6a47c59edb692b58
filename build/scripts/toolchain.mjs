// What `npm start`, `npm test` and `npm run headless` share. Node built-ins only: it runs before anything is
// installed, on whichever Node the machine has.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const bin = join(root, 'node_modules', '.bin')
const windows = process.platform === 'win32'

/** The environment of every child: our tools first, and no native compile or download behind our back. */
export function childEnvironment(extra = {}) {
  return {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
    NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true',
    ...extra,
  }
}

/** Node 24 (Electron's own major) from the npm package `node`; this process's Node until that is installed. */
export function node24() {
  const binary = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')
  return existsSync(binary) ? binary : process.execPath
}

function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** Installs what the lock file says, once per lock file. */
export function ensureInstalled() {
  const stamp = join(root, 'node_modules', '.tirami-lock-sha256')
  const wanted = sha256(join(root, 'package-lock.json'))
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  const npm = spawnSync(windows ? 'npm.cmd' : 'npm', ['ci', '--no-fund', '--no-audit'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: windows,
    env: childEnvironment(),
  })
  if (npm.status !== 0) {
    console.error('Installing failed. Check the network connection, then run the command again.')
    process.exit(npm.status ?? 1)
  }
  writeFileSync(stamp, wanted)
}

function newestChangeMs(path) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return readdirSync(path).reduce(
    (newest, name) => Math.max(newest, newestChangeMs(join(path, name))),
    stat.mtimeMs,
  )
}

const SOURCES = ['src-main', 'src-preload', 'src-renderer', 'electron.vite.config.ts', 'package-lock.json']

/** Builds into out/ unless nothing has changed since the last build. */
export function ensureBuilt() {
  const stamp = join(root, 'out', '.built')
  const changedMs = Math.max(...SOURCES.map((source) => newestChangeMs(join(root, source))))
  if (existsSync(stamp) && statSync(stamp).mtimeMs > changedMs) return
  const build = spawnSync(
    node24(),
    [join(root, 'node_modules/electron-vite/bin/electron-vite.js'), 'build', '--logLevel', 'warn'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: childEnvironment(),
    },
  )
  if (build.status !== 0) process.exit(build.status ?? 1)
  mkdirSync(join(root, 'out'), { recursive: true })
  writeFileSync(stamp, '')
}

/** Runs a command in the foreground: signals go to it, its exit code becomes ours. */
export function become(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: childEnvironment(), ...options })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(error.message)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
}

/** Electron's binary where it has been put, or null. The npm package itself brings none at install. */
export function electronBinary() {
  const distribution =
    process.env.ELECTRON_OVERRIDE_DIST_PATH ?? join(root, 'node_modules', 'electron', 'dist')
  const name =
    { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' }[process.platform] ?? 'electron'
  const path = join(distribution, name)
  return existsSync(path) ? path : null
}

export function hasDisplay() {
  if (process.platform !== 'linux') return true
  return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)
}
