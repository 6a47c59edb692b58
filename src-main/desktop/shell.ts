import type {
  AppSettings,
  AppSettingsChange,
  AppView,
  EarningView,
  HostEvent,
  ProcedureInput,
  Saying,
} from '../../src-preload/contract/index.ts'
import { Earnings, EarningView as EarningViewSchema } from '../../src-preload/contract/index.ts'
import { type AppMemoryFile, changeSettings } from './app-memory.ts'
import { type CallResultEnvelope, failure } from './host-protocol.ts'
import type { HostView } from './host-supervisor.ts'
import { type Notice, noticeOf, noticeWanted } from './notices.ts'
import { startProven } from './start-record.ts'
import { earnedToday, type TrayAction, type TrayFacts } from './tray-model.ts'
import { createUpdateDesk, type UpdateDesk, type UpdateDeskPorts } from './update-desk.ts'
import type { WordCode, Words } from './words.ts'

/** A host that was up this long has started. */
const PROVEN_AFTER_MS = 20_000
/** Trades come in bursts; the day's sum is asked for once per burst. */
const EARNED_DELAY_MS = 2_000
const EARNED_EVERY_MS = 5 * 60_000

export interface ShellPorts {
  platform: 'macos' | 'windows' | 'linux'
  memory: AppMemoryFile
  /** As planned from the starts before. */
  safeMode: Saying | null
  note: Saying | null
  hasTray: boolean
  languages: readonly string[]
  words: Words
  host: {
    view(): HostView
    call(procedure: string, input: unknown): Promise<CallResultEnvelope>
    publish(view: AppView): void
  }
  login: {
    /** What the system will do, whatever was chosen here. */
    isOn(): boolean
    /** @returns why it could not be done; null when it is */
    set(on: boolean): Saying | null
  }
  updates: Pick<UpdateDeskPorts, 'engine' | 'unsupported' | 'currentVersion' | 'platform' | 'random'>
  notify(title: string, text: string): void
  showTray(facts: TrayFacts): void
  /** The system is kept awake; its display never. */
  keepAwake(on: boolean): void
  openWindow(): void
  /** Quits, and starts again without the safe mode. */
  relaunch(): void
  quit(): void
  nowMs(): number
}

export interface Shell {
  /** Answers the calls that are not the host's; null for those that are. */
  call(procedure: string, input: unknown): Promise<CallResultEnvelope> | null
  onEvent(event: HostEvent): void
  onView(view: HostView): void
  act(action: TrayAction): void
  /** What closing the window does; tells the owner the first time that the app goes on. */
  closing(): 'hide' | 'minimize' | 'quit'
  /** Draws the tray and begins to look for updates. */
  start(): void
  close(): void
}

