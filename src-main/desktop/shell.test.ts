import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AppView, EarningView, HostEvent, HostStatus } from '../../src-preload/contract/index.ts'
import { appProcedures, procedureNames } from '../../src-preload/contract/index.ts'
import { openAppMemory } from './app-memory.ts'
import type { HostView } from './host-supervisor.ts'
import { say } from './saying.ts'
import { createShell, type ShellPorts } from './shell.ts'
import { exampleEarning } from './testing/earning.ts'
import { exampleStatus } from './testing/status.ts'
import type { TrayAction, TrayFacts } from './tray-model.ts'
import type { UpdateEngine } from './update-engine.ts'
import { wordsIn } from './words.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-shell-'))
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true, force: true })
})

const NEWER = {
  version: '0.2.0',
  files: [{ url: 'tirami-host-0.2.0-linux-x86_64.AppImage', sha512: `${'A'.repeat(86)}==`, size: 1 }],
}

/** A shell around a host that answers as the real one does, as far as the shell asks it. */
function app(change: Partial<ShellPorts> = {}, offered: unknown = null) {
  const calls: [string, unknown][] = []
  const published: AppView[] = []
  const notices: string[] = []
  const done: string[] = []
  let tray: TrayFacts | null = null
  let loginOn = false
  let view: HostView = { phase: 'starting', status: null }
  let earning = exampleEarning()
  const engine: UpdateEngine = {
    check: async () => offered,
    download: async () => undefined,
    install: () => void done.push('install'),
    installAtQuit: (allowed) => void done.push(`at quit: ${allowed}`),
  }
  const memory = openAppMemory(join(directory, 'app.json'))
  const shell = createShell({
    platform: 'linux',
    memory,
    safeMode: null,
    note: null,
    hasTray: true,
    languages: ['en'],
    words: wordsIn(['en']),
    host: {
      view: () => view,
      call: async (procedure, input) => {
        calls.push([procedure, input])
        if (procedure === 'earnings.get')
          return { ok: false, error: { code: 'X', message: '', nextStep: '' } }
        if (procedure === 'earning.finish') earning = exampleEarning({ finishing: true })
        return { ok: true, result: earning }
      },
      publish: (app) => void published.push(app),
    },
    login: {
      isOn: () => loginOn,
      set: (on) => {
        loginOn = on
        return null
      },
    },
    updates: {
      engine,
      unsupported: say('update.unsupported-build'),
      currentVersion: '0.1.0',
      platform: 'linux',
      random: () => 0.5,
    },
    notify: (title) => void notices.push(title),
    showTray: (facts) => {
      tray = facts
    },
    keepAwake: (on) => void done.push(on ? 'awake' : 'asleep'),
    openWindow: () => void done.push('open'),
    relaunch: () => void done.push('relaunch'),
    quit: () => void done.push('quit'),
    nowMs: () => Date.now(),
    ...change,
  })
  const see = (next: HostView) => {
    view = next
    shell.onView(next)
  }
  const up = (status: Partial<HostStatus> = {}) => see({ phase: 'up', status: exampleStatus(status) })
  const learn = (next: Partial<EarningView>) => {
    earning = exampleEarning(next)
    shell.onEvent({ seq: 1, name: 'earning.changed', data: earning })
  }
  const get = async () => {
    const answer = await shell.call('app.get', {})
    if (answer?.ok !== true) throw new Error('no answer')
    return answer.result as AppView & { available: true }
  }
  return { shell, memory, calls, published, notices, done, see, up, learn, get, tray: () => tray }
}
const asked = ({ calls }: ReturnType<typeof app>, procedure: string) =>
  calls.filter(([name]) => name === procedure).map(([, input]) => input)

describe('calls of the window', () => {
  it('are answered here where they are about the app, and only there', async () => {
    const { shell } = app()
    for (const name of procedureNames) {
      const mine = Object.hasOwn(appProcedures, name)
      const given = name === 'app.update' ? { action: 'check' } : {}
      expect([name, shell.call(name, given) !== null]).toEqual([name, mine])
    }
    for (const name of ['constructor', '__proto__', 'toString', '']) expect(shell.call(name, {})).toBeNull()
  })

  it('change settings durably, tell the window, and reach the system’s own list', async () => {
    const running = app()
    await running.shell.call('app.set', { startAtLogin: true, updates: { channel: 'beta' } })
    expect(await running.get()).toMatchObject({
      settings: { startAtLogin: true, closeToTray: true, updates: { channel: 'beta', enabled: true } },
      loginProblem: null,
    })
    expect(running.published.at(-1)).toEqual(await running.get())
    expect(openAppMemory(join(directory, 'app.json')).get().settings.updates.channel).toBe('beta')
  })

  it('say why starting at login cannot be had', async () => {
    const { shell, get } = app({ login: { isOn: () => false, set: () => say('login.not-installed') } })
    await shell.call('app.set', { startAtLogin: true })
    expect(await get()).toMatchObject({
      settings: { startAtLogin: false },
      loginProblem: { code: 'login.not-installed' },
    })
  })
})

