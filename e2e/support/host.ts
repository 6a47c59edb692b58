import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import OpenAI from 'openai'

export const root = resolve(import.meta.dirname, '../..')

export interface Ready {
  event: 'ready'
  api: string
  dashboard: string
  apiKeyFile: string
  nodeId: string
  /** Addresses for other hosts; null: started without the mesh. */
  mesh: string[] | null
  model: string
}

export interface HostProcess {
  ready: Ready
  apiKey: string
  child: ChildProcess
  client: OpenAI
  /** GET or POST on the API with the key. */
  api(path: string, init?: RequestInit): Promise<Response>
  /** Ends the process with `signal` and resolves with its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'tirami-e2e-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Starts the built product as a user does, without npm's own start-up time. */
export async function startHeadless(dataDirectory: string, ...extra: string[]): Promise<HostProcess> {
  skipGuide(dataDirectory)
  const { child, line } = await firstLine([
    join(root, 'out/main/headless.js'),
    '--data-dir',
    dataDirectory,
    '--port',
    '0',
    ...extra,
  ])
  const ready = JSON.parse(line) as Ready
  if (ready.event !== 'ready') throw new Error(`the host did not start: ${line}`)
  const apiKey = readFileSync(ready.apiKeyFile, 'utf8').trim()
  return {
    ready,
    apiKey,
    child,
    client: new OpenAI({ baseURL: ready.api, apiKey, maxRetries: 0 }),
    api: (path, init) =>
      fetch(`${ready.api}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...init?.headers },
      }),
    end: (signal) => endProcess(child, signal),
  }
}

/** The window begins with its first-run guide otherwise; a host that has settings already is left alone. */
export function skipGuide(dataDirectory: string): void {
  const path = join(dataDirectory, 'settings.json')
  if (existsSync(path)) return
  mkdirSync(dataDirectory, { recursive: true })
  writeFileSync(path, JSON.stringify({ guide: { state: 'skipped', step: 'machine' } }))
}

/** Runs a Node program until it has printed one line of JSON, or has ended. */
export function firstLine(args: string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors = (errors + chunk).slice(-4000)
  })
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      if (line.startsWith('{')) resolve({ child, line })
    })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`ended with ${code} before it was ready: ${errors}`)))
  })
}

export function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => {
    child.on('exit', (code) => resolve(code))
    child.kill(signal)
  })
}

/**
 * Process id of the engine; null while there is none. Linux only. The host has other children, too: what keeps the
 * machine awake is one.
 */
export async function engineProcess({ child }: HostProcess): Promise<number | null> {
  const children = await readProcess(`${child.pid}/task/${child.pid}/children`)
  for (const pid of children.split(' ').map(Number).filter(Boolean)) {
    if ((await readProcess(`${pid}/cmdline`)).includes(join('main', 'engine.js'))) return pid
  }
  return null
}

/** Empty once the process is gone. */
const readProcess = (path: string): Promise<string> => readFile(`/proc/${path}`, 'utf8').catch(() => '')

/** Long enough for a machine that does much else; only what never happens waits for it. */
export const PATIENCE_MS = 120_000

/** Polls until `probe` gives something; for what happens in another process. */
export async function eventually<T>(
  probe: () => Promise<T | null | undefined | false>,
  withinMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await probe()
    if (value) return value
    if (performance.now() > deadline) throw new Error('it did not happen in time')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
