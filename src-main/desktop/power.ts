import { powerMonitor, powerSaveBlocker } from 'electron'
import type { ShellReading } from '../host/index.ts'
import { shellReading } from './shell-reading.ts'

const LOOK_EVERY_MS = 10_000
/** Longer than anybody is away: the state then tells the lock alone. */
const NEVER_IDLE_S = 10_000_000

/** Reads what only main can see, now and whenever the system says that it has changed. */
export function watchPower(seen: (reading: ShellReading) => void): () => void {
  const wayland = process.platform === 'linux' && process.env.WAYLAND_DISPLAY !== undefined
  let locked: 'locked' | 'unknown' = 'unknown'
  const look = () => {
    const idleState = powerMonitor.getSystemIdleState(NEVER_IDLE_S)
    seen(
      shellReading(
        {
          atMs: Date.now(),
          platform: process.platform,
          idleSeconds: powerMonitor.getSystemIdleTime(),
          idleState: locked === 'locked' ? locked : idleState,
          onBattery: powerMonitor.isOnBatteryPower(),
          thermal: process.platform === 'darwin' ? powerMonitor.getCurrentThermalState() : 'unknown',
        },
        wayland,
      ),
    )
  }
  powerMonitor.on('lock-screen', () => {
    locked = 'locked'
    look()
  })
  powerMonitor.on('unlock-screen', () => {
    locked = 'unknown'
    look()
  })
  powerMonitor.on('on-ac', look)
  powerMonitor.on('on-battery', look)
  powerMonitor.on('resume', look)
  powerMonitor.on('thermal-state-change', look)
  const timer = setInterval(look, LOOK_EVERY_MS)
  look()
  return () => clearInterval(timer)
}

/** Keeps the system awake, never its display. */
export function awakeSwitch(): (on: boolean) => void {
  let blocker: number | null = null
  return (on) => {
    if (on && blocker === null) blocker = powerSaveBlocker.start('prevent-app-suspension')
    else if (!on && blocker !== null) {
      powerSaveBlocker.stop(blocker)
      blocker = null
    }
  }
}
