import type { EmbedRequest, EngineCommand, GenerateRequest, JobEvent } from './types.ts'

export type JobWork =
  | { type: 'generate'; request: GenerateRequest }
  | { type: 'embed'; request: EmbedRequest }

/** One job as the supervisor holds it: the request, and the events that wait for the caller. */
export class JobChannel {
  readonly id: number
  readonly work: JobWork
  /** When a slot was given to it. */
  startedAtMs = 0
  /** Nothing comes after the events that are waiting. */
  finished = false
  readonly #events: JobEvent[] = []
  #error: Error | null = null
  #wake: () => void = () => undefined

  constructor(id: number, work: JobWork) {
    this.id = id
    this.work = work
  }

  get tenant(): string {
    return this.work.request.tenant
  }

  get priority(): 'owner' | 'paid' {
    return this.work.request.priority ?? 'paid'
  }

  command(): EngineCommand {
    return { ...this.work, jobId: this.id }
  }

  push(event: JobEvent): void {
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
  async next(): Promise<JobEvent> {
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
