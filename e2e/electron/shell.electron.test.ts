import { afterEach, describe, expect, it } from 'vitest'
import { type AppView, AppView as AppViewSchema, HostStatus } from '../../src-preload/contract/index.ts'
import { binary, bridgeOf, eventually, type RunningApp, startApp, whyNot } from './app.ts'

describe.skipIf(binary === null)(`the shell (${binary ?? whyNot})`, () => {
  let running: RunningApp | null = null
  afterEach(async () => {
    await running?.close()
    running = null
  })

  const app = async (): Promise<AppView & { available: true }> => {
    if (running === null) throw new Error('not started')
    const answer = await (await bridgeOf(running.page)).evaluate((tirami) => tirami.calls['app.get']({}))
    const view = AppViewSchema.parse(answer.ok ? answer.result : null)
    if (!view.available) throw new Error('not available')
    return view
  }
  const status = async (): Promise<HostStatus> => {
    if (running === null) throw new Error('not started')
    const answer = await (await bridgeOf(running.page)).evaluate((tirami) => tirami.calls['status.get']({}))
    return HostStatus.parse(answer.ok ? answer.result : null)
  }
  const windows = () =>
    running?.app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows().map((window) => window.isVisible()),
    )

  it('says what it is and keeps what the owner chooses over a restart', async () => {
    running = await startApp()
    expect(await app()).toMatchObject({ settings: { closeToTray: true }, safeMode: null })
    // Run from its source: there is nothing to start at login, and nothing to update.
    expect((await app()).update.state).toBe('unsupported')
    const set = await (await bridgeOf(running.page)).evaluate((tirami) =>
      tirami.calls['app.set']({ startAtLogin: true, notifications: { firstEarning: false } }),
    )
    expect(set).toMatchObject({ ok: true, result: { loginProblem: { code: 'login.not-installed' } } })
    const gone = new Promise<void>((resolve) => running?.app.once('close', () => resolve()))
    await running.app.evaluate(({ app: electron }) => electron.quit()).catch(() => undefined)
    await gone
    running = await startApp(running.userData)
    expect((await app()).settings.notifications.firstEarning).toBe(false)
  })

  it('starts in safe mode when asked: no engine, no port, and the reason in the window', async () => {
    running = await startApp(undefined, ['--safe-mode'])
    await eventually(async () => (await status()).reasonCode, 'safe-mode')
    expect((await app()).safeMode?.code).toBe('safe-mode.asked')
    expect((await status()).apiBaseUrl).toBe('')
    const names = await running.app.evaluate(({ app: electron }) =>
      electron.getAppMetrics().map(({ name }) => name),
    )
    expect(names).toContain('Tirami host')
    expect(names).not.toContain('Tirami engine')
  })

  it('shows no window when the system starts it, and one when it is started again', async () => {
    running = await startApp(undefined, ['--hidden'])
    await eventually(async () => (await status()).state, 'serving')
    expect(await windows()).toEqual([false])
    await running.app.evaluate(
      ({ app: electron }) => void electron.emit('second-instance', {}, ['tirami-host']),
    )
    await eventually(async () => (await windows()) ?? [], [true])
  })

  it('opens the page of a link and nothing else', async () => {
    running = await startApp()
    const link = (url: string) =>
      running?.app.evaluate(
        ({ app: electron }, given) => void electron.emit('second-instance', {}, ['tirami-host', given]),
        url,
      )
    await link('tirami://wallet')
    await eventually(async () => running?.page.url() ?? '', 'app://tirami/index.html#/wallet')
    await link('tirami://wallet/../../x')
    await link('https://example.invalid/')
    await running.page.waitForTimeout(300)
    expect(running.page.url()).toBe('app://tirami/index.html#/wallet')
  })
})
