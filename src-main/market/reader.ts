import { type Timers, TiramiError } from '../kernel/index.ts'
import type { Channel } from '../mesh/index.ts'

/** The messages of a channel one by one, each with a time by which it must have come. */
export class Reader {
  readonly #messages: AsyncIterator<Uint8Array>
  readonly #timers: Timers
  #pending: Promise<IteratorResult<Uint8Array>> | null = null

  constructor(channel: Channel, timers: Timers) {
    this.#messages = channel.messages()[Symbol.asyncIterator]()
    this.#timers = timers
  }

  /**
   * @returns null when the other side has closed, or `signal` was aborted. @throws TiramiError PEER_SILENT; Error when
   * the connection broke
   */
  async next(withinMs: number, signal?: AbortSignal): Promise<Uint8Array | null> {
    if (signal?.aborted) return null
    this.#pending ??= this.#messages.next()
    const waiting = Promise.withResolvers<null>()
    const cancel = this.#timers.after(withinMs, () => waiting.reject(peerSilent()))
    const onAbort = () => waiting.resolve(null)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const result = await Promise.race([this.#pending, waiting.promise])
      // An aborted wait leaves the message to the next call.
      if (result === null) return null
      this.#pending = null
      return result.done ? null : result.value
    } finally {
      cancel()
      signal?.removeEventListener('abort', onAbort)
      // Nobody listens to it any more.
      waiting.promise.catch(() => undefined)
      this.#pending?.catch(() => undefined)
    }
  }
}

export function peerSilent(): TiramiError {
  return new TiramiError('PEER_SILENT', 'The other host did not answer in time.', {
    nextStep: 'Ask again: another host may serve the model.',
    httpStatus: 504,
  })
}
