import type { LlamaEmbeddingContext, LlamaModel } from 'node-llama-cpp'
import { TiramiError } from '../../kernel/index.ts'

/** Reads texts into vectors. Its context is made when it is first needed, and anew after a failure. */
export class Embedder {
  readonly #model: LlamaModel
  readonly #contextTokens: number
  readonly #threads: number
  #context: Promise<LlamaEmbeddingContext> | null = null

  constructor(model: LlamaModel, contextTokens: number, threads: number) {
    this.#model = model
    this.#contextTokens = contextTokens
    this.#threads = threads
  }

  /** @throws TiramiError EMBEDDINGS_UNSUPPORTED (400) */
  context(): Promise<LlamaEmbeddingContext> {
    this.#context ??= this.#model
      .createEmbeddingContext({
        contextSize: this.#contextTokens,
        // Some models look at the whole text at once: it must fit into one batch.
        batchSize: this.#contextTokens,
        threads: this.#threads,
      })
      .catch((cause: unknown) => {
        this.#context = null
        throw embeddingsUnsupported(cause)
      })
    return this.#context
  }

  /** Ends the context: after a failure nobody knows what it still holds. */
  async reset(): Promise<void> {
    const context = this.#context
    this.#context = null
    await (await context?.catch(() => null))?.dispose()
  }
}

export function embeddingsUnsupported(cause: unknown): TiramiError {
  return new TiramiError('EMBEDDINGS_UNSUPPORTED', 'This model cannot embed texts.', {
    nextStep: 'Choose a model that is made for embeddings.',
    httpStatus: 400,
    cause,
  })
}
