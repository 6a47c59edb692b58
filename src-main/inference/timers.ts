/** One-shot timers, injected so that tests need not wait. */
export interface Timers {
  /** @param delayMs milliseconds. @returns a function that cancels it. */
  after(delayMs: number, action: () => void): () => void
}

export const systemTimers: Timers = {
  after: (delayMs, action) => {
    const handle = setTimeout(action, delayMs)
    return () => clearTimeout(handle)
  },
}
