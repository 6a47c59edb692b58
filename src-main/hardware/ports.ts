import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { type Clock, systemClock } from '../kernel/index.ts'

/** What the library `systeminformation` answers, as far as it is used here. */
export interface SystemLibrary {
  cpu(): Promise<{ manufacturer: string; brand: string; cores: number; physicalCores: number }>
  mem(): Promise<{ total: number; available: number }>
  graphics(): Promise<{
    controllers: {
      vendor: string
      model: string
      busAddress?: string
      deviceId?: string
      /** MiB. */
      vram: number | null
      driverVersion?: string
    }[]
  }>
  battery(): Promise<{ hasBattery: boolean; percent: number; isCharging: boolean; acConnected: boolean }>
  cpuTemperature(): Promise<{ main: number | null }>
}

/** How the room looks at the machine: everything that tests replace by recordings. */
export interface HardwarePorts {
  platform: string
  architecture: string
  clock: Clock
  /** What Node itself knows. */
  node: { cpuModel: string; cores: number; memoryTotalBytes: number }
  /** Standard output; null when the program is missing, fails, or takes longer than `timeoutMs`. */
  run(program: string, args: readonly string[], timeoutMs: number): Promise<string | null>
  /** Null when there is no such file or it cannot be read. */
  readText(path: string): Promise<string | null>
  /** Names in a folder; none when it cannot be read. */
  list(path: string): Promise<string[]>
  library: SystemLibrary
}

const MAX_OUTPUT_BYTES = 4 * 1024 * 1024

/** The machine that this process runs on. `library`: the module `systeminformation`. */
export function systemPorts(library: SystemLibrary): HardwarePorts {
  return {
    platform: process.platform,
    architecture: process.arch,
    clock: systemClock,
    node: {
      cpuModel: cpus()[0]?.model.trim() ?? '',
      cores: availableParallelism(),
      memoryTotalBytes: totalmem(),
    },
    run: (program, args, timeoutMs) =>
      new Promise((resolve) => {
        const options = {
          timeout: timeoutMs,
          maxBuffer: MAX_OUTPUT_BYTES,
          windowsHide: true,
          killSignal: 'SIGKILL',
        } as const
        execFile(program, [...args], options, (error, output) => resolve(error ? null : output))
      }),
    readText: (path) => readFile(path, 'utf8').catch(() => null),
    list: (path) => readdir(path).catch(() => []),
    library,
  }
}
