import type { EngineStatus } from '../../src-preload/contract/index.ts'
import type { PublicError } from '../kernel/index.ts'

/** A JSON Schema as plain JSON. */
export type JsonSchema = { [keyword: string]: unknown }

/** One call that the model made. `argumentsJson` is text as the model wrote it: it may be no valid JSON. */
export interface ToolCall {
  id: string
  name: string
  argumentsJson: string
}

/** One message of a conversation, as the model's own chat template takes it. */
export interface ChatTurn {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string
  /** Of an assistant turn. */
  toolCalls?: ToolCall[]
  /** Of a tool turn: which call it answers. */
  toolCallId?: string
}

export interface ToolDefinition {
  name: string
  description?: string
  /** JSON Schema of the arguments, an object. */
  parameters: JsonSchema
}

export type Prompt =
  | { type: 'chat'; turns: ChatTurn[]; tools?: ToolDefinition[] }
  /** Raw completion: no template, only the first token that the model requires. */
  | { type: 'text'; text: string }

/** What the answer must look like; all but `text` constrain every token by a grammar. */
export type OutputFormat =
  | { type: 'text' }
  | { type: 'json-object' }
  | { type: 'json-schema'; schema: JsonSchema }

/** One generation as a caller asks for it; the host adds who pays. Fields that are absent change nothing. */
export interface JobRequest {
  prompt: Prompt
  maxTokens: number
  stop: string[]
  /** 0 takes the most probable token. */
  temperature: number
  topP: number
  /** Absent: 40, as llama.cpp; 0: all. */
  topK?: number
  minP?: number
  /** OpenAI's: subtracted per time that a token was generated. −2 to 2. */
  frequencyPenalty?: number
  /** OpenAI's: subtracted once when a token was generated. −2 to 2. */
  presencePenalty?: number
  /** llama.cpp's: divides the logits of tokens that were generated. 1 changes nothing. */
  repeatPenalty?: number
  /** Added to a token's logit; −100 and less forbid it. Tokens that end the answer are left as they are. */
  logitBias?: { token: number; bias: number }[]
  seed?: number
  /** 0 to 20 alternatives per token; absent: no log-probabilities. */
  topLogprobs?: number
  format?: OutputFormat
  /** False: the prompt is computed in full, and nothing of it stays for the tenant's next job. */
  cachePrompt?: boolean
}

/** One generation as the engine runs it. */
export interface GenerateRequest extends JobRequest {
  /** Who pays: turns are shared out among tenants, and no prompt cache crosses from one to another. */
  tenant: string
  /** The owner's own chat goes before paid work, every other turn. */
  priority?: 'owner' | 'paid'
}

/** A token with its natural log-probability under the model's full distribution, before any sampling option. */
export interface TokenLogprob {
  token: string
  /** UTF-8 bytes; those of half a character cannot be read from `token`. */
  bytes: number[]
  /** Never below −9999, which stands for impossible. */
  logprob: number
}

export interface TokenLogprobs extends TokenLogprob {
  /** The most probable tokens, best first. */
  top: TokenLogprob[]
}

export type GenerateEvent =
  /** The prompt has been tokenised; nothing is computed yet. The caller reserves here and then consumes on. */
  | { type: 'prompt'; promptTokens: number }
  /** `logprobs`: of the tokens that this piece took, when asked for. */
  | { type: 'text'; text: string; tokens: number; logprobs?: TokenLogprobs[] }
  | {
      type: 'end'
      finishReason: 'stop' | 'length' | 'cancelled'
      promptTokens: number
      /** How many of `promptTokens` were kept from the tenant's last job and not computed again. */
      cachedTokens: number
      completionTokens: number
    }

export interface EmbedRequest {
  tenant: string
  priority?: 'owner' | 'paid'
  /** At least one; none empty. */
  texts: string[]
}

export type EmbedEvent =
  /** Counts per text; nothing is computed yet. */
  | { type: 'prompt'; promptTokens: number; textTokens: number[] }
  /** The vectors of the next texts, in order, each of length 1 (L2). */
  | { type: 'vectors'; vectors: number[][] }
  /** `completionTokens` and `cachedTokens` are 0. */
  | Extract<GenerateEvent, { type: 'end' }>

