import type { EngineCommand, EngineProcess, EngineReport } from '../inference/index.ts'

/** One end of a message port, as Electron's `MessagePortMain` and Node's `MessagePort` can both give it. */
export interface LinkPort {
  postMessage(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** The other end is gone; everything it had sent has been delivered before. */
  onClose(listener: () => void): void
  start(): void
  close(): void
}

/** How long the last words of an engine may take to arrive after main has reported its end. */
const LAST_WORDS_MS = 1_000

/**
 * The host's handle on an engine that main spawned. Commands wait until the port has come; the end is told
 * only after everything that the engine had said, since the two take different ways here.
 */
export class EngineLink implements EngineProcess {
  /** Main owns the process; the host needs no handle on it. */
  readonly pid = undefined
  readonly #requestKill: () => void
  readonly #messageListeners: ((message: EngineReport) => void)[] = []
  readonly #exitListeners: ((code: number | null) => void)[] = []
  #queued: EngineCommand[] = []
  #port: LinkPort | null = null
  #portClosed = false
  #exitCode: number | null | undefined
  #gone = false

  constructor(requestKill: () => void) {
    this.#requestKill = requestKill
  }

  attach(port: LinkPort): void {
    if (this.#gone || this.#port !== null) {
      port.close()
      return
    }
    this.#port = port
    port.onMessage((message) => {
      if (this.#gone || !isReport(message)) return
      for (const listener of this.#messageListeners) listener(message)
    })
    port.onClose(() => {
      this.#portClosed = true
      this.#finishWhenQuiet()
    })
    port.start()
    for (const command of this.#queued.splice(0)) port.postMessage(command)
  }

  /** Main says that the process has ended. */
  exited(code: number | null): void {
    if (this.#exitCode !== undefined) return
    this.#exitCode = code
    if (this.#port === null) this.#finish()
    else if (!this.#finishWhenQuiet()) setTimeout(() => this.#finish(), LAST_WORDS_MS)
  }

  send(message: EngineCommand): void {
    if (this.#gone || this.#portClosed) return
    if (this.#port === null) this.#queued.push(message)
    else this.#port.postMessage(message)
  }

  onMessage(listener: (message: EngineReport) => void): void {
    this.#messageListeners.push(listener)
  }

  onExit(listener: (code: number | null) => void): void {
    this.#exitListeners.push(listener)
  }

  kill(): void {
    if (!this.#gone) this.#requestKill()
  }

  #finishWhenQuiet(): boolean {
    if (this.#exitCode === undefined || !this.#portClosed) return false
    this.#finish()
    return true
  }

  #finish(): void {
    if (this.#gone) return
    this.#gone = true
    this.#queued = []
    this.#port?.close()
    for (const listener of this.#exitListeners) listener(this.#exitCode ?? null)
  }
}

/** Only the shape of the envelope; the supervisor of the inference room judges the content. */
function isReport(message: unknown): message is EngineReport {
  return (
    typeof message === 'object' && message !== null && 'type' in message && typeof message.type === 'string'
  )
}
