import type { EventEmitter } from 'node:events'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { exampleStatus } from './testing/status.ts'

/** A stand-in for Electron that writes down, in order, what the app does to it. */
const fake = vi.hoisted(() => ({
  log: [] as string[],
  handlers: {} as Record<string, (...given: never[]) => unknown>,
  children: [] as (EventEmitter & { posted: { type: string }[] })[],
  windows: [] as (EventEmitter & {
    options: unknown
    contents: EventEmitter
    sent: unknown[][]
    visible: boolean
  })[],
  app: null as unknown as EventEmitter & { quits: number },
  userData: '',
  power: null as unknown as EventEmitter,
}))

vi.mock('electron', async () => {
  const { EventEmitter } = await import('node:events')
  const note = (text: string) => void fake.log.push(text)
  const handler = (name: string) => (given: (...given: never[]) => unknown) => {
    note(name)
    fake.handlers[name] = given
  }
  class Contents extends EventEmitter {
    id = 7
    send = (...given: unknown[]) => void fake.windows[0]?.sent.push(given)
    getURL = () => 'app://tirami/index.html'
    setWindowOpenHandler = handler('windowOpen')
  }
  class BrowserWindow extends EventEmitter {
    options: unknown
    contents = new Contents()
    webContents = this.contents
    sent: unknown[][] = []
    visible = false
    constructor(options: unknown) {
      super()
      note('window')
      this.options = options
      fake.windows.push(this)
      app.emit('web-contents-created', {}, this.contents)
    }
    loadURL = async (url: string) => note(`load ${url}`)
    show = () => {
      this.visible = true
    }
    hide = () => {
      this.visible = false
    }
    focus = () => undefined
    isMinimized = () => false
    isMaximized = () => false
    isDestroyed = () => false
    getNormalBounds = () => ({ x: 1, y: 2, width: 900, height: 700 })
  }
  const app = Object.assign(new EventEmitter(), {
    quits: 0,
    isPackaged: true,
    commandLine: { getSwitchValue: () => '', hasSwitch: () => false },
    enableSandbox: () => note('sandbox'),
    requestSingleInstanceLock: () => {
      note('lock')
      return true
    },
    whenReady: async () => note('ready'),
    getPath: () => fake.userData,
    getVersion: () => '0.1.0',
    getPreferredSystemLanguages: () => ['en-GB'],
    getLoginItemSettings: () => ({ openAtLogin: false, wasOpenedAtLogin: false }),
    setLoginItemSettings: () => undefined,
    setAsDefaultProtocolClient: (scheme: string) => note(`scheme ${scheme}`),
    relaunch: () => note('relaunch'),
    exit: () => note('exit'),
    quit: () => {
      app.quits += 1
      let prevented = false
      app.emit('before-quit', {
        preventDefault: () => {
          prevented = true
        },
      })
      if (!prevented) note('quit')
    },
  })
  fake.app = app
  const powerMonitor = Object.assign(new EventEmitter(), {
    getSystemIdleTime: () => 42,
    getSystemIdleState: () => 'active',
    isOnBatteryPower: () => false,
    getCurrentThermalState: () => 'nominal',
  })
  fake.power = powerMonitor
  return {
    app,
    BrowserWindow,
    dialog: { showErrorBox: (_title: string, text: string) => note(`error ${text}`) },
    Menu: { setApplicationMenu: () => note('menu'), buildFromTemplate: (template: unknown) => template },
    MessageChannelMain: class {
      port1 = 'engine end'
      port2 = 'host end'
    },
    Tray: class extends EventEmitter {
      constructor() {
        super()
        note('tray')
      }
      setImage = () => undefined
      setToolTip = (text: string) => note(text)
      setContextMenu = () => undefined
    },
    ipcMain: {
      handle: (channel: string, given: never) => handler(`ipc ${channel}`)(given),
      on: (channel: string, given: never) => handler(`ipc ${channel}`)(given),
    },
    Notification: class extends EventEmitter {
      static isSupported = () => true
      readonly #title: string
      constructor({ title }: { title: string }) {
        super()
        this.#title = title
      }
      show = () => note(`notice ${this.#title}`)
    },
    powerMonitor,
    powerSaveBlocker: {
      start: (kind: string) => {
        note(`awake ${kind}`)
        return 3
      },
      stop: (id: number) => note(`asleep ${id}`),
    },
    nativeTheme: Object.assign(new EventEmitter(), { shouldUseDarkColors: true }),
    protocol: {
      registerSchemesAsPrivileged: () => note('scheme'),
      handle: (_scheme: string, given: never) => handler('protocol')(given),
    },
    screen: { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }] },
    session: {
      defaultSession: {
        setPermissionRequestHandler: handler('permissionRequest'),
        setPermissionCheckHandler: handler('permissionCheck'),
        setDevicePermissionHandler: handler('devicePermission'),
        setBluetoothPairingHandler: handler('bluetooth'),
        setUSBProtectedClassesHandler: handler('usb'),
        setDisplayMediaRequestHandler: () => undefined,
        webRequest: { onBeforeRequest: handler('request') },
      },
    },
    shell: { openExternal: async (url: string) => note(`open ${url}`) },
    utilityProcess: {
      fork: (module: string) => {
        note(`fork ${module.split(/[\\/]/).at(-1)}`)
        const child = Object.assign(new EventEmitter(), {
          pid: undefined,
          posted: [] as { type: string }[],
          postMessage: (message: { type: string }) => void child.posted.push(message),
          kill: () => void queueMicrotask(() => child.emit('exit', 0)),
        })
        fake.children.push(child)
        return child
      },
    },
  }
})

