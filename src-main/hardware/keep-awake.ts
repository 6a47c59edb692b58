import { type ChildProcess, spawn } from 'node:child_process'

/** Keeps the system, never the display, from sleeping while it is wanted. */
export interface KeepAwake {
  set(wanted: boolean): void
  /** Why the system may sleep although it should not; null: there is nothing to say. */
  problem(): KeepAwakeProblem | null
  close(): void
}

/** `no-program`: this system has none of the programs below. `refused`: it ended by itself. */
export type KeepAwakeProblem = 'no-program' | 'refused'

export interface KeepAwakeOptions {
  platform: NodeJS.Platform
  /** Whose programs are started; `PATH` says where they are looked for. */
  environment?: NodeJS.ProcessEnv
  onProblem?(): void
}

const ES_CONTINUOUS_SYSTEM_REQUIRED = 0x8000_0001

/**
 * Programs that hold a request to stay awake for as long as they run. Each ends with its standard input or with this
 * process, so that a host that is killed leaves nothing behind. Sources: caffeinate(8), systemd-inhibit(1),
 * SetThreadExecutionState of the Windows API. None of them asks for the display.
 */
const PROGRAMS: Partial<Record<NodeJS.Platform, (pid: number) => [program: string, args: string[]]>> = {
  darwin: (pid) => ['caffeinate', ['-i', '-w', String(pid)]],
  linux: () => [
    'systemd-inhibit',
    ['--what=sleep', '--mode=block', '--who=Tirami Host', '--why=Answering guests', 'cat'],
  ],
  win32: () => [
    'powershell.exe',
    [
      '-NoProfile',
      '-NonInteractive',
      '-Command',
      [
        `$f = Add-Type -PassThru -Name Awake -Namespace Tirami -MemberDefinition '[DllImport("kernel32.dll")] public static extern uint SetThreadExecutionState(uint flags);'`,
        `if ($f::SetThreadExecutionState([uint32]${ES_CONTINUOUS_SYSTEM_REQUIRED}) -eq 0) { exit 1 }`,
        '[void][Console]::In.ReadToEnd()',
      ].join('; '),
    ],
  ],
}

export function createKeepAwake({
  platform,
  environment = process.env,
  onProblem,
}: KeepAwakeOptions): KeepAwake {
  let wanted = false
  let holder: ChildProcess | null = null
  let problem: KeepAwakeProblem | null = null

  function fail(child: ChildProcess | null, found: KeepAwakeProblem): void {
    if (child !== holder || !wanted) return
    holder = null
    problem = found
    onProblem?.()
  }
  function hold(): void {
    const command = PROGRAMS[platform]?.(process.pid)
    if (!command) {
      fail(null, 'no-program')
      return
    }
    const child = spawn(command[0], command[1], {
      env: environment,
      stdio: ['pipe', 'ignore', 'ignore'],
      windowsHide: true,
    })
    holder = child
    child.unref()
    // A program that is gone already has said so by its exit.
    child.stdin?.on('error', () => undefined)
    child.on('error', () => fail(child, 'no-program'))
    child.on('exit', () => fail(child, 'refused'))
  }
  function release(): void {
    const child = holder
    holder = null
    problem = null
    child?.stdin?.end()
    child?.kill()
  }
  function set(next: boolean): void {
    if (next === wanted) return
    wanted = next
    if (wanted) hold()
    else release()
  }
  return { set, problem: () => problem, close: () => set(false) }
}
