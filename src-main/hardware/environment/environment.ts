import type { HardwareMonitor } from '../monitor.ts'
import type { HardwarePorts } from '../ports.ts'
import type { Sensors } from '../types.ts'
import { COMM_MAX, linuxProbes } from './linux.ts'
import { macProbes } from './macos.ts'
import type { EnvironmentSnapshot, EnvironmentWants, Found, Probes, Reading } from './types.ts'
import { windowsProbes } from './windows.ts'

/** Looks at the machine when told to; a question costs nothing in between. */
interface Environment {
  snapshot(): EnvironmentSnapshot
  /** Looks at what is wanted and due. Never rejects; ends within seconds. */
  look(wants: EnvironmentWants): Promise<void>
}

/** How often a sensor is looked at, at most. */
const PERIODS_MS = {
  idle: 4_000,
  power: 4_000,
  thermal: 4_000,
  programs: 1_900,
  fullScreen: 1_900,
  metered: 30_000,
  cpu: 9_000,
  figures: 4_000,
}
/** Where every look starts a PowerShell. */
const WINDOWS_PERIODS_MS = {
  ...PERIODS_MS,
  idle: 15_000,
  power: 15_000,
  fullScreen: 15_000,
  cpu: 15_000,
}
/** What found nothing twice is not asked again at once: most likely the program is not there. */
const RETRY_MS = 40_000
const TRIES = 2

type Sensor = keyof typeof PERIODS_MS

export function createEnvironment(
  ports: HardwarePorts,
  monitor: HardwareMonitor,
  probes: Probes = probesOf(ports, process.pid),
): Environment {
  const { clock } = ports
  const periods = ports.platform === 'win32' ? WINDOWS_PERIODS_MS : PERIODS_MS
  const dueAtMs: Partial<Record<Sensor, number>> = {}
  const failures: Partial<Record<Sensor, number>> = {}
  let latest = nothingKnown(clock.nowMs())

  const reading = <T>({ value, source }: Found<T>): Reading<T> => {
    const atMs = clock.nowMs()
    return value === null
      ? { known: false, problem: 'not-told', source, atMs }
      : { known: true, value, source, atMs }
  }
  const noSensor = <T>(): Reading<T> => ({
    known: false,
    problem: 'no-sensor',
    source: ports.platform,
    atMs: clock.nowMs(),
  })
  /** One look that fails takes nothing back: what was known ages until it counts no more. */
  const kept = (found: Partial<EnvironmentSnapshot>): Partial<EnvironmentSnapshot> =>
    Object.fromEntries(
      Object.entries(found).map(([name, now]) => {
        const before = latest[name as keyof EnvironmentSnapshot]
        const isFresh = Math.abs(clock.nowMs() - before.atMs) <= RETRY_MS
        return [name, !now.known && before.known && isFresh ? before : now]
      }),
    )
  /** Runs one look if it is due. It failed where any reading of it is not known. */
  const whenDue = async (
    sensor: Sensor,
    look: () => Promise<Partial<EnvironmentSnapshot>>,
  ): Promise<void> => {
    const startedMs = clock.nowMs()
    const due = dueAtMs[sensor] ?? 0
    // A clock that was set back must not silence a sensor.
    if (startedMs < due && due - startedMs <= RETRY_MS) return
    dueAtMs[sensor] = startedMs + RETRY_MS
    const found = kept(await look().catch(() => ({})))
    latest = { ...latest, ...found }
    const isKnown = Object.values(found).some(({ known }) => known)
    failures[sensor] = isKnown ? 0 : (failures[sensor] ?? 0) + 1
    dueAtMs[sensor] = startedMs + ((failures[sensor] ?? 0) < TRIES ? periods[sensor] : RETRY_MS)
  }
  const one = async <T>(probe: (() => Promise<Found<T>>) | undefined): Promise<Reading<T>> =>
    probe ? reading(await probe()) : noSensor<T>()

  const looks: Record<Sensor, (wants: EnvironmentWants) => Promise<Partial<EnvironmentSnapshot>>> = {
    idle: async () => {
      const found = await probes.idle?.()
      if (!found) return { idleSeconds: noSensor(), locked: noSensor() }
      const { idleSeconds, locked, source } = found
      return {
        idleSeconds: reading({ value: idleSeconds, source }),
        locked: reading({ value: locked, source }),
      }
    },
    power: async () => ({ power: await one(probes.power) }),
    thermal: async () => ({ thermal: await one(probes.thermal) }),
    programs: async ({ apps }) => {
      const programs = await one(probes.programs)
      if (!programs.known) return { exclusiveApp: programs }
      return { exclusiveApp: { ...programs, value: firstRunning(apps, programs.value) } }
    },
    fullScreen: async () => ({ fullScreen: await one(probes.fullScreen) }),
    metered: async () => ({ metered: await one(probes.metered) }),
    cpu: async () => ({ cpuByOthers: await one(probes.cpuByOthers) }),
    figures: async () => figuresOf(await monitor.sensors()),
  }
  return {
    snapshot: () => latest,
    look: async (wants) => {
      const asked: Record<Sensor, boolean> = {
        idle: wants.idle,
        power: wants.power,
        thermal: wants.thermal,
        programs: wants.apps.length > 0,
        fullScreen: wants.fullScreen,
        metered: wants.metered,
        cpu: wants.cpu,
        figures: wants.figures,
      }
      const sensors = Object.keys(asked) as Sensor[]
      await Promise.all(
        sensors.map((sensor) => (asked[sensor] ? whenDue(sensor, () => looks[sensor](wants)) : undefined)),
      )
    },
  }
}

