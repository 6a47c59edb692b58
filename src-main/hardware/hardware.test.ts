import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { computeState, createHardwareMonitor, type Hardware, type Sensors, systemPorts } from './index.ts'
import {
  AMD_PC,
  GAMING_PC,
  MAC_MINI,
  type Machine,
  PC_WITHOUT_DRIVER,
  portsOf,
  SERVER,
  WINDOWS_PC,
} from './testing/machines.ts'

const hardwareOf = (machine: Machine): Promise<Hardware> => createHardwareMonitor(portsOf(machine)).hardware()
const sensorsOf = (machine: Machine): Promise<Sensors> => createHardwareMonitor(portsOf(machine)).sensors()

const MIB = 1024 ** 2

describe('what the machine is made of', () => {
  test('NVIDIA: ids that stay, memory, driver; beside it the integrated graphics', async () => {
    const { gpus, backends, cpu } = await hardwareOf(GAMING_PC)
    expect(gpus).toEqual([
      {
        id: 'GPU-1f0c7e1a-5b6d-4c8e-9a2f-0d1e2f3a4b5c',
        vendor: 'nvidia',
        name: 'NVIDIA GeForce RTX 4090',
        vramTotalBytes: 24_564 * MIB,
        isUnified: false,
        driverVersion: '560.35.03',
      },
      expect.objectContaining({ name: 'NVIDIA GeForce GTX 1060 6GB', vramTotalBytes: 6144 * MIB }),
      expect.objectContaining({ id: 'pci:0000:00:02.0', vendor: 'intel', isUnified: true }),
    ])
    expect(backends).toEqual(['cuda', 'vulkan', 'cpu'])
    expect(cpu).toEqual({ model: 'Some CPU', cores: 8, physicalCores: 4 })
  })

  test('an NVIDIA card without its driver is still seen', async () => {
    const { gpus } = await hardwareOf(PC_WITHOUT_DRIVER)
    expect(gpus).toContainEqual({
      id: 'pci:0000:01:00.0',
      vendor: 'nvidia',
      name: 'AD102 [GeForce RTX 4090]',
      vramTotalBytes: null,
      isUnified: false,
      driverVersion: null,
    })
  })

  test('AMD on Linux', async () => {
    const { gpus, backends } = await hardwareOf(AMD_PC)
    expect(gpus).toEqual([
      expect.objectContaining({
        id: 'pci:0000:0b:00.0',
        vendor: 'amd',
        vramTotalBytes: 25_753_026_560,
        driverVersion: 'amdgpu',
      }),
    ])
    expect(gpus[0]?.name).toMatch(/Radeon RX 7900/)
    expect(backends).toEqual(['vulkan', 'cpu'])
  })

  test('Apple silicon shares its memory', async () => {
    const { gpus, backends } = await hardwareOf(MAC_MINI)
    expect(gpus).toEqual([
      {
        id: 'apple:apple-m4-pro',
        vendor: 'apple',
        name: 'Apple M4 Pro',
        vramTotalBytes: 36 * 1024 ** 3,
        isUnified: true,
        driverVersion: null,
      },
    ])
    expect(backends).toEqual(['metal', 'cpu'])
  })

  test('Windows, by the library; a basic display adapter is no GPU', async () => {
    const { gpus, backends } = await hardwareOf(WINDOWS_PC)
    expect(gpus).toHaveLength(1)
    expect(gpus[0]).toMatchObject({ vendor: 'amd', vramTotalBytes: 16_368 * MIB, id: 'pci:0000:03:00.0' })
    expect(backends).toEqual(['vulkan', 'cpu'])
  })

  test('a server without a GPU', async () => {
    expect(await hardwareOf(SERVER)).toMatchObject({ gpus: [], backends: ['cpu'] })
  })
})

describe('live values', () => {
  test('NVIDIA; what a card has no sensor for is null', async () => {
    const { gpus, cpuEnergyJ } = await sensorsOf(GAMING_PC)
    expect(gpus[0]).toMatchObject({ load: 0.37, temperatureC: 54, powerW: 112.46, vramUsedBytes: 1043 * MIB })
    expect(gpus[1]).toMatchObject({ load: null, temperatureC: 41, powerW: null })
    // Both packages; the core counter inside the first is part of it.
    expect(cpuEnergyJ).toBeCloseTo(123_457.789, 3)
  })

  test('AMD', async () => {
    expect((await sensorsOf(AMD_PC)).gpus).toEqual([
      { id: 'pci:0000:0b:00.0', vramUsedBytes: 1_288_699_904, load: 0.93, temperatureC: 61, powerW: 287 },
    ])
  })

  test('a Mac says nothing about power without an administrator', async () => {
    expect(await sensorsOf(MAC_MINI)).toMatchObject({ gpus: [], cpuEnergyJ: null, cpuTemperatureC: null })
  })

  test('a counter that only administrators may read is no counter', async () => {
    const machine: Machine = {
      platform: 'linux',
      files: { '/sys/class/powercap/intel-rapl:0/name': 'package-0' },
    }
    expect((await sensorsOf(machine)).cpuEnergyJ).toBeNull()
  })

  test('battery and mains', async () => {
    const battery = async () => ({ hasBattery: true, percent: 71, isCharging: false, acConnected: false })
    expect(await sensorsOf({ platform: 'linux', library: { battery } })).toMatchObject({
      battery: { percent: 71, isCharging: false },
      onMains: false,
    })
    expect(await sensorsOf(SERVER)).toMatchObject({ battery: null, onMains: true })
  })
})

