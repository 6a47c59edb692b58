import type { EngineStatus } from '../../src-preload/contract/index.ts'
import type {
  EmbedEvent,
  EmbedRequest,
  Engine,
  GenerateEvent,
  GenerateRequest,
  LoadedModel,
  LoadPlan,
} from './types.ts'

/** An engine that can be exchanged for another while callers hold on to it. */
export interface SwitchingEngine extends Engine {
  /**
   * The next one is started first; only when it serves do new jobs go to it, while those that run end where they began.
   * Nothing changes where it cannot start. A stopped engine is exchanged without a start.
   * @param onSwap called in the very moment of the exchange, which it can still call off by throwing.
   * @throws as `next.start()` and `onSwap`
   */
  switchTo(next: Engine, onSwap: () => void): Promise<void>
}

/** How long jobs may go on in an engine that is leaving; as when a model is changed for another. */
const LEAVE_GRACE_MS = 30_000

/** One exchange at a time: `switchTo` is called when the last call has settled. */
export function createSwitchingEngine(first: Engine): SwitchingEngine {
  return new Switching(first)
}

class Switching implements SwitchingEngine {
  #current: Engine
  #wanted = false
  readonly #leaving = new Map<Engine, Promise<void>>()
  readonly #listeners = new Set<() => void>()
  #unsubscribe: () => void

  constructor(first: Engine) {
    this.#current = first
    this.#unsubscribe = first.onChange(() => this.#notify())
  }

  async switchTo(next: Engine, onSwap: () => void): Promise<void> {
    if (next === this.#current) return onSwap()
    // It may be the one that left last.
    await this.#leaving.get(next)
    try {
      if (this.#wanted) await next.start()
      onSwap()
    } catch (error) {
      await next.stop()
      throw error
    }
    const old = this.#current
    this.#current = next
    this.#unsubscribe()
    this.#unsubscribe = next.onChange(() => this.#notify())
    this.#leave(old)
    this.#notify()
    // Stopped while it started: nobody wants it any more.
    if (!this.#wanted) await next.stop()
  }

  #leave(old: Engine): void {
    const gone = old
      .drain(LEAVE_GRACE_MS)
      .then(() => old.stop())
      .finally(() => {
        this.#leaving.delete(old)
        this.#notify()
      })
    this.#leaving.set(old, gone)
  }

  status(): EngineStatus {
    return this.#current.status()
  }

  jobs(): { running: number; queued: number } {
    const all = [this.#current, ...this.#leaving.keys()].map((engine) => engine.jobs())
    return {
      running: all.reduce((sum, { running }) => sum + running, 0),
      queued: all.reduce((sum, { queued }) => sum + queued, 0),
    }
  }

  loaded(): LoadedModel | null {
    return this.#current.loaded()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  start(): Promise<void> {
    this.#wanted = true
    return this.#current.start()
  }

  load(plan: LoadPlan): Promise<void> {
    return this.#current.load(plan)
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent, void, void> {
    return this.#current.generate(request, signal)
  }

  embed(request: EmbedRequest, signal: AbortSignal): AsyncGenerator<EmbedEvent, void, void> {
    return this.#current.embed(request, signal)
  }

  tokenize(text: string, options?: { specials?: boolean }): Promise<number[]> {
    return this.#current.tokenize(text, options)
  }

  detokenize(tokens: number[]): Promise<string> {
    return this.#current.detokenize(tokens)
  }

  async drain(graceMs: number): Promise<void> {
    await this.#each((engine) => engine.drain(graceMs))
  }

  async stop(): Promise<void> {
    this.#wanted = false
    await this.#each((engine) => engine.stop())
    await Promise.all(this.#leaving.values())
  }

  async #each(action: (engine: Engine) => Promise<void>): Promise<void> {
    await Promise.all([this.#current, ...this.#leaving.keys()].map(action))
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
