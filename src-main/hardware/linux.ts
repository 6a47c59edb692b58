import { vendorOf } from './apple.ts'
import type { HardwarePorts } from './ports.ts'
import type { Gpu, GpuSensors, GpuVendor } from './types.ts'

const DRM = '/sys/class/drm'
const POWERCAP = '/sys/class/powercap'
const TIMEOUT_MS = 5000
/** Where Intel has always put the graphics that share the main memory. */
const INTEL_INTEGRATED = 'pci:0000:00:02.0'
const VENDORS: ReadonlyMap<string, GpuVendor> = new Map([
  ['0x1002', 'amd'],
  ['0x10de', 'nvidia'],
  ['0x8086', 'intel'],
])

interface Card {
  /** Folder of its device in sysfs. */
  path: string
  id: string
  vendor: GpuVendor
  driver: string | null
}

/** Cards that a kernel driver has taken; the id is the PCI address. */
async function cards(ports: HardwarePorts): Promise<Card[]> {
  const names = (await ports.list(DRM)).filter((name) => /^card\d+$/.test(name)).sort()
  const found = await Promise.all(
    names.map(async (name) => {
      const path = `${DRM}/${name}/device`
      const event = (await ports.readText(`${path}/uevent`)) ?? ''
      const address = /^PCI_SLOT_NAME=([0-9a-f:.]{5,32})$/im.exec(event)?.[1]
      const vendor = VENDORS.get(((await ports.readText(`${path}/vendor`)) ?? '').trim())
      if (!address || !vendor) return []
      const driver = /^DRIVER=([\w-]{1,32})$/m.exec(event)?.[1] ?? null
      return [{ path, id: `pci:${address.toLowerCase()}`, vendor, driver }]
    }),
  )
  return found.flat()
}

/**
 * GPUs on the PCI bus, whether or not a driver has taken them: a card without one is what an owner most needs
 * to hear of. NVIDIA's own tool knows more of its cards; `hasNvidiaTool` leaves them to it.
 */
export async function linuxGpus(ports: HardwarePorts, hasNvidiaTool: boolean): Promise<Gpu[]> {
  const taken = await cards(ports)
  const listed = parseLspci((await ports.run('lspci', ['-D', '-mm', '-nn'], TIMEOUT_MS)) ?? '')
  const ids = new Set([...listed.map((gpu) => gpu.id), ...taken.map((card) => card.id)])
  const gpus = await Promise.all(
    [...ids].map(async (id): Promise<Gpu> => {
      const card = taken.find((candidate) => candidate.id === id)
      const fromBus = listed.find((candidate) => candidate.id === id)
      const vendor = card?.vendor ?? fromBus?.vendor ?? 'other'
      const vramTotalBytes = card ? await count(ports, `${card.path}/mem_info_vram_total`) : null
      return {
        id,
        vendor,
        name: fromBus?.name ?? `${vendor.toUpperCase()} GPU`,
        vramTotalBytes,
        isUnified: vendor === 'intel' && id === INTEL_INTEGRATED,
        // NVIDIA's own driver comes with its tool, which has not answered; the free one does not compute.
        driverVersion: vendor === 'nvidia' ? null : (card?.driver ?? null),
      }
    }),
  )
  return gpus.filter((gpu) => gpu.vendor !== 'other' && !(hasNvidiaTool && gpu.vendor === 'nvidia'))
}

/** Display controllers in the output of `lspci -D -mm -nn`: one line per device, fields in quotes. */
export function parseLspci(output: string): { id: string; vendor: GpuVendor; name: string }[] {
  return output.split('\n').flatMap((line) => {
    const match = /^(\S{7,20}) "[^"]*\[03\d\d\]" "([^"]*)" "([^"]*)"/.exec(line)
    const [, address, maker, device] = match ?? []
    if (!address || maker === undefined || device === undefined) return []
    const plain = (text: string): string => text.replace(/ \[[0-9a-f]{4}\]$/i, '')
    return { id: `pci:${address.toLowerCase()}`, vendor: vendorOf(maker), name: plain(device) }
  })
}

/** Live values from the amdgpu driver's files. Source: docs.kernel.org, “amdgpu: GPU Power/Thermal Controls”. */
export async function linuxGpuSensors(ports: HardwarePorts): Promise<GpuSensors[]> {
  const amd = (await cards(ports)).filter((card) => card.vendor === 'amd')
  return Promise.all(
    amd.map(async ({ id, path }) => {
      const monitor = (await ports.list(`${path}/hwmon`)).find((name) => /^hwmon\d+$/.test(name))
      const sensor = (file: string): Promise<number | null> =>
        monitor ? count(ports, `${path}/hwmon/${monitor}/${file}`) : Promise.resolve(null)
      const busyPercent = await count(ports, `${path}/gpu_busy_percent`)
      const milliC = await sensor('temp1_input')
      const microW = (await sensor('power1_average')) ?? (await sensor('power1_input'))
      return {
        id,
        vramUsedBytes: await count(ports, `${path}/mem_info_vram_used`),
        load: busyPercent === null ? null : Math.min(1, busyPercent / 100),
        temperatureC: milliC === null ? null : milliC / 1000,
        powerW: microW === null ? null : microW / 1e6,
      }
    }),
  )
}

/**
 * Energy that the CPU packages have used since their counters last wrapped, in joules; null where RAPL is
 * missing or kept for administrators, as most systems do. Source: docs.kernel.org, “Power Capping Framework”.
 */
export async function cpuEnergyJ(ports: HardwarePorts): Promise<number | null> {
  const packages = (await ports.list(POWERCAP)).filter((name) => /^intel-rapl:\d+$/.test(name))
  const counters = await Promise.all(packages.map((name) => count(ports, `${POWERCAP}/${name}/energy_uj`)))
  if (counters.length === 0 || counters.includes(null)) return null
  return counters.reduce<number>((sum, microJ) => sum + (microJ ?? 0), 0) / 1e6
}

async function count(ports: HardwarePorts, path: string): Promise<number | null> {
  const text = ((await ports.readText(path)) ?? '').trim()
  return /^\d{1,18}$/.test(text) ? Number(text) : null
}
