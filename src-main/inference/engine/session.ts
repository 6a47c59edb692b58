import type { LlamaModel, Token } from 'node-llama-cpp'
import type { LoadedModel } from '../types.ts'
import type { Embedder } from './embedder.ts'
import type { PromptWriter } from './prompt.ts'
import type { SlotPool } from './slots.ts'

/** A loaded model, ready to run jobs. */
export interface Session {
  model: LlamaModel
  pool: SlotPool
  embedder: Embedder
  prompts: PromptWriter
  /** Tokens that one job may take, prompt and completion. */
  contextTokens: number
  /** Tokens computed at once while a prompt is read; a cancel waits for one such batch. */
  batchTokens: number
  loaded: LoadedModel
  /**
   * Text of generated tokens. @param before those right before them.
   * @param showsMarkers whether the control tokens that mark a tool call are written out; others never are.
   */
  textOf(tokens: Token[], before: Token[], showsMarkers: boolean): string
  /** One token as log-probabilities name it. */
  describe(token: Token): { token: string; bytes: number[] }
}
