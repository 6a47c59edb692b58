import { z } from 'zod'
import { forcedToolNames } from '../tool-calls.ts'
import type { ChatTurn, GenerateRequest, OutputFormat, TokenLogprobs, ToolDefinition } from '../types.ts'
import { upstreamInvalid } from './errors.ts'

/** Which server it is, as far as its API differs; `plain` has nothing beyond OpenAI's. */
export type Dialect = 'vllm' | 'llama-server' | 'tirami' | 'plain'

/** What a Hermes model closes each call with: the gateway stops there when it wants no second one. */
const HERMES_CLOSING = '</tool_call>'

/** The names that a request asked for has on the wire, and the path it goes to. */
export function workBody(
  request: GenerateRequest,
  maxTokens: number,
  { model, dialect, cacheSalt }: { model: string; dialect: Dialect; cacheSalt: string },
): { path: string; body: object } {
  const { prompt, topLogprobs, format } = request
  const common = {
    model,
    max_tokens: maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    ...sampling(request, dialect),
    ...isolation(dialect, cacheSalt),
    stream: true,
    stream_options: { include_usage: true },
  }
  if (prompt.type === 'text') {
    const logprobs = topLogprobs === undefined ? {} : { logprobs: topLogprobs }
    return {
      path: '/completions',
      body: { ...common, ...stops(request.stop), prompt: prompt.text, ...logprobs },
    }
  }
  const tools = prompt.tools ?? []
  const wantsOne = tools.length > 0 && request.stop.includes(HERMES_CLOSING)
  const stop = wantsOne ? request.stop.filter((text) => text !== HERMES_CLOSING) : request.stop
  return {
    path: '/chat/completions',
    body: {
      ...common,
      ...stops(stop),
      messages: wireMessages(prompt.turns),
      ...(topLogprobs === undefined ? {} : { logprobs: true, top_logprobs: topLogprobs }),
      ...(tools.length > 0 ? { tools: wireTools(tools), ...toolChoice(format) } : responseFormat(format)),
      ...(wantsOne ? { parallel_tool_calls: false } : {}),
    },
  }
}

function sampling(request: GenerateRequest, dialect: Dialect): object {
  const { topK, minP, frequencyPenalty, presencePenalty, repeatPenalty, logitBias, seed } = request
  const repeatName = dialect === 'vllm' ? 'repetition_penalty' : 'repeat_penalty'
  return {
    ...(topK === undefined ? {} : { top_k: topK }),
    ...(minP === undefined ? {} : { min_p: minP }),
    ...(frequencyPenalty === undefined ? {} : { frequency_penalty: frequencyPenalty }),
    ...(presencePenalty === undefined ? {} : { presence_penalty: presencePenalty }),
    ...(repeatPenalty === undefined ? {} : { [repeatName]: repeatPenalty }),
    ...(seed === undefined ? {} : { seed }),
    ...(logitBias
      ? { logit_bias: Object.fromEntries(logitBias.map(({ token, bias }) => [String(token), bias])) }
      : {}),
  }
}

/** What one customer's prompt left in the server's memory must not serve another one. */
function isolation(dialect: Dialect, cacheSalt: string): object {
  if (dialect === 'vllm') return { cache_salt: cacheSalt }
  return dialect === 'plain' ? {} : { cache_prompt: false }
}

const stops = (stop: readonly string[]) => (stop.length === 0 ? {} : { stop })

/** A format beside tools is a call that is required: the server is asked for that in its own way. */
function toolChoice(format: OutputFormat | undefined): object {
  const names = format ? forcedToolNames(format) : null
  if (!names) return {}
  const [only] = names
  const choice = names.length === 1 ? { type: 'function', function: { name: only } } : 'required'
  return { tool_choice: choice, parallel_tool_calls: false }
}

function responseFormat(format: OutputFormat | undefined): object {
  if (format === undefined || format.type === 'text') return {}
  if (format.type === 'json-object') return { response_format: { type: 'json_object' } }
  const json_schema = { name: 'answer', strict: true, schema: format.schema }
  return { response_format: { type: 'json_schema', json_schema } }
}

export function wireMessages(turns: readonly ChatTurn[]): object[] {
  return turns.map(({ role, content, toolCalls = [], toolCallId }) => ({
    role,
    content,
    ...(toolCalls.length > 0
      ? {
          tool_calls: toolCalls.map(({ id, name, argumentsJson }) => ({
            id,
            type: 'function',
            function: { name, arguments: argumentsJson },
          })),
        }
      : {}),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  }))
}

export const wireTools = (tools: readonly ToolDefinition[]): object[] =>
  tools.map((definition) => ({ type: 'function', function: definition }))

// ---- answers ----

const Count = z
  .number()
  .int()
  .nonnegative()
  .max(2 ** 40)

const Usage = z.object({
  prompt_tokens: Count,
  completion_tokens: Count.nullish(),
  prompt_tokens_details: z.object({ cached_tokens: Count.nullish() }).nullish(),
})

const Alternative = z.object({
  token: z.string(),
  /** Null, as JSON has no −∞. */
  logprob: z.number().nullable(),
  bytes: z.array(z.number().int().min(0).max(255)).nullish(),
})
const TokenList = z.array(Alternative.extend({ top_logprobs: z.array(Alternative).nullish() }))
const Logprobs = z.union([
  // Completions, as OpenAI has them; llama-server gives the other shape there too.
  z.object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().nullable()),
    top_logprobs: z.array(z.record(z.string(), z.number().nullable()).nullable()).nullish(),
  }),
  z.object({ content: TokenList.nullish() }),
])

