import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HostStatus, HostStatus as HostStatusSchema } from '../../src-preload/contract/index.ts'
import { binary, bridgeOf, eventually, type RunningApp, startApp, whyNot } from './app.ts'

describe.skipIf(binary === null)(`the app and its host (${binary ?? whyNot})`, () => {
  let running: RunningApp

  beforeAll(async () => {
    running = await startApp()
  })
  afterAll(async () => {
    await running?.close()
  })

  const status = async (): Promise<HostStatus> => {
    const result = await (await bridgeOf(running.page)).evaluate((tirami) => tirami.calls['status.get']({}))
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`)
    return HostStatusSchema.parse(result.result)
  }
  const state = async () => (await status()).state
  const services = () =>
    running.app.evaluate(({ app }) =>
      app
        .getAppMetrics()
        .flatMap((process) => (process.serviceName === 'node.mojom.NodeService' ? [process.name ?? ''] : []))
        .sort(),
    )

  it('comes up and serves, with the host and one engine in processes of their own', async () => {
    await eventually(state, 'serving')
    expect(await services()).toEqual(['Tirami engine', 'Tirami host'])
    expect((await status()).engine.state).toBe('ready')
  })

  it('answers on the inference API', async () => {
    const { apiBaseUrl } = await status()
    expect((await fetch(new URL('/health', apiBaseUrl))).status).toBe(200)
    expect((await fetch(`${apiBaseUrl}/models`)).status).toBe(401)
  })

  it('pauses and resumes from the window', async () => {
    await (await bridgeOf(running.page)).evaluate((tirami) => tirami.calls['host.pause']({}))
    await eventually(state, 'paused')
    await (await bridgeOf(running.page)).evaluate((tirami) => tirami.calls['host.resume']({}))
    await eventually(state, 'serving')
  })

  it('outlives the death of its host, and says so meanwhile', async () => {
    const nodeId = (await status()).nodeId
    const seen = (await bridgeOf(running.page)).evaluate(
      (tirami) =>
        new Promise<string>((resolve) => {
          const end = tirami.onEvent((event) => {
            if (event.name !== 'status.changed' || event.data.state !== 'engine-down') return
            end()
            resolve(event.data.reason)
          })
        }),
    )
    await running.app.evaluate(({ app }) => {
      const host = app.getAppMetrics().find((process) => process.name === 'Tirami host')
      if (host) process.kill(host.pid, 'SIGKILL')
    })
    expect(await seen).toMatch(/ended unexpectedly/)
    await eventually(state, 'serving')
    expect((await status()).nodeId).toBe(nodeId)
    expect(await services()).toEqual(['Tirami engine', 'Tirami host'])
  })

  it('hides on close and comes back when it is started again', async () => {
    const visible = () =>
      running.app.evaluate(({ BrowserWindow }) =>
        BrowserWindow.getAllWindows().map((window) => window.isVisible()),
      )
    await running.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close())
    await eventually(visible, [false])
    expect(await state()).toBe('serving')
    await running.app.evaluate(({ app }) => void app.emit('second-instance'))
    await eventually(visible, [true])
  })

  it('drains and goes when it is told to quit, and keeps its ledger', async () => {
    const before = await status()
    const gone = new Promise<void>((resolve) => running.app.once('close', () => resolve()))
    await running.app.evaluate(({ app }) => app.quit()).catch(() => undefined)
    await gone
    running = await startApp(running.userData)
    await eventually(state, 'serving')
    const after = await status()
    expect(after.nodeId).toBe(before.nodeId)
    expect(after.ledger.recovery).toBeNull()
    expect(after.ledger.journalRecords).toBeGreaterThanOrEqual(before.ledger.journalRecords)
  })
})
