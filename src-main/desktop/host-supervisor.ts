import {
  callTimeoutMs,
  type EventData,
  type EventName,
  type HostEvent,
  type HostStatus,
  type PublicErrorData,
} from '../../src-preload/contract/index.ts'
import type { ShellReading } from '../host/index.ts'
import {
  type CallResultEnvelope,
  failure,
  HostToMain,
  type MainToHost,
  type StartMessage,
} from './host-protocol.ts'

/** A host process as the supervisor sees it. `P` is one end of a message port, opaque here. */
export interface HostChild<P> {
  post(message: MainToHost, port?: P): void
  onMessage(listener: (message: unknown) => void): void
  /** Called once, when the process is gone, for whatever reason. */
  onExit(listener: (code: number | null) => void): void
  kill(): void
}

export interface EngineChild<P> {
  /** The end of the engine's port that goes to the host. */
  port: P
  onExit(listener: (code: number | null) => void): void
  kill(): void
}

export interface ProcessFactory<P> {
  forkHost(): HostChild<P>
  forkEngine(): EngineChild<P>
}

export type HostView =
  | { phase: 'starting' | 'stopped'; status: HostStatus | null }
  | { phase: 'up'; status: HostStatus }
  | { phase: 'down'; status: HostStatus | null; error: PublicErrorData; retryAtMs: number }

const MAX_PENDING_CALLS = 256
const MAX_ENGINES = 4
const FIRST_RESTART_DELAY_MS = 1_000
const LONGEST_RESTART_DELAY_MS = 60_000
/** A host that lived this long was healthy: the next failure starts counting anew. */
const HEALTHY_AFTER_MS = 60_000
/** A host that is to start anew gives its jobs 10 s and then closes its books. */
const RESTART_LIMIT_MS = 15_000

/** How long to wait before the start that follows `failures` failures in a row. */
export function restartDelayMs(failures: number): number {
  return Math.min(FIRST_RESTART_DELAY_MS * 2 ** Math.max(0, failures - 1), LONGEST_RESTART_DELAY_MS)
}

/** What the window is told while the host is away: the last known numbers, and why nothing is earned. */
export function statusWhileDown(last: HostStatus, error: PublicErrorData, retryAtMs: number): HostStatus {
  return {
    ...last,
    state: 'engine-down',
    reason: error.message,
    jobs: { running: 0, queued: 0 },
    engine: { ...last.engine, state: 'restarting', retryAtMs, error },
  }
}

interface PendingCall {
  settle(result: CallResultEnvelope): void
  timer: NodeJS.Timeout
}

/**
 * Keeps one host process running: starts it, restarts it with growing pauses, correlates calls, forwards
 * events under its own gapless sequence, and spawns and joins the engines that the host asks for.
 */
export class HostSupervisor<P> {
  readonly #factory: ProcessFactory<P>
  readonly #start: StartMessage
  readonly #eventListeners = new Set<(event: HostEvent) => void>()
  readonly #viewListeners = new Set<(view: HostView) => void>()
  readonly #pending = new Map<number, PendingCall>()
  /** Calls made before the host is ready. */
  #waiting: MainToHost[] = []
  #engines = new Map<number, EngineChild<P>>()
  #child: HostChild<P> | null = null
  #view: HostView = { phase: 'starting', status: null }
  #failure: PublicErrorData | null = null
  #failures = 0
  #startedAtMs = 0
  #restartTimer: NodeJS.Timeout | undefined
  #nextCallId = 1
  #nextSeq = 1
  #stopping: Promise<void> | null = null
  /** Ends a host that does not end by itself when the owner wants another. */
  #restartLimit: NodeJS.Timeout | undefined
  #onStopped: () => void = () => undefined

  constructor(factory: ProcessFactory<P>, start: StartMessage) {
    this.#factory = factory
    this.#start = start
  }

  get view(): HostView {
    return this.#view
  }

  onEvent(listener: (event: HostEvent) => void): void {
    this.#eventListeners.add(listener)
  }

