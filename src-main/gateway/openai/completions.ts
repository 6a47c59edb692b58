import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostServices } from '../../host/index.ts'
import type { JobRequest, TokenLogprobs } from '../../inference/index.ts'
import { type Authorise, RequestError } from '../requests.ts'
import { collectAnswers } from './answers.ts'
import { type Booked, type Cost, costOf, countTokens, type TokenCounts, usage } from './cost.ts'
import { openAiError } from './errors.ts'
import {
  CHOICES_MAX,
  ChoiceCount,
  type FieldRules,
  isFalse,
  isOneOf,
  ModelName,
  parseFields,
  sampling,
  samplingFields,
  severalJobs,
  streamFields,
  TokenLimit,
  unsupported,
} from './fields.ts'
import { type ChoiceEvent, runJobs } from './jobs.ts'
import { completionLogprobs } from './logprobs.ts'
import { assertOffered, defaultTemperature, type Head, head } from './models.ts'
import { answerWithStream, DONE, dataMessage, type StreamWriter } from './stream.ts'
import { TextInput, textsOf } from './text-input.ts'
import { partReader } from './tools.ts'

/** OpenAI's default for this call. */
const DEFAULT_MAX_TOKENS = 16

const CompletionRequest = z.object({
  model: ModelName,
  prompt: TextInput,
  n: ChoiceCount,
  max_tokens: TokenLimit,
  ...samplingFields,
  ...streamFields,
  echo: z.boolean().nullish(),
  logprobs: z.number().int().min(0).max(5).nullish(),
})
type CompletionRequest = z.infer<typeof CompletionRequest>

const RULES: FieldRules = {
  withoutEffect: new Set(['user']),
  refused: { suffix: isOneOf(''), best_of: isOneOf(1), store: isFalse },
}

/** `POST /v1/completions`: text goes on from a prompt, without the model's chat template. */
export function registerCompletions(
  app: FastifyInstance,
  services: HostServices,
  authorise: Authorise,
): void {
  app.post('/v1/completions', async (request, reply) => {
    const { consumer } = authorise(request, 'inference.run')
    const body = parseFields(CompletionRequest, RULES, request.body)
    if (body.echo && typeof body.logprobs === 'number') {
      throw unsupported(
        'echo',
        'Log-probabilities of the prompt are not supported: leave “echo” or “logprobs” out.',
      )
    }
    const model = assertOffered(services, consumer, body.model)
    const prompts = await textsOf(services.engine, body.prompt, 'prompt')
    const choicesPerPrompt = body.n ?? 1
    if (prompts.length * choicesPerPrompt > CHOICES_MAX) throw tooManyChoices()
    const jobs = prompts.flatMap((text) =>
      severalJobs(completionJob(body, text, defaultTemperature(services, body)), choicesPerPrompt),
    )
    const events = runJobs({ services, consumer, model, request, reply, params: ERROR_PARAMS }, jobs)
    const answerHead = { ...head('cmpl', model.id), object: 'text_completion' }
    const shape: CompletionShape = {
      echoes: jobs.map(({ prompt }) => (body.echo && prompt.type === 'text' ? prompt.text : '')),
      choicesPerPrompt,
      withLogprobs: typeof body.logprobs === 'number',
      cost: (booked) => costOf(services, consumer, booked),
    }
    if (body.stream) {
      const withUsage = body.stream_options?.include_usage === true
      return answerWithStream(request, reply, events, completionWriter(answerHead, shape, withUsage))
    }
    const answers = await collectAnswers(
      events,
      jobs.map(() => partReader(null, null)),
    )
    const receipts = answers.map(({ receipt }) => receipt)
    return {
      ...answerHead,
      choices: answers.map(({ text, logprobs, receipt }, index) => ({
        index,
        text: (shape.echoes[index] ?? '') + text,
        logprobs: shape.withLogprobs ? completionLogprobs(logprobs, 0) : null,
        finish_reason: receipt.finishReason,
      })),
      usage: usage(countTokens(receipts, choicesPerPrompt)),
      x_tirami: shape.cost(receipts),
    }
  })
}

const ERROR_PARAMS = {
  PROMPT_TOO_LONG: 'prompt',
  PROMPT_REJECTED: 'prompt',
  INVALID_TOKENS: 'logit_bias',
}

function completionJob(body: CompletionRequest, text: string, defaultTemperature: number): JobRequest {
  return {
    prompt: { type: 'text', text },
    maxTokens: body.max_tokens ?? DEFAULT_MAX_TOKENS,
    ...sampling(body, defaultTemperature),
    ...(typeof body.logprobs === 'number' ? { topLogprobs: body.logprobs } : {}),
  }
}

function tooManyChoices(): RequestError {
  return new RequestError(
    'INVALID_REQUEST',
    `One request gets at most ${CHOICES_MAX} answers, over all prompts.`,
    'prompt',
  )
}

interface CompletionShape {
  /** What each choice begins with: its prompt, or nothing. */
  echoes: string[]
  choicesPerPrompt: number
  withLogprobs: boolean
  cost(booked: readonly Booked[]): Cost
}

/** The chunks of streamed completions; the cost stands in the last one. */
function completionWriter(
  head: Head & { object: string },
  { echoes, choicesPerPrompt, withLogprobs, cost }: CompletionShape,
  withUsage: boolean,
): StreamWriter<ChoiceEvent> {
  const booked: (Booked & TokenCounts)[] = []
  const offsets = echoes.map(() => 0)
  const chunk = (choices: object[], rest: object = {}) =>
    dataMessage({ ...head, choices, ...(withUsage ? { usage: null } : {}), ...rest })
  const piece = (index: number, text: string, finishReason: string | null, tokens: TokenLogprobs[] = []) => {
    const logprobs =
      withLogprobs && tokens.length > 0 ? completionLogprobs(tokens, offsets[index] ?? 0) : null
    offsets[index] = (offsets[index] ?? 0) + tokens.reduce((sum, { token }) => sum + token.length, 0)
    return { index, text, logprobs, finish_reason: finishReason }
  }
  return {
    open: () => echoes.flatMap((echo, index) => (echo === '' ? [] : [chunk([piece(index, echo, null)])])),
    event: (event) => {
      if (event.type === 'text') return [chunk([piece(event.choice, event.text, null, event.logprobs)])]
      if (event.type !== 'booked') return []
      booked[event.choice] = event.receipt
      const ended = [piece(event.choice, '', event.receipt.finishReason)]
      if (Object.keys(booked).length < echoes.length) return [chunk(ended)]
      const x_tirami = cost(booked)
      if (!withUsage) return [chunk(ended, { x_tirami })]
      return [chunk(ended), chunk([], { usage: usage(countTokens(booked, choicesPerPrompt)), x_tirami })]
    },
    close: () => [DONE],
    failed: (error) => [dataMessage(openAiError(error))],
  }
}
