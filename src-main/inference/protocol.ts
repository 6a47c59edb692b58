import { z } from 'zod'
import type { EngineCommand, EngineReport, GenerateEvent } from './types.ts'

const Count = z.number().int().nonnegative()
const JobId = z.number().int().nonnegative()
const Token = z
  .number()
  .int()
  .nonnegative()
  .max(2 ** 31)
const Tenant = z.string().min(1).max(256)
const MAX_CONTEXT_TOKENS = 1 << 24
const MAX_SLOTS = 256
const MAX_STOP_STRINGS = 16
const MAX_STOP_CHARACTERS = 256
const MAX_TURNS = 1024
const MAX_TOOLS = 128
const MAX_TOOL_CALLS = 128
const MAX_BIASES = 1024
const MAX_TEXTS = 2048
const MAX_TOKENS_AT_ONCE = 1 << 20

const JsonSchemaSchema = z.record(z.string(), z.unknown())

const ToolCallSchema = z.strictObject({ id: z.string(), name: z.string(), argumentsJson: z.string() })

const PromptSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('chat'),
    turns: z
      .array(
        z.strictObject({
          role: z.enum(['system', 'user', 'assistant', 'tool']),
          content: z.string(),
          toolCalls: z.array(ToolCallSchema).max(MAX_TOOL_CALLS).exactOptional(),
          toolCallId: z.string().exactOptional(),
        }),
      )
      .min(1)
      .max(MAX_TURNS),
    tools: z
      .array(
        z.strictObject({
          name: z.string(),
          description: z.string().exactOptional(),
          parameters: JsonSchemaSchema,
        }),
      )
      .max(MAX_TOOLS)
      .exactOptional(),
  }),
  z.strictObject({ type: z.literal('text'), text: z.string() }),
])

const OutputFormatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json-object') }),
  z.strictObject({ type: z.literal('json-schema'), schema: JsonSchemaSchema }),
])

const Penalty = z.number().min(-2).max(2)

const GenerateRequestSchema = z.strictObject({
  prompt: PromptSchema,
  maxTokens: z.number().int().min(1),
  stop: z.array(z.string().min(1).max(MAX_STOP_CHARACTERS)).max(MAX_STOP_STRINGS),
  temperature: z.number().min(0).max(100),
  topP: z.number().min(0).max(1),
  topK: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31)
    .exactOptional(),
  minP: z.number().min(0).max(1).exactOptional(),
  frequencyPenalty: Penalty.exactOptional(),
  presencePenalty: Penalty.exactOptional(),
  repeatPenalty: z.number().gt(0).max(10).exactOptional(),
  logitBias: z
    .array(z.strictObject({ token: Token, bias: z.number().min(-1000).max(1000) }))
    .max(MAX_BIASES)
    .exactOptional(),
  seed: z.number().int().exactOptional(),
  topLogprobs: z.number().int().min(0).max(20).exactOptional(),
  format: OutputFormatSchema.exactOptional(),
  cachePrompt: z.boolean().exactOptional(),
  tenant: Tenant,
  priority: z.enum(['owner', 'paid']).exactOptional(),
})

const EmbedRequestSchema = z.strictObject({
  tenant: Tenant,
  priority: z.enum(['owner', 'paid']).exactOptional(),
  texts: z.array(z.string().min(1)).min(1).max(MAX_TEXTS),
})

/** Everything the engine process accepts. */
export const EngineCommandSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('load'),
    modelPath: z.string().min(1),
    contextTokens: z.number().int().min(16).max(MAX_CONTEXT_TOKENS),
    slots: z.number().int().min(1).max(MAX_SLOTS),
    threads: z.number().int().min(1).max(1024),
    gpu: z.union([
      z.enum(['auto', 'cpu']),
      z.strictObject({
        cuda: z
          .array(z.string().regex(/^GPU-[\w-]{1,64}$/))
          .min(1)
          .max(64),
      }),
    ]),
    gpuLayers: z.number().int().min(0).max(100_000).exactOptional(),
  }),
  z.strictObject({ type: z.literal('generate'), jobId: JobId, request: GenerateRequestSchema }),
  z.strictObject({ type: z.literal('embed'), jobId: JobId, request: EmbedRequestSchema }),
  z.strictObject({ type: z.literal('tokenize'), jobId: JobId, text: z.string(), specials: z.boolean() }),
  z.strictObject({
    type: z.literal('detokenize'),
    jobId: JobId,
    tokens: z.array(Token).max(MAX_TOKENS_AT_ONCE),
  }),
  z.strictObject({ type: z.literal('proceed'), jobId: JobId }),
  z.strictObject({ type: z.literal('cancel'), jobId: JobId }),
  z.strictObject({ type: z.literal('settled'), jobId: JobId }),
  z.strictObject({ type: z.literal('stop') }),
]) satisfies z.ZodType<EngineCommand>

const PublicErrorSchema = z.object({ code: z.string(), message: z.string(), nextStep: z.string() })

const tokenLogprob = {
  token: z.string(),
  bytes: z.array(z.number().int().min(0).max(255)),
  logprob: z.number(),
}

const TextReport = z.object({
  type: z.literal('text'),
  jobId: JobId,
  text: z.string(),
  tokens: Count,
  logprobs: z.array(z.object({ ...tokenLogprob, top: z.array(z.object(tokenLogprob)) })).exactOptional(),
}) satisfies z.ZodType<GenerateEvent & { type: 'text' }>

/** Everything the host accepts from an engine process, which native code may have corrupted. */
export const EngineReportSchema = z.union([
  // By far the most frequent one first.
  TextReport,
  z.discriminatedUnion('type', [
    z.object({
      type: z.literal('loaded'),
      model: z.object({
        contextTokens: Count,
        backend: z.enum(['cpu', 'metal', 'cuda', 'vulkan']),
        deviceName: z.string().nullable(),
        threads: Count,
        slots: Count,
        loadMs: z.number().nonnegative(),
        vocabularySize: Count,
        toolCallFormat: z.enum(['hermes', 'llama3-json', 'mistral']).nullable(),
      }),
    }),
    z.object({ type: z.literal('load-failed'), error: PublicErrorSchema }),
    z.object({
      type: z.literal('prompt'),
      jobId: JobId,
      promptTokens: Count,
      textTokens: z.array(Count).exactOptional(),
    }),
    z.object({ type: z.literal('vectors'), jobId: JobId, vectors: z.array(z.array(z.number())) }),
    z.object({
      type: z.literal('end'),
      jobId: JobId,
      finishReason: z.enum(['stop', 'length', 'cancelled']),
      promptTokens: Count,
      cachedTokens: Count,
      completionTokens: Count,
    }),
    z.object({ type: z.literal('tokens'), jobId: JobId, tokens: z.array(Token) }),
    z.object({ type: z.literal('string'), jobId: JobId, text: z.string() }),
    z.object({ type: z.literal('failed'), jobId: JobId, error: PublicErrorSchema }),
  ]),
]) satisfies z.ZodType<EngineReport>
