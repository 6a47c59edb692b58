/** What a sensor says, or why it cannot. */
export type Reading<T> =
  | { known: true; value: T; source: string; atMs: number }
  | { known: false; problem: string; source: string; atMs: number }

export type ThermalState = 'nominal' | 'fair' | 'serious' | 'critical'

/** `percent` is null where there is no battery, or it does not say. */
export interface PowerState {
  onBattery: boolean
  percent: number | null
}

/** What is known of the machine and of whoever uses it. */
export interface EnvironmentSnapshot {
  /** Seconds without keyboard, mouse or the like. */
  idleSeconds: Reading<number>
  locked: Reading<boolean>
  power: Reading<PowerState>
  thermal: Reading<ThermalState>
  /** The first of the asked-for programs that runs; null: none. */
  exclusiveApp: Reading<string | null>
  fullScreen: Reading<boolean>
  metered: Reading<boolean>
  /** 0 to 1 of all cores, without this program and the processes that it started. */
  cpuByOthers: Reading<number>
  memoryAvailableBytes: Reading<number>
  /** Of every GPU that tells it. */
  gpuTemperaturesC: Reading<readonly { gpuId: string; celsius: number }[]>
  cpuTemperatureC: Reading<number>
}

/** What somebody asks about; the rest is not looked at. */
export interface EnvironmentWants {
  idle: boolean
  power: boolean
  thermal: boolean
  /** Names of programs, without `.exe`, in small letters. */
  apps: readonly string[]
  fullScreen: boolean
  metered: boolean
  cpu: boolean
  /** Memory and temperatures. */
  figures: boolean
}

/** What one look at a sensor found. Null: it gave nothing that can be understood. */
export interface Found<T> {
  value: T | null
  source: string
}

/** How one operating system is asked. What is left out it cannot tell. */
export interface Probes {
  /** `null` for what this look did not find. */
  idle?(): Promise<{ idleSeconds: number | null; locked: boolean | null; source: string }>
  power?(): Promise<Found<PowerState>>
  thermal?(): Promise<Found<ThermalState>>
  /** Names of all programs that run, as the system has them. */
  programs?(): Promise<Found<readonly string[]>>
  fullScreen?(): Promise<Found<boolean>>
  metered?(): Promise<Found<boolean>>
  /** Null at the first look: a share needs two. */
  cpuByOthers?(): Promise<Found<number>>
}
