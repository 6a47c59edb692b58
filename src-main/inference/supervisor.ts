import type { EngineStatus } from '../../src-preload/contract/index.ts'
import { type Clock, type TiramiError, toPublicError } from '../kernel/index.ts'
import { engineBusy, engineCrashed, engineNotReady, engineStopped, reportedError } from './errors.ts'
import { JobChannel } from './job-channel.ts'
import { EngineReportSchema } from './protocol.ts'
import type {
  Engine,
  EngineProcess,
  EngineReport,
  GenerateEvent,
  GenerateRequest,
  GpuChoice,
  LoadedModel,
  SpawnEngine,
} from './types.ts'

/** One-shot timers, injected so that tests need not wait. */
interface Timers {
  /** @param delayMs milliseconds. @returns a function that cancels it. */
  after(delayMs: number, action: () => void): () => void
}

interface Backoff {
  /** Wait before the first restart; doubles with every failure in a row. */
  firstMs: number
  maxMs: number
  /** Running this long makes the next failure count as the first again. */
  healthyMs: number
  /** Failures in a row after which the engine gives up. */
  maxFailures: number
}

export interface EngineOptions {
  spawn: SpawnEngine
  modelPath: string
  /** Tokens per slot, prompt and completion. */
  contextTokens: number
  /** Jobs that run at once. */
  slots: number
  threads: number
  gpu: GpuChoice
  clock: Clock
  /**
   * Checks the model file before every start of a process, so that native code never sees a broken one:
   * `readGgufModel` of `models`. What it rejects with ends in state `failed`.
   */
  checkModel?: (modelPath: string) => Promise<unknown>
  timers?: Timers
  backoff?: Backoff
  /** A process that has not loaded the model after this long is replaced. */
  loadTimeoutMs?: number
}

const DEFAULT_BACKOFF: Backoff = { firstMs: 500, maxMs: 30_000, healthyMs: 60_000, maxFailures: 5 }
/** One process, from its start until it is gone. There is never a second one. */
interface Worker {
  process: EngineProcess
  gone: PromiseWithResolvers<void>
  /** Set when it was told to go: with what it did wrong, or null when nothing. Its reports no longer count. */
  ending: { fault: string | null } | null
}

/** A 40 GB model from a slow disk takes minutes. */
const DEFAULT_LOAD_TIMEOUT_MS = 10 * 60_000
/** A process that does not go on request is killed after this. */
const KILL_AFTER_MS = 3_000
/** A cancel takes one token or one batch; a process that has not answered by then hangs in a driver. */
const CANCEL_TIMEOUT_MS = 120_000
const MAX_QUEUED_JOBS = 64

const systemTimers: Timers = {
  after: (delayMs, action) => {
    const handle = setTimeout(action, delayMs)
    return () => clearTimeout(handle)
  },
}

/**
 * Keeps one engine process alive and gives it work. Jobs beyond the slots wait in order, at most 64.
 *
 * When the process dies, the jobs it was running fail with ENGINE_CRASHED. Jobs that were still waiting had
 * no part in it and wait on for the restart; they fail when there is none. New jobs are refused with
 * ENGINE_NOT_READY until the model is loaded again, so that callers can go elsewhere at once.
 */
export function createEngine(options: EngineOptions): Engine {
  return new Supervisor(options)
}

