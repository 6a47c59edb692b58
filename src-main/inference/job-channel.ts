import type { GenerateEvent, GenerateRequest } from './types.ts'

/** One job as the supervisor holds it: the request, and the events that wait for the caller. */
export class JobChannel {
  readonly id: number
  readonly request: GenerateRequest
  /** Nothing comes after the events that are waiting. */
  finished = false
  readonly #events: GenerateEvent[] = []
  #error: Error | null = null
  #wake: () => void = () => undefined

  constructor(id: number, request: GenerateRequest) {
    this.id = id
    this.request = request
  }

  push(event: GenerateEvent): void {
    if (this.finished) return
    this.#events.push(event)
    this.finished = event.type === 'end'
    this.#wake()
  }

  /** Ends the job with an error, after the events that are waiting. */
  fail(error: Error): void {
    if (this.finished) return
    this.#error = error
    this.finished = true
    this.#wake()
  }

  /** Waits for the next event; one caller at a time. @throws what `fail` was given. */
  async next(): Promise<GenerateEvent> {
    for (;;) {
      const event = this.#events.shift()
      if (event) return event
      if (this.#error) throw this.#error
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
