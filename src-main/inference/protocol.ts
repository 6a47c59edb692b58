import { z } from 'zod'
import type { EngineCommand, EngineReport } from './types.ts'

const Count = z.number().int().nonnegative()
const JobId = z.number().int().nonnegative()
const MAX_CONTEXT_TOKENS = 1 << 24
const MAX_SLOTS = 256
const MAX_STOP_STRINGS = 16
const MAX_STOP_CHARACTERS = 256

const GenerateRequestSchema = z.strictObject({
  turns: z
    .array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }))
    .min(1)
    .max(1024),
  maxTokens: z.number().int().min(1),
  temperature: z.number().min(0).max(100),
  topP: z.number().min(0).max(1),
  seed: z.number().int().exactOptional(),
  stop: z.array(z.string().min(1).max(MAX_STOP_CHARACTERS)).max(MAX_STOP_STRINGS),
})

/** Everything the engine process accepts. */
export const EngineCommandSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('load'),
    modelPath: z.string().min(1),
    contextTokens: z.number().int().min(16).max(MAX_CONTEXT_TOKENS),
    slots: z.number().int().min(1).max(MAX_SLOTS),
    threads: z.number().int().min(1).max(1024),
    gpu: z.enum(['auto', 'cpu']),
  }),
  z.strictObject({ type: z.literal('generate'), jobId: JobId, request: GenerateRequestSchema }),
  z.strictObject({ type: z.literal('proceed'), jobId: JobId }),
  z.strictObject({ type: z.literal('cancel'), jobId: JobId }),
  z.strictObject({ type: z.literal('stop') }),
]) satisfies z.ZodType<EngineCommand>

const PublicErrorSchema = z.object({ code: z.string(), message: z.string(), nextStep: z.string() })

/** Everything the host accepts from an engine process, which native code may have corrupted. */
export const EngineReportSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('loaded'),
    model: z.object({
      contextTokens: Count,
      backend: z.enum(['cpu', 'metal', 'cuda', 'vulkan']),
      deviceName: z.string().nullable(),
      threads: Count,
      slots: Count,
      loadMs: z.number().nonnegative(),
    }),
  }),
  z.object({ type: z.literal('load-failed'), error: PublicErrorSchema }),
  z.object({ type: z.literal('prompt'), jobId: JobId, promptTokens: Count }),
  z.object({ type: z.literal('text'), jobId: JobId, text: z.string(), tokens: Count }),
  z.object({
    type: z.literal('end'),
    jobId: JobId,
    finishReason: z.enum(['stop', 'length', 'cancelled']),
    promptTokens: Count,
    completionTokens: Count,
  }),
  z.object({ type: z.literal('failed'), jobId: JobId, error: PublicErrorSchema }),
]) satisfies z.ZodType<EngineReport>
