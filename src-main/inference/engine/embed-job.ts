import type { LlamaEmbeddingContext, Token } from 'node-llama-cpp'
import type { EmbedRequest, EngineReport } from '../types.ts'
import { type Embedder, embeddingsUnsupported } from './embedder.ts'
import { type JobControl, promptTooLong } from './job.ts'
import type { Session } from './session.ts'

/** Vectors per report: some megabytes at most. */
const TEXTS_PER_REPORT = 16

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
    throw embeddingsUnsupported(cause)
  }
}