  onView(listener: (view: HostView) => void): void {
    this.#viewListeners.add(listener)
  }

  start(): void {
    if (this.#child !== null || this.#stopping !== null) return
    this.#startedAtMs = Date.now()
    this.#failure = null
    this.#setView({ phase: 'starting', status: this.#view.status })
    const child = this.#factory.forkHost()
    this.#child = child
    child.onMessage((message) => {
      if (this.#child === child) this.#receive(child, message)
    })
    child.onExit((code) => {
      if (this.#child === child) this.#hostGone(code)
    })
    child.post(this.#start)
  }

  /** What main sees of the machine; a host that is away is told the next time. */
  seen(reading: ShellReading): void {
    if (this.#view.phase === 'up') this.#child?.post({ type: 'seen', reading })
  }

  /** Puts an event of main's own among those of the host. */
  publish<E extends EventName>(name: E, data: EventData<E>): void {
    this.#emit({ seq: 0, name, data } as HostEvent)
  }

  /** Never rejects: a host that is away answers with an error that says so. */
  async call(procedure: string, input: unknown): Promise<CallResultEnvelope> {
    const view = this.#view
    if (view.phase === 'stopped' || this.#stopping !== null) return stoppedResult()
    if (view.phase === 'down') {
      if (procedure !== 'status.get' || view.status === null) return { ok: false, error: view.error }
      return { ok: true, result: statusWhileDown(view.status, view.error, view.retryAtMs) }
    }
    if (this.#pending.size >= MAX_PENDING_CALLS) {
      return failure('HOST_BUSY', 'Too many requests are waiting for the host.', 'Try again in a moment.')
    }
    const id = this.#nextCallId++
    const message: MainToHost = { type: 'call', id, procedure, input }
    return new Promise((resolve) => {
      const settle = (result: CallResultEnvelope): void => {
        clearTimeout(timer)
        this.#pending.delete(id)
        resolve(result)
      }
      const timer = setTimeout(
        () => settle(failure('HOST_TIMEOUT', 'The host did not answer in time.', 'Try again in a moment.')),
        callTimeoutMs(procedure),
      )
      this.#pending.set(id, { settle, timer })
      if (view.phase === 'up') this.#child?.post(message)
      else this.#waiting.push(message)
    })
  }

  /** Lets the host finish its jobs and write its books; after `limitMs` it is ended. Always resolves. */
  stop(limitMs: number): Promise<void> {
    this.#stopping ??= new Promise((resolve) => {
      clearTimeout(this.#restartTimer)
      const child = this.#child
      const timer = setTimeout(() => this.#onStopped(), limitMs)
      this.#onStopped = () => {
        clearTimeout(timer)
        this.#onStopped = () => undefined
        this.#child = null
        this.#endEngines()
        this.#settleAll(stoppedResult())
        this.#setView({ phase: 'stopped', status: this.#view.status })
        child?.kill()
        resolve()
      }
      if (child === null) this.#onStopped()
      else child.post({ type: 'stop' })
    })
    return this.#stopping
  }

  #receive(child: HostChild<P>, raw: unknown): void {
    const parsed = HostToMain.safeParse(raw)
    if (!parsed.success) {
      console.error('host: a message that does not follow the protocol was dropped:', parsed.error.message)
      return
    }
    const message = parsed.data
    switch (message.type) {
      case 'ready':
        this.#setView({ phase: 'up', status: message.status })
        this.#emit({ seq: 0, name: 'status.changed', data: message.status })
        for (const call of this.#waiting.splice(0)) child.post(call)
        break
      case 'failed':
        this.#failure = message.error
        child.kill()
        break
      case 'result':
        this.#pending.get(message.id)?.settle(message.result)
        break
      case 'event':
        if (message.event.name === 'status.changed' && this.#view.phase === 'up') {
          this.#setView({ phase: 'up', status: message.event.data })
        }
        this.#emit(message.event)
        break
      case 'spawn-engine':
        this.#spawnEngine(child, message.engineId)
        break
      case 'kill-engine':
        this.#engines.get(message.engineId)?.kill()
        break
      case 'stopped':
        if (this.#stopping === null) child.kill()
        else this.#onStopped()
        break
      case 'restart':
        this.#replace(child)
        break
    }
  }

  #spawnEngine(child: HostChild<P>, engineId: number): void {
    if (this.#start.safeMode || this.#engines.has(engineId) || this.#engines.size >= MAX_ENGINES) {
      child.post({ type: 'engine-exit', engineId, code: null })
      return
    }
    const engines = this.#engines
    const engine = this.#factory.forkEngine()
    engines.set(engineId, engine)
    engine.onExit((code) => {
      engines.delete(engineId)
      if (this.#child === child) child.post({ type: 'engine-exit', engineId, code })
    })
    child.post({ type: 'engine-port', engineId }, engine.port)
  }

  /** Another host in the place of this one; calls that are made meanwhile wait for it. */
  #replace(child: HostChild<P>): void {
    if (this.#stopping !== null || this.#restartLimit !== undefined) return
    this.#setView({ phase: 'starting', status: this.#view.status })
    child.post({ type: 'stop' })
    this.#restartLimit = setTimeout(() => {
      // The first one asks, the second one forces.
      child.kill()
      child.kill()
    }, RESTART_LIMIT_MS)
  }

  #hostGone(code: number | null): void {
    const wanted = this.#restartLimit !== undefined
    clearTimeout(this.#restartLimit)
    this.#restartLimit = undefined
    this.#child = null
    this.#endEngines()
    if (wanted && this.#stopping === null) {
      this.#settleAsked(restartingResult())
      this.start()
      return
    }
    if (this.#stopping !== null) {
      this.#onStopped()
      return
    }
    const error = this.#failure ?? {
      code: 'HOST_STOPPED',
      message: `The host process ended unexpectedly (code ${code ?? 'unknown'}); nothing is earned until it is back.`,
      nextStep: 'It is started again by itself. If this repeats, quit and open the app again.',
    }
    this.#failures = Date.now() - this.#startedAtMs >= HEALTHY_AFTER_MS ? 1 : this.#failures + 1
    const retryAtMs = Date.now() + restartDelayMs(this.#failures)
    this.#restartTimer = setTimeout(() => this.start(), retryAtMs - Date.now())
    const status = this.#view.status
    this.#setView({ phase: 'down', status, error, retryAtMs })
    this.#settleAll({ ok: false, error })
    if (status !== null) {
      this.#emit({ seq: 0, name: 'status.changed', data: statusWhileDown(status, error, retryAtMs) })
    }
  }

  #endEngines(): void {
    const engines = this.#engines
    this.#engines = new Map()
    for (const engine of engines.values()) engine.kill()
  }

  #settleAll(result: CallResultEnvelope): void {
    this.#waiting = []
    for (const call of [...this.#pending.values()]) call.settle(result)
  }

  /** Those that the host which is gone was asked; what waits for the next one goes on waiting. */
  #settleAsked(result: CallResultEnvelope): void {
    const waiting = new Set(this.#waiting.map((message) => (message.type === 'call' ? message.id : 0)))
    for (const [id, call] of [...this.#pending]) if (!waiting.has(id)) call.settle(result)
  }

  #setView(view: HostView): void {
    this.#view = view
    for (const listener of this.#viewListeners) listener(view)
  }

  #emit(event: HostEvent): void {
    const numbered: HostEvent = { ...event, seq: this.#nextSeq++ }
    for (const listener of this.#eventListeners) listener(numbered)
  }
}

function stoppedResult(): CallResultEnvelope {
  return failure('HOST_STOPPED', 'The host has been stopped.', 'Open the app again.')
}

function restartingResult(): CallResultEnvelope {
  return failure('HOST_RESTARTING', 'The host is starting anew.', 'Try again in a moment.')
}
