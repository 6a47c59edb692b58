import type { HardwarePorts } from './ports.ts'
import type { Gpu, GpuSensors } from './types.ts'

const MIB = 1024 * 1024
const TIMEOUT_MS = 5000
const FIELDS = [
  'uuid',
  'name',
  'driver_version',
  'memory.total',
  'memory.used',
  'utilization.gpu',
  'temperature.gpu',
  'power.draw',
] as const

export interface NvidiaGpu {
  gpu: Gpu
  sensors: GpuSensors
}

/** NVIDIA's GPUs as their driver's own tool reports them; none without the driver. */
export async function nvidiaGpus(ports: HardwarePorts): Promise<NvidiaGpu[]> {
  const args = [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits']
  return parseNvidiaSmi((await ports.run('nvidia-smi', args, TIMEOUT_MS)) ?? '')
}

/**
 * One line per GPU, fields as in `FIELDS`, memory in MiB, power in watts. What a card has no sensor for reads
 * `[N/A]`, `[Not Supported]` or alike; a line that is not of this form is left out.
 */
export function parseNvidiaSmi(output: string): NvidiaGpu[] {
  return output.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim())
    const [id, name, driverVersion, total, used, load, temperature, power] = fields
    if (fields.length !== FIELDS.length || !id?.startsWith('GPU-') || !name) return []
    const percent = number(load)
    const bytes = (mebibytes: number | null): number | null => (mebibytes === null ? null : mebibytes * MIB)
    return {
      gpu: {
        id,
        vendor: 'nvidia' as const,
        name,
        vramTotalBytes: bytes(number(total)),
        // Without memory of its own it shares the main memory, as Jetson and GB10 do.
        isUnified: number(total) === null,
        driverVersion: driverVersion || null,
      },
      sensors: {
        id,
        vramUsedBytes: bytes(number(used)),
        load: percent === null ? null : percent / 100,
        temperatureC: number(temperature),
        powerW: number(power),
      },
    }
  })
}

function number(field: string | undefined): number | null {
  return field !== undefined && /^\d{1,9}(\.\d{1,4})?$/.test(field) ? Number(field) : null
}
