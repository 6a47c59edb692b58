import type { EngineStatus } from '../../src-preload/contract/index.ts'
import { type Clock, type TiramiError, toPublicError } from '../kernel/index.ts'
import {
  EngineBusyError,
  engineCrashed,
  engineDraining,
  engineNotReady,
  engineStopped,
  reportedError,
} from './errors.ts'
import { FairQueue } from './fair-queue.ts'
import { JobChannel, type JobWork } from './job-channel.ts'
import { EngineReportSchema } from './protocol.ts'
import { systemTimers, type Timers } from './timers.ts'
import type {
  EmbedEvent,
  EmbedRequest,
  Engine,
  EngineCommand,
  EngineProcess,
  EngineReport,
  GenerateEvent,
  GenerateRequest,
  JobEvent,
  LoadedModel,
  LoadPlan,
  SpawnEngine,
} from './types.ts'

interface Backoff {
  /** Wait before the first restart; doubles with every failure in a row. */
  firstMs: number
  maxMs: number
  /** Running this long, or finishing a job, makes the next failure count as the first again. */
  healthyMs: number
  /** Failures in a row after which the engine gives up. */
  maxFailures: number
}

/** `slots` and the rest of the plan are those of the first `start()`; `load` changes them. */
export interface EngineOptions extends LoadPlan {
  spawn: SpawnEngine
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
  /** Jobs that may wait, all tenants together. */
  maxQueuedJobs?: number
  /** Of these, jobs of one tenant. */
  maxQueuedJobsPerTenant?: number
  /** How long running jobs may go on when another model is to be loaded. */
  switchGraceMs?: number
  /**
   * After this long without a job the model is unloaded; the next job loads it again. Null: never. Asked whenever the
   * engine falls idle.
   */
  idleUnloadMs?: () => number | null
}

/** One process, from its start until it is gone. There is never a second one. */
interface Worker {
  process: EngineProcess
  gone: PromiseWithResolvers<void>
  /** Set when it was told to go: with what it did wrong, or null when nothing. Its reports no longer count. */
  ending: { fault: string | null } | null
}

type Answer = Extract<EngineReport, { type: 'tokens' | 'string' }>

const DEFAULT_BACKOFF: Backoff = { firstMs: 500, maxMs: 30_000, healthyMs: 60_000, maxFailures: 5 }
/** A 40 GB model from a slow disk takes minutes. */
const DEFAULT_LOAD_TIMEOUT_MS = 10 * 60_000
const DEFAULT_SWITCH_GRACE_MS = 30_000
/** A process that does not go on request is killed after this: its memory is free within 3 s. */
const KILL_AFTER_MS = 2_000
/** A cancel takes one token or one batch; a process that has not answered by then hangs in a driver. */
const CANCEL_TIMEOUT_MS = 120_000
const DEFAULT_MAX_QUEUED_JOBS = 64
const DEFAULT_MAX_QUEUED_JOBS_PER_TENANT = 32
/** Weight of the latest job in the running mean of how long one takes. */
const LATEST_JOB_WEIGHT = 0.2
const MAX_RETRY_AFTER_SECONDS = 120

