/** Enough of the standard EventSource for Node, where there is none: over fetch, with its reconnect and its states. */
export class NodeEventSource extends EventTarget {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSED = 2
  static retryMs = 20

  readyState: number = NodeEventSource.CONNECTING
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  readonly #url: string
  readonly #abort = new AbortController()
  #lastEventId = ''

  constructor(url: string) {
    super()
    this.#url = url
    void this.#run()
  }

  close(): void {
    this.readyState = NodeEventSource.CLOSED
    this.#abort.abort()
  }

  async #run(): Promise<void> {
    while (this.readyState !== NodeEventSource.CLOSED) {
      try {
        const headers: Record<string, string> = { accept: 'text/event-stream' }
        if (this.#lastEventId !== '') headers['last-event-id'] = this.#lastEventId
        const response = await fetch(this.#url, { headers, signal: this.#abort.signal })
        if (response.status !== 200 || response.body === null) return this.#fail(NodeEventSource.CLOSED)
        this.readyState = NodeEventSource.OPEN
        this.onopen?.()
        await this.#read(response.body)
      } catch {
        // The stream broke: it is tried again, as the standard asks.
      }
      if (this.readyState === NodeEventSource.CLOSED) return
      this.#fail(NodeEventSource.CONNECTING)
      await new Promise((resolve) => setTimeout(resolve, NodeEventSource.retryMs))
    }
  }

  #fail(state: number): void {
    if (this.#abort.signal.aborted) return
    this.readyState = state
    this.onerror?.()
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const chunk of body) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) this.#dispatch(block)
    }
  }

  #dispatch(block: string): void {
    const fields = new Map(
      block
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    )
    this.#lastEventId = fields.get('id') ?? this.#lastEventId
    const data = fields.get('data')
    if (data === undefined) return
    this.dispatchEvent(
      new MessageEvent(fields.get('event') ?? 'message', { data, lastEventId: this.#lastEventId }),
    )
  }
}
