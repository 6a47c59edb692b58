import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HostEvent } from '../../src-preload/contract/index.ts'
import type { MainToHost } from './host-protocol.ts'
import {
  type EngineChild,
  type HostChild,
  HostSupervisor,
  type HostView,
  restartDelayMs,
} from './host-supervisor.ts'
import { startMessage } from './start-message.ts'
import { exampleStatus } from './testing/status.ts'

class FakeHost implements HostChild<string> {
  readonly posted: { message: MainToHost; port: string | undefined }[] = []
  killed = false
  #onMessage: (message: unknown) => void = () => undefined
  #onExit: (code: number | null) => void = () => undefined
  post(message: MainToHost, port?: string) {
    this.posted.push({ message, port })
  }
  onMessage(listener: (message: unknown) => void) {
    this.#onMessage = listener
  }
  onExit(listener: (code: number | null) => void) {
    this.#onExit = listener
  }
  kill() {
    this.killed = true
  }
  say(message: unknown) {
    this.#onMessage(message)
  }
  exit(code: number | null) {
    this.#onExit(code)
  }
  messages(type: MainToHost['type']) {
    return this.posted.filter(({ message }) => message.type === type)
  }
}

class FakeEngine implements EngineChild<string> {
  killed = false
  readonly port: string
  #onExit: (code: number | null) => void = () => undefined
  constructor(port: string) {
    this.port = port
  }
  onExit(listener: (code: number | null) => void) {
    this.#onExit = listener
  }
  kill() {
    this.killed = true
  }
  exit(code: number | null) {
    this.#onExit(code)
  }
}

const START = startMessage({ userData: '/data', resources: '/resources', model: '', apiPort: '0' })
const error = { code: 'PORT_IN_USE', message: 'Port 3000 is in use.', nextStep: 'Close the other program.' }

