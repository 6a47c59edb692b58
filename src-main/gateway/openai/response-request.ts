import { z } from 'zod'
import type { ChatTurn, JobRequest, OutputFormat } from '../../inference/index.ts'
import { RequestError } from '../requests.ts'
import { DEFAULT_MAX_TOKENS, outputFormat, SchemaFormat } from './chat-request.ts'
import {
  type FieldRules,
  isEmpty,
  isFalse,
  isOneOf,
  ModelName,
  never,
  parseFields,
  sampling,
  samplingFields,
  streamFields,
  TokenLimit,
} from './fields.ts'
import { ChosenFunction, FunctionTools, ToolMode, type ToolUse, toolUse } from './tools.ts'

const ITEMS_MAX = 256
const CallId = z.string().min(1).max(128)

const TextPart = z.object({ type: z.enum(['input_text', 'output_text', 'text']), text: z.string() })
const RefusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() })
const InputText = z.union([z.string(), z.array(z.union([TextPart, RefusalPart])).max(64)])

const MessageItem = z.object({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: InputText,
})
const CallItem = z.object({
  type: z.literal('function_call'),
  call_id: CallId,
  name: z.string().min(1).max(64),
  arguments: z.string(),
})
const CallOutputItem = z.object({
  type: z.literal('function_call_output'),
  call_id: CallId,
  output: InputText,
})
const InputItem = z.union([MessageItem, CallItem, CallOutputItem])
type InputItem = z.infer<typeof InputItem>

const ResponseRequest = z.object({
  model: ModelName,
  input: z.union([z.string(), z.array(InputItem).min(1).max(ITEMS_MAX)]),
  instructions: z.string().nullish(),
  max_output_tokens: TokenLimit,
  ...samplingFields,
  ...streamFields,
  text: z
    .object({
      format: z
        .discriminatedUnion('type', [
          z.object({ type: z.literal('text') }),
          z.object({ type: z.literal('json_object') }),
          z.object({ type: z.literal('json_schema'), ...SchemaFormat.shape }),
        ])
        .nullish(),
      verbosity: z.literal('medium').nullish(),
    })
    .nullish(),
  tools: FunctionTools.nullish(),
  tool_choice: z
    .union([ToolMode, z.object({ type: z.literal('function'), ...ChosenFunction.shape })])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  include: z.array(z.enum(['message.output_text.logprobs', 'reasoning.encrypted_content'])).nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
})
export type ResponseRequest = z.infer<typeof ResponseRequest>

const RULES: FieldRules = {
  withoutEffect: new Set([
    'user',
    'safety_identifier',
    'prompt_cache_key',
    'prompt_cache_retention',
    'service_tier',
  ]),
  refused: {
    // Nothing is kept, so nothing can be gone on from.
    store: isFalse,
    previous_response_id: never,
    conversation: never,
    prompt: never,
    background: isFalse,
    truncation: isOneOf('disabled'),
    reasoning: (value) => isEmpty(value) || (value as { effort?: unknown } | null)?.effort === 'none',
    max_tool_calls: never,
    context_management: never,
    moderation: never,
  },
}

export interface ResponseJob {
  request: ResponseRequest
  job: JobRequest
  tools: ToolUse | null
}

/** @throws RequestError whose `param` names the field */
export function responseJob(body: unknown, defaultTemperature: number): ResponseJob {
  const request = parseFields(ResponseRequest, RULES, body)
  const choice = request.tool_choice ?? 'auto'
  const tools = toolUse(request.tools ?? [], choice, request.parallel_tool_calls ?? true)
  const format = outputFormat(responseFormat(request.text?.format), tools, 'text.format')
  const withLogprobs = request.top_logprobs || request.include?.includes('message.output_text.logprobs')
  const job: JobRequest = {
    prompt: {
      type: 'chat',
      turns: inputTurns(request),
      ...(tools ? { tools: tools.definitions } : {}),
    },
    maxTokens: request.max_output_tokens ?? DEFAULT_MAX_TOKENS,
    ...sampling(request, defaultTemperature),
    ...(format ? { format } : {}),
    ...(withLogprobs ? { topLogprobs: request.top_logprobs ?? 0 } : {}),
  }
  return { request, job, tools }
}

function responseFormat(format: NonNullable<ResponseRequest['text']>['format']): OutputFormat | null {
  if (format?.type === 'json_object') return { type: 'json-object' }
  if (format?.type === 'json_schema') return { type: 'json-schema', schema: format.schema }
  return null
}

/** Instructions, then the input. Calls that follow one another are one turn of the assistant. */
function inputTurns({ instructions, input }: ResponseRequest): ChatTurn[] {
  const turns: ChatTurn[] = instructions ? [{ role: 'system', content: instructions }] : []
  if (typeof input === 'string') return [...turns, { role: 'user', content: input }]
  const asked = new Set<string>()
  input.forEach((item, index) => {
    if (item.type === 'function_call') {
      asked.add(item.call_id)
      addCall(turns, { id: item.call_id, name: item.name, argumentsJson: item.arguments })
    } else if (item.type === 'function_call_output') {
      if (!asked.has(item.call_id)) throw unaskedOutput(index)
      turns.push({ role: 'tool', content: plainText(item.output), toolCallId: item.call_id })
    } else turns.push(messageTurn(item))
  })
  return turns
}

function addCall(turns: ChatTurn[], call: NonNullable<ChatTurn['toolCalls']>[number]): void {
  const last = turns.at(-1)
  if (last?.role === 'assistant') last.toolCalls = [...(last.toolCalls ?? []), call]
  else turns.push({ role: 'assistant', content: '', toolCalls: [call] })
}

function messageTurn({ role, content }: Extract<InputItem, { role: string }>): ChatTurn {
  return { role: role === 'developer' ? 'system' : role, content: plainText(content) }
}

function plainText(content: z.infer<typeof InputText>): string {
  if (typeof content === 'string') return content
  return content.map((part) => (part.type === 'refusal' ? part.refusal : part.text)).join('\n')
}

function unaskedOutput(index: number): RequestError {
  return new RequestError(
    'INVALID_REQUEST',
    'A function call’s output follows the call that it answers.',
    `input.${index}.call_id`,
  )
}
