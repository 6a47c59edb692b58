import type { LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp'
import { TiramiError } from '../../kernel/index.ts'
import type { EmbedRequest, EngineReport } from '../types.ts'
import { type JobControl, promptTooLong } from './job.ts'
import type { Session } from './load.ts'

/** Vectors per report: some megabytes at most. */
const TEXTS_PER_REPORT = 16

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
        throw unsupported(cause)
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

/**
 * Embeds every text by itself; the context is wiped between them. Reports `prompt`, then `vectors`.
 * @returns the `end` report. @throws TiramiError PROMPT_TOO_LONG, EMBEDDINGS_UNSUPPORTED (400 each)
 */
export async function runEmbedJob(
  jobId: number,
  { texts }: EmbedRequest,
  session: Session,
  control: JobControl,
  report: (report: EngineReport) => void,
): Promise<EngineReport> {
  const context = await session.embedder.context()
  const inputs = texts.map((text) => session.prompts.plain(text) as Token[])
  const textTokens = inputs.map((tokens) => context.calculateInputLength(tokens))
  for (const count of textTokens) {
    if (count >= session.contextTokens) throw promptTooLong(count, session.contextTokens)
  }
  const promptTokens = textTokens.reduce((total, count) => total + count, 0)
  report({ type: 'prompt', jobId, promptTokens, textTokens })
  await control.accepted()
  for (let from = 0; from < inputs.length && !control.cancelled; from += TEXTS_PER_REPORT) {
    const vectors: number[][] = []
    for (const tokens of inputs.slice(from, from + TEXTS_PER_REPORT)) {
      if (control.cancelled) break
      vectors.push(await vectorOf(session.embedder, context, tokens))
    }
    if (!control.cancelled) report({ type: 'vectors', jobId, vectors })
  }
  const finishReason = control.cancelled ? 'cancelled' : 'stop'
  return { type: 'end', jobId, finishReason, promptTokens, cachedTokens: 0, completionTokens: 0 }
}

async function vectorOf(
  embedder: Embedder,
  context: LlamaEmbeddingContext,
  tokens: Token[],
): Promise<number[]> {
  try {
    const { vector } = await context.getEmbeddingFor(tokens)
    const length = Math.hypot(...vector)
    if (!(length > 0) || !Number.isFinite(length)) throw new Error('the vector has no length')
    return vector.map((value) => value / length)
  } catch (cause) {
    await embedder.reset()
    throw unsupported(cause)
  }
}

function unsupported(cause: unknown): TiramiError {
  return new TiramiError('EMBEDDINGS_UNSUPPORTED', 'This model cannot embed texts.', {
    nextStep: 'Choose a model that is made for embeddings.',
    httpStatus: 400,
    cause,
  })
}