function setUp() {
  const hosts: FakeHost[] = []
  const engines: FakeEngine[] = []
  const supervisor = new HostSupervisor<string>(
    {
      forkHost: () => {
        const host = new FakeHost()
        hosts.push(host)
        return host
      },
      forkEngine: () => {
        const engine = new FakeEngine(`port-${engines.length}`)
        engines.push(engine)
        return engine
      },
    },
    START,
  )
  const seen: HostEvent[] = []
  const views: HostView[] = []
  supervisor.onEvent((event) => seen.push(event))
  supervisor.onView((view) => views.push(view))
  const host = (index = hosts.length - 1): FakeHost => {
    const found = hosts[index]
    if (found === undefined) throw new Error('no such host')
    return found
  }
  const up = () => {
    supervisor.start()
    host().say({ type: 'ready', status: exampleStatus() })
  }
  return { supervisor, hosts, engines, seen, views, host, up }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('a host that is to start anew', () => {
  it('is asked to stop, and another takes its place; calls that are made meanwhile wait for it', async () => {
    const { supervisor, hosts, views, host, up } = setUp()
    up()
    const asked = supervisor.call('host.restart', {})
    host().say({ type: 'restart' })
    host().say({ type: 'result', id: 1, result: { ok: true, result: { restarting: true } } })
    expect(await asked).toMatchObject({ ok: true })
    expect(host().posted.at(-1)).toMatchObject({ message: { type: 'stop' } })
    const waiting = supervisor.call('status.get', {})
    host().say({ type: 'stopped' })
    host(0).exit(0)
    expect(hosts).toHaveLength(2)
    expect(views.map(({ phase }) => phase)).not.toContain('down')
    host(1).say({ type: 'ready', status: exampleStatus() })
    host(1).say({ type: 'result', id: 2, result: { ok: true, result: 'new' } })
    expect(await waiting).toEqual({ ok: true, result: 'new' })
  })

  it('is ended when it does not stop by itself', () => {
    const { hosts, host, up } = setUp()
    up()
    host().say({ type: 'restart' })
    vi.advanceTimersByTime(15_000)
    expect(host().killed).toBe(true)
    host(0).exit(null)
    expect(hosts).toHaveLength(2)
  })

  it('does not come back when the app quits meanwhile', async () => {
    const { supervisor, hosts, host, up } = setUp()
    up()
    host().say({ type: 'restart' })
    const stopped = supervisor.stop(1_000)
    host().say({ type: 'stopped' })
    await stopped
    host(0).exit(0)
    vi.advanceTimersByTime(60_000)
    expect(hosts).toHaveLength(1)
  })
})

describe('starting', () => {
  it('starts the host with the start message, once', () => {
    const { supervisor, hosts, host } = setUp()
    supervisor.start()
    supervisor.start()
    expect(hosts).toHaveLength(1)
    expect(host().posted).toEqual([{ message: START, port: undefined }])
    expect(supervisor.view.phase).toBe('starting')
  })

  it('holds calls until the host is ready', async () => {
    const { supervisor, host } = setUp()
    supervisor.start()
    const answer = supervisor.call('status.get', {})
    expect(host().messages('call')).toEqual([])
    host().say({ type: 'ready', status: exampleStatus() })
    expect(host().messages('call')).toEqual([
      { message: { type: 'call', id: 1, procedure: 'status.get', input: {} }, port: undefined },
    ])
    host().say({ type: 'result', id: 1, result: { ok: true, result: 'x' } })
    expect(await answer).toEqual({ ok: true, result: 'x' })
  })

  it('tells the window when the host is ready', () => {
    const { up, seen } = setUp()
    up()
    expect(seen).toEqual([{ seq: 1, name: 'status.changed', data: exampleStatus() }])
  })
})

describe('calls', () => {
  it('are matched by id, in any order; a second answer changes nothing', async () => {
    const { supervisor, host, up } = setUp()
    up()
    const first = supervisor.call('status.get', {})
    const second = supervisor.call('trades.list', { limit: 1 })
    host().say({ type: 'result', id: 2, result: { ok: true, result: 'second' } })
    host().say({ type: 'result', id: 2, result: { ok: true, result: 'again' } })
    host().say({ type: 'result', id: 99, result: { ok: true, result: 'nobody asked' } })
    host().say({ type: 'result', id: 1, result: { ok: false, error } })
    expect(await second).toEqual({ ok: true, result: 'second' })
    expect(await first).toEqual({ ok: false, error })
  })

  it('end when the host does not answer', async () => {
    const { supervisor, up } = setUp()
    up()
    const answer = supervisor.call('status.get', {})
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await answer).toMatchObject({ ok: false, error: { code: 'HOST_TIMEOUT' } })
  })

  it('are refused beyond a bound', async () => {
    const { supervisor, up } = setUp()
    up()
    for (let n = 0; n < 256; n += 1) void supervisor.call('status.get', {})
    expect(await supervisor.call('status.get', {})).toMatchObject({ ok: false, error: { code: 'HOST_BUSY' } })
  })

  it('all end when the host dies', async () => {
    const { supervisor, host, up } = setUp()
    up()
    const answers = [supervisor.call('status.get', {}), supervisor.call('chat.start', {})]
    host().exit(137)
    for (const answer of answers)
      expect(await answer).toMatchObject({ ok: false, error: { code: 'HOST_STOPPED' } })
  })
})

