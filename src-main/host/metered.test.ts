import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import systeminformation from 'systeminformation'
import { expect, it } from 'vitest'
import type { Download, EarningView, ModelsView } from '../../src-preload/contract/index.ts'
import { createEnvironment, createHardwareMonitor, systemPorts } from '../hardware/index.ts'
import { forkEngine } from '../inference/index.ts'
import { startHost } from './host.ts'

it('a download waits on a network that charges by volume, and goes on when it no longer does', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tirami-metered-'))
  const ports = systemPorts(systeminformation)
  const real = createEnvironment(ports, createHardwareMonitor(ports))
  let metered = true
  // This machine as it is, but for the one reading.
  const environment = {
    look: real.look,
    snapshot: () => ({
      ...real.snapshot(),
      metered: { known: true as const, value: metered, source: 'test', atMs: Date.now() },
    }),
  }
  const host = await startHost({
    dataDirectory: directory,
    resourcesDirectory: resolve(import.meta.dirname, '../../resources'),
    spawnEngine: forkEngine(new URL('../inference/engine/entry.ts', import.meta.url)),
    projectionWorkerUrl: new URL('../ledger/projection.worker.ts', import.meta.url),
    reasoningWorkerUrl: new URL('./reasoning/reasoning.worker.ts', import.meta.url),
    openApi: async () => ({ url: 'http://127.0.0.1:1', close: async () => {} }),
    environment,
  })
  try {
    const call = async <T>(procedure: string, input: object): Promise<T> => {
      const answer = await host.control.call(procedure, input)
      if (!answer.ok) throw new Error(answer.error.message)
      return answer.result as T
    }
    const state = async (): Promise<Download | undefined> =>
      (await call<ModelsView>('models.get', {})).downloads[0]
    await call('models.add', { source: 'qwen2.5:0.5b' })
    await expect.poll(state).toMatchObject({ state: 'waiting', waitingFor: 'network' })
    metered = false
    await call<EarningView>('earning.setPolicy', { settleSeconds: 0 })
    // What it finds there is another matter: this machine may be alone.
    await expect.poll(async () => (await state())?.waitingFor).toBeNull()
  } finally {
    await host.stop()
    rmSync(directory, { recursive: true, force: true })
  }
})
