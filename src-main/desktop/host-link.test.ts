import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HostEvent } from '../../src-preload/contract/index.ts'
import type { EngineProcess, EngineReport } from '../inference/index.ts'
import { TiramiError } from '../kernel/index.ts'
import { EngineLink, type LinkPort } from './engine-link.ts'
import { type LinkedHost, type LinkedHostOptions, serveParent } from './host-link.ts'
import type { HostToMain, MainToHost } from './host-protocol.ts'
import { HostSupervisor } from './host-supervisor.ts'
import { startMessage } from './start-message.ts'
import { exampleStatus } from './testing/status.ts'

const START = startMessage({ userData: '/data', resources: '/resources', model: '', apiPort: '0' })

/** Node's port behaves as Electron's does, under other names. */
function linkPort(port: MessagePort): LinkPort {
  return {
    postMessage: (message) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', listener),
    onClose: (listener) => void port.once('close', listener),
    start: () => port.start(),
    close: () => port.close(),
  }
}

beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => undefined))
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('EngineLink', () => {
  const open = () => {
    const channel = new MessageChannel()
    const killed = vi.fn()
    const link = new EngineLink(killed)
    const heard: string[] = []
    link.onMessage((message) => heard.push(message.type))
    link.onExit((code) => heard.push(`exit ${code}`))
    return { link, killed, heard, engine: channel.port1, hostEnd: linkPort(channel.port2) }
  }
  const loadFailed: EngineReport = { type: 'load-failed', error: { code: 'X', message: 'm', nextStep: 'n' } }

  it('keeps commands until the port has come, in order', async () => {
    const { link, engine, hostEnd } = open()
    const got: number[] = []
    engine.on('message', (message) => got.push(message.jobId))
    link.send({ type: 'cancel', jobId: 1 })
    link.send({ type: 'cancel', jobId: 2 })
    link.attach(hostEnd)
    link.send({ type: 'cancel', jobId: 3 })
    await vi.waitFor(() => expect(got).toEqual([1, 2, 3]))
    engine.close()
  })

  it('tells the end only after the last words', async () => {
    const { link, heard, engine, hostEnd } = open()
    link.attach(hostEnd)
    engine.postMessage(loadFailed)
    engine.close()
    // Main is faster than the port.
    link.exited(1)
    expect(heard).toEqual([])
    await vi.waitFor(() => expect(heard).toEqual(['load-failed', 'exit 1']))
  })

  it('tells the end after a while even if the port never closes, and then nothing more', async () => {
    vi.useFakeTimers()
    const { link, heard } = open()
    let listener: (message: unknown) => void = () => undefined
    const port: LinkPort = {
      postMessage: () => undefined,
      onMessage: (given) => {
        listener = given
      },
      onClose: () => undefined,
      start: () => undefined,
      close: () => undefined,
    }
    link.attach(port)
    link.exited(9)
    await vi.advanceTimersByTimeAsync(1_000)
    listener(loadFailed)
    link.exited(10)
    expect(heard).toEqual(['exit 9'])
  })

  it('tells the end of an engine that never came', () => {
    const { link, heard, hostEnd } = open()
    link.exited(null)
    expect(heard).toEqual(['exit null'])
    link.attach(hostEnd)
    link.send({ type: 'stop' })
  })

  it('drops what is no report', async () => {
    const { link, heard, engine, hostEnd } = open()
    link.attach(hostEnd)
    for (const noise of [null, 1, 'x', {}, { type: 5 }]) engine.postMessage(noise)
    engine.postMessage(loadFailed)
    await vi.waitFor(() => expect(heard).toEqual(['load-failed']))
    engine.close()
  })

  it('asks main to kill, as long as there is something to kill', () => {
    const { link, killed } = open()
    link.kill()
    link.exited(0)
    link.kill()
    expect(killed).toHaveBeenCalledTimes(1)
  })
})

