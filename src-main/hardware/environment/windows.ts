import { z } from 'zod'
import type { HardwarePorts } from '../ports.ts'
import { familyTimes } from './linux.ts'
import type { Found, Probes } from './types.ts'

/** PowerShell takes a second to start. */
const TIMEOUT_MS = 10_000

/**
 * One question for everything, for each costs a start of PowerShell. `GetLastInputInfo`, `GetSystemPowerStatus` and
 * `SHQueryUserNotificationState` are Win32; the cost of the network is WinRT.
 */
const SCRIPT = `
$ErrorActionPreference = 'SilentlyContinue'
Add-Type -Namespace T -Name W -MemberDefinition @'
[StructLayout(LayoutKind.Sequential)] public struct L { public uint s; public uint t; }
[StructLayout(LayoutKind.Sequential)] public struct P { public byte ac; public byte flag; public byte percent; public byte x; public int a; public int b; }
[DllImport("user32.dll")] public static extern bool GetLastInputInfo(ref L l);
[DllImport("kernel32.dll")] public static extern bool GetSystemPowerStatus(out P p);
[DllImport("shell32.dll")] public static extern int SHQueryUserNotificationState(out int s);
'@
$l = New-Object T.W+L; $l.s = 8; $idle = $null
if ([T.W]::GetLastInputInfo([ref]$l)) { $idle = [uint32]([Environment]::TickCount -band 0xffffffffL) - $l.t }
$p = New-Object T.W+P; $power = $null
if ([T.W]::GetSystemPowerStatus([ref]$p)) { $power = @{ ac = $p.ac; flag = $p.flag; percent = $p.percent } }
$s = 0; $screen = $null
if ([T.W]::SHQueryUserNotificationState([ref]$s) -eq 0) { $screen = $s }
$cost = $null
$n = [Windows.Networking.Connectivity.NetworkInformation,Windows.Networking.Connectivity,ContentType=WindowsRuntime]
$profile = $n::GetInternetConnectionProfile()
if ($profile) { $cost = [string]$profile.GetConnectionCost().NetworkCostType }
@{ idleMs = $idle; locked = [bool](Get-Process LogonUI); power = $power; screen = $screen; cost = $cost } | ConvertTo-Json -Compress
`
const CPU_SCRIPT =
  'Get-CimInstance Win32_PerfFormattedData_PerfProc_Process | ForEach-Object { "$($_.IDProcess) $($_.CreatingProcessID) $($_.PercentProcessorTime)" }'

const Answer = z.object({
  idleMs: z.number().nonnegative().nullable(),
  locked: z.boolean(),
  power: z.object({ ac: z.number().int(), flag: z.number().int(), percent: z.number().int() }).nullable(),
  screen: z.number().int().nullable(),
  cost: z.string().nullable(),
})
type Answer = z.infer<typeof Answer>

export function windowsProbes(ports: HardwarePorts, ownPid: number): Probes {
  const source = 'powershell'
  const shell = (script: string) =>
    ports.run('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script], TIMEOUT_MS)
  let asked: Promise<Answer | null> | null = null
  /** All who ask at the same moment share one answer. */
  const answer = (): Promise<Answer | null> => {
    asked ??= shell(SCRIPT)
      .then((output) => parseAnswer(output ?? ''))
      .finally(() => {
        asked = null
      })
    return asked
  }
  return {
    idle: async () => {
      const found = await answer()
      const idleMs = found?.idleMs ?? null
      return { idleSeconds: idleMs === null ? null : idleMs / 1000, locked: found?.locked ?? null, source }
    },
    power: async () => ({ value: powerOf(await answer()), source }),
    programs: async () => {
      const output = await ports.run('tasklist.exe', ['/fo', 'csv', '/nh'], TIMEOUT_MS)
      return { value: parseTasklist(output ?? ''), source: 'tasklist' }
    },
    fullScreen: async () => ({ value: fullScreenOf(await answer()), source }),
    metered: async () => ({ value: meteredOf(await answer()), source }),
    cpuByOthers: async (): Promise<Found<number>> => {
      const output = (await shell(CPU_SCRIPT)) ?? ''
      return { value: parsePerfCpu(output, ownPid, ports.node.cores), source }
    },
  }
}

export function parseAnswer(output: string): Answer | null {
  try {
    return Answer.safeParse(JSON.parse(output)).data ?? null
  } catch {
    return null
  }
}

/** Source: SYSTEM_POWER_STATUS; 255 is unknown, flag 128 no battery. */
export function powerOf(answer: Answer | null): { onBattery: boolean; percent: number | null } | null {
  if (!answer?.power) return null
  const { ac, flag, percent } = answer.power
  if (flag !== 255 && (flag & 128) !== 0) return { onBattery: false, percent: null }
  if (ac !== 0 && ac !== 1) return null
  return { onBattery: ac === 0, percent: percent <= 100 ? percent : null }
}

/** Source: QUERY_USER_NOTIFICATION_STATE: 2 full screen, 3 Direct3D full screen, 4 presentation. */
export function fullScreenOf(answer: Answer | null): boolean | null {
  return answer?.screen == null ? null : [2, 3, 4].includes(answer.screen)
}

/** Source: NetworkCostType: Unrestricted, Fixed, Variable, Unknown. */
export function meteredOf(answer: Answer | null): boolean | null {
  if (answer?.cost === 'Unrestricted') return false
  return answer?.cost === 'Fixed' || answer?.cost === 'Variable' ? true : null
}

/** `"game.exe","4242","Console","1","81,920 K"`. */
export function parseTasklist(output: string): string[] | null {
  const names = output.split(/\r?\n/).flatMap((line) => /^"([^"]+)","\d+"/.exec(line)?.[1] ?? [])
  return names.length > 0 ? names : null
}

/** `pid parent %cpu`, where 100 % is one core; process 0 is the time that nobody uses. */
export function parsePerfCpu(output: string, ownPid: number, cores: number): number | null {
  const processes = output.split(/\r?\n/).flatMap((line) => {
    const [, pid, parent, percent] = /^(\d+) (\d+) (\d+)$/.exec(line.trim()) ?? []
    return percent === undefined || pid === '0'
      ? []
      : { pid: Number(pid), parent: Number(parent), time: Number(percent) }
  })
  if (processes.length === 0) return null
  const own = familyTimes(processes, ownPid)
  const others = processes.reduce((sum, { pid, time }) => sum + (own.has(pid) ? 0 : time), 0)
  return Math.min(1, others / 100 / Math.max(1, cores))
}
