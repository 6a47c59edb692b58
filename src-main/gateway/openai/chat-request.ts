import { z } from 'zod'
import { forcedToolFormat, type JobRequest, type OutputFormat } from '../../inference/index.ts'
import { RequestError } from '../requests.ts'
import {
  ChoiceCount,
  type FieldRules,
  isEmpty,
  isFalse,
  isOneOf,
  ModelName,
  never,
  parseFields,
  sampling,
  samplingFields,
  severalJobs,
  streamFields,
  TokenLimit,
} from './fields.ts'
import { Messages, turns } from './messages.ts'
import { ChatTools, ChosenFunction, ToolMode, type ToolUse, toolUse } from './tools.ts'

export const DEFAULT_MAX_TOKENS = 256

export const SchemaFormat = z.object({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  description: z.string().max(16_384).nullish(),
  schema: z.record(z.string(), z.unknown()),
  // Kept whether true or false: the grammar allows nothing else.
  strict: z.boolean().nullish(),
})

const ChatRequest = z.object({
  model: ModelName,
  messages: Messages,
  n: ChoiceCount,
  max_tokens: TokenLimit,
  max_completion_tokens: TokenLimit,
  ...samplingFields,
  ...streamFields,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  response_format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object') }),
      z.object({ type: z.literal('json_schema'), json_schema: SchemaFormat }),
    ])
    .nullish(),
  tools: ChatTools.nullish(),
  tool_choice: z
    .union([ToolMode, z.object({ type: z.literal('function'), function: ChosenFunction })])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
})

const RULES: FieldRules = {
  withoutEffect: new Set([
    'user',
    'metadata',
    'safety_identifier',
    'prompt_cache_key',
    'prompt_cache_retention',
    'service_tier',
  ]),
  refused: {
    functions: isEmpty,
    function_call: isOneOf('none', 'auto'),
    store: isFalse,
    modalities: (value) => Array.isArray(value) && value.every(isOneOf('text')),
    audio: never,
    prediction: never,
    reasoning_effort: isOneOf('none'),
    verbosity: isOneOf('medium'),
    web_search_options: never,
    moderation: never,
  },
}

/** A chat completion as the host runs it. */
export interface ChatJobs {
  model: string | undefined
  jobs: JobRequest[]
  tools: ToolUse | null
  /** Stream, and whether the caller asked for a chunk with the token counts. */
  stream: { withUsage: boolean } | null
}

/** @throws RequestError whose `param` names the field */
export function chatJobs(body: unknown, defaultTemperature: number): ChatJobs {
  const request = parseFields(ChatRequest, RULES, body)
  const choice = request.tool_choice ?? 'auto'
  const tools = toolUse(
    (request.tools ?? []).map((tool) => tool.function),
    typeof choice === 'object' ? choice.function : choice,
    request.parallel_tool_calls ?? true,
  )
  const format = outputFormat(chatFormat(request.response_format), tools, 'response_format')
  const topLogprobs = wantedLogprobs(request.logprobs, request.top_logprobs)
  const job: JobRequest = {
    prompt: {
      type: 'chat',
      turns: turns(request.messages),
      ...(tools ? { tools: tools.definitions } : {}),
    },
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? DEFAULT_MAX_TOKENS,
    ...sampling(request, defaultTemperature),
    ...(format ? { format } : {}),
    ...(topLogprobs === null ? {} : { topLogprobs }),
  }
  return {
    model: request.model ?? undefined,
    jobs: severalJobs(job, request.n ?? 1),
    tools,
    stream: request.stream ? { withUsage: request.stream_options?.include_usage === true } : null,
  }
}

function chatFormat(format: z.infer<typeof ChatRequest>['response_format']): OutputFormat | null {
  if (format?.type === 'json_object') return { type: 'json-object' }
  if (format?.type === 'json_schema') return { type: 'json-schema', schema: format.json_schema.schema }
  return null
}

/**
 * What the answer is bound to: the caller's form, or a tool call that he requires.
 * @throws RequestError for a form beside tools: an answer in that form could not be a call
 */
export function outputFormat(
  wanted: OutputFormat | null,
  tools: ToolUse | null,
  param: string,
): OutputFormat | null {
  if (!tools) return wanted
  if (wanted) {
    throw new RequestError(
      'UNSUPPORTED_PARAMETER',
      'A response format is not supported beside tools; “tool_choice”: “none” sets the tools aside.',
      param,
    )
  }
  return tools.forced ? forcedToolFormat(tools.forced) : null
}

function wantedLogprobs(logprobs: boolean | null | undefined, top: number | null | undefined): number | null {
  if (logprobs) return top ?? 0
  if (!top) return null
  throw new RequestError('INVALID_REQUEST', '“top_logprobs” needs “logprobs”: true.', 'top_logprobs')
}
