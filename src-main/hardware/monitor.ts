import { z } from 'zod'
import { appleGpus, vendorOf } from './apple.ts'
import { candidateBackends } from './compute-state.ts'
import { cpuEnergyJ, linuxGpuSensors, linuxGpus } from './linux.ts'
import { nvidiaGpus } from './nvidia.ts'
import type { HardwarePorts } from './ports.ts'
import type { Gpu, GpuSensors, Hardware, Sensors } from './types.ts'

/** Looks at the machine when asked and keeps the answer for a while: no request waits for a probe twice. */
export interface HardwareMonitor {
  /** @returns what the machine is made of; looked at again after ten minutes, for a GPU that was plugged in */
  hardware(): Promise<Hardware>
  /** @returns live values, at most one second old */
  sensors(): Promise<Sensors>
}

const HARDWARE_MAX_AGE_MS = 10 * 60_000
const SENSORS_MAX_AGE_MS = 1000
const LIBRARY_TIMEOUT_MS = 10_000
const MIB = 1024 * 1024

const Count = z.number().int().positive()
const Cpu = z.object({ manufacturer: z.string(), brand: z.string(), cores: Count, physicalCores: Count })
const Memory = z.object({ total: Count, available: z.number().nonnegative() })
const Graphics = z.object({
  controllers: z.array(
    z.object({
      vendor: z.string(),
      model: z.string().min(1),
      busAddress: z.string().nullish(),
      deviceId: z.string().nullish(),
      vram: z.number().positive().nullable().catch(null),
      driverVersion: z.string().nullish(),
    }),
  ),
})
const Battery = z.object({
  hasBattery: z.boolean(),
  percent: z.number().min(0).max(100),
  isCharging: z.boolean(),
  acConnected: z.boolean(),
})
const Temperature = z.object({ main: z.number().positive().nullable() })

/** Nothing here throws: what cannot be found out is null, or missing from its list. */
export function createHardwareMonitor(ports: HardwarePorts): HardwareMonitor {
  return {
    hardware: kept(ports, HARDWARE_MAX_AGE_MS, () => lookAtHardware(ports)),
    sensors: kept(ports, SENSORS_MAX_AGE_MS, () => readSensors(ports)),
  }
}

/** One answer for all who ask within `maxAgeMs`; the age counts from when it was there. */
function kept<T>({ clock }: HardwarePorts, maxAgeMs: number, look: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null
  let doneAtMs: number | null = null
  return () => {
    const isOld = doneAtMs !== null && Math.abs(clock.nowMs() - doneAtMs) > maxAgeMs
    if (answer === null || isOld) {
      doneAtMs = null
      answer = look().finally(() => {
        doneAtMs = clock.nowMs()
      })
    }
    return answer
  }
}

async function lookAtHardware(ports: HardwarePorts): Promise<Hardware> {
  const [cpu, gpus] = await Promise.all([ask(() => ports.library.cpu(), Cpu), allGpus(ports)])
  const { platform, architecture } = ports
  return {
    platform,
    architecture,
    cpu: {
      model: ports.node.cpuModel || [cpu?.manufacturer, cpu?.brand].filter(Boolean).join(' ') || 'unknown',
      cores: ports.node.cores,
      physicalCores: cpu?.physicalCores ?? null,
    },
    memoryTotalBytes: ports.node.memoryTotalBytes,
    gpus,
    backends: candidateBackends({ platform, architecture, gpus }),
  }
}

async function allGpus(ports: HardwarePorts): Promise<Gpu[]> {
  if (ports.platform === 'darwin') return appleGpus(ports, ports.node.memoryTotalBytes)
  const nvidia = (await nvidiaGpus(ports)).map(({ gpu }) => gpu)
  const others =
    ports.platform === 'linux'
      ? await linuxGpus(ports, nvidia.length > 0)
      : (await libraryGpus(ports)).filter((gpu) => nvidia.length === 0 || gpu.vendor !== 'nvidia')
  return [...nvidia, ...others]
}

/** Where the system has no better source of its own: Windows. */
async function libraryGpus(ports: HardwarePorts): Promise<Gpu[]> {
  const found = await ask(() => ports.library.graphics(), Graphics)
  return (found?.controllers ?? []).flatMap((controller, index) => {
    const vendor = vendorOf(`${controller.vendor} ${controller.model}`)
    if (vendor === 'other') return []
    return {
      id: `pci:${controller.busAddress || controller.deviceId || index}`.toLowerCase(),
      vendor,
      name: controller.model,
      vramTotalBytes: controller.vram === null ? null : controller.vram * MIB,
      isUnified: vendor === 'intel' && !/\barc\b/i.test(controller.model),
      // Without NVIDIA's own tool its driver does not answer.
      driverVersion: vendor === 'nvidia' ? null : controller.driverVersion || null,
    }
  })
}

async function readSensors(ports: HardwarePorts): Promise<Sensors> {
  const isLinux = ports.platform === 'linux'
  const none: GpuSensors[] = []
  const [memory, battery, temperature, nvidia, amd, energyJ] = await Promise.all([
    ask(() => ports.library.mem(), Memory),
    ask(() => ports.library.battery(), Battery),
    ask(() => ports.library.cpuTemperature(), Temperature),
    ports.platform === 'darwin' ? [] : nvidiaGpus(ports),
    isLinux ? linuxGpuSensors(ports) : none,
    isLinux ? cpuEnergyJ(ports) : null,
  ])
  return {
    atMs: ports.clock.nowMs(),
    memoryAvailableBytes: memory?.available ?? null,
    gpus: [...nvidia.map(({ sensors }) => sensors), ...amd],
    cpuTemperatureC: temperature?.main ?? null,
    cpuEnergyJ: energyJ,
    battery: battery?.hasBattery ? { percent: battery.percent, isCharging: battery.isCharging } : null,
    onMains: battery?.hasBattery ? battery.acConnected : true,
  }
}

/** Null when the library throws, takes too long, or answers something else than it should. */
async function ask<T>(question: () => Promise<unknown>, shape: z.ZodType<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), LIBRARY_TIMEOUT_MS)
  })
  try {
    return shape.safeParse(await Promise.race([question(), tooLate])).data ?? null
  } catch {
    return null
  } finally {
    clearTimeout(timer)
  }
}