const ToolCallDelta = z.object({
  index: z.number().int().min(0).max(127).nullish(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
})

const Choice = z.object({
  /** Completions. */
  text: z.string().nullish(),
  delta: z
    .object({
      content: z.string().nullish(),
      reasoning_content: z.string().nullish(),
      reasoning: z.string().nullish(),
      tool_calls: z.array(ToolCallDelta).max(128).nullish(),
    })
    .nullish(),
  logprobs: z.unknown().optional(),
  finish_reason: z.string().nullish(),
})

const Chunk = z.object({ choices: z.array(Choice).max(1).nullish(), usage: Usage.nullish() })

export interface WireUsage {
  promptTokens: number
  cachedTokens: number
  completionTokens: number
}

/** One message of a stream, in our terms. */
export interface WireChunk {
  text: string
  reasoning: string
  toolCalls: { index: number; name: string; argumentsDelta: string }[]
  logprobs: TokenLogprobs[] | null
  finishReason: 'stop' | 'length' | null
  usage: WireUsage | null
}

/** @throws TiramiError UPSTREAM_INVALID */
export function readChunk(value: unknown): WireChunk {
  const parsed = Chunk.safeParse(value)
  if (!parsed.success) throw upstreamInvalid('streams something that cannot be understood')
  const { choices, usage } = parsed.data
  const choice = choices?.[0]
  const delta = choice?.delta
  return {
    text: delta?.content ?? choice?.text ?? '',
    reasoning: delta?.reasoning_content ?? delta?.reasoning ?? '',
    toolCalls: (delta?.tool_calls ?? []).map((call, position) => ({
      index: call.index ?? position,
      name: call.function?.name ?? '',
      argumentsDelta: call.function?.arguments ?? '',
    })),
    logprobs: choice?.logprobs == null ? null : readLogprobs(choice.logprobs),
    finishReason: finishReason(choice?.finish_reason),
    usage: usage ? readUsage(usage) : null,
  }
}

function readUsage({
  prompt_tokens,
  completion_tokens,
  prompt_tokens_details,
}: z.infer<typeof Usage>): WireUsage {
  return {
    promptTokens: prompt_tokens,
    cachedTokens: prompt_tokens_details?.cached_tokens ?? 0,
    completionTokens: completion_tokens ?? 0,
  }
}

const ENDINGS: ReadonlyMap<string, 'stop' | 'length'> = new Map([
  ['stop', 'stop'],
  ['tool_calls', 'stop'],
  ['function_call', 'stop'],
  ['content_filter', 'stop'],
  ['length', 'length'],
])

/** @throws TiramiError UPSTREAM_INVALID for an end that is none, such as vLLM's `abort` */
function finishReason(reason: string | null | undefined): 'stop' | 'length' | null {
  if (reason === null || reason === undefined || reason === '') return null
  const ending = ENDINGS.get(reason)
  if (!ending) throw upstreamInvalid('broke its answer off')
  return ending
}

/** As an engine says “impossible”. */
const LEAST_LOGPROB = -9999

function readLogprobs(value: unknown): TokenLogprobs[] {
  const parsed = Logprobs.safeParse(value)
  if (!parsed.success) throw upstreamInvalid('streams something that cannot be understood')
  if (!('tokens' in parsed.data)) {
    return (parsed.data.content ?? []).map(({ top_logprobs, ...token }) => ({
      ...alternative(token),
      top: (top_logprobs ?? []).map(alternative),
    }))
  }
  const { tokens, token_logprobs, top_logprobs } = parsed.data
  return tokens.map((token, index) => ({
    ...alternative({ token, logprob: token_logprobs[index] ?? null }),
    top: Object.entries(top_logprobs?.[index] ?? {})
      .map(([text, logprob]) => alternative({ token: text, logprob }))
      .sort((left, right) => right.logprob - left.logprob),
  }))
}

function alternative({ token, logprob, bytes }: z.infer<typeof Alternative>) {
  return {
    token,
    bytes: bytes ?? [...Buffer.from(token)],
    logprob: Math.max(LEAST_LOGPROB, Math.min(0, logprob ?? LEAST_LOGPROB)),
  }
}

const ModelList = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      /** vLLM. */
      max_model_len: Count.nullish(),
    }),
  ),
})

/** Ids of a server's models, and the context where it says so. @throws TiramiError UPSTREAM_INVALID */
export function readModels(value: unknown): { id: string; contextTokens: number | null }[] {
  const parsed = ModelList.safeParse(value)
  if (!parsed.success) throw upstreamInvalid('lists its models in a way that cannot be understood')
  return parsed.data.data.map(({ id, max_model_len }) => ({ id, contextTokens: max_model_len ?? null }))
}

const Embeddings = z.object({
  data: z.array(z.object({ index: z.number().int().nonnegative(), embedding: z.array(z.number()).min(1) })),
  usage: Usage,
})

/** The vectors of `count` texts, each of length 1, and the tokens they took. @throws TiramiError UPSTREAM_INVALID */
export function readEmbeddings(value: unknown, count: number): { vectors: number[][]; promptTokens: number } {
  const parsed = Embeddings.safeParse(value)
  if (!parsed.success) throw upstreamInvalid('answered with vectors that cannot be understood')
  const byIndex = new Map(parsed.data.data.map(({ index, embedding }) => [index, embedding]))
  const vectors = Array.from({ length: count }, (_, index) => byIndex.get(index) ?? [])
  const lengths = new Set(vectors.map(({ length }) => length))
  if (parsed.data.data.length !== count || lengths.size !== 1 || lengths.has(0))
    throw upstreamInvalid('answered with other vectors than it was asked for')
  return { vectors: vectors.map(ofLengthOne), promptTokens: parsed.data.usage.prompt_tokens }
}

function ofLengthOne(vector: readonly number[]): number[] {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  if (!(length > 0) || !Number.isFinite(length)) throw upstreamInvalid('answered with a vector of no length')
  return vector.map((value) => value / length)
}
