import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gpuRulesIn, gpuRulesText } from '../../src-preload/contract/index.ts'
import { chooseGpus, createHardwareMonitor, type GpuRule } from './index.ts'
import { AMD_PC, GAMING_PC, MAC_MINI, type Machine, portsOf, SERVER } from './testing/machines.ts'

const GIB = 2 ** 30
const RTX_4090 = 'GPU-1f0c7e1a-5b6d-4c8e-9a2f-0d1e2f3a4b5c'

async function look(machine: Machine) {
  const monitor = createHardwareMonitor(portsOf(machine))
  const [hardware, sensors] = await Promise.all([monitor.hardware(), monitor.sensors()])
  const choose = (...rules: (Partial<GpuRule> & { id: string })[]) =>
    chooseGpus(
      hardware,
      sensors,
      rules.map((rule) => ({ use: true, maxMemoryGib: null, ...rule })),
      { freeRamBytes: 32 * GIB, givenBackBytes: 0 },
    )
  return { choose, ids: hardware.gpus.map(({ id }) => id) }
}

describe('which GPUs the engine may use', () => {
  test('all, where the owner says nothing; a model is planned for the one with the most room', async () => {
    const { choose } = await look(GAMING_PC)
    const { device, memory, capped, why } = choose()
    expect([device, capped, why]).toEqual(['auto', false, null])
    expect(memory?.freeVramBytes).toBeGreaterThan(20 * GIB)
  })

  test('not the one that he keeps for himself: CUDA is told the others by name', async () => {
    const { choose, ids } = await look(GAMING_PC)
    const { device, memory } = choose({ id: RTX_4090, use: false })
    expect(device).toEqual({ cuda: [ids[1]] })
    expect(memory?.freeVramBytes).toBeLessThanOrEqual(6 * GIB)
  })

  test('with a limit of memory one GPU, the one with the most room within the limits', async () => {
    const { choose, ids } = await look(GAMING_PC)
    const roomy = choose({ id: RTX_4090, maxMemoryGib: 8 })
    expect(roomy).toEqual({
      device: { cuda: [RTX_4090] },
      memory: { freeVramBytes: 8 * GIB, isUnified: false },
      capped: true,
      why: null,
    })
    const tight = choose({ id: RTX_4090, maxMemoryGib: 1 })
    expect(tight.device).toEqual({ cuda: [ids[1]] })
    expect(tight.memory?.freeVramBytes).toBeGreaterThan(GIB)
  })

  test('none, where all are kept, or where the driver cannot be told which to leave alone', async () => {
    const gaming = await look(GAMING_PC)
    expect(gaming.choose(...gaming.ids.map((id) => ({ id, use: false })))).toMatchObject({
      device: 'cpu',
      memory: null,
      why: 'kept-off',
    })
    const amd = await look({ ...AMD_PC, programs: { ...GAMING_PC.programs } })
    const radeon = amd.ids.find((id) => id.startsWith('pci:0000:0b')) ?? ''
    expect(radeon).not.toBe('')
    expect(amd.choose({ id: RTX_4090, use: false })).toMatchObject({ device: 'cpu', why: 'not-addressable' })
    expect(amd.choose({ id: radeon, use: false }).device).toMatchObject({
      cuda: [RTX_4090, expect.anything()],
    })
  })

  test('a single GPU needs no name for its limit', async () => {
    const mac = await look(MAC_MINI)
    const [only = ''] = mac.ids
    expect(mac.choose({ id: only, maxMemoryGib: 10 })).toEqual({
      device: 'auto',
      memory: { freeVramBytes: 10 * GIB, isUnified: true },
      capped: true,
      why: null,
    })
    expect((await look(SERVER)).choose({ id: 'gone', use: false })).toMatchObject({
      device: 'auto',
      why: null,
    })
  })

  test('a GPU that is kept is never named, and no limit is exceeded, whatever the rules', async () => {
    const { choose, ids } = await look(GAMING_PC)
    const able = ids.filter((id) => id.startsWith('GPU-'))
    const anyRule = (id: string) =>
      fc.record({
        id: fc.constant(id),
        use: fc.boolean(),
        maxMemoryGib: fc.option(fc.double({ min: 0.001, max: 64, noNaN: true })),
      })
    fc.assert(
      fc.property(fc.tuple(...able.map(anyRule)), (rules) => {
        const { device, memory } = choose(...rules)
        const named = typeof device === 'object' ? device.cuda : device === 'auto' ? able : []
        for (const { id, use, maxMemoryGib } of rules) {
          if (!use) expect(named).not.toContain(id)
          if (named.length === 1 && named[0] === id && maxMemoryGib !== null)
            expect(memory?.freeVramBytes).toBeLessThanOrEqual(maxMemoryGib * GIB)
        }
        if (named.length > 1) expect(rules.every(({ maxMemoryGib }) => maxMemoryGib === null)).toBe(true)
      }),
      { seed: 20261129 },
    )
  })
})

test('the owner’s line for GPUs is read as it is written', () => {
  const rule = fc.record({
    id: fc.stringMatching(/^(GPU-[0-9a-f]{8}|pci:0000:0[0-9a-f]:00\.0)$/),
    use: fc.boolean(),
    maxMemoryGib: fc.option(fc.integer({ min: 1, max: 4_096_000 }).map((mib) => mib / 1_000)),
    maxTemperatureC: fc.option(fc.integer({ min: 300, max: 1_200 }).map((tenth) => tenth / 10)),
  })
  fc.assert(
    fc.property(fc.uniqueArray(rule, { maxLength: 8, selector: ({ id }) => id }), (rules) => {
      const kept = rules.filter(
        (one) => !one.use || one.maxMemoryGib !== null || one.maxTemperatureC !== null,
      )
      expect(gpuRulesIn(gpuRulesText(rules))).toEqual(kept)
    }),
    { seed: 20261129 },
  )
  for (const text of [
    'GPU-1 of',
    'GPU-1 8',
    'GPU-1 off, GPU-1 off',
    'GPU-1 20 C',
    'a b c',
    'GPU-1 8 GiB 8 GiB',
  ])
    expect(gpuRulesIn(text)).toBeNull()
})
