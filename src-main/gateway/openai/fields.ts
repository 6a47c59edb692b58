import { z } from 'zod'
import type { JobRequest } from '../../inference/index.ts'
import { parseBody, RequestError } from '../requests.ts'

/** Longest answer that may be asked for; the model's context cuts it further. */
export const GENERATED_TOKENS_MAX = 4096
/** Answers that one request may ask for; each is a job and a trade of its own. */
export const CHOICES_MAX = 8
const STOP_CHARACTERS_MAX = 64
const BIASES_MAX = 1024

export const TokenLimit = z.number().int().min(1).max(GENERATED_TOKENS_MAX).nullish()
export const ModelName = z.string().max(256).nullish()

const StopString = z.string().min(1).max(STOP_CHARACTERS_MAX)
const Penalty = z.number().min(-2).max(2).nullish()
const LogitBias = z
  .record(z.string().regex(/^\d{1,9}$/, 'a token id is a whole number'), z.number().min(-100).max(100))
  .refine((biases) => Object.keys(biases).length <= BIASES_MAX, `at most ${BIASES_MAX} tokens`)

/** How the next token is chosen, and when to end. `top_k`, `min_p` and `repeat_penalty` are llama.cpp's names. */
export const samplingFields = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.number().int().min(0).max(100_000).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: Penalty,
  presence_penalty: Penalty,
  repeat_penalty: z.number().gt(0).max(10).nullish(),
  logit_bias: LogitBias.nullish(),
  seed: z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).nullish(),
  stop: z.union([StopString, z.array(StopString).max(4)]).nullish(),
  cache_prompt: z.boolean().nullish(),
}

export const streamFields = {
  stream: z.boolean().nullish(),
  stream_options: z
    .object({ include_usage: z.boolean().optional(), include_obfuscation: z.boolean().optional() })
    .nullish(),
}

export const ChoiceCount = z.number().int().min(1).max(CHOICES_MAX).nullish()

type SamplingBody = { [Name in keyof typeof samplingFields]?: z.output<(typeof samplingFields)[Name]> }
type SamplingRequest = Omit<JobRequest, 'prompt' | 'maxTokens' | 'format' | 'topLogprobs'>

/** What stands in the body goes to the engine; what does not, or is null, is left to it. */
export function sampling(body: SamplingBody, defaultTemperature: number): SamplingRequest {
  const stop = body.stop ?? []
  return {
    temperature: body.temperature ?? defaultTemperature,
    topP: body.top_p ?? 1,
    stop: typeof stop === 'string' ? [stop] : stop,
    ...given('topK', body.top_k),
    ...given('minP', body.min_p),
    ...given('frequencyPenalty', body.frequency_penalty),
    ...given('presencePenalty', body.presence_penalty),
    ...given('repeatPenalty', body.repeat_penalty),
    ...given('seed', body.seed),
    ...given('cachePrompt', body.cache_prompt),
    ...(body.logit_bias ? { logitBias: biases(body.logit_bias) } : {}),
  }
}

function given<Name extends string, Value>(name: Name, value: Value | null | undefined) {
  return (value === null || value === undefined ? {} : { [name]: value }) as { [N in Name]?: Value }
}

function biases(byToken: Record<string, number>): { token: number; bias: number }[] {
  return Object.entries(byToken).map(([token, bias]) => ({ token: Number(token), bias }))
}

/**
 * `count` jobs for `n` answers. With one seed for all of them they would be the same answer: each takes the
 * next seed.
 */
export function severalJobs(job: JobRequest, count: number): JobRequest[] {
  return Array.from({ length: count }, (_, index) =>
    job.seed === undefined ? job : { ...job, seed: job.seed + index },
  )
}

/** What a call does with fields that its schema does not name. */
export interface FieldRules {
  /** They change nothing here; accepted so that ordinary clients work. */
  withoutEffect: ReadonlySet<string>
  /** Real features that this host does not have, with a test for the values that ask for nothing. */
  refused: Record<string, (value: unknown) => boolean>
}

/** @throws RequestError INVALID_REQUEST or UNSUPPORTED_PARAMETER, whose `param` names the field */
export function parseFields<Schema extends z.ZodObject>(
  schema: Schema,
  rules: FieldRules,
  body: unknown,
): z.output<Schema> {
  const parsed = parseBody(schema, body)
  for (const [name, value] of Object.entries(body as Record<string, unknown>)) {
    if (Object.hasOwn(schema.shape, name) || rules.withoutEffect.has(name) || value === null) continue
    const asksForNothing = Object.hasOwn(rules.refused, name) && rules.refused[name]?.(value)
    if (!asksForNothing) throw unsupported(name.slice(0, 64))
  }
  return parsed
}

export function unsupported(param: string, why = `“${param}” is not supported by this host.`): RequestError {
  return new RequestError('UNSUPPORTED_PARAMETER', why, param)
}

export const never = () => false
export const isFalse = (value: unknown) => value === false
export const isEmpty = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0
export const isOneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value)
