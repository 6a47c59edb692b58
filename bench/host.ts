import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

export const root = resolve(import.meta.dirname, '..')

export interface RunningHost {
  readyMs: number
  pid: number
  api: string
  apiKey: string
  model: string
  /** Addresses for other hosts; null: started without the mesh. */
  mesh: string[] | null
  end(): Promise<void>
}

/** The built product as a process of its own, without npm's start-up time. */
export function startHost(directory: string, ...extra: string[]): Promise<RunningHost> {
  const startedAtMs = performance.now()
  const child = spawn(
    process.execPath,
    [join(root, 'out/main/headless.js'), '--data-dir', directory, '--port', '0', ...extra],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`the host ended with ${code}`)))
    createInterface({ input: child.stdout }).once('line', (line) => {
      const ready = JSON.parse(line) as {
        event: string
        api: string
        apiKeyFile: string
        model: string
        mesh: string[] | null
      }
      if (ready.event !== 'ready') return reject(new Error(line))
      resolve({
        readyMs: performance.now() - startedAtMs,
        pid: child.pid ?? 0,
        api: ready.api,
        model: ready.model,
        mesh: ready.mesh,
        apiKey: readFileSync(ready.apiKeyFile, 'utf8').trim(),
        end: () => new Promise((done) => child.once('exit', () => done()).kill('SIGTERM')),
      })
    })
  })
}

interface ProcessRow {
  pid: number
  parentPid: number
  residentBytes: number
}

function processes(): ProcessRow[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss='], { encoding: 'utf8' })
  return table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parentPid = 0, kib = 0]) => ({ pid, parentPid, residentBytes: kib * 1024 }))
}

/** The engine is a host's only child. */
function engineOf({ pid }: RunningHost, all: readonly ProcessRow[]): ProcessRow {
  const engine = all.find(({ parentPid }) => parentPid === pid)
  if (!engine) throw new Error('the host has no engine process')
  return engine
}

export const enginePid = (host: RunningHost): number => engineOf(host, processes()).pid

/** Resident memory of a host and of its engine. */
export function residentBytes(host: RunningHost): { host: number; engine: number } {
  const all = processes()
  return {
    host: all.find(({ pid }) => pid === host.pid)?.residentBytes ?? 0,
    engine: engineOf(host, all).residentBytes,
  }
}