describe('probes', () => {
  test('all who ask at once share one look, and later ones until it is old', async () => {
    const ports = portsOf(GAMING_PC)
    const monitor = createHardwareMonitor(ports)
    await Promise.all([monitor.hardware(), monitor.hardware()])
    ports.setTime(9 * 60_000)
    await monitor.hardware()
    expect(ports.calls).toEqual(['nvidia-smi', 'lspci'])
    ports.setTime(11 * 60_000)
    await monitor.hardware()
    expect(ports.calls).toHaveLength(4)
  })

  test('whatever programs and files say, the answer has its form', async () => {
    const word = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.constantFrom(
        'GPU-1, x, , -1, 1e9, [N/A], 3',
        '0000:01:00.0 "x [0300]" "NVIDIA" "',
        '{"SPDisplaysDataType":[{}]}',
      ),
    )
    const noise = fc.array(word, { maxLength: 5 }).map((words) => words.join('\n'))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('linux', 'darwin', 'win32', 'haiku'),
        noise,
        async (platform, text) => {
          const machine: Machine = {
            platform,
            programs: { 'nvidia-smi': text, lspci: text, '/usr/sbin/system_profiler': text },
            files: Object.fromEntries(
              Object.keys({ ...AMD_PC.files, ...GAMING_PC.files }).map((path) => [path, text]),
            ),
            library: {
              cpu: async () => JSON.parse('{"cores":"many"}'),
              mem: () => Promise.reject(new Error('no memory')),
              graphics: async () => JSON.parse('{"controllers":[null,{"model":7}]}'),
              battery: async () => JSON.parse('null'),
            },
          }
          const { backends, gpus } = await hardwareOf(machine)
          expect(backends.at(-1)).toBe('cpu')
          for (const gpu of gpus) expect(gpu.vramTotalBytes ?? 0).toBeGreaterThanOrEqual(0)
          const sensors = await sensorsOf(machine)
          expect(sensors.memoryAvailableBytes).toBeNull()
          for (const { load } of sensors.gpus) expect(load ?? 0).toBeLessThanOrEqual(1)
        },
      ),
    )
  })

  test('a real program that is missing, fails or hangs gives nothing', async () => {
    const ports = systemPorts(portsOf(SERVER).library)
    const node = process.execPath
    expect(await ports.run('no-such-program-here', [], 1000)).toBeNull()
    expect(await ports.run(node, ['-e', 'process.exit(3)'], 20_000)).toBeNull()
    expect(await ports.run(node, ['-e', 'setInterval(() => {}, 1000)'], 300)).toBeNull()
    expect(await ports.run(node, ['-p', '6 * 7'], 20_000)).toBe('42\n')
    expect(await ports.readText('/no/such/file')).toBeNull()
    expect(await ports.list('/no/such/folder')).toEqual([])
  })
})

describe('what the engine computes with', () => {
  test('a fall to the CPU is said, with its cause and the next step', async () => {
    const state = computeState(await hardwareOf(PC_WITHOUT_DRIVER), { backend: 'cpu' })
    expect(state).toMatchObject({ backend: 'cpu', expectedBackend: 'cuda', degraded: true })
    expect(state.sentence).toBe(
      "This machine has AD102 [GeForce RTX 4090], but the engine computes on the CPU: the GPU's driver is missing or does not answer.",
    )
    expect(state.nextStep).toMatch(/^Install or update the NVIDIA driver/)
  })

  test('with a driver the engine itself is suspected', async () => {
    const state = computeState(await hardwareOf(GAMING_PC), { backend: 'cpu' })
    expect(state).toMatchObject({ expectedBackend: 'cuda', degraded: true })
    expect(state.nextStep).toMatch(/allowed to use the GPU/)
    expect(computeState(await hardwareOf(GAMING_PC), { backend: 'vulkan' })).toMatchObject({ degraded: true })
    expect(computeState(await hardwareOf(MAC_MINI), { backend: 'cpu' })).toMatchObject({
      expectedBackend: 'metal',
      degraded: true,
    })
  })

  test('the best there is is no complaint', async () => {
    for (const [machine, backend] of [
      [GAMING_PC, 'cuda'],
      [MAC_MINI, 'metal'],
      [AMD_PC, 'vulkan'],
      [SERVER, 'cpu'],
    ] as const) {
      const state = computeState(await hardwareOf(machine), { backend })
      expect(state).toMatchObject({ backend, expectedBackend: backend, degraded: false, nextStep: null })
    }
    expect(computeState(await hardwareOf(SERVER), { backend: 'cpu' }).sentence).toMatch(/no GPU/)
    expect(computeState(await hardwareOf(GAMING_PC), { backend: null })).toMatchObject({ degraded: false })
  })
})
