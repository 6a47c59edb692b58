import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** A reader that takes nothing for this long is cut off: what feeds the stream must not wait forever. */
const STALL_MS = 60_000

export interface SseMessage {
  id?: string
  event?: string
  data: string
}

/** Server-sent events with back-pressure: `send` resolves when the reader can take more, or is gone. */
export class SseStream {
  readonly #response: ServerResponse
  readonly #gone = new AbortController()
  readonly #stallMs: number

  constructor(response: ServerResponse, headers: Record<string, string>, stallMs = STALL_MS) {
    this.#response = response
    this.#stallMs = stallMs
    response.on('close', () => this.#gone.abort())
    response.on('error', () => this.#gone.abort())
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    })
    response.flushHeaders()
    response.socket?.setNoDelay(true)
  }

  /** Aborts when the reader has gone. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  async send(message: SseMessage): Promise<void> {
    if (this.gone.aborted) return
    const id = message.id === undefined ? '' : `id: ${message.id}\n`
    const event = message.event === undefined ? '' : `event: ${message.event}\n`
    if (this.#response.write(`${id}${event}data: ${message.data}\n\n`)) return
    const stall = setTimeout(() => this.drop(), this.#stallMs)
    await once(this.#response, 'drain', { signal: this.gone }).catch(() => {})
    clearTimeout(stall)
  }

  /** Bytes not yet taken by the reader. */
  get pendingBytes(): number {
    return this.#response.writableLength
  }

  end(): void {
    this.#response.end()
  }

  /** Cuts a reader off that does not keep up; it may come back and resume. */
  drop(): void {
    this.#response.destroy()
  }
}
