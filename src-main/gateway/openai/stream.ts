import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TiramiError } from '../../kernel/index.ts'
import { asTiramiError, securityHeaders } from '../http-server.ts'
import { type SseMessage, SseStream } from '../sse.ts'

/** What a stream says: pure functions from what happened to the messages for the reader. */
export interface StreamWriter<Event> {
  open(): SseMessage[]
  event(event: Event): SseMessage[]
  /** After the last event. */
  close(): SseMessage[]
  /** Something went wrong after the stream had begun. */
  failed(error: TiramiError): SseMessage[]
}

/**
 * Answers with server-sent events. Errors before the first event are ordinary HTTP errors.
 * The events end with the stream, whoever ends it.
 */
export async function answerWithStream<Event>(
  request: FastifyRequest,
  reply: FastifyReply,
  events: AsyncGenerator<Event, void, void>,
  writer: StreamWriter<Event>,
): Promise<FastifyReply> {
  const first = await events.next()
  reply.hijack()
  const sse = new SseStream(reply.raw, securityHeaders(request.id))
  const send = async (messages: readonly SseMessage[]) => {
    for (const message of messages) await sse.send(message)
  }
  try {
    await send(writer.open())
    if (!first.done) await send(writer.event(first.value))
    for await (const event of events) await send(writer.event(event))
    await send(writer.close())
  } catch (error) {
    await send(writer.failed(asTiramiError(error)))
  } finally {
    await events.return()
    sse.end()
  }
  return reply
}

/** A message without a name, as the chat and completions APIs stream them. */
export const dataMessage = (data: object): SseMessage => ({ data: JSON.stringify(data) })
export const DONE: SseMessage = { data: '[DONE]' }
