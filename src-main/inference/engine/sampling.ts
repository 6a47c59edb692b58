import { randomInt } from 'node:crypto'
import {
  type LlamaContextSequence,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type SequenceEvaluateOptions,
  type Token,
  TokenBias,
} from 'node-llama-cpp'
import { TiramiError } from '../../kernel/index.ts'
import type { GenerateRequest, OutputFormat, TokenLogprobs } from '../types.ts'
import { type Candidate, chooseToken, type SamplingOptions } from './choose-token.ts'
import { JSON_OBJECT_GRAMMAR, schemaGrammar, unsupportedSchema } from './schema-grammar.ts'
import type { Session } from './session.ts'

/** llama.cpp's default: without it small models draw noise from the far tail. */
const DEFAULT_TOP_K = 40
const SEED_RANGE = 2 ** 32
/** llama.cpp takes this seed for "draw one". */
const RESERVED_SEED = 0xffff_ffff
/** OpenAI's scale: at its ends a token is certain or impossible. */
const BIAS_LIMIT = 100
const FORBIDDING_LOGIT = -1e6
/** OpenAI's stand-in for minus infinity. */
const IMPOSSIBLE_LOGPROB = -9999

export interface SampledToken {
  token: Token
  logprobs?: TokenLogprobs
}

/** What a request asks of the choice of tokens, checked against the model. @throws TiramiError UNSUPPORTED_SCHEMA */
export interface Sampler {
  /** Reads `tokens`, then yields one token after the other; ends at the end of the model's turn. */
  generate(sequence: LlamaContextSequence, tokens: Token[], limit: number): AsyncGenerator<SampledToken>
}

/** @throws TiramiError UNSUPPORTED_SCHEMA (400), INVALID_TOKENS (400), UNSUPPORTED_PARAMETER (400) */
export async function createSampler(session: Session, request: GenerateRequest): Promise<Sampler> {
  const { model } = session
  for (const { token } of request.logitBias ?? []) assertToken(session.loaded.vocabularySize, token)
  const grammar = await grammarFor(model, request.format ?? { type: 'text' })
  const { topLogprobs } = request
  const seed = seedOf(request)
  if (topLogprobs === undefined) {
    return {
      generate: (sequence, tokens, limit) => {
        const options = evaluateOptions(model, request, limit)
        return plain(sequence, tokens, {
          ...options,
          seed,
          ...(grammar ? { grammarEvaluationState: grammar } : {}),
        })
      },
    }
  }
  if (grammar) {
    throw new TiramiError(
      'UNSUPPORTED_PARAMETER',
      'Log-probabilities are not available together with a response format.',
      { nextStep: 'Leave one of the two out.', httpStatus: 400 },
    )
  }
  return {
    generate: (sequence, tokens) => withLogprobs(session, request, seed, topLogprobs, sequence, tokens),
  }
}

/** @throws TiramiError INVALID_TOKENS (400) */
export function assertToken(vocabularySize: number, token: number): void {
  if (token < vocabularySize) return
  throw new TiramiError('INVALID_TOKENS', `The model has no token ${token}.`, {
    nextStep: `Use ids from 0 to ${vocabularySize - 1}.`,
    httpStatus: 400,
  })
}

function seedOf({ seed }: GenerateRequest): number {
  const value = seed === undefined ? randomInt(SEED_RANGE) : seed >>> 0
  return value === RESERVED_SEED ? RESERVED_SEED - 1 : value
}

async function grammarFor(
  model: LlamaModel,
  format: OutputFormat,
): Promise<LlamaGrammarEvaluationState | null> {
  if (format.type === 'text') return null
  const text = format.type === 'json-object' ? JSON_OBJECT_GRAMMAR : schemaGrammar(format.schema)
  try {
    const grammar = await model.llama.createGrammar({ grammar: text })
    return new LlamaGrammarEvaluationState({ model, grammar })
  } catch (error) {
    throw unsupportedSchema('The JSON schema cannot be made into a grammar.', error)
  }
}

/** llama.cpp's own samplers: the fast path. */
async function* plain(
  sequence: LlamaContextSequence,
  tokens: Token[],
  { generated, ...options }: SequenceEvaluateOptions & { generated: Token[] },
): AsyncGenerator<SampledToken> {
  for await (const token of sequence.evaluate(tokens, options)) {
    if (options.repeatPenalty) generated.push(token)
    yield { token }
  }
}