describe('events', () => {
  it('are passed on under one gapless sequence, across restarts', async () => {
    const { host, up, seen } = setUp()
    up()
    host().say({
      type: 'event',
      event: { seq: 40, name: 'chat.delta', data: { chatId: 'ab'.repeat(16), text: 'a' } },
    })
    host().exit(1)
    await vi.advanceTimersByTimeAsync(1_000)
    host().say({ type: 'ready', status: exampleStatus() })
    host().say({
      type: 'event',
      event: { seq: 1, name: 'chat.delta', data: { chatId: 'ab'.repeat(16), text: 'b' } },
    })
    expect(seen.map(({ seq, name }) => [seq, name])).toEqual([
      [1, 'status.changed'],
      [2, 'chat.delta'],
      [3, 'status.changed'],
      [4, 'status.changed'],
      [5, 'chat.delta'],
    ])
  })

  it('keep the view at the newest status', () => {
    const { supervisor, host, up } = setUp()
    up()
    const paused = exampleStatus({ state: 'paused' })
    host().say({ type: 'event', event: { seq: 1, name: 'status.changed', data: paused } })
    expect(supervisor.view).toEqual({ phase: 'up', status: paused })
  })

  it.each<unknown>([
    null,
    'ready',
    { type: 'ready' },
    { type: 'event', event: { seq: 1, name: 'unknown', data: {} } },
    { type: 'event', event: { seq: 1, name: 'chat.delta', data: { chatId: 'x', text: 'a' } } },
    { type: 'result', id: 0, result: { ok: true, result: 1 } },
    { type: 'stopped', extra: 1 },
    { type: 'spawn-engine', engineId: '1' },
  ])('that break the protocol are dropped: %j', (message) => {
    const { supervisor, host, up, seen, engines } = setUp()
    up()
    host().say(message)
    expect(seen).toHaveLength(1)
    expect(engines).toHaveLength(0)
    expect(supervisor.view.phase).toBe('up')
  })
})

describe('restarting', () => {
  it('shows why, keeps the last status, and tries again', async () => {
    const { supervisor, hosts, host, up, seen } = setUp()
    up()
    host().say({ type: 'failed', error })
    expect(host().killed).toBe(true)
    host().exit(0)
    expect(supervisor.view).toMatchObject({ phase: 'down', error, retryAtMs: 1_001_000 })
    expect(seen.at(-1)).toMatchObject({
      name: 'status.changed',
      data: {
        state: 'engine-down',
        reason: error.message,
        engine: { state: 'restarting', retryAtMs: 1_001_000, error },
      },
    })
    expect(await supervisor.call('status.get', {})).toMatchObject({
      ok: true,
      result: { state: 'engine-down' },
    })
    expect(await supervisor.call('host.resume', {})).toEqual({ ok: false, error })
    await vi.advanceTimersByTimeAsync(999)
    expect(hosts).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(hosts).toHaveLength(2)
    expect(supervisor.view).toMatchObject({ phase: 'starting' })
  })

  it('answers with the reason when the host was never up', async () => {
    const { supervisor, host } = setUp()
    supervisor.start()
    const early = supervisor.call('status.get', {})
    host().say({ type: 'failed', error })
    host().exit(0)
    expect(await early).toEqual({ ok: false, error })
    expect(await supervisor.call('status.get', {})).toEqual({ ok: false, error })
  })

  it('waits longer each time, and forgets that after a healthy minute', async () => {
    const { supervisor, hosts, host, up } = setUp()
    supervisor.start()
    for (const delay of [1_000, 2_000, 4_000, 8_000]) {
      const count = hosts.length
      host().exit(1)
      await vi.advanceTimersByTimeAsync(delay - 1)
      expect(hosts).toHaveLength(count)
      await vi.advanceTimersByTimeAsync(1)
      expect(hosts).toHaveLength(count + 1)
    }
    up()
    await vi.advanceTimersByTimeAsync(60_000)
    host().exit(1)
    expect(supervisor.view).toMatchObject({ phase: 'down', retryAtMs: Date.now() + 1_000 })
  })

  it('never waits more than a minute', () => {
    expect([1, 2, 3, 6, 7, 50, 5_000].map(restartDelayMs)).toEqual([
      1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000,
    ])
  })

  it('does not listen to a host that has been replaced', async () => {
    const { host, up, seen } = setUp()
    up()
    const old = host()
    old.exit(1)
    await vi.advanceTimersByTimeAsync(1_000)
    const count = seen.length
    old.say({ type: 'ready', status: exampleStatus() })
    old.exit(1)
    expect(seen).toHaveLength(count)
  })
})

