import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** Server-sent events with back-pressure: `send` resolves when the reader can take more, or is gone. */
export class SseStream {
  readonly #response: ServerResponse
  readonly #gone = new AbortController()

  constructor(response: ServerResponse, headers: Record<string, string>) {
    this.#response = response
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

  async send(fields: { id?: number; event?: string; data: string }): Promise<void> {
    if (this.gone.aborted) return
    const id = fields.id === undefined ? '' : `id: ${fields.id}\n`
    const event = fields.event === undefined ? '' : `event: ${fields.event}\n`
    if (this.#response.write(`${id}${event}data: ${fields.data}\n\n`)) return
    await once(this.#response, 'drain', { signal: this.gone }).catch(() => {})
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
