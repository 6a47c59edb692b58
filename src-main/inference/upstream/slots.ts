import type { Clock } from '../../kernel/index.ts'
import { EngineBusyError } from '../errors.ts'
import { FairQueue } from '../fair-queue.ts'

export interface SlotOptions {
  /** Jobs that run at once. */
  slots: number
  clock: Clock
  /** Jobs that may wait, all tenants together. */
  maxQueuedJobs: number
  /** Of these, jobs of one tenant. */
  maxQueuedJobsPerTenant: number
  onChange(): void
}

interface Waiting {
  tenant: string
  priority: 'owner' | 'paid'
  granted: PromiseWithResolvers<() => void>
}

/** Weight of the latest job in the running mean of how long one takes. */
const LATEST_JOB_WEIGHT = 0.2
const MAX_RETRY_AFTER_SECONDS = 120

/** Gives so many jobs at once their turn, by the rules of `FairQueue`. */
export class Slots {
  readonly #options: SlotOptions
  readonly #queue = new FairQueue<Waiting>()
  readonly #running = new Map<string, number>()
  #meanJobMs: number | null = null
  #open = false

  constructor(options: SlotOptions) {
    this.#options = options
  }

  get running(): number {
    return [...this.#running.values()].reduce((sum, count) => sum + count, 0)
  }

  get queued(): number {
    return this.#queue.size
  }

  /** While closed, whoever waits waits on. */
  setOpen(open: boolean): void {
    this.#open = open
    this.#pump()
  }

  /** Everybody who waits is told. */
  failQueued(error: Error): void {
    for (const job of this.#queue.takeAll()) job.granted.reject(error)
    this.#options.onChange()
  }

  /**
   * Waits for a slot. @returns what gives it back, once
   * @throws EngineBusyError when too many wait; what `signal` was aborted with
   */
  async acquire(tenant: string, priority: 'owner' | 'paid', signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    this.#assertRoom(tenant)
    const job: Waiting = { tenant, priority, granted: Promise.withResolvers() }
    const leave = () => {
      this.#queue.remove(job)
      job.granted.reject(signal.reason)
      this.#options.onChange()
    }
    signal.addEventListener('abort', leave, { once: true })
    this.#queue.add(job)
    this.#pump()
    this.#options.onChange()
    try {
      return await job.granted.promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  #assertRoom(tenant: string): void {
    const { maxQueuedJobs, maxQueuedJobsPerTenant } = this.#options
    if (this.#queue.size >= maxQueuedJobs)
      throw new EngineBusyError('Too many requests are waiting for the model.', this.#retryAfterSeconds(1))
    if (this.#queue.waitingOf(tenant) >= maxQueuedJobsPerTenant) {
      const seconds = this.#retryAfterSeconds(this.#queue.tenants())
      throw new EngineBusyError('Too many of your requests are waiting for the model.', seconds)
    }
  }

  #retryAfterSeconds(jobs: number): number {
    const seconds = Math.ceil(((this.#meanJobMs ?? 0) * jobs) / this.#options.slots / 1000)
    return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, seconds))
  }

  #pump(): void {
    while (this.#open && this.running < this.#options.slots) {
      const job = this.#queue.next((tenant) => this.#running.get(tenant) ?? 0)
      if (!job) return
      this.#running.set(job.tenant, (this.#running.get(job.tenant) ?? 0) + 1)
      job.granted.resolve(this.#releaser(job.tenant))
    }
  }

  #releaser(tenant: string): () => void {
    const startedAtMs = this.#options.clock.nowMs()
    let released = false
    return () => {
      if (released) return
      released = true
      const left = (this.#running.get(tenant) ?? 1) - 1
      if (left > 0) this.#running.set(tenant, left)
      else this.#running.delete(tenant)
      const tookMs = Math.max(0, this.#options.clock.nowMs() - startedAtMs)
      const meanMs = this.#meanJobMs ?? tookMs
      this.#meanJobMs = meanMs + LATEST_JOB_WEIGHT * (tookMs - meanMs)
      this.#pump()
      this.#options.onChange()
    }
  }
}
