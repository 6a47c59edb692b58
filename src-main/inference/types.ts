import type { EngineStatus } from '../../src-preload/contract/index.ts'
import type { PublicError } from '../kernel/index.ts'

/** One message of a conversation, as the model's own chat template takes it. */
export interface ChatTurn {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** One generation. Sampling fields that are absent take the engine's defaults (greedy at temperature 0). */
export interface GenerateRequest {
  turns: ChatTurn[]
  maxTokens: number
  temperature: number
  topP: number
  seed?: number
  stop: string[]
}

export type GenerateEvent =
  /** The prompt has been tokenised; nothing is computed yet. The caller reserves here and then consumes on. */
  | { type: 'prompt'; promptTokens: number }
  | { type: 'text'; text: string; tokens: number }
  | {
      type: 'end'
      finishReason: 'stop' | 'length' | 'cancelled'
      promptTokens: number
      completionTokens: number
    }

/** What the engine reports about the model once it is loaded. */
export interface LoadedModel {
  contextTokens: number
  backend: 'cpu' | 'metal' | 'cuda' | 'vulkan'
  deviceName: string | null
  threads: number
  slots: number
  loadMs: number
}

/** A running engine process as the supervisor sees it, wherever it was spawned (fork or utilityProcess). */
export interface EngineProcess {
  readonly pid: number | undefined
  send(message: EngineCommand): void
  onMessage(listener: (message: EngineReport) => void): void
  /** Called once, when the process is gone, for whatever reason. */
  onExit(listener: (code: number | null) => void): void
  /** The first call asks the process to go, a later one forces it. */
  kill(): void
}

/** Starts an engine process. Desktop gives one built on `utilityProcess`, headless on `child_process`. */
export type SpawnEngine = () => EngineProcess

/** Host → engine. */
export type EngineCommand =
  | { type: 'load'; modelPath: string; contextTokens: number; slots: number; threads: number; gpu: GpuChoice }
  | { type: 'generate'; jobId: number; request: GenerateRequest }
  /** The host accepted the `prompt` report: compute. Without it the engine computes nothing. */
  | { type: 'proceed'; jobId: number }
  | { type: 'cancel'; jobId: number }
  | { type: 'stop' }

export type GpuChoice = 'auto' | 'cpu'

/** Engine → host. */
export type EngineReport =
  | { type: 'loaded'; model: LoadedModel }
  | { type: 'load-failed'; error: PublicError }
  | { type: 'prompt'; jobId: number; promptTokens: number }
  | { type: 'text'; jobId: number; text: string; tokens: number }
  | {
      type: 'end'
      jobId: number
      finishReason: 'stop' | 'length' | 'cancelled'
      promptTokens: number
      completionTokens: number
    }
  | { type: 'failed'; jobId: number; error: PublicError }

/** The supervised engine: the only way the host computes. */
export interface Engine {
  status(): EngineStatus
  jobs(): { running: number; queued: number }
  loaded(): LoadedModel | null
  /** Fires on every change of `status()` or `jobs()`. @returns a function that ends it. */
  onChange(listener: () => void): () => void
  /** Resolves when the model is loaded. @throws TiramiError MODEL_* or ENGINE_CRASHED when it cannot be */
  start(): Promise<void>
  /**
   * Runs one job. The generator yields `prompt` first and computes only when asked for the next event.
   * Aborting `signal`, or returning the generator early, stops the computation and frees the slot.
   * @throws TiramiError ENGINE_NOT_READY (503), ENGINE_CRASHED (502), ENGINE_BUSY (429), PROMPT_TOO_LONG (400),
   *   PROMPT_REJECTED (400), GENERATION_FAILED (500), ENGINE_STOPPED (503)
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent, void, void>
  /** Ends the process; its memory goes back to the system. Running jobs fail with ENGINE_STOPPED. */
  stop(): Promise<void>
}
