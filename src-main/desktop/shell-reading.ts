import type { ShellReading } from '../host/index.ts'

/** What Electron's powerMonitor says, as it says it. */
export interface PowerFacts {
  atMs: number
  platform: NodeJS.Platform
  /** Seconds; some systems say nothing sensible where they know nothing. */
  idleSeconds: number
  /** `getSystemIdleState`, asked with a threshold that nobody reaches: it then only tells whether the screen is locked. */
  idleState: string
  onBattery: boolean
  thermal: string
}

/** On Wayland a program is not told of anybody's keys, and the answer is always zero. */
const LONGEST_IDLE_SECONDS = 400 * 86_400

const THERMAL = ['nominal', 'fair', 'serious', 'critical'] as const

/** What of it can be believed. */
export function shellReading(facts: PowerFacts, wayland: boolean): ShellReading {
  const { idleSeconds, idleState, platform } = facts
  const idleKnown = !wayland && Number.isFinite(idleSeconds) && idleSeconds >= 0
  return {
    atMs: facts.atMs,
    idleSeconds: idleKnown ? Math.min(Math.trunc(idleSeconds), LONGEST_IDLE_SECONDS) : null,
    locked: idleState === 'locked' ? true : idleState === 'active' || idleState === 'idle' ? false : null,
    // Linux has no such event in Electron; the system's own files say it better.
    onBattery: platform === 'linux' ? null : facts.onBattery,
    thermal: platform === 'darwin' ? (THERMAL.find((state) => state === facts.thermal) ?? null) : null,
  }
}