/** Everything the desktop app decides beside its host. Knows no Electron: each effect is a port. */
export function createShell(ports: ShellPorts): Shell {
  const { memory, host, words } = ports
  let earning: EarningView | null = null
  let earnedTodayTrm: string | null = null
  let sentinelRed = false
  let nodeId: string | null = null
  let loginProblem: Saying | null = null
  let asking: NodeJS.Timeout | undefined
  let proving: NodeJS.Timeout | undefined
  /** Called whenever something of the host is known anew; for those who wait. */
  const watchers = new Set<() => void>()

  const settings = (): AppSettings => ({ ...memory.get().settings, startAtLogin: ports.login.isOn() })
  const updates: UpdateDesk = createUpdateDesk({
    ...ports.updates,
    settings: () => memory.get().settings.updates,
    memory: {
      get: () => memory.get().updates,
      set: (change) => memory.set({ updates: { ...memory.get().updates, ...change } }),
    },
    // What the host's own rules read of the network.
    metered: () => meteredIn(earning),
    finishJobs,
    nowMs: ports.nowMs,
    changed: () => changed(),
    ready: (version) => tell({ kind: 'updateReady', version }),
  })

  const view = (): AppView => ({
    available: true,
    platform: ports.platform,
    settings: settings(),
    loginProblem,
    hasTray: ports.hasTray,
    update: updates.view(),
    safeMode: ports.safeMode,
    note: ports.note,
  })
  const facts = (): TrayFacts => ({
    view: host.view(),
    earning,
    earnedTodayTrm,
    updateReady: updates.view().state === 'ready' ? updates.view().version : null,
    safeMode:
      ports.safeMode && words.host(ports.safeMode.code, ports.safeMode.sentence, ports.safeMode.parameters),
    languages: ports.languages,
    words,
  })
  const draw = () => ports.showTray(facts())
  const changed = () => {
    host.publish(view())
    draw()
  }

  function tell(notice: Notice): void {
    if (!noticeWanted(notice, memory.get().settings)) return
    const [title, text] = wordsOf(notice, words)
    ports.notify(title, text)
  }

  async function askEarning(): Promise<void> {
    const answer = await host.call('earning.get', {})
    const parsed = EarningViewSchema.safeParse(answer.ok ? answer.result : null)
    if (parsed.success) learn(parsed.data)
  }

  async function askEarned(): Promise<void> {
    clearTimeout(asking)
    const answer = await host.call('earnings.get', { range: '24h' })
    const parsed = Earnings.safeParse(answer.ok ? answer.result : null)
    if (parsed.success) earnedTodayTrm = earnedToday(parsed.data, ports.nowMs())
    draw()
    askEarnedIn(EARNED_EVERY_MS)
  }
  function askEarnedIn(ms: number): void {
    clearTimeout(asking)
    asking = setTimeout(() => void askEarned(), ms)
    asking.unref?.()
  }

  function learn(next: EarningView): void {
    earning = next
    ports.keepAwake(next.keepAwakeNow && host.view().phase === 'up')
    for (const watch of watchers) watch()
    draw()
  }

  /** Jobs end, however long they take, and the host takes no new ones until the app has started again. */
  async function finishJobs(): Promise<boolean> {
    if (host.view().phase !== 'up') return true
    const wasPaused = earning?.mode === 'paused'
    if (!wasPaused) {
      const asked = await host.call('earning.finish', {})
      if (!asked.ok) return false
      memory.set({ updates: { ...memory.get().updates, resumeAfter: true } })
      await askEarning()
    }
    return await new Promise<boolean>((resolve) => {
      const watch = () => {
        const now = host.view()
        const idle = now.phase !== 'up' || now.status.jobs.running + now.status.jobs.queued === 0
        const paused = now.phase !== 'up' || earning?.mode === 'paused'
        const calledOff = !paused && earning?.finishing === false
        if (!calledOff && !(idle && paused)) return
        watchers.delete(watch)
        if (calledOff) memory.set({ updates: { ...memory.get().updates, resumeAfter: false } })
        resolve(!calledOff)
      }
      watchers.add(watch)
      watch()
    })
  }

  function onUp(): void {
    clearTimeout(proving)
    proving = setTimeout(prove, PROVEN_AFTER_MS)
    proving.unref?.()
    void askEarning()
    void askEarned()
    if (!memory.get().updates.resumeAfter) return
    memory.set({ updates: { ...memory.get().updates, resumeAfter: false } })
    void host.call('earning.resume', {})
  }
  const prove = () => memory.set({ start: startProven(memory.get().start) })

  function set(change: AppSettingsChange): void {
    if (change.startAtLogin !== undefined) loginProblem = ports.login.set(change.startAtLogin)
    memory.set({ settings: changeSettings(memory.get().settings, change) })
    if (change.updates !== undefined) updates.settingsChanged()
    changed()
  }

  async function leaveSafeMode(): Promise<void> {
    prove()
    ports.relaunch()
  }

  const handlers: { [procedure: string]: (input: never) => unknown } = {
    'app.get': () => undefined,
    'app.set': set,
    'app.update': ({ action }: ProcedureInput<'app.update'>) => {
      // Not waited for: the view tells how it goes.
      void (action === 'check' ? updates.check() : updates.install())
    },
    'app.leaveSafeMode': leaveSafeMode,
  }

  const commands: Partial<Record<TrayAction, [procedure: string, input: object]>> = {
    pause: ['earning.pause', {}],
    resume: ['earning.resume', {}],
    wake: ['earning.wake', {}],
    finish: ['earning.finish', {}],
    'snooze-hour': ['earning.snooze', { minutes: 60 }],
    'snooze-hours': ['earning.snooze', { minutes: 240 }],
    'snooze-morning': ['earning.snooze', { until: 'morning' }],
    'mode-now': ['earning.setMode', { mode: 'now' }],
    'mode-idle': ['earning.setMode', { mode: 'when-idle' }],
    'mode-schedule': ['earning.setMode', { mode: 'schedule' }],
  }

  return {
    call: (procedure, input) => {
      const handler = Object.hasOwn(handlers, procedure) ? handlers[procedure] : undefined
      if (handler === undefined) return null
      return Promise.resolve(handler(input as never)).then(
        () => ({ ok: true, result: view() }),
        (error: unknown) => {
          console.error(`shell: ${procedure} failed:`, error)
          return failure(
            'APP_FAILED',
            'The app could not do that.',
            'Try again; if it happens again, report it.',
          )
        },
      )
    },
    onEvent: (event) => {
      const { state, notice } = noticeOf(event, { nightTold: memory.get().nightTold, sentinelRed, nodeId })
      sentinelRed = state.sentinelRed
      nodeId = state.nodeId
      if (state.nightTold !== memory.get().nightTold) memory.set({ nightTold: state.nightTold })
      if (notice !== null) tell(notice)
      if (event.name === 'earning.changed') learn(event.data)
      if (event.name === 'trade.booked') askEarnedIn(EARNED_DELAY_MS)
    },
    onView: (next) => {
      if (next.phase === 'up') {
        if (proving === undefined) onUp()
      } else {
        clearTimeout(proving)
        proving = undefined
        earning = null
        ports.keepAwake(false)
      }
      for (const watch of watchers) watch()
      draw()
    },
    act: (action) => {
      const command = commands[action]
      if (command !== undefined) void host.call(...command)
      else if (action === 'open') ports.openWindow()
      else if (action === 'install') void updates.install()
      else if (action === 'leave-safe-mode') void leaveSafeMode()
      else ports.quit()
    },
    closing: () => {
      if (!memory.get().settings.closeToTray) return 'quit'
      if (!ports.hasTray) return 'minimize'
      if (!memory.get().trayHintShown) {
        memory.set({ trayHintShown: true })
        ports.notify(words('notice.tray-title'), words('notice.tray-text'))
      }
      return 'hide'
    },
    start: () => {
      draw()
      updates.start()
    },
    close: () => {
      // Quit while nothing was wrong: not a start that failed.
      if (host.view().phase === 'up') prove()
      updates.close()
      clearTimeout(asking)
      clearTimeout(proving)
      ports.keepAwake(false)
    },
  }
}

function wordsOf(notice: Notice, words: Words): [title: string, text: string] {
  const both = (title: WordCode, text: string): [string, string] => [words(title), text]
  switch (notice.kind) {
    case 'firstEarning':
      return both(
        'notice.earning-title',
        words('notice.earning-text', { amount: notice.amountTrm, model: notice.modelId }),
      )
    case 'sentinelRed':
      return both('notice.sentinel-title', words.host('earning.sentinel-red', notice.reason))
    case 'updateReady':
      return both('notice.update-title', words('notice.update-text', { version: notice.version }))
  }
}

function meteredIn(earning: EarningView | null): boolean | null {
  const sensor = earning?.sensors.find(({ name }) => name === 'metered')
  return sensor?.known === true && typeof sensor.value === 'boolean' ? sensor.value : null
}
