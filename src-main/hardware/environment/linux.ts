import type { HardwarePorts } from '../ports.ts'
import type { Found, PowerState, Probes, ThermalState } from './types.ts'

const SUPPLIES = '/sys/class/power_supply'
const ZONES = '/sys/class/thermal'
const TIMEOUT_MS = 2_000
/** The kernel cuts the name of a program here. */
export const COMM_MAX = 15
/** Trip points below this are placeholders of the firmware. */
const TRIP_LEAST_C = 40

/** @param ownPid root of the processes that are our own */
export function linuxProbes(ports: HardwarePorts, ownPid: number): Probes {
  return {
    idle: () => idle(ports),
    power: async () => ({ value: powerState(await supplies(ports)), source: SUPPLIES }),
    thermal: async () => ({ value: thermalState(await zones(ports)), source: ZONES }),
    programs: () => programs(ports),
    fullScreen: () => fullScreen(ports),
    metered: () => metered(ports),
    cpuByOthers: shareOfOthers(() => linuxCpuTimes(ports, ownPid), '/proc'),
  }
}

/** `xprintidle` knows X11 to the millisecond; logind knows every desktop, but later. */
async function idle(ports: HardwarePorts) {
  const [exact, sessions] = await Promise.all([
    ports.run('xprintidle', [], TIMEOUT_MS),
    ports.run('loginctl', ['list-sessions', '--no-legend', '--no-pager'], TIMEOUT_MS),
  ])
  const ids = sessionIds(sessions ?? '')
  const fields = ['Id', 'Class', 'Seat', 'State', 'IdleHint', 'IdleSinceHint', 'LockedHint']
  const args = ['show-session', ...ids, ...fields.flatMap((field) => ['-p', field])]
  const shown = ids.length > 0 ? await ports.run('loginctl', args, TIMEOUT_MS) : null
  const nobody = sessions !== null && ids.length === 0
  const seated = shown === null ? null : seatedSessions(shown)
  const locked =
    seated === null ? (nobody ? false : null) : seated.length > 0 && seated.every((one) => one.locked)
  const idleMs = parseXprintidle(exact ?? '')
  if (idleMs !== null) return { idleSeconds: idleMs / 1000, locked, source: 'xprintidle' }
  if (nobody || seated?.length === 0) {
    // Nobody is logged in at this computer, and has not been for longer than can be told.
    const uptime = /^(\d+)/.exec((await ports.readText('/proc/uptime')) ?? '')?.[1]
    return { idleSeconds: uptime === undefined ? null : Number(uptime), locked, source: 'loginctl' }
  }
  const nowUs = ports.clock.nowMs() * 1000
  const idleUs = seated?.map(({ idleSinceUs }) => (idleSinceUs === null ? 0 : nowUs - idleSinceUs))
  const idleSeconds = idleUs ? Math.max(0, Math.min(...idleUs) / 1e6) : null
  return { idleSeconds, locked, source: 'loginctl' }
}