describe('the tray', () => {
  it.each<[TrayAction, string, unknown]>([
    ['pause', 'earning.pause', {}],
    ['resume', 'earning.resume', {}],
    ['wake', 'earning.wake', {}],
    ['finish', 'earning.finish', {}],
    ['snooze-hour', 'earning.snooze', { minutes: 60 }],
    ['snooze-hours', 'earning.snooze', { minutes: 240 }],
    ['snooze-morning', 'earning.snooze', { until: 'morning' }],
    ['mode-now', 'earning.setMode', { mode: 'now' }],
    ['mode-idle', 'earning.setMode', { mode: 'when-idle' }],
    ['mode-schedule', 'earning.setMode', { mode: 'schedule' }],
  ])('%s asks the host for %s', (action, procedure, input) => {
    const running = app()
    running.shell.act(action)
    expect(running.calls).toEqual([[procedure, input]])
  })

  it('opens, quits, and follows what the host says', () => {
    const { shell, done, up, learn, see, tray } = app()
    shell.act('open')
    shell.act('quit')
    expect(done).toEqual(['open', 'quit'])
    up()
    learn({ mode: 'paused' })
    expect(tray()?.earning?.mode).toBe('paused')
    see({ phase: 'down', status: null, error: { code: 'X', message: 'm', nextStep: '' }, retryAtMs: 1 })
    expect(tray()?.earning).toBeNull()
  })
})

describe('the system', () => {
  it('is kept awake while the host wants it, and not when the host is gone', () => {
    const { done, up, learn, see } = app()
    up()
    learn({ keepAwakeNow: true })
    expect(done.at(-1)).toBe('awake')
    learn({ keepAwakeNow: false })
    expect(done.at(-1)).toBe('asleep')
    learn({ keepAwakeNow: true })
    see({ phase: 'stopped', status: null })
    expect(done.at(-1)).toBe('asleep')
  })
})

describe('closing the window', () => {
  it('hides it and says so once, even after a restart', () => {
    const first = app()
    expect([first.shell.closing(), first.shell.closing()]).toEqual(['hide', 'hide'])
    expect(first.notices).toEqual(['Tirami Host goes on'])
    const second = app()
    expect(second.shell.closing()).toBe('hide')
    expect(second.notices).toEqual([])
  })
  it('quits when the owner wants that, and never hides it where there is no tray', async () => {
    expect(app({ hasTray: false }).shell.closing()).toBe('minimize')
    const { shell } = app()
    await shell.call('app.set', { closeToTray: false })
    expect(shell.closing()).toBe('quit')
  })
})

describe('a start', () => {
  it('has come through when the host was up for a while, or when the owner quits', async () => {
    const { memory, up, shell, see } = app()
    const unproven = { version: '0.1.0', unproven: 2, updatedFrom: '0.0.9' }
    memory.set({ start: unproven })
    up()
    await vi.advanceTimersByTimeAsync(10_000)
    see({ phase: 'down', status: null, error: { code: 'X', message: 'm', nextStep: '' }, retryAtMs: 1 })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(memory.get().start).toEqual(unproven)
    up()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(memory.get().start).toEqual({ version: '0.1.0', unproven: 0, updatedFrom: null })
    memory.set({ start: unproven })
    shell.close()
    expect(memory.get().start.unproven).toBe(0)
  })

  it('in safe mode looks for no update, and can be left', async () => {
    const running = app({
      safeMode: say('safe-mode.asked'),
      updates: {
        engine: null,
        unsupported: say('update.safe-mode'),
        currentVersion: '0.1.0',
        platform: 'linux',
        random: () => 0,
      },
    })
    expect(await running.get()).toMatchObject({
      safeMode: { code: 'safe-mode.asked' },
      update: { state: 'unsupported', saying: { code: 'update.safe-mode' } },
    })
    await running.shell.call('app.leaveSafeMode', {})
    expect(running.done).toContain('relaunch')
  })
})

