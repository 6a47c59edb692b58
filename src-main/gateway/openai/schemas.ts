import { z } from 'zod'
import type { ChatTurn, GenerateRequest } from '../../inference/index.ts'
import { parseBody, RequestError } from '../requests.ts'

export const GENERATED_TOKENS_MAX = 1024
const DEFAULT_MAX_TOKENS = 256
const MESSAGES_MAX = 256

const TextPart = z.object({ type: z.literal('text'), text: z.string() })
const Content = z.union([z.string(), z.array(TextPart).min(1).max(64)])
const Message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: Content,
  name: z.string().max(64).optional(),
})
const TokenLimit = z.number().int().min(1).max(GENERATED_TOKENS_MAX).nullish()

const ChatCompletionRequest = z.object({
  model: z.string().max(256).optional(),
  messages: z.array(Message).min(1).max(MESSAGES_MAX),
  max_tokens: TokenLimit,
  max_completion_tokens: TokenLimit,
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).nullish(),
  stop: z.union([z.string().min(1).max(64), z.array(z.string().min(1).max(64)).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
})
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>

/** Fields that change nothing here; accepted so that ordinary clients work. */
const WITHOUT_EFFECT = new Set(['user', 'metadata', 'safety_identifier', 'prompt_cache_key', 'service_tier'])

/** Real features of OpenAI's API that this host does not have, with the values that ask for nothing. */
const NOT_SUPPORTED: Record<string, (value: unknown) => boolean> = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: (value) => isEmpty(value),
  tools: (value) => isEmpty(value),
  functions: (value) => isEmpty(value),
  tool_choice: (value) => value === 'none' || value === 'auto',
  function_call: (value) => value === 'none' || value === 'auto',
  parallel_tool_calls: () => true,
  response_format: (value) => (value as { type?: unknown })?.type === 'text',
  store: (value) => value === false,
  modalities: (value) => Array.isArray(value) && value.every((item) => item === 'text'),
  audio: () => false,
  prediction: () => false,
  reasoning_effort: () => false,
  verbosity: () => false,
  web_search_options: () => false,
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** @throws TiramiError INVALID_REQUEST or UNSUPPORTED_PARAMETER, whose `param` names the field */
export function parseChatCompletionRequest(body: unknown): ChatCompletionRequest {
  const parsed = parseBody(ChatCompletionRequest, body)
  for (const [name, value] of Object.entries(body as Record<string, unknown>)) {
    if (Object.hasOwn(ChatCompletionRequest.shape, name) || WITHOUT_EFFECT.has(name) || value === null)
      continue
    const asksForNothing = Object.hasOwn(NOT_SUPPORTED, name) && NOT_SUPPORTED[name]?.(value)
    if (!asksForNothing) {
      const shown = name.slice(0, 64)
      throw new RequestError('UNSUPPORTED_PARAMETER', `“${shown}” is not supported by this host.`, shown)
    }
  }
  return parsed
}

export function generateRequest(body: ChatCompletionRequest, defaultTemperature: number): GenerateRequest {
  const stop = body.stop ?? []
  return {
    turns: body.messages.map(turn),
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? DEFAULT_MAX_TOKENS,
    temperature: body.temperature ?? defaultTemperature,
    topP: body.top_p ?? 1,
    ...(typeof body.seed === 'number' ? { seed: body.seed } : {}),
    stop: typeof stop === 'string' ? [stop] : stop,
  }
}

function turn(message: z.infer<typeof Message>): ChatTurn {
  const content =
    typeof message.content === 'string'
      ? message.content
      : message.content.map((part) => part.text).join('\n')
  return { role: message.role === 'developer' ? 'system' : message.role, content }
}
