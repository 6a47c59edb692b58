/**
 * Connects to an engine and leaves half-way, over and over: `node bench/engine-aborts.ts [cycles]`. Prints the memory of
 * both processes after a tenth of the cycles, when everything has been used once, and after all of them.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, forkEngine, type GenerateRequest } from '../src-main/inference/index.ts'
import { systemClock } from '../src-main/kernel/index.ts'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'

const cycles = Number(process.argv[2] ?? 1000)
const folder = mkdtempSync(join(tmpdir(), 'tirami-aborts-'))
const script = { bytes: new TextEncoder().encode('abc'), ending: 'repeat' } as const
const modelPath = writeTinyGguf(join(folder, 'model.gguf'), { script })
const spawn = forkEngine(new URL('../src-main/inference/engine/entry.ts', import.meta.url))
let enginePid: number | undefined
const engine = createEngine({
  spawn: () => {
    const child = spawn()
    enginePid = child.pid
    return child
  },
  modelPath,
  contextTokens: 2048,
  slots: 4,
  threads: 1,
  gpu: 'cpu',
  clock: systemClock,
})

function residentMib(pid: number | undefined): number {
  return Math.round(
    Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024,
  )
}

function report(cycle: number): void {
  console.log({
    cycle,
    engineMib: residentMib(enginePid),
    hostMib: residentMib(process.pid),
    ...engine.jobs(),
  })
}

async function leave(cycle: number): Promise<void> {
  const request: GenerateRequest = {
    prompt: { type: 'chat', turns: [{ role: 'user', content: 'x'.repeat(cycle % 500) }] },
    maxTokens: 1000,
    temperature: 0,
    topP: 1,
    stop: [],
    tenant: `tenant ${cycle % 7}`,
  }
  const abort = new AbortController()
  let left = cycle % 6
  for await (const event of engine.generate(request, abort.signal)) {
    if (event.type !== 'end' && left-- === 0) abort.abort()
  }
}

await engine.start()
try {
  for (let cycle = 0; cycle < cycles; cycle += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, index) => leave(cycle + index)))
    if (Math.floor((cycle * 10) / cycles) === 1 && Math.floor(((cycle - 8) * 10) / cycles) === 0)
      report(cycle)
  }
  report(cycles)
} finally {
  await engine.stop()
  rmSync(folder, { recursive: true })
}
