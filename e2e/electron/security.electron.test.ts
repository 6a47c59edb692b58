import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { procedures } from '../../src-preload/contract/index.ts'
import { binary, bridgeOf, type RunningApp, startApp, whyNot } from './app.ts'

declare global {
  interface Window {
    escaped?: boolean
  }
}

describe.skipIf(binary === null)(`the app’s walls (${binary ?? whyNot})`, () => {
  let running: RunningApp
  let foreign: Server
  let foreignUrl = ''
  let foreignRequests = 0

  beforeAll(async () => {
    foreign = createServer((request, response) => {
      foreignRequests += 1
      if (request.url === '/redirect') response.writeHead(302, { location: '/landed' })
      response.end('<script>window.escaped = true</script>foreign')
    })
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
    foreignUrl = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}`
    running = await startApp()
  })
  afterAll(async () => {
    await running?.close()
    foreign?.close()
  })

  const startUrl = 'app://tirami/index.html'
  const contentsCount = () =>
    running.app.evaluate(({ webContents }) => webContents.getAllWebContents().length)

  it('opens one window with the secure flags', async () => {
    const seen = await running.app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows().map((window) => {
        // The preferences as they took effect; not part of the public types.
        const contents = window.webContents as unknown as { getLastWebPreferences(): Record<string, unknown> }
        return contents.getLastWebPreferences()
      }),
    )
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
    })
    expect(seen[0]?.enableBlinkFeatures ?? '').toBe('')
  })

  it('shows the page no Node and no Electron', async () => {
    const found = await running.page.evaluate(() =>
      ['require', 'process', 'module', 'Buffer', 'global', 'ipcRenderer', 'electron', '__dirname'].filter(
        (name) => name in window,
      ),
    )
    expect(found).toEqual([])
  })

  it('gives the page exactly the contract', async () => {
    const keys = await (await bridgeOf(running.page)).evaluate((tirami) => ({
      bridge: Object.keys(tirami).sort(),
      calls: Object.keys(tirami.calls).sort(),
    }))
    expect(keys).toEqual({ bridge: ['calls', 'onEvent'], calls: Object.keys(procedures).sort() })
  })

  it('refuses wrong input to every procedure, and survives it', async () => {
    const bridge = await bridgeOf(running.page)
    const codes = await bridge.evaluate(async (tirami) => {
      const circular: { self?: unknown } = {}
      circular.self = circular
      const wrong: unknown[] = [
        { extra: 1 },
        null,
        'x',
        [],
        circular,
        new Map([['a', 1]]),
        JSON.parse('{"__proto__":{"x":1}}'),
        { a: 'x'.repeat(6_000_000) },
      ]
      const results: string[] = []
      for (const call of Object.values(tirami.calls)) {
        for (const input of wrong) {
          const result = await (
            call as (input: unknown) => Promise<{ ok: boolean; error?: { code: string } }>
          )(input)
          results.push(result.ok ? 'OK' : (result.error?.code ?? '?'))
        }
      }
      return [...new Set(results)].sort()
    })
    expect(codes).not.toContain('OK')
    expect(codes.every((code) => /^(INVALID_INPUT|INPUT_TOO_LARGE|BRIDGE_FAILED)$/.test(code))).toBe(true)
    const status = await bridge.evaluate((tirami) => tirami.calls['status.get']({}))
    expect(status).toHaveProperty('ok')
  })

  it('passes listeners one plain event, never Electron’s', async () => {
    const shape = await (await bridgeOf(running.page)).evaluate(
      (tirami) =>
        new Promise<string[]>((resolve) => {
          const end = tirami.onEvent((...given: unknown[]) => {
            end()
            resolve([String(given.length), ...Object.keys(given[0] as object).sort()])
          })
          void tirami.calls['host.pause']({}).then(() => tirami.calls['host.resume']({}))
        }),
    )
    expect(shape).toEqual(['1', 'data', 'name', 'seq'])
  })

  const attempts: [string, (url: string) => void][] = [
    ['location', (url) => void Object.assign(location, { href: url })],
    ['location.replace', (url) => location.replace(url)],
    [
      'a link',
      (url) => Object.assign(document.body.appendChild(document.createElement('a')), { href: url }).click(),
    ],
    [
      'a _blank link',
      (url) =>
        Object.assign(document.body.appendChild(document.createElement('a')), {
          href: url,
          target: '_blank',
        }).click(),
    ],
    ['window.open', (url) => void window.open(url)],
    ['window.open in _self', (url) => void window.open(url, '_self')],
    [
      'a form',
      (url) =>
        Object.assign(document.body.appendChild(document.createElement('form')), {
          action: url,
          method: 'POST',
        }).submit(),
    ],
    [
      'a frame',
      (url) => void Object.assign(document.body.appendChild(document.createElement('iframe')), { src: url }),
    ],
    [
      'a webview',
      (url) => void Object.assign(document.body.appendChild(document.createElement('webview')), { src: url }),
    ],
    [
      'a refresh',
      (url) =>
        void Object.assign(document.head.appendChild(document.createElement('meta')), {
          httpEquiv: 'refresh',
          content: `0;url=${url}`,
        }),
    ],
  ]
  it.each(attempts)('%s leads nowhere', async (_name, attempt) => {
    const dropped = join(running.userData, 'dropped.html')
    writeFileSync(dropped, '<script>window.escaped = true</script>')
    const targets = [
      `${foreignUrl}/?next=app://tirami/`,
      `${foreignUrl}/redirect`,
      'app://other/index.html',
      `file://${dropped}`,
      'data:text/html,<script>window.escaped=true</script>',
      'javascript:void(window.escaped=true)',
      'about:blank',
    ]
    const windows = await contentsCount()
    for (const target of targets) {
      await running.page.evaluate(attempt, target).catch(() => undefined)
      await running.page.waitForTimeout(150)
      expect(running.page.url().split('#')[0]).toBe(startUrl)
      expect(await running.page.evaluate(() => window.escaped ?? false)).toBe(false)
    }
    expect(await contentsCount()).toBe(windows)
    expect(foreignRequests).toBe(0)
  })

  it('does not follow main to a foreign page behind a redirect', async () => {
    const url = await running.app.evaluate(async ({ BrowserWindow }, target) => {
      const [window] = BrowserWindow.getAllWindows()
      await window?.loadURL(target).catch(() => undefined)
      return window?.webContents.getURL() ?? ''
    }, `${foreignUrl}/redirect`)
    expect(url).not.toContain('/landed')
    expect(foreignRequests).toBe(0)
    await running.app.evaluate(
      ({ BrowserWindow }, target) => BrowserWindow.getAllWindows()[0]?.loadURL(target),
      startUrl,
    )
  })

  it('serves nothing but the bundle, with the policy on every answer', async () => {
    const answers = await running.page.evaluate(async () => {
      const paths = [
        '/index.html',
        '/nothing',
        '/..%2f..%2fpackage.json',
        '/%2e%2e/%2e%2e/package.json',
        '/..%5cx',
      ]
      const seen: [string, number, boolean, string | null][] = []
      for (const path of paths) {
        const response = await fetch(path)
        const policy = response.headers.get('content-security-policy') ?? ''
        seen.push([
          path,
          response.status,
          policy.includes("default-src 'none'"),
          response.headers.get('x-content-type-options'),
        ])
      }
      const post = await fetch('/index.html', { method: 'POST' })
      seen.push(['POST', post.status, true, 'nosniff'])
      return seen
    })
    expect(answers.map(([path, status]) => [path, status])).toEqual([
      ['/index.html', 200],
      ['/nothing', 404],
      ['/..%2f..%2fpackage.json', 404],
      ['/%2e%2e/%2e%2e/package.json', 404],
      ['/..%5cx', 404],
      ['POST', 405],
    ])
    expect(answers.every(([, , policy, sniff]) => policy && sniff === 'nosniff')).toBe(true)
  })

  it('grants the page nothing', async () => {
    const granted = await running.page.evaluate(async () => {
      const names = [
        'geolocation',
        'notifications',
        'camera',
        'microphone',
        'midi',
        'clipboard-read',
        'persistent-storage',
      ]
      const states = await Promise.all(
        names.map((name) =>
          navigator.permissions.query({ name: name as PermissionName }).then(
            (status) => (status.state === 'granted' ? name : null),
            () => null,
          ),
        ),
      )
      return states.filter((name) => name !== null)
    })
    expect(granted).toEqual([])
  })
})
