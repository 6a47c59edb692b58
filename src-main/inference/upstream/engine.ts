import { createHmac, randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { EngineStatus } from '../../../src-preload/contract/index.ts'
import { type Clock, TiramiError, toPublicError } from '../../kernel/index.ts'
import { engineDraining, engineNotReady, engineStopped } from '../errors.ts'
import { systemTimers, type Timers } from '../timers.ts'
import type {
  EmbedEvent,
  EmbedRequest,
  Engine,
  GenerateEvent,
  GenerateRequest,
  LoadedModel,
  Prompt,
} from '../types.ts'
import { upstreamBase } from './address.ts'
import { readAnswer } from './answer.ts'
import {
  promptTooLong,
  upstreamInvalid,
  upstreamModelMissing,
  upstreamUnauthorised,
  upstreamUnreachable,
  upstreamUnsupported,
} from './errors.ts'
import { createUpstreamHttp, DEFAULT_LIMITS, type UpstreamHttp, type UpstreamLimits } from './http.ts'
import { Slots } from './slots.ts'
import { probeTokens, promptTokensAtMost, promptTokensFrom, type UpstreamTokens } from './tokens.ts'
import { readEmbeddings, readModels, workBody } from './wire.ts'

export interface UpstreamOptions {
  /** Where an OpenAI-compatible API begins, such as `http://127.0.0.1:8000/v1`. */
  baseUrl: string
  apiKey?: string
  /** As `GET /models` lists it. */
  model: string
  /** Jobs that it is given at once. */
  slots: number
  /** Tokens of prompt and answer, where the server does not say. */
  contextTokens: number
  clock: Clock
  timers?: Timers
  limits?: Partial<UpstreamLimits>
  backoff?: UpstreamBackoff
  maxQueuedJobs?: number
  maxQueuedJobsPerTenant?: number
}

interface UpstreamBackoff {
  /** Wait before the second look; doubles with every failure in a row. */
  firstMs: number
  maxMs: number
  /** A server that never answered is given up after so many looks; one that did is waited for. */
  maxFailures: number
  /** How often a server that answers is looked at. */
  watchMs: number
}

const DEFAULT_BACKOFF: UpstreamBackoff = { firstMs: 500, maxMs: 30_000, maxFailures: 5, watchMs: 15_000 }
const DEFAULT_MAX_QUEUED_JOBS = 64
const DEFAULT_MAX_QUEUED_JOBS_PER_TENANT = 32
/** Texts that one request for vectors carries. */
const TEXTS_AT_ONCE = 16
/** Marks that an embedding model puts around a text. */
const MARKS_PER_TEXT = 2

/**
 * An OpenAI-compatible server in the place of the engine process: the same queue, the same events, the same metering.
 *
 * `ready` means that the server lists the model now; it is asked again and again. When it stops answering the state is
 * `restarting`: jobs that run go on as long as their connections do, waiting ones wait, new ones are refused. A server
 * that does not answer at the start is given up after some tries, one that refuses its key at once.
 *
 * `prompt` reports the most tokens that the prompt can have; `end` has what the server counted, and is refused when
 * that is not within what was reported and asked for.
 * @throws TiramiError UPSTREAM_ADDRESS_REFUSED
 */
export function createUpstreamEngine(options: UpstreamOptions): Engine {
  return new UpstreamEngine(options)
}

/** Names of the models that a server lists. @throws TiramiError UPSTREAM_* */
export async function listUpstreamModels(
  { baseUrl, apiKey }: Pick<UpstreamOptions, 'baseUrl' | 'apiKey'>,
  signal: AbortSignal,
): Promise<string[]> {
  const http = createUpstreamHttp({
    base: upstreamBase(baseUrl),
    apiKey: apiKey ?? null,
    model: '',
    timers: systemTimers,
    limits: DEFAULT_LIMITS,
  })
  try {
    return readModels(await http.ask('/models', null, signal)).map(({ id }) => id)
  } finally {
    http.close()
  }
}

/** One stretch between `start` and `stop`. */
interface Session {
  /** Aborted when it is over. */
  ended: AbortController
  http: UpstreamHttp
}

/** What a look at the server found. */
interface Found {
  tokens: UpstreamTokens
  /** Null: it does not say. */
  contextTokens: number | null
}

class UpstreamEngine implements Engine {
  readonly #options: UpstreamOptions
  readonly #base: URL
  readonly #timers: Timers
  readonly #limits: UpstreamLimits
  readonly #backoff: UpstreamBackoff
  readonly #slots: Slots
  readonly #listeners = new Set<() => void>()
  /** Ends running jobs with a reason. */
  readonly #jobs = new Set<AbortController>()
  readonly #saltKey = randomBytes(32)
  #session: Session | null = null
  #found: Found | null = null
  #starting: PromiseWithResolvers<void> | null = null
  #failuresInARow = 0
  #wasReady = false
  #looking = false
  #draining = false
  #cancelLook: () => void = () => undefined
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

  constructor(options: UpstreamOptions) {
    const {
      maxQueuedJobs = DEFAULT_MAX_QUEUED_JOBS,
      maxQueuedJobsPerTenant = DEFAULT_MAX_QUEUED_JOBS_PER_TENANT,
    } = options
    this.#options = options
    this.#base = upstreamBase(options.baseUrl)
    this.#timers = options.timers ?? systemTimers
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF
    const { slots, clock } = options
    const onChange = () => this.#notify()
    this.#slots = new Slots({ slots, clock, maxQueuedJobs, maxQueuedJobsPerTenant, onChange })
  }

  status(): EngineStatus {
    return { ...this.#status }
  }

  jobs(): { running: number; queued: number } {
    return { running: this.#slots.running, queued: this.#slots.queued }
  }

  loaded(): LoadedModel | null {
    if (!this.#found || this.#status.state !== 'ready') return null
    return {
      contextTokens: this.#found.contextTokens ?? this.#options.contextTokens,
      backend: null,
      deviceName: this.#base.host,
      threads: null,
      slots: this.#options.slots,
      loadMs: 0,
      vocabularySize: 0,
      // The form in which `CallText` writes the server's calls.
      toolCallFormat: 'hermes',
    }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async start(): Promise<void> {
    this.#draining = false
    if (this.#status.state === 'ready') return
    if (!this.#starting) {
      this.#starting = Promise.withResolvers()
      this.#starting.promise.catch(() => undefined)
      const { state } = this.#status
      if (state === 'stopped' || state === 'failed') this.#begin()
    }
    return this.#starting.promise
  }

  /** Its server has one model, chosen where the server was: there is nothing to change here. */
  async load(): Promise<void> {
    throw upstreamUnsupported('has its own models')
  }

  async drain(graceMs: number): Promise<void> {
    this.#draining = true
    await this.#idle(graceMs)
    this.#endJobs(engineStopped())
  }

  async stop(): Promise<void> {
    const error = engineStopped()
    this.#close()
    this.#endJobs(error)
    this.#starting?.reject(error)
    this.#starting = null
    this.#update({ state: 'stopped', retryAtMs: null, error: null })
  }

  async tokenize(text: string, { specials = false }: { specials?: boolean } = {}): Promise<number[]> {
    const { session, found } = this.#ready()
    return found.tokens.tokenize(text, specials, session.ended.signal)
  }

  async detokenize(tokens: number[]): Promise<string> {
    const { session, found } = this.#ready()
    return found.tokens.detokenize(tokens, session.ended.signal)
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent, void, void> {
    return this.#run(request, signal, (until) => this.#generate(request, until))
  }

  embed(request: EmbedRequest, signal: AbortSignal): AsyncGenerator<EmbedEvent, void, void> {
    return this.#run(request, signal, (until) => this.#embed(request, until))
  }

  // ---- the server ----

  #begin(): void {
    this.#failuresInARow = 0
    this.#wasReady = false
    const { apiKey, model } = this.#options
    const http = createUpstreamHttp({
      base: this.#base,
      apiKey: apiKey ?? null,
      model,
      timers: this.#timers,
      limits: this.#limits,
    })
    const ended = new AbortController()
    // Every question listens to it.
    setMaxListeners(0, ended.signal)
    this.#session = { ended, http }
    this.#update({ state: 'starting', restarts: 0, retryAtMs: null, error: null })
    this.#look()
  }

  /** Asks the server whether it has the model, unless that is under way. */
  #look(): void {
    const session = this.#session
    if (!session || this.#looking) return
    this.#looking = true
    this.#cancelLook()
    const over = (then: () => void) => {
      if (this.#session !== session) return
      this.#looking = false
      then()
    }
    this.#lookAt(session).then(
      (found) => over(() => this.#isThere(found)),
      (error: unknown) => over(() => this.#isGone(error)),
    )
  }

  async #lookAt({ http, ended: { signal } }: Session): Promise<Found> {
    const { model } = this.#options
    const models = readModels(await http.ask('/models', null, signal))
    const listed = models.find(({ id }) => id === model)
    if (!listed)
      throw upstreamModelMissing(
        model,
        models.map(({ id }) => id),
      )
    const tokens = this.#status.state === 'ready' ? this.#found?.tokens : undefined
    return { tokens: tokens ?? (await probeTokens(http, model, signal)), contextTokens: listed.contextTokens }
  }

  #isThere(found: Found): void {
    this.#found = found
    this.#failuresInARow = 0
    this.#wasReady = true
    this.#cancelLook = this.#timers.after(this.#backoff.watchMs, () => this.#look())
    if (this.#status.state === 'ready') return
    const { slots } = this.#options
    this.#update({ state: 'ready', deviceName: this.#base.host, slots, retryAtMs: null, error: null })
    this.#starting?.resolve()
    this.#starting = null
    this.#slots.setOpen(true)
  }

  #isGone(cause: unknown): void {
    const error = cause instanceof TiramiError ? cause : upstreamUnreachable('cannot be reached', cause)
    const { firstMs, maxMs, maxFailures } = this.#backoff
    this.#failuresInARow++
    this.#slots.setOpen(false)
    const isHopeless = error.code === upstreamUnauthorised().code
    if (isHopeless || (!this.#wasReady && this.#failuresInARow >= maxFailures)) {
      this.#giveUp(error)
      return
    }
    // It is waited for, but not by callers.
    if (this.#failuresInARow >= maxFailures) this.#slots.failQueued(error)
    const delayMs = Math.min(maxMs, firstMs * 2 ** Math.min(30, this.#failuresInARow - 1))
    this.#cancelLook = this.#timers.after(delayMs, () => {
      this.#update({ restarts: this.#status.restarts + 1, retryAtMs: null })
      this.#look()
    })
    this.#update({
      state: 'restarting',
      slots: null,
      retryAtMs: this.#options.clock.nowMs() + delayMs,
      error: toPublicError(error),
    })
  }

  #giveUp(error: TiramiError): void {
    this.#close()
    this.#update({ state: 'failed', retryAtMs: null, error: toPublicError(error) })
    this.#slots.failQueued(error)
    this.#starting?.reject(error)
    this.#starting = null
  }

  #close(): void {
    this.#cancelLook()
    this.#looking = false
    this.#slots.setOpen(false)
    this.#session?.ended.abort(engineStopped())
    this.#session?.http.close()
    this.#session = null
    this.#found = null
    this.#status = { ...this.#status, deviceName: null, slots: null }
  }

  #ready(): { session: Session; found: Found } {
    if (this.#draining) throw engineDraining()
    if (this.#status.state !== 'ready' || !this.#session || !this.#found) throw engineNotReady()
    return { session: this.#session, found: this.#found }
  }

  // ---- jobs ----

  /** Waits for a slot, then does the work; an abort at any time ends it as cancelled. */
  async *#run<Event>(
    { tenant, priority = 'paid' }: { tenant: string; priority?: 'owner' | 'paid' },
    signal: AbortSignal,
    work: (until: AbortSignal) => AsyncGenerator<Event, void, void>,
  ): AsyncGenerator<Event | typeof CANCELLED, void, void> {
    this.#ready()
    const job = new AbortController()
    const until = AbortSignal.any([signal, job.signal])
    this.#jobs.add(job)
    let release: () => void = () => undefined
    try {
      release = await this.#slots.acquire(tenant, priority, until)
      yield* work(until)
    } catch (error) {
      if (signal.aborted) {
        yield CANCELLED
        return
      }
      if (error instanceof TiramiError && LOOK_AFTER.has(error.code)) this.#look()
      throw error
    } finally {
      // Whoever left early has ended the request by that.
      job.abort(engineStopped())
      this.#jobs.delete(job)
      release()
    }
  }

  async *#generate(request: GenerateRequest, until: AbortSignal): AsyncGenerator<GenerateEvent, void, void> {
    const { session, found } = this.#ready()
    const { promptTokens, room } = await measure(request.prompt, found, until)
    const maxTokens = Math.min(request.maxTokens, room)
    if (maxTokens < 1) throw promptTooLong()
    yield { type: 'prompt', promptTokens }
    const { model } = this.#options
    const { dialect } = found.tokens
    const cacheSalt = createHmac('sha256', this.#saltKey).update(request.tenant).digest('base64')
    const { path, body } = workBody(request, maxTokens, { model, dialect, cacheSalt })
    yield* readAnswer(request, { promptTokens, maxTokens }, (maxBytes) =>
      session.http.stream(path, body, until, maxBytes),
    )
  }

  async *#embed({ texts }: EmbedRequest, until: AbortSignal): AsyncGenerator<EmbedEvent, void, void> {
    const { session, found } = this.#ready()
    const { model } = this.#options
    if (found.tokens.dialect === 'plain') throw embeddingsUnsupported()
    const textTokens: number[] = []
    for (const text of texts) textTokens.push((await found.tokens.tokenize(text, false, until)).length)
    const promptTokens = textTokens.reduce((sum, count) => sum + count, 0)
    yield { type: 'prompt', promptTokens, textTokens }
    for (let from = 0; from < texts.length; from += TEXTS_AT_ONCE) {
      const input = texts.slice(from, from + TEXTS_AT_ONCE)
      const body = { model, input, encoding_format: 'float' }
      const answer = readEmbeddings(await session.http.ask('/embeddings', body, until, 'work'), input.length)
      const counted = textTokens.slice(from, from + TEXTS_AT_ONCE).reduce((sum, count) => sum + count, 0)
      assertSameCount(counted, answer.promptTokens, input.length)
      yield { type: 'vectors', vectors: answer.vectors }
    }
    yield { type: 'end', finishReason: 'stop', promptTokens, cachedTokens: 0, completionTokens: 0 }
  }

  #endJobs(error: Error): void {
    for (const job of this.#jobs) job.abort(error)
    this.#notify()
  }

  /** Resolves when no job runs or waits, or after `graceMs`. */
  #idle(graceMs: number): Promise<void> {
    if (this.#jobs.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        unsubscribe()
        cancelTimer()
        resolve()
      }
      const unsubscribe = this.onChange(() => {
        if (this.#jobs.size === 0) end()
      })
      const cancelTimer = this.#timers.after(graceMs, end)
    })
  }

  // ---- status ----

  #update(change: Partial<EngineStatus>): void {
    this.#status = { ...this.#status, ...change }
    this.#notify()
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

/** After these the server itself may have gone. */
const LOOK_AFTER: ReadonlySet<string> = new Set([
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_UNAUTHORISED',
  'UPSTREAM_MODEL_MISSING',
])

const CANCELLED = {
  type: 'end',
  finishReason: 'cancelled',
  promptTokens: 0,
  cachedTokens: 0,
  completionTokens: 0,
} as const

/** The most tokens that the prompt can have, and how many the answer to it may have. */
async function measure(
  prompt: Prompt,
  { tokens, contextTokens }: Found,
  until: AbortSignal,
): Promise<{ promptTokens: number; room: number }> {
  const counted = await tokens.count(prompt, until)
  const atMost = counted === null ? promptTokensAtMost(prompt) : promptTokensFrom(counted)
  if (contextTokens === null) return { promptTokens: atMost, room: Number.POSITIVE_INFINITY }
  const room = counted === null ? contextTokens : contextTokens - counted
  return { promptTokens: Math.min(atMost, contextTokens), room }
}

/** What is charged was counted before the work; the server's count of the work must bear it out. */
function assertSameCount(before: number, after: number, texts: number): void {
  if (after < before || after > before + MARKS_PER_TEXT * texts)
    throw upstreamInvalid('counts the tokens of a text in two ways')
}

function embeddingsUnsupported(): TiramiError {
  return new TiramiError(
    'EMBEDDINGS_UNSUPPORTED',
    'The server behind this host does not say how it splits text, so vectors cannot be metered.',
    { nextStep: 'Ask a host that has the model itself.', httpStatus: 400 },
  )
}
