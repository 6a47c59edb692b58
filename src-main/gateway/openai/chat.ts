import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Consumer, HostServices, Receipt, ServeEvent } from '../../host/index.ts'
import { asTiramiError, securityHeaders } from '../http-server.ts'
import { SseStream } from '../sse.ts'
import { openAiError } from './errors.ts'
import {
  type ChatCompletionRequest,
  generateRequest,
  parseChatCompletionRequest,
  RequestError,
} from './schemas.ts'

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
export function registerChat(
  app: FastifyInstance,
  services: HostServices,
  authenticate: (request: FastifyRequest) => Consumer,
): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const consumer = authenticate(request)
    const body = parseChatCompletionRequest(request.body)
    const model = servedModel(services, body.model)
    const head = {
      id: `chatcmpl-${randomBytes(8).toString('hex')}`,
      created: Math.floor(Date.now() / 1000),
      model: model.served.id,
    }
    const abort = new AbortController()
    reply.raw.on('close', () => abort.abort())
    const events = services.serve(
      consumer,
      generateRequest(body, model.served.defaultTemperature),
      abort.signal,
    )
    if (!body.stream) return completion(services, consumer, head, events)
    return stream(services, consumer, head, body, events, request, reply)
  })
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