class Supervisor implements Engine {
  readonly #options: EngineOptions
  readonly #timers: Timers
  readonly #backoff: Backoff
  readonly #listeners = new Set<() => void>()
  readonly #running = new Map<number, JobChannel>()
  /** Cancels the watch over a cancelled job, by job. */
  readonly #cancelWatches = new Map<number, () => void>()
  #queue: JobChannel[] = []
  #nextJobId = 0
  #worker: Worker | null = null
  #loaded: LoadedModel | null = null
  #readyAtMs: number | null = null
  #failuresInARow = 0
  #starting: PromiseWithResolvers<void> | null = null
  #stopping: Promise<void> | null = null
  /** Cancels the check of the file, the load timeout or the wait before a restart, whichever runs. */
  #cancelTimer: () => void = () => undefined
  #status: EngineStatus = {
    state: 'stopped',
    backend: null,
    deviceName: null,
    threads: null,
    slots: null,
    restarts: 0,
    retryAtMs: null,
    error: null,
  }

  constructor(options: EngineOptions) {
    this.#options = options
    this.#timers = options.timers ?? systemTimers
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF
  }

  status(): EngineStatus {
    return { ...this.#status }
  }

  jobs(): { running: number; queued: number } {
    return { running: this.#running.size, queued: this.#queue.length }
  }

  loaded(): LoadedModel | null {
    return this.#loaded
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async start(): Promise<void> {
    await this.#stopping
    if (this.#status.state === 'failed') await this.#worker?.gone.promise
    if (this.#status.state === 'ready') return
    if (!this.#starting) {
      this.#starting = Promise.withResolvers()
      // Whoever called start() hears of a failure; without a listener it is in the status.
      this.#starting.promise.catch(() => undefined)
      if (this.#status.state !== 'restarting') this.#startAfresh()
    }
    return this.#starting.promise
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = null
    })
    return this.#stopping
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent, void, void> {
    const job = this.#admit(request)
    const onAbort = (): void => this.#cancel(job)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    try {
      for (;;) {
        const event = await job.next()
        yield event
        if (event.type === 'end') return
        if (event.type === 'prompt') this.#worker?.process.send({ type: 'proceed', jobId: job.id })
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#cancel(job)
    }
  }

  // ---- process ----

  #startAfresh(): void {
    this.#failuresInARow = 0
    this.#update({ state: 'starting', restarts: 0, retryAtMs: null, error: null })
    this.#checkAndSpawn()
  }

  #checkAndSpawn(): void {
    const { checkModel, modelPath } = this.#options
    if (!checkModel) {
      this.#spawn()
      return
    }
    let isWanted = true
    this.#cancelTimer = () => {
      isWanted = false
    }
    checkModel(modelPath).then(
      () => isWanted && this.#spawn(),
      (error: Error) => isWanted && this.#giveUp(error),
    )
  }

  #spawn(): void {
    let child: EngineProcess
    try {
      child = this.#options.spawn()
    } catch (error) {
      this.#failed(engineCrashed('could not be started', error instanceof Error ? error.message : ''))
      return
    }
    const worker: Worker = { process: child, gone: Promise.withResolvers(), ending: null }
    this.#worker = worker
    child.onMessage((message) => {
      if (!worker.ending) this.#receive(worker, message)
    })
    child.onExit((code) => this.#exited(worker, code))
    this.#cancelTimer = this.#timers.after(this.#options.loadTimeoutMs ?? DEFAULT_LOAD_TIMEOUT_MS, () =>
      this.#end(worker, 'did not load the model in time'),
    )
    const { modelPath, contextTokens, slots, threads, gpu } = this.#options
    child.send({ type: 'load', modelPath, contextTokens, slots, threads, gpu })
  }

  #receive(worker: Worker, message: unknown): void {
    const parsed = EngineReportSchema.safeParse(message)
    if (!parsed.success) this.#end(worker, 'sent something that cannot be understood')
    else if (parsed.data.type === 'loaded') this.#becomeReady(parsed.data.model)
    else if (parsed.data.type === 'load-failed') this.#giveUp(reportedError(parsed.data.error))
    else this.#deliver(parsed.data)
  }

  /** Has the process go: asked now, killed after 3 s. With a `fault` that counts as a crash. */
  #end(worker: Worker, fault: string | null): void {
    worker.ending = { fault }
    const cancelKill = this.#timers.after(KILL_AFTER_MS, () => worker.process.kill())
    void worker.gone.promise.then(cancelKill)
    worker.process.kill()
  }

  #exited(worker: Worker, code: number | null): void {
    this.#worker = null
    worker.gone.resolve()
    if (worker.ending?.fault === null) return
    const how = code === null ? 'was killed' : `ended with exit code ${code}`
    this.#failed(engineCrashed(worker.ending?.fault ?? how, lastWordsOf(worker.process)))
  }

  #becomeReady(model: LoadedModel): void {
    this.#cancelTimer()
    this.#loaded = model
    this.#readyAtMs = this.#options.clock.nowMs()
    const { backend, deviceName, threads, slots } = model
    this.#update({ state: 'ready', backend, deviceName, threads, slots, retryAtMs: null, error: null })
    this.#starting?.resolve()
    this.#starting = null
    this.#pump()
  }

  /** The process is gone unasked: fail what it ran, then restart or give up. */
  #failed(error: TiramiError): void {
    this.#cancelTimer()
    this.#failRunning(error)
    const { clock } = this.#options
    const { firstMs, maxMs, healthyMs, maxFailures } = this.#backoff
    const wasHealthy = this.#readyAtMs !== null && clock.nowMs() - this.#readyAtMs >= healthyMs
    this.#failuresInARow = wasHealthy ? 1 : this.#failuresInARow + 1
    this.#forgetModel()
    if (this.#failuresInARow >= maxFailures) {
      this.#giveUp(error)
      return
    }
    const delayMs = Math.min(maxMs, firstMs * 2 ** (this.#failuresInARow - 1))
    this.#cancelTimer = this.#timers.after(delayMs, () => {
      this.#update({ state: 'restarting', restarts: this.#status.restarts + 1, retryAtMs: null })
      this.#checkAndSpawn()
    })
    this.#update({ state: 'restarting', retryAtMs: clock.nowMs() + delayMs, error: toPublicError(error) })
  }

  /** No further try: `failed` until somebody calls start() again. */
  #giveUp(error: Error): void {
    this.#cancelTimer()
    if (this.#worker) this.#end(this.#worker, null)
    this.#forgetModel()
    this.#update({ state: 'failed', retryAtMs: null, error: toPublicError(error) })
    this.#failRunning(error)
    this.#failQueued(error)
    this.#starting?.reject(error)
    this.#starting = null
  }

  async #stop(): Promise<void> {
    this.#cancelTimer()
    const worker = this.#worker
    if (worker) {
      worker.process.send({ type: 'stop' })
      this.#end(worker, null)
    }
    const error = engineStopped()
    this.#failRunning(error)
    this.#failQueued(error)
    this.#starting?.reject(error)
    this.#starting = null
    await worker?.gone.promise
    this.#forgetModel()
    this.#update({ state: 'stopped', retryAtMs: null, error: null })
  }

  #forgetModel(): void {
    this.#loaded = null
    this.#readyAtMs = null
    this.#status = { ...this.#status, backend: null, deviceName: null, threads: null, slots: null }
  }

  // ---- jobs ----

  /** @throws TiramiError ENGINE_NOT_READY, ENGINE_BUSY */
  #admit(request: GenerateRequest): JobChannel {
    if (!this.#readyWorker()) throw engineNotReady()
    if (this.#queue.length >= MAX_QUEUED_JOBS) throw engineBusy()
    const job = new JobChannel(this.#nextJobId++, request)
    this.#queue.push(job)
    this.#pump()
    this.#notify()
    return job
  }

  #readyWorker(): Worker | null {
    return this.#status.state === 'ready' && this.#worker && !this.#worker.ending ? this.#worker : null
  }

  /** Gives waiting jobs to free slots, in order. */
  #pump(): void {
    const worker = this.#readyWorker()
    if (!worker) return
    const free = this.#options.slots - this.#running.size
    if (free <= 0 || this.#queue.length === 0) return
    for (const job of this.#queue.splice(0, free)) {
      this.#running.set(job.id, job)
      worker.process.send({ type: 'generate', jobId: job.id, request: job.request })
    }
    this.#notify()
  }

  #deliver(report: Exclude<EngineReport, { type: 'loaded' | 'load-failed' }>): void {
    const job = this.#running.get(report.jobId)
    if (!job) return
    if (report.type === 'failed') {
      this.#release(job)
      job.fail(reportedError(report.error))
    } else {
      const { jobId: _, ...event } = report
      if (event.type === 'end') this.#release(job)
      job.push(event)
    }
  }

  /** The process is done with this job: its slot is free. */
  #release(job: JobChannel): void {
    this.#running.delete(job.id)
    this.#cancelWatches.get(job.id)?.()
    this.#cancelWatches.delete(job.id)
    this.#pump()
    this.#notify()
  }

  /** Ends a job early. The slot is free when the process has confirmed. Does nothing to a finished job. */
  #cancel(job: JobChannel): void {
    if (job.finished) return
    const worker = this.#readyWorker()
    if (!this.#running.has(job.id)) {
      this.#queue = this.#queue.filter((queued) => queued !== job)
      job.push({ type: 'end', finishReason: 'cancelled', promptTokens: 0, completionTokens: 0 })
      this.#notify()
    } else if (worker && !this.#cancelWatches.has(job.id)) {
      const unwatch = this.#timers.after(CANCEL_TIMEOUT_MS, () => this.#end(worker, 'stopped answering'))
      this.#cancelWatches.set(job.id, unwatch)
      worker.process.send({ type: 'cancel', jobId: job.id })
    }
  }

  #failRunning(error: Error): void {
    for (const unwatch of this.#cancelWatches.values()) unwatch()
    this.#cancelWatches.clear()
    const jobs = [...this.#running.values()]
    this.#running.clear()
    for (const job of jobs) job.fail(error)
  }

  #failQueued(error: Error): void {
    const jobs = this.#queue
    this.#queue = []
    for (const job of jobs) job.fail(error)
  }

  // ---- status ----

  #update(change: Partial<EngineStatus>): void {
    this.#status = { ...this.#status, ...change }
    this.#notify()
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener()
      } catch (error) {
        // A defect of the listener is reported as such, but must not stop the supervisor half-way.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

/** What a process wrote last, where its spawner keeps it. */
function lastWordsOf(child: EngineProcess): string {
  return 'lastWords' in child && typeof child.lastWords === 'function' ? String(child.lastWords()) : ''
}
