import {
  callTimeoutMs,
  type HostClient,
  type HostEvent,
  type ProcedureInput,
  type ProcedureName,
  type ProcedureOutput,
} from '../../src-preload/contract/index.ts'
import { Emitter } from './emitter.ts'
import { HostCallError, unreachable } from './host-call-error.ts'
import { eventNames, parseAnswer, parseEvent } from './parse.ts'

const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 15_000

export interface HttpClientOptions {
  /** Empty in the browser: the page and the host share an origin. */
  origin?: string
  EventSource?: typeof EventSource
  firstRetryMs?: number
  callTimeoutMs?: (procedure: ProcedureName) => number
}

/** The host over HTTP: `POST /rpc/<procedure>` for calls, `GET /events` (SSE) for events. */
export class HttpClient implements HostClient {
  readonly #origin: string
  readonly #EventSource: typeof EventSource
  readonly #firstRetryMs: number
  readonly #callTimeoutMs: (procedure: ProcedureName) => number
  readonly #events = new Emitter<HostEvent>()
  readonly #connection = new Emitter<boolean>()
  #source: EventSource | null = null
  #connected: boolean | null = null
  #retry: { timer: ReturnType<typeof setTimeout> | null; delayMs: number }

  constructor(options: HttpClientOptions = {}) {
    this.#origin = options.origin ?? ''
    this.#EventSource = options.EventSource ?? globalThis.EventSource
    this.#firstRetryMs = options.firstRetryMs ?? FIRST_RETRY_MS
    this.#callTimeoutMs = options.callTimeoutMs ?? callTimeoutMs
    this.#retry = { timer: null, delayMs: this.#firstRetryMs }
  }

  async call<P extends ProcedureName>(procedure: P, input: ProcedureInput<P>): Promise<ProcedureOutput<P>> {
    const body = await this.#post(procedure, input)
    let envelope: unknown
    try {
      envelope = JSON.parse(body)
    } catch {
      // Not JSON: parseAnswer says that nobody can make sense of it.
    }
    return parseAnswer(procedure, envelope)
  }

  subscribe(listener: (event: HostEvent) => void): () => void {
    return this.#listen(this.#events.add(listener))
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    const remove = this.#connection.add(listener)
    if (this.#connected !== null) listener(this.#connected)
    return this.#listen(remove)
  }

  async #post(procedure: ProcedureName, input: unknown): Promise<string> {
    try {
      const response = await fetch(`${this.#origin}/rpc/${procedure}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        credentials: 'same-origin',
        body: JSON.stringify(input),
        signal: AbortSignal.timeout(this.#callTimeoutMs(procedure)),
      })
      return await response.text()
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'TimeoutError') {
        throw new HostCallError(
          {
            code: 'HOST_TIMEOUT',
            message: 'The host took too long to answer.',
            nextStep: 'Try again in a moment; the host may be busy.',
          },
          cause,
        )
      }
      throw unreachable(cause)
    }
  }

  /** The event stream is open for as long as anyone listens. */
  #listen(remove: () => void): () => void {
    if (this.#source === null && this.#retry.timer === null) this.#open()
    return () => {
      remove()
      if (this.#events.size === 0 && this.#connection.size === 0) this.#close()
    }
  }

  #open(): void {
    const source = new this.#EventSource(`${this.#origin}/events`)
    this.#source = source
    source.onopen = () => {
      this.#retry.delayMs = this.#firstRetryMs
      this.#setConnected(true)
    }
    source.onerror = () => {
      this.#setConnected(false)
      // CONNECTING: the browser tries again itself. CLOSED: it gave up, as it does after any HTTP error.
      if (source.readyState === this.#EventSource.CLOSED && this.#source === source) this.#reopenLater()
    }
    for (const name of eventNames) {
      source.addEventListener(name, (message: MessageEvent<string>) => this.#receive(name, message))
    }
  }

  #receive(name: string, message: MessageEvent<string>): void {
    let data: unknown
    try {
      data = JSON.parse(message.data)
    } catch {
      data = undefined
    }
    const event = parseEvent(Number.parseInt(message.lastEventId, 10), name, data)
    if (event === null) console.warn(`Dropped a ${name} event that is off contract`)
    else this.#events.emit(event)
  }

  #reopenLater(): void {
    this.#source = null
    const delayMs = this.#retry.delayMs
    this.#retry.delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)
    this.#retry.timer = setTimeout(() => {
      this.#retry.timer = null
      this.#open()
    }, delayMs)
  }

  #close(): void {
    this.#source?.close()
    this.#source = null
    if (this.#retry.timer !== null) clearTimeout(this.#retry.timer)
    this.#retry = { timer: null, delayMs: this.#firstRetryMs }
    this.#connected = null
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return
    this.#connected = connected
    this.#connection.emit(connected)
  }
}
