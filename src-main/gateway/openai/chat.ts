import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  ApprovalNeeded,
  type Consumer,
  type HostServices,
  type Receipt,
  type ServeEvent,
} from '../../host/index.ts'
import { asTiramiError, securityHeaders } from '../http-server.ts'
import { type Authorise, RequestError } from '../requests.ts'
import { SseStream } from '../sse.ts'
import { openAiError } from './errors.ts'
import { type ChatCompletionRequest, generateRequest, parseChatCompletionRequest } from './schemas.ts'

/** A connection that waits longer for the owner's answer is told to come back. */
const APPROVAL_WAIT_MS = 10 * 60_000

/** Cost of one answer, on every answer and in the last chunk of a stream. */
function xTirami(services: HostServices, consumer: Consumer, receipt: Receipt) {
  const { contributedTrm, consumedTrm } = services.ledger.balance(consumer.publicKeyHex)
  return {
    trm_cost: Number(receipt.amountTrm),
    // What the caller may still spend: net balance plus the credit its key was given.
    effective_balance: Number(contributedTrm - consumedTrm + consumer.creditLimitTrm),
    flops: Number(receipt.flop),
    // Passes of thought per token: a plain language model has one.
    depth: 1,
    trade_id: receipt.trade.tradeId,
  }
}

function usage(receipt: Receipt) {
  return {
    prompt_tokens: receipt.promptTokens,
    completion_tokens: receipt.completionTokens,
    total_tokens: receipt.promptTokens + receipt.completionTokens,
  }
}

/** `POST /v1/chat/completions` as OpenAI publishes it; what is not supported is refused by name. */
export function registerChat(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const { consumer } = authorise(request, 'inference.run')
    const body = parseChatCompletionRequest(request.body)
    const model = servedModel(services, body.model)
    const head = {
      id: `chatcmpl-${randomBytes(8).toString('hex')}`,
      created: Math.floor(Date.now() / 1000),
      model: model.served.id,
    }
    const abort = new AbortController()
    reply.raw.on('close', () => abort.abort())
    const generate = generateRequest(body, model.served.defaultTemperature)
    const approval = approvalChoice(request.headers['x-tirami-approval'])
    const events = serveApproved(services, abort.signal, approval, (approvalId) =>
      services.serve(consumer, generate, abort.signal, approvalId === undefined ? {} : { approvalId }),
    )
    if (!body.stream) return completion(services, consumer, head, events)
    return stream(services, consumer, head, body, events, request, reply)
  })
}

/** What the caller wants when the owner has to be asked: an id to come back with, or to wait for the answer. */
type ApprovalChoice = { wait: boolean; approvalId?: string }

/** @throws RequestError for anything but `wait` or an approval's id */
function approvalChoice(header: string | string[] | undefined): ApprovalChoice {
  if (header === undefined) return { wait: false }
  if (header === 'wait') return { wait: true }
  if (typeof header === 'string' && /^[0-9a-f]{32}$/.test(header)) return { wait: false, approvalId: header }
  throw new RequestError('INVALID_REQUEST', '“X-Tirami-Approval” is “wait” or an approval id.', null)
}

/** A refused first try holds neither a slot nor a budget while the owner thinks. */
async function* serveApproved(
  services: HostServices,
  signal: AbortSignal,
  choice: ApprovalChoice,
  attempt: (approvalId: string | undefined) => AsyncGenerator<ServeEvent, void, void>,
): AsyncGenerator<ServeEvent, void, void> {
  try {
    yield* attempt(choice.approvalId)
  } catch (error) {
    if (!choice.wait || !(error instanceof ApprovalNeeded)) throw error
    const patience = AbortSignal.timeout(APPROVAL_WAIT_MS)
    const answered = services.safety.whenAnswered(error.approvalId, AbortSignal.any([signal, patience]))
    // Nobody answered in time: the caller gets the question's id to come back with.
    const approved = await answered.catch(() => Promise.reject(error))
    yield* attempt(approved ? error.approvalId : undefined)
  }
}

interface Head {
  id: string
  created: number
  model: string
}

async function completion(
  services: HostServices,
  consumer: Consumer,
  head: Head,
  events: AsyncGenerator<ServeEvent, void, void>,
) {
  let text = ''
  let receipt: Receipt | null = null
  for await (const event of events) {
    if (event.type === 'text') text += event.text
    if (event.type === 'booked') receipt = event.receipt
  }
  if (!receipt) throw new RequestError('CANCELLED', 'The request was cancelled.', null, 499)
  return {
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: receipt.finishReason,
      },
    ],
    usage: usage(receipt),
    x_tirami: xTirami(services, consumer, receipt),
  }
}

/** Errors before the first event are ordinary HTTP errors; later ones are an `error` event in the stream. */
async function stream(
  services: HostServices,
  consumer: Consumer,
  head: Head,
  body: ChatCompletionRequest,
  events: AsyncGenerator<ServeEvent, void, void>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const first = await events.next()
  reply.hijack()
  const sse = new SseStream(reply.raw, securityHeaders(request.id))
  const withUsage = body.stream_options?.include_usage === true
  const chunk = (delta: object, finishReason: string | null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...(withUsage ? { usage: null } : {}),
  })
  const send = (data: object) => sse.send({ data: JSON.stringify(data) })
  try {
    if (first.done) return reply
    await send(chunk({ role: 'assistant', content: '', refusal: null }, null))
    for await (const event of events) {
      if (event.type === 'text') await send(chunk({ content: event.text }, null))
      if (event.type !== 'booked') continue
      const cost = { x_tirami: xTirami(services, consumer, event.receipt) }
      await send({ ...chunk({}, event.receipt.finishReason), ...(withUsage ? {} : cost) })
      if (withUsage) {
        await send({ ...chunk({}, null), choices: [], usage: usage(event.receipt), ...cost })
      }
    }
    await sse.send({ data: '[DONE]' })
  } catch (error) {
    await send(openAiError(asTiramiError(error)))
  } finally {
    await events.return()
    sse.end()
  }
  return reply
}

function servedModel(services: HostServices, wanted: string | undefined) {
  const model = services.model()
  if (!model) {
    const error = services.status().engine.error
    throw new RequestError('NO_MODEL', error?.message ?? 'No model is loaded.', null, 503)
  }
  if (wanted !== undefined && wanted !== model.served.id) {
    throw new RequestError(
      'MODEL_NOT_FOUND',
      `The model “${wanted.slice(0, 80)}” is not served here; this host serves “${model.served.id}”.`,
      'model',
      404,
    )
  }
  return model
}
