import { z } from 'zod'
import type { HardwarePorts } from './ports.ts'
import type { Gpu } from './types.ts'

const TIMEOUT_MS = 10_000
/** `iogpu.wired_limit_mb` is 0 by default; Metal then gives a GPU about this much of the memory. */
const DEFAULT_GPU_SHARE = 0.75

const Displays = z.object({
  SPDisplaysDataType: z.array(
    z.object({
      sppci_model: z.string().min(1),
      spdisplays_vendor: z.string().default(''),
      spdisplays_vram: z.string().optional(),
      spdisplays_vram_shared: z.string().optional(),
    }),
  ),
})

/** The GPUs that `system_profiler` lists. Load and power need administrator rights there: they stay unknown. */
export async function appleGpus(ports: HardwarePorts, memoryTotalBytes: number): Promise<Gpu[]> {
  const args = ['SPDisplaysDataType', '-json']
  return parseSystemProfiler(
    (await ports.run('/usr/sbin/system_profiler', args, TIMEOUT_MS)) ?? '',
    memoryTotalBytes,
  )
}

export function parseSystemProfiler(output: string, memoryTotalBytes: number): Gpu[] {
  const parsed = Displays.safeParse(json(output))
  if (!parsed.success) return []
  return parsed.data.SPDisplaysDataType.map((gpu) => {
    const isApple = gpu.spdisplays_vendor.endsWith('Apple')
    const own = vramBytes(gpu.spdisplays_vram)
    return {
      id: `${isApple ? 'apple' : 'mac'}:${gpu.sppci_model.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`,
      vendor: isApple ? ('apple' as const) : vendorOf(`${gpu.spdisplays_vendor} ${gpu.sppci_model}`),
      name: gpu.sppci_model,
      vramTotalBytes: isApple
        ? Math.floor(memoryTotalBytes * DEFAULT_GPU_SHARE)
        : (own ?? vramBytes(gpu.spdisplays_vram_shared)),
      isUnified: isApple || own === null,
      driverVersion: null,
    }
  })
}

/** "8 GB" or "1536 MB", as macOS writes the memory of an Intel Mac's card. */
function vramBytes(text: string | undefined): number | null {
  const match = /^(\d{1,6}) (MB|GB)$/.exec(text ?? '')
  return match ? Number(match[1]) * 1024 ** (match[2] === 'GB' ? 3 : 2) : null
}

export function vendorOf(text: string): Gpu['vendor'] {
  if (/nvidia/i.test(text)) return 'nvidia'
  if (/\bamd\b|\bati\b|radeon|advanced micro devices/i.test(text)) return 'amd'
  if (/intel/i.test(text)) return 'intel'
  if (/apple/i.test(text)) return 'apple'
  return 'other'
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