describe('the app', () => {
  const invoke = (event: unknown, procedure: string, input: unknown) =>
    (fake.handlers['ipc tirami:call'] as (...given: unknown[]) => Promise<unknown>)(event, procedure, input)
  const window = () => {
    const [first] = fake.windows
    if (first === undefined) throw new Error('no window')
    return first
  }
  const host = () => {
    const [first] = fake.children
    if (first === undefined) throw new Error('no host')
    return first
  }

  beforeAll(async () => {
    const root = mkdtempSync(join(tmpdir(), 'tirami-start-'))
    fake.userData = join(root, 'user')
    for (const folder of ['user', 'out/main', 'out/renderer'])
      mkdirSync(join(root, folder), { recursive: true })
    writeFileSync(join(root, 'out/renderer/index.html'), '<p>page</p>')
    // Electron's own.
    Object.defineProperty(process, 'resourcesPath', { value: join(root, 'Resources'), configurable: true })
    const { startDesktop } = await import('./start.ts')
    startDesktop(join(root, 'out/main'))
    await vi.waitFor(() => expect(fake.children).toHaveLength(1))
  })

  it('puts the walls up before anything is shown or run', () => {
    const order = fake.log.filter((line) => !line.startsWith('Tirami'))
    expect(order).toEqual([
      'sandbox',
      'lock',
      'scheme',
      'ready',
      'menu',
      'permissionRequest',
      'permissionCheck',
      'devicePermission',
      'bluetooth',
      'usb',
      'request',
      'protocol',
      'scheme tirami',
      'tray',
      'window',
      'windowOpen',
      'load app://tirami/index.html',
      'ipc tirami:taken',
      'ipc tirami:call',
      'fork host.js',
    ])
  })

  it('opens its window with the secure options', () => {
    expect(window().options).toMatchObject({
      show: false,
      webPreferences: { sandbox: true, contextIsolation: true, nodeIntegration: false, devTools: false },
    })
  })

  it('serves the page with the policy, and nothing else', async () => {
    const serve = fake.handlers.protocol as unknown as (
      request: Request | { method: string; url: string },
    ) => Promise<Response>
    const good = await serve({ method: 'GET', url: 'app://tirami/index.html' })
    expect([good.status, await good.text(), good.headers.get('content-type')]).toEqual([
      200,
      '<p>page</p>',
      'text/html; charset=utf-8',
    ])
    const bad = await serve({ method: 'GET', url: 'app://tirami/%2e%2e/main/main.js' })
    expect(bad.status).toBe(404)
    for (const answer of [good, bad]) {
      expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  it('stops every way out of the page', () => {
    for (const event of ['will-navigate', 'will-frame-navigate', 'will-redirect']) {
      const preventDefault = vi.fn()
      window().contents.emit(event, { url: 'https://example.invalid/', isMainFrame: true, preventDefault })
      expect(preventDefault).toHaveBeenCalledOnce()
      window().contents.emit(event, { url: 'app://tirami/index.html', isMainFrame: true, preventDefault })
      expect(preventDefault).toHaveBeenCalledOnce()
    }
    const preventDefault = vi.fn()
    window().contents.emit('will-attach-webview', { preventDefault })
    expect(preventDefault).toHaveBeenCalledOnce()
    const open = fake.handlers.windowOpen as unknown as (details: { url: string }) => unknown
    expect(open({ url: 'https://example.invalid/' })).toEqual({ action: 'deny' })
    expect(open({ url: 'https://github.com/a' })).toEqual({ action: 'deny' })
    expect(fake.log.filter((line) => line.startsWith('open '))).toEqual(['open https://github.com/a'])
  })

  it('carries a call from the page to the host and back, for its own top frame only', async () => {
    host().emit('message', { type: 'ready', status: exampleStatus() })
    const frame = { url: 'app://tirami/index.html', origin: 'app://tirami', parent: null }
    const answer = invoke({ sender: { id: 7 }, senderFrame: frame }, 'status.get', {})
    await vi.waitFor(() =>
      expect(host().posted.at(-1)).toMatchObject({ type: 'call', procedure: 'status.get' }),
    )
    const { id } = host().posted.at(-1) as unknown as { id: number }
    host().emit('message', { type: 'result', id, result: { ok: true, result: exampleStatus() } })
    expect(await answer).toEqual({ ok: true, result: exampleStatus() })

    for (const event of [
      { sender: { id: 8 }, senderFrame: frame },
      { sender: { id: 7 }, senderFrame: { ...frame, parent: frame } },
      { sender: { id: 7 }, senderFrame: null },
    ]) {
      expect(await invoke(event, 'status.get', {})).toMatchObject({
        ok: false,
        error: { code: 'SENDER_REFUSED' },
      })
    }
  })

  it('shows the host’s events in the window and its state in the tray', () => {
    host().emit('message', {
      type: 'event',
      event: { seq: 9, name: 'status.changed', data: exampleStatus({ state: 'paused' }) },
    })
    expect(window().sent.at(-1)).toMatchObject(['tirami:event', { name: 'status.changed' }])
    expect(fake.log.at(-1)).toBe('Tirami Host: Paused')
    expect(window().sent.at(-1)?.[1]).toMatchObject({ data: { state: 'paused' } })
  })

  it('spawns an engine for the host and joins them', () => {
    host().emit('message', { type: 'spawn-engine', engineId: 1 })
    expect(fake.log.at(-1)).toBe('fork engine.js')
    expect(fake.children[1]?.posted).toEqual([{ type: 'connect' }])
    expect(host().posted.at(-1)).toEqual({ type: 'engine-port', engineId: 1 })
  })

  it('hides on close, comes back on a second start', () => {
    const preventDefault = vi.fn()
    window().visible = true
    for (let time = 0; time < 2; time++) {
      window().visible = true
      window().emit('close', { preventDefault })
      expect(window().visible).toBe(false)
    }
    expect(preventDefault).toHaveBeenCalledTimes(2)
    // The first time only the owner is told that the app goes on.
    expect(fake.log.filter((line) => line.startsWith('notice '))).toEqual(['notice Tirami Host goes on'])
    fake.app.emit('second-instance', {}, ['tirami-host', '--x'])
    expect(window().visible).toBe(true)
  })

  it('opens the page that a link names, and no other address', () => {
    const open = (link: string) => fake.app.emit('second-instance', {}, ['tirami-host', link])
    open('tirami://wallet')
    expect(fake.log.at(-1)).toBe('load app://tirami/index.html#/wallet')
    const before = fake.log.length
    open('tirami://wallet/../../etc')
    open('tirami://pause')
    fake.app.emit('open-url', { preventDefault: () => undefined }, 'tirami://evil')
    expect(fake.log.slice(before)).toEqual([])
    fake.app.emit('open-url', { preventDefault: () => undefined }, 'tirami://models')
    expect(fake.log.at(-1)).toBe('load app://tirami/index.html#/models')
  })

  it('answers for itself, and tells the host what it sees of the machine', async () => {
    const frame = { url: 'app://tirami/index.html', origin: 'app://tirami', parent: null }
    const ask = (procedure: string, input: unknown) =>
      invoke({ sender: { id: 7 }, senderFrame: frame }, procedure, input)
    expect(await ask('app.get', {})).toMatchObject({
      ok: true,
      result: { available: true, settings: { closeToTray: true }, safeMode: null },
    })
    expect(await ask('app.set', { closeToTray: 'no' })).toMatchObject({
      ok: false,
      error: { code: 'INVALID_INPUT' },
    })
    expect(await ask('app.set', { notifications: { sentinelRed: false } })).toMatchObject({
      result: { settings: { notifications: { firstEarning: true, sentinelRed: false } } },
    })
    expect(window().sent.at(-1)).toMatchObject(['tirami:event', { name: 'app.changed' }])
    fake.power.emit('lock-screen')
    expect(host().posted.at(-1)).toMatchObject({ type: 'seen', reading: { idleSeconds: 42, locked: true } })
  })

  it('quits only when the host has stopped', async () => {
    const quit = (fake.app as unknown as { quit(): void }).quit
    quit()
    expect(fake.log).not.toContain('quit')
    expect(host().posted.at(-1)).toEqual({ type: 'stop' })
    host().emit('message', { type: 'stopped' })
    await vi.waitFor(() => expect(fake.log).toContain('quit'))
    expect(fake.log).not.toContain('exit')
    const preventDefault = vi.fn()
    window().emit('close', { preventDefault })
    expect(preventDefault).not.toHaveBeenCalled()
  })
})