describe('an update', () => {
  const ready = async () => {
    const running = app({}, NEWER)
    running.up()
    await vi.advanceTimersByTimeAsync(0)
    await running.shell.call('app.update', { action: 'check' })
    await vi.advanceTimersByTimeAsync(0)
    expect((await running.get()).update).toMatchObject({ state: 'ready', version: '0.2.0' })
    return running
  }

  it('is told, in the window, the tray and a notice that can be turned off', async () => {
    const { notices, tray, published } = await ready()
    expect(notices).toEqual(['Update ready'])
    expect(tray()?.updateReady).toBe('0.2.0')
    expect(published.at(-1)).toMatchObject({ update: { state: 'ready' } })
  })

  it('waits for every job that runs, however long, and the host goes on afterwards', async () => {
    const running = await ready()
    running.up({ jobs: { running: 1, queued: 1 } })
    running.shell.act('install')
    await vi.advanceTimersByTimeAsync(0)
    expect(asked(running, 'earning.finish')).toHaveLength(1)
    running.learn({ finishing: true })
    await vi.advanceTimersByTimeAsync(3_600_000)
    running.up({ state: 'draining', jobs: { running: 1, queued: 0 } })
    expect(running.done).not.toContain('install')
    running.learn({ mode: 'paused' })
    expect(running.done).not.toContain('install')
    running.up({ state: 'paused', jobs: { running: 0, queued: 0 } })
    await vi.advanceTimersByTimeAsync(0)
    expect(running.done).toContain('install')

    const next = app()
    next.up({ state: 'paused' })
    await vi.advanceTimersByTimeAsync(0)
    expect(asked(next, 'earning.resume')).toHaveLength(1)
    expect(next.memory.get().updates.resumeAfter).toBe(false)
  })

  it('leaves a host paused that the owner had paused', async () => {
    const running = await ready()
    running.learn({ mode: 'paused' })
    running.up({ state: 'paused' })
    running.shell.act('install')
    await vi.advanceTimersByTimeAsync(0)
    expect(running.done).toContain('install')
    expect(asked(running, 'earning.finish')).toEqual([])
    expect(running.memory.get().updates.resumeAfter).toBe(false)
  })

  it('is called off when the owner resumes meanwhile', async () => {
    const running = await ready()
    running.up({ jobs: { running: 1, queued: 0 } })
    running.shell.act('install')
    await vi.advanceTimersByTimeAsync(0)
    expect((await running.get()).update.state).toBe('finishing-jobs')
    running.learn({ finishing: false, mode: 'now' })
    await vi.advanceTimersByTimeAsync(0)
    expect(running.done).not.toContain('install')
    expect((await running.get()).update.state).toBe('ready')
    expect(running.memory.get().updates.resumeAfter).toBe(false)
  })

  it('waits on a network that the host reads as metered', async () => {
    const metered = {
      name: 'metered',
      value: true,
      unit: null,
      known: true,
      problem: null,
      source: 's',
      atMs: 0,
      ageMs: 0,
    } as const
    const running = app({}, NEWER)
    running.up()
    await vi.advanceTimersByTimeAsync(0)
    running.learn({ sensors: [metered] })
    await running.shell.call('app.update', { action: 'check' })
    await vi.advanceTimersByTimeAsync(0)
    expect((await running.get()).update).toMatchObject({
      state: 'available',
      saying: { code: 'update.metered' },
    })
    await running.shell.call('app.set', { updates: { onMetered: true } })
    await vi.advanceTimersByTimeAsync(0)
    expect((await running.get()).update.state).toBe('ready')
  })

  it('is looked for by itself, a little after the start and then every few hours', async () => {
    const check = vi.fn(async () => null)
    const engine: UpdateEngine = {
      check,
      download: async () => undefined,
      install: () => undefined,
      installAtQuit: () => undefined,
    }
    const running = app({
      updates: {
        engine,
        unsupported: say('update.off'),
        currentVersion: '0.1.0',
        platform: 'linux',
        random: () => 0.5,
      },
    })
    running.shell.start()
    await vi.advanceTimersByTimeAsync(5 * 60_000)
    expect(check).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(24 * 3_600_000)
    expect(check).toHaveBeenCalledTimes(5)
    running.shell.close()
    await vi.advanceTimersByTimeAsync(24 * 3_600_000)
    expect(check).toHaveBeenCalledTimes(5)
  })
})

describe('the first earning of the night', () => {
  it('is told once, and not again after a restart', () => {
    vi.setSystemTime(new Date(2026, 10, 28, 23))
    const trade = {
      seq: 1,
      name: 'trade.booked',
      data: { provider: 'me', ownKey: false, amountTrm: '9', modelId: 'm', timestampMs: Date.now() },
    } as HostEvent
    const status = { seq: 0, name: 'status.changed', data: exampleStatus({ nodeId: 'me' }) } as HostEvent
    const first = app()
    first.shell.onEvent(status)
    first.shell.onEvent(trade)
    first.shell.onEvent(trade)
    expect(first.notices).toEqual(['First earning of the night'])
    const second = app()
    second.shell.onEvent(status)
    second.shell.onEvent(trade)
    expect(second.notices).toEqual([])
  })
})
