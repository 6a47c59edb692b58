import type { CallResult, HostEvent, HostStatus } from '../../src-preload/contract/index.ts'
import type { ShellReading } from '../host/index.ts'
import type { SpawnEngine } from '../inference/index.ts'
import { toPublicError } from '../kernel/index.ts'
import { EngineLink, type LinkPort } from './engine-link.ts'
import { type CallResultEnvelope, failure, type HostToMain, MainToHost } from './host-protocol.ts'

/** The way to main, as the host process sees it. */
export interface ParentLink {
  post(message: HostToMain): void
  onMessage(listener: (message: unknown, port: LinkPort | null) => void): void
}

/** What of a running host the link needs. */
export interface LinkedHost {
  control: {
    call(procedure: string, input: unknown): Promise<CallResult>
    subscribe(listener: (event: HostEvent) => void): () => void
  }
  status(): HostStatus
  stop(): Promise<void>
}

export interface LinkedHostOptions {
  dataDirectory: string
  resourcesDirectory: string
  model?: string
  port: number | null
  safeMode: boolean
  /** Asks main for another host process in the place of this one. */
  restart: () => void
  spawnEngine: SpawnEngine
  /** What main has seen last; null until it has. */
  shell: () => ShellReading | null
}

/** Runs one host for main: starts it when told, answers calls, passes events on, asks for engines. */
export function serveParent(
  parent: ParentLink,
  startHost: (options: LinkedHostOptions) => Promise<LinkedHost>,
): void {
  const engines = new Map<number, EngineLink>()
  let nextEngineId = 1
  let starting: Promise<LinkedHost> | null = null
  let host: LinkedHost | null = null
  let seen: ShellReading | null = null

  const spawnEngine: SpawnEngine = () => {
    const engineId = nextEngineId++
    const link = new EngineLink(() => parent.post({ type: 'kill-engine', engineId }))
    engines.set(engineId, link)
    parent.post({ type: 'spawn-engine', engineId })
    return link
  }

  const start = async (message: Extract<MainToHost, { type: 'start' }>): Promise<void> => {
    if (starting !== null) return
    try {
      starting = startHost({
        dataDirectory: message.dataDirectory,
        resourcesDirectory: message.resourcesDirectory,
        ...(message.modelPath === null ? {} : { model: message.modelPath }),
        port: message.port,
        safeMode: message.safeMode,
        shell: () => seen,
        restart: () => parent.post({ type: 'restart' }),
        spawnEngine,
      })
      host = await starting
      host.control.subscribe((event) => parent.post({ type: 'event', event }))
      parent.post({ type: 'ready', status: host.status() })
    } catch (error) {
      console.error('host: did not start:', error)
      // Main ends this process when it has read the reason.
      parent.post({ type: 'failed', error: toPublicError(error) })
    }
  }

  const answer = async (procedure: string, input: unknown): Promise<CallResultEnvelope> => {
    if (host === null)
      return failure('HOST_STARTING', 'The host is still starting.', 'Try again in a moment.')
    try {
      return await host.control.call(procedure, input)
    } catch (error) {
      return { ok: false, error: toPublicError(error) }
    }
  }

  const stop = async (): Promise<void> => {
    try {
      await (await starting)?.stop()
    } catch (error) {
      console.error('host: did not stop cleanly:', error)
    }
    parent.post({ type: 'stopped' })
  }

  parent.onMessage((raw, port) => {
    const parsed = MainToHost.safeParse(raw)
    if (!parsed.success) {
      console.error('host: a message from main that does not follow the protocol was dropped')
      return
    }
    const message = parsed.data
    switch (message.type) {
      case 'start':
        void start(message)
        break
      case 'call':
        void answer(message.procedure, message.input).then((result) =>
          parent.post({ type: 'result', id: message.id, result }),
        )
        break
      case 'engine-port': {
        const link = engines.get(message.engineId)
        if (port !== null && link !== undefined) link.attach(port)
        else port?.close()
        break
      }
      case 'engine-exit':
        engines.get(message.engineId)?.exited(message.code)
        engines.delete(message.engineId)
        break
      case 'seen':
        seen = message.reading
        break
      case 'stop':
        void stop()
        break
    }
  })
}
