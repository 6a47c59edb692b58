import { z } from 'zod'

/**
 * The shapes of OpenAI's answers as its API reference documents them: what must be there, and of which type. Objects
 * may hold more; ours hold `x_tirami`.
 */

const Count = z.number().int().nonnegative()
const UnixSeconds = z.number().int().min(1_700_000_000)

const Cost = z.strictObject({
  trm_cost: Count,
  effective_balance: z.number().int(),
  flops: Count,
  depth: Count,
  trade_id: z.string().regex(/^[0-9a-f]{64}$/),
  trade_ids: z.array(z.string()).min(1),
})

const Usage = z
  .object({
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: z.object({ cached_tokens: Count }),
  })
  .refine((usage) => usage.total_tokens === usage.prompt_tokens + usage.completion_tokens)

const Logprob = z.object({ token: z.string(), logprob: z.number().max(0), bytes: z.array(Count).nullable() })
const TokenLogprob = Logprob.extend({ top_logprobs: z.array(Logprob) })
const ChoiceLogprobs = z.object({ content: z.array(TokenLogprob).nullable(), refusal: z.null() }).nullable()

const FinishReason = z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'function_call'])
const ToolCall = z.object({
  id: z.string().min(1),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
})

export const ChatCompletion = z.object({
  id: z.string(),
  object: z.literal('chat.completion'),
  created: UnixSeconds,
  model: z.string(),
  choices: z.array(
    z.object({
      index: Count,
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable(),
        refusal: z.string().nullable(),
        tool_calls: z.array(ToolCall).min(1).optional(),
      }),
      logprobs: ChoiceLogprobs,
      finish_reason: FinishReason,
    }),
  ),
  usage: Usage,
  x_tirami: Cost,
})

const ToolCallDelta = z.object({
  index: Count,
  id: z.string().optional(),
  type: z.literal('function').optional(),
  function: z.object({ name: z.string().optional(), arguments: z.string().optional() }).optional(),
})

export const ChatChunk = z.object({
  id: z.string(),
  object: z.literal('chat.completion.chunk'),
  created: UnixSeconds,
  model: z.string(),
  choices: z.array(
    z.object({
      index: Count,
      delta: z.object({
        role: z.literal('assistant').optional(),
        content: z.string().nullish(),
        refusal: z.string().nullish(),
        tool_calls: z.array(ToolCallDelta).optional(),
      }),
      logprobs: ChoiceLogprobs,
      finish_reason: FinishReason.nullable(),
    }),
  ),
  usage: Usage.nullish(),
  x_tirami: Cost.optional(),
})

const CompletionLogprobs = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().max(0)),
    top_logprobs: z.array(z.record(z.string(), z.number())),
    text_offset: z.array(Count),
  })
  .nullable()

const completion = (finishReason: z.ZodType) => ({
  id: z.string(),
  object: z.literal('text_completion'),
  created: UnixSeconds,
  model: z.string(),
  choices: z.array(
    z.object({ index: Count, text: z.string(), logprobs: CompletionLogprobs, finish_reason: finishReason }),
  ),
})

export const Completion = z.object({
  ...completion(z.enum(['stop', 'length', 'content_filter'])),
  usage: Usage,
  x_tirami: Cost,
})
export const CompletionChunk = z.object({
  ...completion(z.enum(['stop', 'length', 'content_filter']).nullable()),
  usage: Usage.nullish(),
  x_tirami: Cost.optional(),
})

export const Embeddings = z.object({
  object: z.literal('list'),
  model: z.string(),
  data: z.array(
    z.object({
      object: z.literal('embedding'),
      index: Count,
      embedding: z.union([z.array(z.number()), z.base64()]),
    }),
  ),
  usage: z.object({ prompt_tokens: Count, total_tokens: Count }),
  x_tirami: Cost,
})

export const Model = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: UnixSeconds,
  owned_by: z.string(),
})
export const ModelList = z.object({ object: z.literal('list'), data: z.array(Model) })

export const ErrorAnswer = z.strictObject({
  error: z.strictObject({
    message: z.string().min(1),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
})

const ItemStatus = z.enum(['in_progress', 'completed', 'incomplete'])
const OutputText = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()),
  logprobs: z.array(TokenLogprob),
})
const OutputItem = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    id: z.string().startsWith('msg_'),
    role: z.literal('assistant'),
    status: ItemStatus,
    content: z.array(OutputText),
  }),
  z.object({
    type: z.literal('function_call'),
    id: z.string().startsWith('fc_'),
    call_id: z.string().min(1),
    name: z.string(),
    arguments: z.string(),
    status: ItemStatus,
  }),
])

const response = (status: z.ZodType) =>
  z.object({
    id: z.string().startsWith('resp_'),
    object: z.literal('response'),
    created_at: UnixSeconds,
    completed_at: UnixSeconds.nullable(),
    status,
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.object({ reason: z.enum(['max_output_tokens', 'content_filter']) }).nullable(),
    instructions: z.string().nullable(),
    model: z.string(),
    output: z.array(OutputItem),
    parallel_tool_calls: z.boolean(),
    previous_response_id: z.null(),
    store: z.literal(false),
    metadata: z.record(z.string(), z.string()),
    temperature: z.number(),
    top_p: z.number(),
    text: z.object({ format: z.object({ type: z.string() }) }),
    tool_choice: z.union([z.string(), z.object({ type: z.string() })]),
    tools: z.array(
      z.object({
        type: z.literal('function'),
        name: z.string(),
        parameters: z.record(z.string(), z.unknown()).nullable(),
        strict: z.boolean().nullable(),
      }),
    ),
    truncation: z.literal('disabled'),
  })

const ResponseUsage = z.object({
  input_tokens: Count,
  input_tokens_details: z.object({ cached_tokens: Count, cache_write_tokens: Count }),
  output_tokens: Count,
  output_tokens_details: z.object({ reasoning_tokens: Count }),
  total_tokens: Count,
})

export const Response = response(z.enum(['completed', 'incomplete'])).extend({
  usage: ResponseUsage,
  x_tirami: Cost,
})
const BegunResponse = response(z.literal('in_progress'))
const FailedResponse = response(z.literal('failed'))

const event = <Type extends string, Fields extends z.ZodRawShape>(type: Type, fields: Fields) =>
  z.object({ type: z.literal(type), sequence_number: Count, ...fields })
const ofItem = { item_id: z.string(), output_index: Count }
const ofPart = { ...ofItem, content_index: Count }

export const ResponseEvent = z.discriminatedUnion('type', [
  event('response.created', { response: BegunResponse }),
  event('response.in_progress', { response: BegunResponse }),
  event('response.completed', { response: Response }),
  event('response.incomplete', { response: Response }),
  event('response.failed', { response: FailedResponse }),
  event('response.output_item.added', { output_index: Count, item: OutputItem }),
  event('response.output_item.done', { output_index: Count, item: OutputItem }),
  event('response.content_part.added', { ...ofPart, part: OutputText }),
  event('response.content_part.done', { ...ofPart, part: OutputText }),
  event('response.output_text.delta', { ...ofPart, delta: z.string(), logprobs: z.array(TokenLogprob) }),
  event('response.output_text.done', { ...ofPart, text: z.string(), logprobs: z.array(TokenLogprob) }),
  event('response.function_call_arguments.delta', { ...ofItem, delta: z.string() }),
  event('response.function_call_arguments.done', { ...ofItem, name: z.string(), arguments: z.string() }),
])
export type ResponseEvent = z.infer<typeof ResponseEvent>