/**
 * Keeps one engine process alive and gives it work. Jobs beyond the slots wait; tenants take turns.
 *
 * When the process dies, the jobs it was running fail with ENGINE_CRASHED. Jobs that were still waiting had
 * no part in it and wait on for the restart; they fail when there is none. New jobs are refused with
 * ENGINE_NOT_READY until the model is loaded again, so that callers can go elsewhere at once. While a model is
 * loaded on demand, or changed for another, jobs are taken and wait.
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
  readonly #queue = new FairQueue<JobChannel>()
  /** Questions to the process that take no slot. */
  readonly #questions = new Map<number, PromiseWithResolvers<Answer>>()
  /** Cancels the watch over a cancelled job, by job. */
  readonly #cancelWatches = new Map<number, () => void>()
  #plan: LoadPlan
  #nextJobId = 0
  #worker: Worker | null = null
  #loaded: LoadedModel | null = null
  #readyAtMs: number | null = null
  #failuresInARow = 0
  #starting: PromiseWithResolvers<void> | null = null
  #stopping: Promise<void> | null = null
  #switching: Promise<void> | null = null
  #draining = false
  /** Jobs are taken although no model is loaded: one is on its way. */
  #isComing = false
  /** How long a job takes; null before the first has ended. */
  #meanJobMs: number | null = null
  /** Cancels the check of the file, the load timeout or the wait before a restart, whichever runs. */
  #cancelTimer: () => void = () => undefined
  #cancelIdleTimer: () => void = () => undefined
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
    const { modelPath, contextTokens, slots, threads, gpu } = options
    this.#options = options
    this.#plan = { modelPath, contextTokens, slots, threads, gpu }
    this.#timers = options.timers ?? systemTimers
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF
  }

  status(): EngineStatus {
    return { ...this.#status }
  }

  jobs(): { running: number; queued: number } {
    return { running: this.#running.size, queued: this.#queue.size }
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
    this.#draining = false
    if (this.#status.state === 'failed') await this.#worker?.gone.promise
    if (this.#status.state === 'ready') return
    return this.#bringUp()
  }

  async load(plan: LoadPlan): Promise<void> {
    // From this moment on no job is given to the model that is to go.
    if (this.#stopping) await this.#stopping
    this.#plan = plan
    const { state } = this.#status
    if (state === 'stopped' || state === 'unloaded') return
    if (state === 'failed') return this.start()
    this.#switching ??= this.#switch().finally(() => {
      this.#switching = null
    })
    return this.#switching
  }

  async drain(graceMs: number): Promise<void> {
    this.#draining = true
    await this.#until(() => this.#running.size === 0 && this.#queue.size === 0, graceMs)
    const error = engineStopped()
    this.#cancelRunning(error)
    this.#failQueued(error)
    this.#notify()
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = null
    })
    return this.#stopping
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent, void, void> {
    for await (const event of this.#run({ type: 'generate', request }, signal)) {
      if (event.type !== 'vectors') yield event
    }
  }

  async *embed(request: EmbedRequest, signal: AbortSignal): AsyncGenerator<EmbedEvent, void, void> {
    for await (const event of this.#run({ type: 'embed', request }, signal)) {
      if (event.type === 'prompt') {
        const { promptTokens } = event
        yield {
          type: 'prompt',
          promptTokens,
          textTokens: 'textTokens' in event ? (event.textTokens ?? []) : [],
        }
      } else if (event.type !== 'text') {
        yield event
      }
    }
  }

  async tokenize(text: string, { specials = false }: { specials?: boolean } = {}): Promise<number[]> {
    const answer = await this.#ask((jobId) => ({ type: 'tokenize', jobId, text, specials }))
    return answer.type === 'tokens' ? answer.tokens : []
  }

  async detokenize(tokens: number[]): Promise<string> {
    const answer = await this.#ask((jobId) => ({ type: 'detokenize', jobId, tokens }))
    return answer.type === 'string' ? answer.text : ''
  }

  // ---- process ----

  /** Loads the model unless that is under way. */
  #bringUp(): Promise<void> {
    if (!this.#starting) {
      this.#starting = Promise.withResolvers()
      // Whoever called start() hears of a failure; without a listener it is in the status.
      this.#starting.promise.catch(() => undefined)
      if (this.#status.state !== 'restarting') this.#startAfresh()
    }
    return this.#starting.promise
  }

  #startAfresh(): void {
    this.#failuresInARow = 0
    this.#update({ state: 'starting', restarts: 0, retryAtMs: null, error: null })
    this.#checkAndSpawn()
  }

  /** A process that is still going has gone before the next one is spawned. */
  #checkAndSpawn(): void {
    const { checkModel } = this.#options
    const { modelPath } = this.#plan
    const last = this.#worker
    if (!checkModel && !last) {
      this.#spawn()
      return
    }
    let isWanted = true
    this.#cancelTimer = () => {
      isWanted = false
    }
    const check = async (): Promise<void> => {
      await last?.gone.promise
      await checkModel?.(modelPath)
    }
    check().then(
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
    child.send({ type: 'load', ...this.#plan })
  }

  #receive(worker: Worker, message: unknown): void {
    const parsed = EngineReportSchema.safeParse(message)
    if (!parsed.success) this.#end(worker, 'sent something that cannot be understood')
    else if (parsed.data.type === 'loaded') this.#becomeReady(parsed.data.model)
    else if (parsed.data.type === 'load-failed') this.#giveUp(reportedError(parsed.data.error))
    else this.#deliver(parsed.data)
  }

  /** Has the process go: asked now, killed soon after. With a `fault` that counts as a crash. */
  #end(worker: Worker, fault: string | null): void {
    worker.ending = { fault }
    const cancelKill = this.#timers.after(KILL_AFTER_MS, () => worker.process.kill())
    void worker.gone.promise.then(cancelKill)
    worker.process.kill()
  }

  /** Gives the model's memory back. @returns the process, which may take a moment to go. */
  #letGo(): Worker | null {
    this.#cancelTimer()
    this.#cancelIdleTimer()
    const worker = this.#worker
    if (worker && !worker.ending) {
      worker.process.send({ type: 'stop' })
      this.#end(worker, null)
    }
    return worker
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
    this.#isComing = false
    const { backend, deviceName, threads, slots } = model
    this.#update({ state: 'ready', backend, deviceName, threads, slots, retryAtMs: null, error: null })
    this.#starting?.resolve()
    this.#starting = null
    this.#pump()
    this.#watchIdle()
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
    if (this.#worker && !this.#worker.ending) this.#end(this.#worker, null)
    this.#forgetModel()
    this.#isComing = false
    this.#update({ state: 'failed', retryAtMs: null, error: toPublicError(error) })
    this.#failRunning(error)
    this.#failQueued(error)
    this.#starting?.reject(error)
    this.#starting = null
  }

  async #stop(): Promise<void> {
    const worker = this.#letGo()
    const error = engineStopped()
    this.#isComing = false
    this.#failRunning(error)
    this.#failQueued(error)
    this.#starting?.reject(error)
    this.#starting = null
    this.#forgetModel()
    // Said before the process is gone, so that nothing begins anew meanwhile.
    this.#status = { ...this.#status, state: 'stopped', retryAtMs: null, error: null }
    await worker?.gone.promise
    this.#notify()
  }

  /** Lets running jobs end, then loads what the plan says by then. */
  async #switch(): Promise<void> {
    this.#isComing = true
    const isUp = () => this.#status.state === 'ready'
    await this.#until(
      () => this.#running.size === 0 || !isUp(),
      this.#options.switchGraceMs ?? DEFAULT_SWITCH_GRACE_MS,
    )
    if (this.#status.state === 'stopped') throw engineStopped()
    for (let plan: LoadPlan | null = null; plan !== this.#plan; ) {
      plan = this.#plan
      this.#failRunning(engineStopped())
      this.#letGo()
      this.#forgetModel()
      this.#isComing = true
      this.#starting ??= Promise.withResolvers()
      const { promise } = this.#starting
      promise.catch(() => undefined)
      this.#startAfresh()
      await promise
    }
  }

  #unload(): void {
    this.#letGo()
    this.#failRunning(engineStopped())
    this.#forgetModel()
    this.#update({ state: 'unloaded', retryAtMs: null, error: null })
  }

  #watchIdle(): void {
    this.#cancelIdleTimer()
    const idleMs = this.#options.idleUnloadMs?.() ?? null
    if (idleMs === null || !this.#isIdle()) return
    this.#cancelIdleTimer = this.#timers.after(idleMs, () => {
      if (this.#isIdle()) this.#unload()
    })
  }

  #isIdle(): boolean {
    return (
      this.#status.state === 'ready' && this.#running.size + this.#queue.size + this.#questions.size === 0
    )
  }

  #forgetModel(): void {
    this.#loaded = null
    this.#readyAtMs = null
    this.#status = { ...this.#status, backend: null, deviceName: null, threads: null, slots: null }
  }

  // ---- jobs ----

  async *#run(work: JobWork, signal: AbortSignal): AsyncGenerator<JobEvent, void, void> {
    const job = this.#admit(work)
    const onAbort = (): void => this.#cancel(job)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    try {
      for (;;) {
        const event = await job.next()
        yield event
        if (event.type === 'end') {
          this.#readyWorker()?.process.send({ type: 'settled', jobId: job.id })
          return
        }
        if (event.type === 'prompt') this.#worker?.process.send({ type: 'proceed', jobId: job.id })
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#cancel(job)
    }
  }

  /** @throws TiramiError ENGINE_NOT_READY, ENGINE_DRAINING @throws EngineBusyError */
  #admit(work: JobWork): JobChannel {
    if (this.#draining) throw engineDraining()
    if (!this.#readyWorker() && !this.#isComing && this.#status.state !== 'unloaded') throw engineNotReady()
    this.#assertRoom(work.request.tenant)
    const job = new JobChannel(this.#nextJobId++, work)
    this.#queue.add(job)
    this.#cancelIdleTimer()
    if (this.#status.state === 'unloaded') this.#loadOnDemand()
    this.#pump()
    this.#notify()
    return job
  }

  #loadOnDemand(): void {
    this.#isComing = true
    void this.#bringUp()
  }

  #assertRoom(tenant: string): void {
    const {
      maxQueuedJobs = DEFAULT_MAX_QUEUED_JOBS,
      maxQueuedJobsPerTenant = DEFAULT_MAX_QUEUED_JOBS_PER_TENANT,
    } = this.#options
    if (this.#queue.size >= maxQueuedJobs) {
      throw new EngineBusyError('Too many requests are waiting for the model.', this.#retryAfterSeconds(1))
    }
    if (this.#queue.waitingOf(tenant) >= maxQueuedJobsPerTenant) {
      const seconds = this.#retryAfterSeconds(this.#queue.tenants())
      throw new EngineBusyError('Too many of your requests are waiting for the model.', seconds)
    }
  }

  /** When a place is likely to be free: once so many jobs have got their slot. */
  #retryAfterSeconds(jobs: number): number {
    const slots = this.#loaded?.slots ?? this.#plan.slots
    const seconds = Math.ceil(((this.#meanJobMs ?? 0) * jobs) / slots / 1000)
    return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, seconds))
  }

  #readyWorker(): Worker | null {
    return this.#status.state === 'ready' && this.#worker && !this.#worker.ending ? this.#worker : null
  }

  /** Gives waiting jobs to free slots; none while another model is to be loaded. */
  #pump(): void {
    const worker = this.#readyWorker()
    const slots = this.#loaded?.slots ?? 0
    if (!worker || this.#isComing) return
    const runningOf = (tenant: string): number => {
      let count = 0
      for (const job of this.#running.values()) if (job.tenant === tenant) count++
      return count
    }
    while (this.#running.size < slots) {
      const job = this.#queue.next(runningOf)
      if (!job) break
      job.startedAtMs = this.#options.clock.nowMs()
      this.#running.set(job.id, job)
      worker.process.send(job.command())
    }
  }

  #deliver(report: Exclude<EngineReport, { type: 'loaded' | 'load-failed' }>): void {
    const question = this.#questions.get(report.jobId)
    if (question) {
      this.#answered(question, report)
      return
    }
    const job = this.#running.get(report.jobId)
    if (!job || report.type === 'tokens' || report.type === 'string') return
    if (report.type === 'failed') {
      this.#release(job)
      job.fail(reportedError(report.error))
    } else {
      const { jobId: _, ...event } = report
      if (event.type === 'end') {
        if (event.finishReason !== 'cancelled') this.#finished(job)
        this.#release(job)
      }
      job.push(event)
    }
  }

  /** An engine that answers is no broken one: one caller's fatal prompt does not use up the tries of all. */
  #finished(job: JobChannel): void {
    this.#failuresInARow = 0
    const tookMs = Math.max(0, this.#options.clock.nowMs() - job.startedAtMs)
    const meanMs = this.#meanJobMs ?? tookMs
    this.#meanJobMs = meanMs + LATEST_JOB_WEIGHT * (tookMs - meanMs)
  }

  /** The process is done with this job: its slot is free. */
  #release(job: JobChannel): void {
    this.#running.delete(job.id)
    this.#cancelWatches.get(job.id)?.()
    this.#cancelWatches.delete(job.id)
    this.#pump()
    this.#watchIdle()
    this.#notify()
  }

  /** Ends a job early. The slot is free when the process has confirmed. Does nothing to a finished job. */
  #cancel(job: JobChannel): void {
    if (job.finished) return
    const worker = this.#readyWorker()
    if (!this.#running.has(job.id)) {
      this.#queue.remove(job)
      job.push({
        type: 'end',
        finishReason: 'cancelled',
        promptTokens: 0,
        cachedTokens: 0,
        completionTokens: 0,
      })
      this.#watchIdle()
      this.#notify()
    } else if (worker) {
      this.#cancelInProcess(worker, job)
    }
  }

  #cancelInProcess(worker: Worker, job: JobChannel): void {
    if (this.#cancelWatches.has(job.id)) return
    const unwatch = this.#timers.after(CANCEL_TIMEOUT_MS, () => this.#end(worker, 'stopped answering'))
    this.#cancelWatches.set(job.id, unwatch)
    worker.process.send({ type: 'cancel', jobId: job.id })
  }

  /** Tells the callers that their jobs have failed; the slots are free when the process has confirmed. */
  #cancelRunning(error: Error): void {
    const worker = this.#readyWorker()
    for (const job of this.#running.values()) {
      job.fail(error)
      if (worker) this.#cancelInProcess(worker, job)
    }
  }

  #failRunning(error: Error): void {
    for (const unwatch of this.#cancelWatches.values()) unwatch()
    this.#cancelWatches.clear()
    const jobs = [...this.#running.values()]
    this.#running.clear()
    for (const job of jobs) job.fail(error)
    const questions = [...this.#questions.values()]
    this.#questions.clear()
    for (const question of questions) question.reject(error)
  }

  #failQueued(error: Error): void {
    for (const job of this.#queue.takeAll()) job.fail(error)
  }

  // ---- questions ----

  async #ask(command: (jobId: number) => EngineCommand): Promise<Answer> {
    if (this.#draining) throw engineDraining()
    if (this.#status.state === 'unloaded') this.#loadOnDemand()
    if (this.#isComing) await this.#starting?.promise
    const worker = this.#readyWorker()
    if (!worker) throw engineNotReady()
    const jobId = this.#nextJobId++
    const question = Promise.withResolvers<Answer>()
    this.#questions.set(jobId, question)
    this.#cancelIdleTimer()
    worker.process.send(command(jobId))
    return question.promise
  }

  #answered(question: PromiseWithResolvers<Answer>, report: { jobId: number } & EngineReport): void {
    this.#questions.delete(report.jobId)
    if (report.type === 'failed') question.reject(reportedError(report.error))
    else if (report.type === 'tokens' || report.type === 'string') question.resolve(report)
    else question.reject(engineCrashed('sent something that cannot be understood', ''))
    this.#watchIdle()
  }

  // ---- status ----

  /** Resolves when `isDone`, or after `graceMs`. */
  #until(isDone: () => boolean, graceMs: number): Promise<void> {
    if (isDone()) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        unsubscribe()
        cancelTimer()
        resolve()
      }
      const unsubscribe = this.onChange(() => {
        if (isDone()) end()
      })
      const cancelTimer = this.#timers.after(graceMs, end)
    })
  }

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