/** Penalties are taken over the answer so far, as OpenAI documents them. */
function evaluateOptions(
  model: LlamaModel,
  request: GenerateRequest,
  limit: number,
): SequenceEvaluateOptions & { generated: Token[] } {
  const { repeatPenalty = 1, frequencyPenalty = 0, presencePenalty = 0 } = request
  const generated: Token[] = []
  const penalises = repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0
  return {
    generated,
    temperature: request.temperature,
    topP: request.topP,
    topK: request.topK ?? DEFAULT_TOP_K,
    minP: request.minP ?? 0,
    ...(request.logitBias?.length ? { tokenBias: biasOf(model, request.logitBias) } : {}),
    ...(penalises
      ? {
          repeatPenalty: {
            punishTokens: () => generated,
            maxPunishTokens: limit,
            penalty: repeatPenalty,
            frequencyPenalty,
            presencePenalty,
          },
        }
      : {}),
  }
}

function biasOf(model: LlamaModel, biases: NonNullable<GenerateRequest['logitBias']>): TokenBias {
  const all = TokenBias.for(model)
  for (const { token, bias } of biases) {
    // Finite: under a grammar the forbidden token may be the only one there is.
    all.set(token as Token, { logit: bias <= -BIAS_LIMIT ? FORBIDDING_LOGIT : bias })
  }
  return all
}

/** The distribution comes out of llama.cpp before any sampling; the choice is made here, by the same rules. */
async function* withLogprobs(
  session: Session,
  request: GenerateRequest,
  seed: number,
  topLogprobs: number,
  sequence: LlamaContextSequence,
  tokens: Token[],
): AsyncGenerator<SampledToken> {
  const { model, loaded } = session
  const topK = request.topK ?? DEFAULT_TOP_K
  const random = randomFrom(seed)
  const biases = new Map((request.logitBias ?? []).map(({ token, bias }) => [token, bias]))
  const counts = new Map<number, number>()
  const options: SamplingOptions = { ...request, topK, biases, counts }
  let next = tokens
  for (;;) {
    const adjusted = [...new Set([...biases.keys(), ...counts.keys()])]
    // Those that are not adjusted and still reach the top k are among the raw top k + adjusted.
    const wanted = Math.max(topK + adjusted.length, topLogprobs, 1)
    const includeTop = topK === 0 ? loaded.vocabularySize : Math.min(wanted, loaded.vocabularySize)
    const { candidates, logSum } = await distribution(sequence, next, adjusted as Token[], includeTop)
    const token = chooseToken(candidates, options, random) as Token
    if (model.isEogToken(token)) return
    counts.set(token, (counts.get(token) ?? 0) + 1)
    const described = (candidate: Candidate) => ({
      ...session.describe(candidate.token as Token),
      logprob: Math.max(IMPOSSIBLE_LOGPROB, candidate.logit - logSum),
    })
    const chosen = candidates.find((candidate) => candidate.token === token)
    if (!chosen) throw new Error('the chosen token is not among the candidates')
    yield {
      token,
      logprobs: { ...described(chosen), top: candidates.slice(0, topLogprobs).map(described) },
    }
    next = [token]
  }
}

/** @returns raw logits, best first, and the logarithm of the sum of all exponentials. */
async function distribution(
  sequence: LlamaContextSequence,
  tokens: Token[],
  also: Token[],
  includeTop: number,
): Promise<{ candidates: Candidate[]; logSum: number }> {
  const last = tokens.at(-1)
  if (last === undefined) throw new Error('nothing to compute')
  const generateNext = {
    logits: { filter: { tokens: also, includeTop } },
    totalLogitWeight: true,
    // Greedy: llama.cpp's truncations would otherwise cut the distribution before it is read.
    options: { temperature: 0 },
  }
  const results = await sequence.controlledEvaluate([...tokens.slice(0, -1), [last, { generateNext }]])
  const { logits, totalLogitWeight } = results.at(-1)?.next ?? {}
  const candidates = [...(logits ?? [])]
    .map(([token, logit]) => ({ token, logit }))
    .sort((a, b) => b.logit - a.logit)
  const [best] = candidates
  if (!best || totalLogitWeight === undefined) throw new Error('the model gave no distribution')
  return { candidates, logSum: best.logit + Math.log(totalLogitWeight) }
}

/** Uniform on [0, 1), seeded (Tommy Ettinger's mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / SEED_RANGE
  }
}
