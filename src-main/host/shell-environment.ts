import type { Environment } from './earning-policy.ts'

/** What the desktop shell sees of the machine and its user; null where its system does not tell it. */
export interface ShellReading {
  atMs: number
  idleSeconds: number | null
  locked: boolean | null
  onBattery: boolean | null
  thermal: 'nominal' | 'fair' | 'serious' | 'critical' | null
}

type Snapshot = ReturnType<Environment['snapshot']>

/** Puts what the shell sees before what the system's own programs tell; they stay where it sees nothing. */
export function withShell(environment: Environment, latest: () => ShellReading | null): Environment {
  return {
    look: (policy) => environment.look(policy),
    snapshot: () => {
      const own = environment.snapshot()
      const seen = latest()
      return seen === null ? own : { ...own, ...readings(seen, own) }
    },
  }
}

function readings({ atMs, idleSeconds, locked, onBattery, thermal }: ShellReading, own: Snapshot) {
  const told = <T>(value: T) => ({ known: true as const, value, source: 'desktop app', atMs })
  // How full the battery is, the shell does not see.
  const percent = own.power.known ? own.power.value.percent : null
  return {
    ...(idleSeconds === null ? {} : { idleSeconds: told(idleSeconds) }),
    ...(locked === null ? {} : { locked: told(locked) }),
    ...(onBattery === null ? {} : { power: told({ onBattery, percent }) }),
    ...(thermal === null ? {} : { thermal: told(thermal) }),
  } satisfies Partial<Snapshot>
}