/** What a job of either kind reports, as it comes over the wire. */
export type JobEvent =
  | GenerateEvent
  | { type: 'prompt'; promptTokens: number; textTokens?: number[] }
  | { type: 'vectors'; vectors: number[][] }

/** How the model's own template has tool calls written. */
export type ToolCallFormat = 'hermes' | 'llama3-json' | 'mistral'

/** What the engine reports about the model once it is loaded. */
export interface LoadedModel {
  contextTokens: number
  /** Null, as `threads`: another server computes, and does not say. */
  backend: 'cpu' | 'metal' | 'cuda' | 'vulkan' | null
  deviceName: string | null
  threads: number | null
  slots: number
  loadMs: number
  /** 0: another server computes. */
  vocabularySize: number
  /** Null: the model's template takes no tools. */
  toolCallFormat: ToolCallFormat | null
}

/** What to load, and how. */
export interface LoadPlan {
  modelPath: string
  /** Tokens per slot, prompt and completion. */
  contextTokens: number
  /** Jobs that run at once. */
  slots: number
  threads: number
  gpu: GpuChoice
  /** The most layers on the GPU; absent: as many as the free memory takes. */
  gpuLayers?: number
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
  | ({ type: 'load' } & LoadPlan)
  | { type: 'generate'; jobId: number; request: GenerateRequest }
  | { type: 'embed'; jobId: number; request: EmbedRequest }
  | { type: 'tokenize'; jobId: number; text: string; specials: boolean }
  | { type: 'detokenize'; jobId: number; tokens: number[] }
  /** The host accepted the `prompt` report: compute. Without it the engine computes nothing. */
  | { type: 'proceed'; jobId: number }
  | { type: 'cancel'; jobId: number }
  /** The job has been paid for: what it computed may make the tenant's next prompt cheaper. */
  | { type: 'settled'; jobId: number }
  | { type: 'stop' }

/** `cuda`: these GPUs of NVIDIA's, by their UUIDs, and no others, whatever it takes. */
export type GpuChoice = 'auto' | 'cpu' | { cuda: string[] }

/** Engine → host. A job of any kind ends with one of `end`, `tokens`, `string`, `failed`. */
export type EngineReport =
  | { type: 'loaded'; model: LoadedModel }
  | { type: 'load-failed'; error: PublicError }
  | ({ jobId: number } & JobEvent)
  | { type: 'tokens'; jobId: number; tokens: number[] }
  | { type: 'string'; jobId: number; text: string }
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
   * Changes to another model or plan. Running jobs finish, or are cancelled after a grace; waiting ones wait on for the
   * new model. A stopped engine only takes note. @throws as `start`
   */
  load(plan: LoadPlan): Promise<void>
  /**
   * Runs one job. The generator yields `prompt` first and computes only when asked for the next event.
   * Aborting `signal`, or returning the generator early, stops the computation and frees the slot. Asking on after `end`
   * says that the job was paid for; only then may its prompt be kept for the tenant's next one.
   * @throws TiramiError ENGINE_NOT_READY (503), ENGINE_CRASHED (502), ENGINE_DRAINING (503), PROMPT_TOO_LONG (400),
   *   PROMPT_REJECTED (400), UNSUPPORTED_SCHEMA (400), GENERATION_FAILED (500), ENGINE_STOPPED (503)
   * @throws EngineBusyError ENGINE_BUSY (429)
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent, void, void>
  /** Embeds texts; as `generate` otherwise. @throws TiramiError as `generate`, and EMBEDDINGS_UNSUPPORTED (400) */
  embed(request: EmbedRequest, signal: AbortSignal): AsyncGenerator<EmbedEvent, void, void>
  /** Tokens of `text`, without a first token. @param options.specials whether spellings of control tokens count. */
  tokenize(text: string, options?: { specials?: boolean }): Promise<number[]>
  /** @throws TiramiError INVALID_TOKENS (400) when one is not of the vocabulary */
  detokenize(tokens: number[]): Promise<string>
  /** Takes no new jobs until the next `start()`; resolves when the last has ended, cancelled after `graceMs`. */
  drain(graceMs: number): Promise<void>
  /** Ends the process; its memory goes back to the system. Running jobs fail with ENGINE_STOPPED. */
  stop(): Promise<void>
}
