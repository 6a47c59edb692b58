import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { GpuRule } from '../../src-preload/contract/index.ts'
import { createHardwareMonitor } from '../hardware/index.ts'
import { GAMING_PC, portsOf } from '../hardware/testing/machines.ts'
import { FakeEngineProcess } from '../inference/testing/fake-engine.ts'
import type { EngineCommand } from '../inference/types.ts'
import { systemClock, systemRng } from '../kernel/index.ts'
import { openModelStore } from '../models/index.ts'
import { createMachine } from './machine.ts'
import { type ModelDesk, openModelDesk } from './model-desk.ts'
import { openSettings } from './settings.ts'

const resources = resolve(import.meta.dirname, '../../resources')
const FREE = { use: true, maxMemoryGib: null, maxTemperatureC: null }

let directory: string
let desk: ModelDesk | null = null
let rules: GpuRule[] = []
let loads: Extract<EngineCommand, { type: 'load' }>[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-gpus-'))
  rules = []
  loads = []
})
afterEach(async () => {
  await desk?.engine.stop()
  await desk?.close()
  desk = null
  rmSync(directory, { recursive: true, force: true })
})

/** An engine that loads whatever it is told to, and notes it. */
class NotingEngine extends FakeEngineProcess {
  override send(command: EngineCommand): void {
    super.send(command)
    if (command.type === 'load') {
      loads.push(command)
      queueMicrotask(() => this.load(command.slots))
    }
    if (command.type === 'stop') queueMicrotask(() => this.exit(0))
  }

  override kill(): void {
    super.kill()
    queueMicrotask(() => this.exit(null))
  }
}

/** A host’s models on a machine with two GPUs of NVIDIA’s, as its tool reports them. */
async function openDesk() {
  const monitor = createHardwareMonitor(portsOf(GAMING_PC))
  const machine = createMachine(monitor, () => rules)
  desk = await openModelDesk({
    store: await openModelStore({
      directory: join(directory, 'models'),
      cataloguePath: join(resources, 'catalogue.json'),
      metering: { isMetered: () => false, onChange: () => () => undefined },
      clock: systemClock,
      rng: systemRng,
    }),
    settings: openSettings(directory),
    machine,
    resourcesDirectory: resources,
    spawnEngine: () => new NotingEngine(),
    hasGpuRules: () => rules.length > 0,
    clock: systemClock,
    model: null,
    upstream: null,
    keyDirectory: join(directory, 'keys'),
    rng: systemRng,
  })
  const { gpus } = await monitor.hardware()
  return { desk, machine, ids: gpus.map(({ id }) => id) }
}

it('the engine is told what the owner’s rules for GPUs say, at the start and when they change', async () => {
  const { desk: models, machine, ids } = await openDesk()
  const [first = '', second = '', integrated = ''] = ids
  await models.engine.start()
  expect(loads.at(-1)).toMatchObject({ gpu: 'auto' })
  expect(loads.at(-1)).not.toHaveProperty('gpuLayers')

  rules = [{ ...FREE, id: first, use: false }]
  await models.replan()
  expect(loads.at(-1)).toMatchObject({ gpu: { cuda: [second] } })

  const count = loads.length
  rules = [...rules, { ...FREE, id: second, maxTemperatureC: 80 }]
  await models.replan()
  expect(loads).toHaveLength(count)

  // The embedded model needs more than this on any GPU, so that no layer goes there.
  rules = [
    { ...FREE, id: first, maxMemoryGib: 0.001 },
    { ...FREE, id: second, use: false },
  ]
  await models.replan()
  expect(loads.at(-1)).toMatchObject({ gpu: { cuda: [first] }, gpuLayers: 0 })

  rules = [first, second, integrated].map((id) => ({ ...FREE, id, use: false }))
  await models.replan()
  expect(loads.at(-1)).toMatchObject({ gpu: 'cpu' })
  const compute = machine.info(models.engine.status())?.compute
  expect(compute).toMatchObject({ code: 'kept-off', degraded: false, backend: 'cpu' })
})

it('and at the very first start', async () => {
  const { ids } = await openDesk()
  await desk?.close()
  rules = [{ ...FREE, id: ids[1] ?? '', use: false }]
  const { desk: models } = await openDesk()
  await models.engine.start()
  expect(loads).toMatchObject([{ gpu: { cuda: [ids[0]] } }])
})
