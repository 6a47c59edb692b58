import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostSupervisor } from '../../src-main/desktop/host-supervisor.ts'
import { gateCall } from '../../src-main/desktop/ipc-gate.ts'
import { startMessage } from '../../src-main/desktop/start-message.ts'
import { type CallResult, type HostEvent, HostStatus } from '../../src-preload/contract/index.ts'
import { eventually, root } from './app.ts'

const built = join(root, 'out/main')

/**
 * Main's supervisor with the built host.js and engine.js as they are shipped, in plain Node: everything of the
 * desktop app but Electron's own process and port classes, which `host-process.ts` and the host's shim stand for.
 */
describe.skipIf(!existsSync(join(built, 'host.js')))('supervisor, built host and built engine', () => {
  const data = mkdtempSync(join(tmpdir(), 'tirami-desktop-'))
  const hosts: ChildProcess[] = []
  const engines: ChildProcess[] = []
  const events: HostEvent[] = []
  let supervisor: HostSupervisor<number>

  beforeAll(() => {
    const spawn = (script: string, execArgv: string[]) =>
      fork(join(built, script), [], {
        execArgv,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: withoutOptions(),
      })
    supervisor = new HostSupervisor<number>(
      {
        forkHost: () => {
          const host = spawn('host.js', ['--import', new URL('./node-parent-port.mjs', import.meta.url).href])
          hosts.push(host)
          host.on('message', (message: { tunnel?: number; data: unknown }) => {
            const engine = message.tunnel === undefined ? undefined : engines[message.tunnel]
            if (engine?.connected) engine.send(message.data as object)
          })
          return {
            post: (message, port) => void (host.connected && host.send({ data: message, port })),
            onMessage: (listener) =>
              void host.on('message', (message: { tunnel?: number; data: unknown }) => {
                if (message.tunnel === undefined) listener(message.data)
              }),
            onExit: (listener) => void host.once('exit', listener),
            kill: () => void host.kill(),
          }
        },
        forkEngine: () => {
          const engine = spawn('engine.js', [])
          const port = engines.push(engine) - 1
          const host = hosts.at(-1)
          engine.on('message', (message) => host?.connected && host.send({ tunnel: port, data: message }))
          engine.once('exit', () => host?.connected && host.send({ tunnel: port, closed: true }))
          return {
            port,
            onExit: (listener) => void engine.once('exit', listener),
            kill: () => void engine.kill(),
          }
        },
      },
      startMessage({ userData: data, resources: join(root, 'resources'), model: '', apiPort: '0' }),
    )
    supervisor.onEvent((event) => events.push(event))
    supervisor.start()
  })
  afterAll(async () => {
    await supervisor.stop(15_000)
    for (const child of [...hosts, ...engines]) child.kill('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  })

  const sender = {
    contentsId: 1,
    frameUrl: 'app://tirami/index.html',
    frameOrigin: 'app://tirami',
    isTopFrame: true,
  }
  const call = (procedure: string, input: unknown = {}): Promise<CallResult> =>
    gateCall({ sender, windowContentsId: 1, procedure, input }, (name, given) => supervisor.call(name, given))
  const status = async (): Promise<HostStatus> => {
    const result = await call('status.get')
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`)
    return HostStatus.parse(result.result)
  }
  const state = async () => (await status()).state

  it('comes up and serves', async () => {
    await eventually(state, 'serving')
    expect((await status()).engine.state).toBe('ready')
    expect(engines).toHaveLength(1)
  })

  it('answers a chat, books it, and says so in events', async () => {
    const before = (await status()).ledger.trades
    const started = await call('chat.start', { messages: [{ role: 'user', content: 'hello' }], maxTokens: 8 })
    expect(started.ok).toBe(true)
    const names = async () => new Set(events.map(({ name }) => name))
    await eventually(async () => (await names()).has('chat.done'), true)
    expect([...(await names())]).toEqual(
      expect.arrayContaining(['status.changed', 'chat.delta', 'trade.booked', 'chat.done']),
    )
    expect((await status()).ledger.trades).toBe(before + 1)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  })

  it('refuses what the contract does not know', async () => {
    expect(await call('trades.list', { limit: 1_000 })).toMatchObject({
      ok: false,
      error: { code: 'INVALID_INPUT' },
    })
    expect(await call('keys.export')).toMatchObject({ ok: false, error: { code: 'UNKNOWN_PROCEDURE' } })
  })

  it('pauses, which ends the engine, and resumes with a new one', async () => {
    await call('host.pause')
    await eventually(state, 'paused')
    await eventually(
      async () => engines.every((engine) => engine.exitCode !== null || engine.signalCode !== null),
      true,
    )
    await call('host.resume')
    await eventually(state, 'serving')
    expect(engines).toHaveLength(2)
  })

  it('gets a new engine when one is killed', async () => {
    engines.at(-1)?.kill('SIGKILL')
    await eventually(async () => engines.length, 3)
    await eventually(state, 'serving')
  })

  it('gets a new host when it is killed, with the same keys and the same books', async () => {
    const before = await status()
    hosts.at(-1)?.kill('SIGKILL')
    await eventually(state, 'engine-down')
    await eventually(state, 'serving')
    const after = await status()
    expect(after.nodeId).toBe(before.nodeId)
    expect(after.ledger.trades).toBe(before.ledger.trades)
    expect(hosts).toHaveLength(2)
  })

  it('drains when told to stop', async () => {
    const host = hosts.at(-1)
    const began = Date.now()
    await supervisor.stop(15_000)
    expect(Date.now() - began).toBeLessThan(14_000)
    expect(supervisor.view.phase).toBe('stopped')
    await eventually(async () => host?.exitCode !== null || host?.signalCode !== null, true)
    expect(await call('status.get')).toMatchObject({ ok: false, error: { code: 'HOST_STOPPED' } })
  })
})

describe.skipIf(!existsSync(join(built, 'host.js')))('safe mode', () => {
  it('runs the host without an engine and without a port, and says so', async () => {
    const data = mkdtempSync(join(tmpdir(), 'tirami-safe-'))
    let host: ChildProcess | null = null
    let engines = 0
    const supervisor = new HostSupervisor<number>(
      {
        forkHost: () => {
          const child = fork(join(built, 'host.js'), [], {
            execArgv: ['--import', new URL('./node-parent-port.mjs', import.meta.url).href],
            stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
            env: withoutOptions(),
          })
          host = child
          return {
            post: (message) => void (child.connected && child.send({ data: message })),
            onMessage: (listener) =>
              void child.on('message', (message: { data: unknown }) => listener(message.data)),
            onExit: (listener) => void child.once('exit', listener),
            kill: () => void child.kill(),
          }
        },
        forkEngine: () => {
          engines += 1
          throw new Error('no engine in safe mode')
        },
      },
      startMessage({
        userData: data,
        resources: join(root, 'resources'),
        model: '',
        apiPort: '0',
        safeMode: true,
      }),
    )
    try {
      supervisor.start()
      const first = HostStatus.parse(
        ((await supervisor.call('status.get', {})) as { result: unknown }).result,
      )
      expect(first).toMatchObject({ state: 'paused', reasonCode: 'safe-mode', apiBaseUrl: '' })
      const chat = { messages: [{ role: 'user', content: 'hello' }] }
      const failed = new Promise<HostEvent>((resolve) =>
        supervisor.onEvent((event) => {
          if (event.name === 'chat.failed') resolve(event)
        }),
      )
      expect((await supervisor.call('chat.start', chat)).ok).toBe(true)
      expect(await failed).toMatchObject({ data: { error: { code: 'SAFE_MODE' } } })
      // Whatever tries to load a model is refused a process for it.
      await supervisor.call('host.resume', {})
      expect(engines).toBe(0)
      expect((await supervisor.call('trades.list', { limit: 1 })).ok).toBe(true)
    } finally {
      await supervisor.stop(15_000)
      ;(host as ChildProcess | null)?.kill('SIGKILL')
      rmSync(data, { recursive: true, force: true })
    }
  })
})

function withoutOptions(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...environment } = process.env
  return environment
}
