/** What the engine can compute with. */
export type Backend = 'metal' | 'cuda' | 'vulkan' | 'cpu'

export type GpuVendor = 'nvidia' | 'amd' | 'intel' | 'apple' | 'other'

/** A graphics processor as the system reports it. Null: the system does not say. */
export interface Gpu {
  /** Stays the same over restarts: an NVIDIA uuid, a PCI address, or `apple:` with the chip's name. */
  id: string
  vendor: GpuVendor
  name: string
  vramTotalBytes: number | null
  /** Its memory is a share of the main memory. */
  isUnified: boolean
  /** Null where no driver that computes is loaded, or none is needed (Apple). */
  driverVersion: string | null
}

/** What does not change while the host runs. */
export interface Hardware {
  platform: string
  architecture: string
  cpu: { model: string; cores: number; physicalCores: number | null }
  memoryTotalBytes: number
  gpus: Gpu[]
  /** Best first; `cpu` is always the last. */
  backends: Backend[]
}

/** Live values of one GPU; null where it has no such sensor. */
export interface GpuSensors {
  /** As `Gpu.id`. */
  id: string
  vramUsedBytes: number | null
  /** 0 to 1. */
  load: number | null
  temperatureC: number | null
  powerW: number | null
}

/** What changes from moment to moment; null where there is no sensor. */
export interface Sensors {
  atMs: number
  /** Null: unknown. */
  memoryAvailableBytes: number | null
  gpus: GpuSensors[]
  cpuTemperatureC: number | null
  /** Energy counter of the CPU packages: only differences mean something. */
  cpuEnergyJ: number | null
  /** Null on a machine without a battery. */
  battery: { percent: number; isCharging: boolean } | null
  onMains: boolean
}