/** Milliseconds, alone on a line. */
export function parseXprintidle(output: string): number | null {
  const digits = /^(\d{1,15})\s*$/.exec(output)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** First column of `loginctl list-sessions --no-legend`. */
export function sessionIds(output: string): string[] {
  return output.split('\n').flatMap((line) => /^\s*([A-Za-z0-9]{1,32})\s/.exec(line)?.[1] ?? [])
}

/**
 * People who sit at this computer, of `loginctl show-session`: blocks of `Name=value`, an empty line between. Who is
 * logged in from afar uses no keyboard here.
 */
export function seatedSessions(output: string): { locked: boolean; idleSinceUs: number | null }[] {
  return output.split(/\n\s*\n/).flatMap((block) => {
    const field = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(block)?.[1]?.trim() ?? ''
    const isPerson = field('Class') === 'user' && field('Seat') !== '' && field('State') !== 'closing'
    if (!isPerson) return []
    const since = Number(field('IdleSinceHint'))
    const isIdle = field('IdleHint') === 'yes' && Number.isSafeInteger(since) && since > 0
    return [{ locked: field('LockedHint') === 'yes', idleSinceUs: isIdle ? since : null }]
  })
}

export interface Supply {
  /** `Mains`, `Battery`, `USB`, `UPS`. */
  type: string
  /** `Device`: of a mouse or the like. */
  scope: string
  online: string
  status: string
  capacity: string
}

async function supplies(ports: HardwarePorts): Promise<Supply[]> {
  const names = await ports.list(SUPPLIES)
  return Promise.all(
    names.map(async (name): Promise<Supply> => {
      const field = async (file: string) =>
        ((await ports.readText(`${SUPPLIES}/${name}/${file}`)) ?? '').trim()
      const [type, scope, online, status, capacity] = await Promise.all(
        ['type', 'scope', 'online', 'status', 'capacity'].map(field),
      )
      return {
        type: type ?? '',
        scope: scope ?? '',
        online: online ?? '',
        status: status ?? '',
        capacity: capacity ?? '',
      }
    }),
  )
}

/** Source: docs.kernel.org, “Linux power supply class”. No battery at all: mains. */
export function powerState(supplies: readonly Supply[]): PowerState | null {
  const batteries = supplies.filter(({ type, scope }) => type === 'Battery' && scope !== 'Device')
  if (batteries.length === 0) return { onBattery: false, percent: null }
  const charges = batteries.flatMap(({ capacity }) => (/^\d{1,3}$/.test(capacity) ? [Number(capacity)] : []))
  const percent =
    charges.length === 0 ? null : Math.round(charges.reduce((sum, one) => sum + one, 0) / charges.length)
  const mains = supplies.filter(({ type, online }) => type !== 'Battery' && /^[01]$/.test(online))
  if (mains.some(({ online }) => online !== '0')) return { onBattery: false, percent }
  const states = batteries.map(({ status }) => status)
  if (states.includes('Discharging')) return { onBattery: true, percent }
  if (states.some((status) => ['Charging', 'Full', 'Not charging'].includes(status)))
    return { onBattery: false, percent }
  return mains.length > 0 ? { onBattery: true, percent } : null
}

export interface Zone {
  celsius: number | null
  trips: { type: string; celsius: number }[]
}

async function zones(ports: HardwarePorts): Promise<Zone[]> {
  const names = (await ports.list(ZONES)).filter((name) => /^thermal_zone\d+$/.test(name))
  return Promise.all(
    names.map(async (name): Promise<Zone> => {
      const path = `${ZONES}/${name}`
      const milli = async (file: string) => milliCelsius(await ports.readText(`${path}/${file}`))
      const points = (await ports.list(path)).flatMap(
        (file) => /^trip_point_(\d+)_temp$/.exec(file)?.[1] ?? [],
      )
      const trips = await Promise.all(
        points.map(async (point) => ({
          type: ((await ports.readText(`${path}/trip_point_${point}_type`)) ?? '').trim(),
          celsius: (await milli(`trip_point_${point}_temp`)) ?? 0,
        })),
      )
      return { celsius: await milli('temp'), trips }
    }),
  )
}

function milliCelsius(text: string | null): number | null {
  const digits = /^(-?\d{1,9})\s*$/.exec(text ?? '')?.[1]
  return digits === undefined ? null : Number(digits) / 1000
}

/** Where the firmware begins to throttle is serious. Source: docs.kernel.org, “Generic Thermal Sysfs driver”. */
export function thermalState(zones: readonly Zone[]): ThermalState | null {
  const states = zones.flatMap(({ celsius, trips }): ThermalState[] => {
    const real = trips.filter((trip) => trip.celsius >= TRIP_LEAST_C)
    if (celsius === null || real.length === 0) return []
    const isPast = (type: string) => real.some((trip) => trip.type === type && celsius >= trip.celsius)
    if (isPast('critical')) return ['critical']
    if (isPast('hot') || isPast('passive')) return ['serious']
    return [isPast('active') ? 'fair' : 'nominal']
  })
  const order: readonly ThermalState[] = ['critical', 'serious', 'fair', 'nominal']
  return order.find((state) => states.includes(state)) ?? null
}

async function programs(ports: HardwarePorts): Promise<Found<readonly string[]>> {
  const pids = (await ports.list('/proc')).filter((name) => /^\d+$/.test(name))
  const names = await Promise.all(pids.map((pid) => ports.readText(`/proc/${pid}/comm`)))
  // A process may end while the list is read.
  const found = names.flatMap((name) => name?.trim() || [])
  return { value: found.length > 0 ? found : null, source: '/proc' }
}

async function fullScreen(ports: HardwarePorts): Promise<Found<boolean>> {
  const source = 'xprop'
  const id = parseActiveWindow((await ports.run('xprop', ['-root', '_NET_ACTIVE_WINDOW'], TIMEOUT_MS)) ?? '')
  // None: a window of Wayland has the focus, of which X11 knows nothing.
  if (id === null) return { value: null, source }
  return {
    value: parseWindowState((await ports.run('xprop', ['-id', id, '_NET_WM_STATE'], TIMEOUT_MS)) ?? ''),
    source,
  }
}

/** `_NET_ACTIVE_WINDOW(WINDOW): window id # 0x3a00007`. */
export function parseActiveWindow(output: string): string | null {
  const id = /window id # (0x[0-9a-f]{1,16})/i.exec(output)?.[1]
  return id === undefined || Number(id) === 0 ? null : id
}

/** `_NET_WM_STATE(ATOM) = _NET_WM_STATE_FULLSCREEN, …`, or `not found.` where a window has none. */
export function parseWindowState(output: string): boolean | null {
  if (!output.startsWith('_NET_WM_STATE')) return null
  return output.includes('_NET_WM_STATE_FULLSCREEN')
}

async function metered(ports: HardwarePorts): Promise<Found<boolean>> {
  const name = 'org.freedesktop.NetworkManager'
  const args = ['get-property', name, '/org/freedesktop/NetworkManager', name, 'Metered']
  return {
    value: parseNmMetered((await ports.run('busctl', args, TIMEOUT_MS)) ?? ''),
    source: 'NetworkManager',
  }
}

/** `u 4`. Source: NetworkManager D-Bus API, NMMetered: 1 yes, 2 no, 3 and 4 the same as a guess, 0 unknown. */
export function parseNmMetered(output: string): boolean | null {
  const value = /^u ([0-4])\s*$/.exec(output)?.[1]
  if (value === undefined || value === '0') return null
  return value === '1' || value === '3'
}

/** Processor time since the start, in any unit: of all cores, and of our own processes. */
export interface CpuTimes {
  busy: number
  total: number
  /** By process. */
  own: ReadonlyMap<number, number>
}

/** The share between two looks. A process that ended meanwhile counts as others' for that moment. */
export function shareOfOthers(read: () => Promise<CpuTimes | null>, source: string) {
  let before: CpuTimes | null = null
  return async (): Promise<Found<number>> => {
    const now = await read()
    const value = now && before && othersBetween(before, now)
    before = now
    return { value, source }
  }
}

export function othersBetween(before: CpuTimes, now: CpuTimes): number | null {
  const total = now.total - before.total
  if (total <= 0) return null
  let own = 0
  for (const [pid, time] of now.own) own += Math.max(0, time - (before.own.get(pid) ?? 0))
  return Math.min(1, Math.max(0, (now.busy - before.busy - own) / total))
}

async function linuxCpuTimes(ports: HardwarePorts, ownPid: number): Promise<CpuTimes | null> {
  const all = parseProcStat((await ports.readText('/proc/stat')) ?? '')
  const pids = (await ports.list('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => ports.readText(`/proc/${pid}/stat`)))
  const processes = lines.flatMap((line) => parsePidStat(line ?? '') ?? [])
  return all && { ...all, own: familyTimes(processes, ownPid) }
}

/** First line of `/proc/stat`: ticks in user, nice, system, idle, iowait, irq, softirq, steal. */
export function parseProcStat(text: string): { busy: number; total: number } | null {
  const fields = /^cpu\s+(.+)$/m.exec(text)?.[1]?.trim().split(/\s+/).slice(0, 8).map(Number)
  if (!fields || fields.length < 4 || fields.some((field) => !Number.isFinite(field))) return null
  const total = fields.reduce((sum, field) => sum + field, 0)
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0)
  return { busy: total - idle, total }
}

export interface ProcessTime {
  pid: number
  parent: number
  time: number
}

/** `/proc/PID/stat`; the name in brackets may itself hold brackets and spaces. */
export function parsePidStat(line: string): ProcessTime | null {
  const [, pid, rest] = /^(\d+) \(.*\) (.+)$/s.exec(line) ?? []
  const fields = rest?.trim().split(/\s+/) ?? []
  const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number)
  if (!Number.isFinite(user) || !Number.isFinite(system) || !Number.isFinite(parent)) return null
  return { pid: Number(pid), parent: parent ?? 0, time: (user ?? 0) + (system ?? 0) }
}

/** Times of `root` and of everything that it, or what it started, has started. */
export function familyTimes(processes: readonly ProcessTime[], root: number): Map<number, number> {
  const family = new Map<number, number>()
  const byParent = Map.groupBy(processes, ({ parent }) => parent)
  const waiting = processes.filter(({ pid }) => pid === root)
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (family.has(one.pid)) continue
    family.set(one.pid, one.time)
    waiting.push(...(byParent.get(one.pid) ?? []))
  }
  return family
}
