import { z } from 'zod'
import type { AppSettings, AppUpdate, Saying, UpdateChannel } from '../../src-preload/contract/index.ts'
import { say } from './saying.ts'
import type { UpdateEngine } from './update-engine.ts'
import {
  downloadHeldBack,
  fingerprint,
  judgeRelease,
  nextCheckInMs,
  type Release,
  type UpdatePlatform,
} from './update-policy.ts'

/** What of updates outlives a restart. */
export const UpdateMemory = z.object({
  lastCheckAtMs: z.number().int().nonnegative().nullable(),
  seen: z.object({ version: z.string(), sha512: z.string() }).nullable(),
  brokenVersion: z.string().nullable(),
  /** The host was earning when it was stopped for an update, and is to go on. */
  resumeAfter: z.boolean(),
})
export type UpdateMemory = z.infer<typeof UpdateMemory>
export const NO_UPDATE_MEMORY: UpdateMemory = {
  lastCheckAtMs: null,
  seen: null,
  brokenVersion: null,
  resumeAfter: false,
}

export interface UpdateDeskPorts {
  /** Null where this build cannot update itself; then `unsupported` says why. */
  engine: UpdateEngine | null
  unsupported: Saying
  currentVersion: string
  platform: UpdatePlatform
  settings(): AppSettings['updates']
  memory: { get(): UpdateMemory; set(change: Partial<UpdateMemory>): void }
  /** Whether the connection charges by volume; null where nobody knows. */
  metered(): boolean | null
  /**
   * Lets running answers end, however long they take, and takes no new ones.
   * @returns false when the owner has called it off meanwhile
   */
  finishJobs(): Promise<boolean>
  nowMs(): number
  random(): number
  changed(update: AppUpdate): void
  ready(version: string): void
}

export interface UpdateDesk {
  view(): AppUpdate
  /** Begins to look by itself. */
  start(): void
  check(): Promise<void>
  install(): Promise<void>
  settingsChanged(): void
  close(): void
}

/** Looks for updates now and then, has them downloaded, and installs them when the owner says so. */
export function createUpdateDesk(ports: UpdateDeskPorts): UpdateDesk {
  const { engine, memory } = ports
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  /** Channel that what is downloaded came from. */
  let readyFrom: UpdateChannel | null = null
  let busy = false
  let closed = false
  let shown: Pick<AppUpdate, 'state' | 'saying' | 'version' | 'progress'> = atRest()

  function atRest() {
    if (engine === null) return quiet('unsupported', ports.unsupported)
    return ports.settings().enabled
      ? quiet('idle', say('update.not-looked'))
      : quiet('off', say('update.off'))
  }

  const view = (): AppUpdate => ({
    ...shown,
    currentVersion: ports.currentVersion,
    lastCheckAtMs: memory.get().lastCheckAtMs,
  })
  const show = (next: typeof shown) => {
    shown = next
    if (!closed) ports.changed(view())
  }

  const schedule = () => {
    clearTimeout(timer)
    if (closed || engine === null || !ports.settings().enabled || shown.state === 'ready') return
    const waitMs = nextCheckInMs({
      nowMs: ports.nowMs(),
      lastCheckAtMs: memory.get().lastCheckAtMs,
      failures,
      random: ports.random(),
    })
    timer = setTimeout(() => void check(), waitMs)
    timer.unref?.()
  }

  async function check(): Promise<void> {
    if (engine === null || busy || closed) return
    busy = true
    try {
      await look(engine)
    } finally {
      busy = false
      schedule()
    }
  }

  async function look(through: UpdateEngine): Promise<void> {
    const { channel } = ports.settings()
    show(quiet('checking', say('update.checking')))
    let raw: unknown
    try {
      raw = await through.check(channel)
      failures = 0
    } catch (error) {
      failures += 1
      return show(quiet('failed', say('update.check-failed', { problem: problemOf(error) })))
    } finally {
      memory.set({ lastCheckAtMs: ports.nowMs() })
    }
    // The owner has changed his mind while the feed was asked.
    if (ports.settings().channel !== channel) return show(atRest())
    if (raw === null) return show(quiet('idle', say('update.newest')))
    const { seen, brokenVersion } = memory.get()
    const { currentVersion, platform } = ports
    const verdict = judgeRelease(raw, { currentVersion, channel, platform, seen, brokenVersion })
    if (!verdict.offer) return show(quiet(verdict.alarming ? 'failed' : 'idle', verdict.saying))
    const { release } = verdict
    memory.set({ seen: { version: release.version, sha512: fingerprint(release) } })
    await fetch(through, release, channel)
  }

  async function fetch(through: UpdateEngine, { version }: Release, channel: UpdateChannel): Promise<void> {
    const heldBack = downloadHeldBack(ports.settings(), { metered: ports.metered(), version })
    if (heldBack !== null) return show({ state: 'available', saying: heldBack, version, progress: null })
    const downloading = (progress: number) =>
      show({ state: 'downloading', saying: say('update.downloading', { version }), version, progress })
    try {
      downloading(0)
      await through.download(downloading)
    } catch (error) {
      failures += 1
      const saying = say('update.download-failed', { version, problem: problemOf(error) })
      return show({ state: 'failed', saying, version, progress: null })
    }
    readyFrom = channel
    settingsChanged()
    if (readyFrom === null) return
    show(readyOf(version))
    through.installAtQuit(true)
    ports.ready(version)
  }

  function settingsChanged(): void {
    const { enabled, channel } = ports.settings()
    // Whoever turns updates off, or leaves the channel, does not get what was downloaded before.
    if (!enabled || channel !== readyFrom) {
      readyFrom = null
      engine?.installAtQuit(false)
    }
    const held = shown.state === 'available'
    if (readyFrom === null && (!busy || shown.state === 'downloading')) show(atRest())
    if (held && enabled) void check()
    else schedule()
  }

  return {
    view,
    start: schedule,
    check,
    install: async () => {
      if (engine === null || shown.state !== 'ready' || shown.version === null) return
      const { version } = shown
      const saying = say('update.finishing-jobs', { version })
      show({ state: 'finishing-jobs', saying, version, progress: null })
      const finished = await ports.finishJobs().catch(() => false)
      if (closed || readyFrom === null) return
      if (finished) engine.install()
      else show(readyOf(version))
    },
    settingsChanged,
    close: () => {
      closed = true
      clearTimeout(timer)
    },
  }
}

function quiet(state: AppUpdate['state'], saying: Saying) {
  return { state, saying, version: null, progress: null }
}

function readyOf(version: string) {
  return { state: 'ready' as const, saying: say('update.ready', { version }), version, progress: 1 }
}

/** A line for the owner: never a stack, never an answer of the server in full. */
function problemOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0]?.slice(0, 160) ?? ''
}
