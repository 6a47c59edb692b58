import type { HardwareMonitor } from './monitor.ts'
import type { HardwarePorts } from './ports.ts'
import type { Sensors } from './types.ts'

/** What a sensor says, or why it cannot. */
export type Reading<T> =
  | { known: true; value: T; source: string; atMs: number }
  | { known: false; problem: string; source: string; atMs: number }

export type ThermalState = 'nominal' | 'fair' | 'serious' | 'critical'

/** What is known of the machine and of whoever uses it. */
export interface EnvironmentSnapshot {
  /** Seconds without keyboard, mouse or the like. */
  idleSeconds: Reading<number>
  locked: Reading<boolean>
  /** `percent` is null where there is no battery, or it does not say. */
  power: Reading<{ onBattery: boolean; percent: number | null }>
  thermal: Reading<ThermalState>
  /** The first of the asked-for programs that runs; null: none. */
  exclusiveApp: Reading<string | null>
  fullScreen: Reading<boolean>
  metered: Reading<boolean>
  /** 0 to 1 of all cores. */
  cpuByOthers: Reading<number>
  memoryAvailableBytes: Reading<number>
  /** Hottest of the GPUs. */
  gpuTemperatureC: Reading<{ gpuId: string; celsius: number }>
  cpuTemperatureC: Reading<number>
}

/** Looks at the machine when told to; a question costs nothing in between. */
export interface Environment {
  snapshot(): EnvironmentSnapshot
  /** Never rejects; ends within seconds. */
  look(): Promise<void>
}

export function createEnvironment(ports: HardwarePorts, monitor: HardwareMonitor): Environment {
  const unknown = <T>(problem: string): Reading<T> => ({
    known: false,
    problem,
    source: 'none',
    atMs: ports.clock.nowMs(),
  })
  let latest = everything(unknown)
  return {
    snapshot: () => latest,
    look: async () => {
      const sensors = await monitor.sensors()
      latest = { ...everything(unknown), ...fromMonitor(sensors) }
    },
  }
}

function everything(unknown: <T>(problem: string) => Reading<T>): EnvironmentSnapshot {
  return {
    idleSeconds: unknown('no-sensor'),
    locked: unknown('no-sensor'),
    power: unknown('not-looked-yet'),
    thermal: unknown('no-sensor'),
    exclusiveApp: unknown('no-sensor'),
    fullScreen: unknown('no-sensor'),
    metered: unknown('no-sensor'),
    cpuByOthers: unknown('no-sensor'),
    memoryAvailableBytes: unknown('not-looked-yet'),
    gpuTemperatureC: unknown('no-sensor'),
    cpuTemperatureC: unknown('no-sensor'),
  }
}

function fromMonitor({ atMs, battery, onMains, memoryAvailableBytes, cpuTemperatureC, gpus }: Sensors) {
  const reading = <T>(value: T | null): Reading<T> =>
    value === null
      ? { known: false, problem: 'no-sensor', source: 'hardware', atMs }
      : { known: true, value, source: 'hardware', atMs }
  const hottest = gpus
    .flatMap(({ id, temperatureC }) => (temperatureC === null ? [] : [{ gpuId: id, celsius: temperatureC }]))
    .sort((left, right) => right.celsius - left.celsius)[0]
  return {
    power: reading({ onBattery: !onMains, percent: battery?.percent ?? null }),
    memoryAvailableBytes: reading(memoryAvailableBytes),
    cpuTemperatureC: reading(cpuTemperatureC),
    gpuTemperatureC: reading(hottest ?? null),
  }
}