describe('supervisor and host, joined', () => {
  /** A host behind the real protocol: both sides are the shipped code, only the processes are missing. */
  function join(start?: (options: LinkedHostOptions) => Promise<LinkedHost>) {
    const subscribers = new Set<(event: HostEvent) => void>()
    const stop = vi.fn(async () => undefined)
    let options: LinkedHostOptions | undefined
    const host: LinkedHost = {
      control: {
        call: async (procedure, input) => {
          if (procedure === 'chat.cancel')
            throw new TiramiError('NO_CHAT', 'No such chat.', { nextStep: 'None.' })
          return { ok: true, result: exampleStatus({ reason: `${procedure} ${JSON.stringify(input)}` }) }
        },
        subscribe: (listener) => {
          subscribers.add(listener)
          return () => void subscribers.delete(listener)
        },
      },
      status: () => exampleStatus(),
      stop,
    }
    const engines: MessagePort[] = []
    const engineExits: ((code: number | null) => void)[] = []
    const supervisor = new HostSupervisor<MessagePort>(
      {
        forkHost: () => {
          const hostExits: ((code: number | null) => void)[] = []
          const toHost: ((message: unknown, port: LinkPort | null) => void)[] = []
          const toMain: ((message: unknown) => void)[] = []
          serveParent(
            {
              post: (message: HostToMain) =>
                queueMicrotask(() => toMain.forEach((to) => void to(structuredClone(message)))),
              onMessage: (listener) => void toHost.push(listener),
            },
            start ??
              (async (given) => {
                options = given
                return host
              }),
          )
          return {
            post: (message: MainToHost, port) =>
              queueMicrotask(() =>
                toHost.forEach(
                  (to) => void to(structuredClone(message), port === undefined ? null : linkPort(port)),
                ),
              ),
            onMessage: (listener) => void toMain.push(listener),
            onExit: (listener) => void hostExits.push(listener),
            kill: () => {
              for (const exit of hostExits) exit(0)
            },
          }
        },
        forkEngine: () => {
          const { port1, port2 } = new MessageChannel()
          engines.push(port1)
          return {
            port: port2,
            onExit: (listener) => void engineExits.push(listener),
            kill: () => {
              port1.close()
              for (const exit of engineExits) exit(null)
            },
          }
        },
      },
      START,
    )
    const emit = (event: HostEvent) => {
      for (const listener of subscribers) listener(event)
    }
    return { supervisor, stop, emit, engines, options: () => options }
  }

  it('start, call, refuse and stop', async () => {
    const { supervisor, stop, options } = join()
    supervisor.start()
    const answer = await supervisor.call('earnings.get', { range: '7d' })
    expect(answer).toMatchObject({ ok: true, result: { reason: 'earnings.get {"range":"7d"}' } })
    expect(options()).toMatchObject({ dataDirectory: '/data', resourcesDirectory: '/resources', port: 0 })
    expect(options()).not.toHaveProperty('model')
    expect(await supervisor.call('chat.cancel', {})).toMatchObject({ ok: false, error: { code: 'NO_CHAT' } })
    await supervisor.stop(10_000)
    expect(stop).toHaveBeenCalledTimes(1)
  })

  it('carry events to the window', async () => {
    const { supervisor, emit } = join()
    const seen: HostEvent[] = []
    supervisor.onEvent((event) => seen.push(event))
    supervisor.start()
    await supervisor.call('status.get', {})
    emit({ seq: 9, name: 'chat.delta', data: { chatId: 'ab'.repeat(16), text: 'Hi' } })
    await vi.waitFor(() =>
      expect(seen.at(-1)).toMatchObject({ seq: 2, name: 'chat.delta', data: { text: 'Hi' } }),
    )
  })

  it('say why a host does not start', async () => {
    const { supervisor } = join(async () => {
      throw new TiramiError('PORT_IN_USE', 'Port 3000 is in use.', { nextStep: 'Close it.' })
    })
    supervisor.start()
    await vi.waitFor(() =>
      expect(supervisor.view).toMatchObject({
        phase: 'down',
        error: { code: 'PORT_IN_USE', nextStep: 'Close it.' },
      }),
    )
    await supervisor.stop(1_000)
  })

  it('give the host an engine that it can talk to and end', async () => {
    const { supervisor, engines, options } = join()
    supervisor.start()
    await supervisor.call('status.get', {})
    const engine = options()?.spawnEngine() as EngineProcess
    const heard: string[] = []
    engine.onMessage((message) => heard.push(message.type))
    engine.onExit(() => heard.push('exit'))
    engine.send({ type: 'cancel', jobId: 4 })
    await vi.waitFor(() => expect(engines).toHaveLength(1))
    engines[0]?.on('message', (message) =>
      engines[0]?.postMessage({ type: 'text', jobId: message.jobId, text: 'a', tokens: 1 }),
    )
    await vi.waitFor(() => expect(heard).toEqual(['text']))
    engine.kill()
    await vi.waitFor(() => expect(heard).toEqual(['text', 'exit']))
  })
})
