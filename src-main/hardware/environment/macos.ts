import type { HardwarePorts } from '../ports.ts'
import { familyTimes } from './linux.ts'
import type { Found, PowerState, Probes, ThermalState } from './types.ts'

const TIMEOUT_MS = 2_000

/** Nothing tells a program without special rights whether another fills the screen, or whether a network is metered. */
export function macProbes(ports: HardwarePorts, ownPid: number): Probes {
  const run = async (program: string, args: readonly string[]) =>
    (await ports.run(program, args, TIMEOUT_MS)) ?? ''
  const found = <T>(value: T | null, source: string): Found<T> => ({ value, source })
  return {
    idle: async () => {
      const [input, console] = await Promise.all([
        run('/usr/sbin/ioreg', ['-r', '-c', 'IOHIDSystem', '-d', '1']),
        run('/usr/sbin/ioreg', ['-n', 'Root', '-d', '1']),
      ])
      return { idleSeconds: parseHidIdle(input), locked: parseConsoleLocked(console), source: 'ioreg' }
    },
    power: async () => found(parsePmsetBatt(await run('/usr/bin/pmset', ['-g', 'batt'])), 'pmset'),
    thermal: async () => found(parsePmsetTherm(await run('/usr/bin/pmset', ['-g', 'therm'])), 'pmset'),
    programs: async () => found(parseComm(await run('/bin/ps', ['-A', '-o', 'comm='])), 'ps'),
    cpuByOthers: async () => {
      const output = await run('/bin/ps', ['-A', '-o', 'pid=,ppid=,pcpu='])
      return found(parsePsCpu(output, ownPid, ports.node.cores), 'ps')
    },
  }
}

/** `"HIDIdleTime" = 83500000000`, nanoseconds. */
export function parseHidIdle(output: string): number | null {
  const nanoseconds = /"HIDIdleTime" = (\d{1,20})/.exec(output)?.[1]
  return nanoseconds === undefined ? null : Number(nanoseconds) / 1e9
}

/** `"IOConsoleLocked" = Yes`, or the older mark of a session whose screen is locked. */
export function parseConsoleLocked(output: string): boolean | null {
  if (/"CGSSessionScreenIsLocked"\s*=\s*(Yes|1)/.test(output)) return true
  const locked = /"IOConsoleLocked" = (Yes|No)/.exec(output)?.[1]
  if (locked !== undefined) return locked === 'Yes'
  return output.includes('"IOConsoleUsers"') ? false : null
}

/** `Now drawing from 'Battery Power'`, then one line per battery. */
export function parsePmsetBatt(output: string): PowerState | null {
  const source = /Now drawing from '([^']+)'/.exec(output)?.[1]
  if (source === undefined) return null
  const percent = /InternalBattery\S*[^\n]*?(\d{1,3})%/.exec(output)?.[1]
  // `UPS Power` is a battery, too.
  return { onBattery: source !== 'AC Power', percent: percent === undefined ? null : Number(percent) }
}

/** The processor's speed is held down when it is hot; without a record of it all is well. Source: pmset(1). */
export function parsePmsetTherm(output: string): ThermalState | null {
  const limit = /CPU_Speed_Limit\s*=\s*(\d{1,3})/.exec(output)?.[1]
  if (limit !== undefined) {
    const percent = Number(limit)
    if (percent >= 100) return 'nominal'
    if (percent >= 90) return 'fair'
    return percent >= 50 ? 'serious' : 'critical'
  }
  return output.includes('No thermal warning level has been recorded') ? 'nominal' : null
}

/** Paths of `ps -o comm=`; the name is what follows the last slash. */
export function parseComm(output: string): string[] | null {
  const names = output.split('\n').flatMap((line) => line.trim().split('/').at(-1) || [])
  return names.length > 0 ? names : null
}

/** `pid ppid %cpu` of every process, where 100 % is one core. */
export function parsePsCpu(output: string, ownPid: number, cores: number): number | null {
  const processes = output.split('\n').flatMap((line) => {
    const [, pid, parent, percent] = /^\s*(\d+)\s+(\d+)\s+(\d+[.,]\d+)\s*$/.exec(line) ?? []
    if (percent === undefined) return []
    return { pid: Number(pid), parent: Number(parent), time: Number(percent.replace(',', '.')) }
  })
  if (processes.length === 0) return null
  const own = familyTimes(processes, ownPid)
  const others = processes.reduce((sum, { pid, time }) => sum + (own.has(pid) ? 0 : time), 0)
  return Math.min(1, others / 100 / Math.max(1, cores))
}