describe('engines', () => {
  it('are spawned on request and joined to the host', () => {
    const { host, up, engines } = setUp()
    up()
    host().say({ type: 'spawn-engine', engineId: 5 })
    expect(host().messages('engine-port')).toEqual([
      { message: { type: 'engine-port', engineId: 5 }, port: 'port-0' },
    ])
    engines[0]?.exit(139)
    expect(host().messages('engine-exit')).toEqual([
      { message: { type: 'engine-exit', engineId: 5, code: 139 }, port: undefined },
    ])
  })

  it('are killed on request, and only those that exist', () => {
    const { host, up, engines } = setUp()
    up()
    host().say({ type: 'spawn-engine', engineId: 1 })
    host().say({ type: 'kill-engine', engineId: 2 })
    expect(engines[0]?.killed).toBe(false)
    host().say({ type: 'kill-engine', engineId: 1 })
    expect(engines[0]?.killed).toBe(true)
  })

  it('are bounded in number; the host is told at once', () => {
    const { host, up, engines } = setUp()
    up()
    for (let engineId = 1; engineId <= 5; engineId += 1) host().say({ type: 'spawn-engine', engineId })
    host().say({ type: 'spawn-engine', engineId: 1 })
    expect(engines).toHaveLength(4)
    expect(
      host()
        .messages('engine-exit')
        .map(({ message }) => message),
    ).toEqual([
      { type: 'engine-exit', engineId: 5, code: null },
      { type: 'engine-exit', engineId: 1, code: null },
    ])
  })

  it('go with their host, and their end is no business of the next one', async () => {
    const { host, up, engines } = setUp()
    up()
    host().say({ type: 'spawn-engine', engineId: 1 })
    host().exit(1)
    expect(engines[0]?.killed).toBe(true)
    await vi.advanceTimersByTimeAsync(1_000)
    host().say({ type: 'spawn-engine', engineId: 1 })
    engines[0]?.exit(0)
    expect(host().messages('engine-exit')).toEqual([])
    host().say({ type: 'kill-engine', engineId: 1 })
    expect(engines[1]?.killed).toBe(true)
  })
})

describe('stopping', () => {
  it('waits for the host to say that it has stopped', async () => {
    const { supervisor, host, up, engines } = setUp()
    up()
    host().say({ type: 'spawn-engine', engineId: 1 })
    let stopped = false
    const done = supervisor.stop(10_000).then(() => {
      stopped = true
    })
    expect(host().messages('stop')).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(stopped).toBe(false)
    host().say({ type: 'stopped' })
    await done
    expect(host().killed).toBe(true)
    expect(engines[0]?.killed).toBe(true)
    expect(supervisor.view.phase).toBe('stopped')
    expect(await supervisor.call('status.get', {})).toMatchObject({ error: { code: 'HOST_STOPPED' } })
  })

  it('ends a host that takes too long', async () => {
    const { supervisor, host, up } = setUp()
    up()
    const answer = supervisor.call('status.get', {})
    const done = supervisor.stop(10_000)
    await vi.advanceTimersByTimeAsync(10_000)
    await done
    expect(host().killed).toBe(true)
    expect(await answer).toMatchObject({ error: { code: 'HOST_STOPPED' } })
  })

  it('is done when the host exits, and does not start it again', async () => {
    const { supervisor, hosts, host, up } = setUp()
    up()
    const done = supervisor.stop(10_000)
    host().exit(0)
    await done
    await vi.advanceTimersByTimeAsync(120_000)
    supervisor.start()
    expect(hosts).toHaveLength(1)
  })

  it('cancels a restart that was due, and can be asked twice', async () => {
    const { supervisor, hosts, host, up } = setUp()
    up()
    host().exit(1)
    await Promise.all([supervisor.stop(10_000), supervisor.stop(10_000)])
    await vi.advanceTimersByTimeAsync(120_000)
    expect(hosts).toHaveLength(1)
  })
})
