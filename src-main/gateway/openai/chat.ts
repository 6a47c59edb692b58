import type { FastifyInstance } from 'fastify'
import type { HostServices } from '../../host/index.ts'
import type { AnswerPiece, TokenLogprobs, ToolCallParser } from '../../inference/index.ts'
import type { Authorise } from '../requests.ts'
import { type Answer, collectAnswers } from './answers.ts'
import { type ChatJobs, chatJobs } from './chat-request.ts'
import { type Booked, type Cost, costOf, countTokens, type TokenCounts, usage } from './cost.ts'
import { openAiError } from './errors.ts'
import { type ChoiceEvent, runJobs } from './jobs.ts'
import { chatLogprobs } from './logprobs.ts'
import { assertOffered, defaultTemperature, type Head, head } from './models.ts'
import { answerWithStream, DONE, dataMessage, type StreamWriter } from './stream.ts'
import { assertTakesTools, partReader, withCallStops } from './tools.ts'

/** `POST /v1/chat/completions` as OpenAI publishes it; what is not supported is refused by name. */
export function registerChat(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const { consumer } = authorise(request, 'inference.run')
    const chat = chatJobs(request.body, defaultTemperature(services, request.body))
    const model = assertOffered(services, consumer, chat.model)
    assertTakesTools(model, chat.tools)
    const readers = chat.jobs.map(() => partReader(chat.tools, model.toolCallFormat))
    const jobs = chat.jobs.map((job) => withCallStops(job, chat.tools, model.toolCallFormat))
    const events = runJobs({ services, consumer, model, request, reply, params: errorParams(chat) }, jobs)
    const answerHead = head('chatcmpl', model.id)
    const cost = (booked: readonly Booked[]) => costOf(services, consumer, booked)
    if (chat.stream) {
      const writer = chatWriter(answerHead, readers, { ...chat.stream, logprobs: wantsLogprobs(chat), cost })
      return answerWithStream(request, reply, events, writer)
    }
    const answers = await collectAnswers(events, readers)
    const receipts = answers.map(({ receipt }) => receipt)
    return {
      ...answerHead,
      object: 'chat.completion',
      choices: answers.map((answer, index) => choice(answer, index, wantsLogprobs(chat))),
      usage: usage(countTokens(receipts, receipts.length)),
      x_tirami: cost(receipts),
    }
  })
}

const wantsLogprobs = ({ jobs }: ChatJobs) => jobs[0]?.topLogprobs !== undefined

/** Which field an error of the engine is about. */
function errorParams({ tools }: ChatJobs): Record<string, string> {
  return {
    PROMPT_TOO_LONG: 'messages',
    PROMPT_REJECTED: 'messages',
    UNSUPPORTED_SCHEMA: tools ? 'tools' : 'response_format',
    INVALID_TOKENS: 'logit_bias',
  }
}

function choice({ text, calls, logprobs, receipt }: Answer, index: number, withLogprobs: boolean) {
  const toolCalls = calls.map(({ id, name, argumentsJson }) => ({
    id,
    type: 'function',
    function: { name, arguments: argumentsJson },
  }))
  return {
    index,
    message: {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      refusal: null,
      ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
    },
    logprobs: withLogprobs ? chatLogprobs(logprobs) : null,
    finish_reason: finishReason(receipt.finishReason, calls.length > 0),
  }
}

function finishReason(reason: 'stop' | 'length', hasCalls: boolean) {
  return reason === 'stop' && hasCalls ? 'tool_calls' : reason
}

interface ChatStreamOptions {
  withUsage: boolean
  logprobs: boolean
  cost(booked: readonly Booked[]): Cost
}

/** The chunks of one streamed chat completion; the cost stands in the last one. */
function chatWriter(
  head: Head,
  readers: readonly ToolCallParser[],
  { withUsage, logprobs, cost }: ChatStreamOptions,
): StreamWriter<ChoiceEvent> {
  const booked: (Booked & TokenCounts)[] = []
  const calling = new Set<number>()
  const chunk = (choices: object[], rest: object = {}) =>
    dataMessage({
      ...head,
      object: 'chat.completion.chunk',
      choices,
      ...(withUsage ? { usage: null } : {}),
      ...rest,
    })
  const piece = (index: number, delta: object, tokens: readonly TokenLogprobs[] = []) => ({
    index,
    delta,
    logprobs: logprobs && tokens.length > 0 ? chatLogprobs(tokens) : null,
    finish_reason: null,
  })
  const deltas = (index: number, pieces: readonly AnswerPiece[], tokens: readonly TokenLogprobs[] = []) => {
    // Tokens without a character of their own, half an emoji say, still have a log-probability.
    const shown = pieces.length === 0 && tokens.length > 0 && logprobs ? [{}] : pieces.map(delta)
    if (pieces.some(({ type }) => type === 'tool-call')) calling.add(index)
    return shown.map((content, position) => chunk([piece(index, content, position === 0 ? tokens : [])]))
  }
  const end = ({ choice, receipt }: ChoiceEvent & { type: 'booked' }) => {
    booked[choice] = receipt
    const last = Object.keys(booked).length === readers.length
    const finish = finishReason(receipt.finishReason, calling.has(choice))
    const ended = [{ ...piece(choice, {}), finish_reason: finish }]
    if (!last) return [chunk(ended)]
    const x_tirami = cost(booked)
    if (!withUsage) return [chunk(ended, { x_tirami })]
    return [chunk(ended), chunk([], { usage: usage(countTokens(booked, booked.length)), x_tirami })]
  }
  return {
    open: () =>
      readers.map((_, index) => chunk([piece(index, { role: 'assistant', content: '', refusal: null })])),
    event: (event) => {
      const reader = readers[event.choice]
      if (event.type === 'text') {
        return deltas(event.choice, reader?.push(event.text) ?? [], event.logprobs)
      }
      if (event.type === 'booked') return [...deltas(event.choice, reader?.finish() ?? []), ...end(event)]
      return []
    },
    close: () => [DONE],
    failed: (error) => [dataMessage(openAiError(error))],
  }
}

function delta(piece: AnswerPiece): object {
  if (piece.type === 'content') return { content: piece.text }
  const { index } = piece
  if (piece.type === 'tool-arguments') {
    return { tool_calls: [{ index, function: { arguments: piece.argumentsDelta } }] }
  }
  const { id, name } = piece
  return { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }
}