function probesOf(ports: HardwarePorts, ownPid: number): Probes {
  switch (ports.platform) {
    case 'linux':
      return linuxProbes(ports, ownPid)
    case 'darwin':
      return macProbes(ports, ownPid)
    case 'win32':
      return windowsProbes(ports, ownPid)
    default:
      return {}
  }
}

function nothingKnown(atMs: number): EnvironmentSnapshot {
  const unknown = { known: false, problem: 'not-asked', source: 'none', atMs } as const
  return {
    idleSeconds: unknown,
    locked: unknown,
    power: unknown,
    thermal: unknown,
    exclusiveApp: unknown,
    fullScreen: unknown,
    metered: unknown,
    cpuByOthers: unknown,
    memoryAvailableBytes: unknown,
    gpuTemperaturesC: unknown,
    cpuTemperatureC: unknown,
  }
}

/** Name of a program as it is compared: small letters, without `.exe`. */
export const programName = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replace(/\.exe$/, '')

/** The kernel of Linux cuts names off: what is cut matches what begins the same. */
export function firstRunning(apps: readonly string[], running: readonly string[]): string | null {
  const names = new Set(running.map(programName))
  const cut = new Set(running.filter((name) => name.length === COMM_MAX).map((name) => name.toLowerCase()))
  const isRunning = (app: string) => {
    const name = programName(app)
    return names.has(name) || (app.length > COMM_MAX && cut.has(app.toLowerCase().slice(0, COMM_MAX)))
  }
  return apps.find(isRunning) ?? null
}

function figuresOf({
  atMs,
  memoryAvailableBytes,
  cpuTemperatureC,
  gpus,
}: Sensors): Partial<EnvironmentSnapshot> {
  const reading = <T>(value: T | null): Reading<T> =>
    value === null
      ? { known: false, problem: 'no-sensor', source: 'hardware', atMs }
      : { known: true, value, source: 'hardware', atMs }
  const temperatures = gpus.flatMap(({ id, temperatureC }) =>
    temperatureC === null ? [] : [{ gpuId: id, celsius: temperatureC }],
  )
  return {
    memoryAvailableBytes: reading(memoryAvailableBytes),
    cpuTemperatureC: reading(cpuTemperatureC),
    gpuTemperaturesC: reading(temperatures.length > 0 ? temperatures : null),
  }
}
