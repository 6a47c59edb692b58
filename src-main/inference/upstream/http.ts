import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { TiramiError } from '../../kernel/index.ts'
import { EngineBusyError } from '../errors.ts'
import type { Timers } from '../timers.ts'
import { ownNetworkLookup } from './address.ts'
import {
  promptTooLong,
  upstreamInvalid,
  upstreamModelMissing,
  upstreamRefused,
  upstreamUnauthorised,
  upstreamUnreachable,
} from './errors.ts'

export interface UpstreamLimits {
  /** From sending a question to the last header of its answer. */
  questionMs: number
  /** The same for work: the server may have to load the model, or to read a long prompt first. */
  firstByteMs: number
  /** Without a byte for so long, a stream has died. */
  silenceMs: number
  /** Of a stream, from its first byte on, whatever comes. */
  streamMs: number
  /** Of one line of a stream. */
  lineBytes: number
  /** Of an answer that is no stream. */
  bodyBytes: number
}

export const DEFAULT_LIMITS: UpstreamLimits = {
  questionMs: 10_000,
  firstByteMs: 10 * 60_000,
  silenceMs: 2 * 60_000,
  // A reservation lives for an hour.
  streamMs: 45 * 60_000,
  lineBytes: 1 << 20,
  bodyBytes: 32 << 20,
}

export interface UpstreamHttp {
  /** One question, answered with JSON. `path` is added to the base, or to the server's root where it begins with `//`. */
  ask(path: string, body: object | null, signal: AbortSignal, kind?: 'question' | 'work'): Promise<unknown>
  /** The `data` of server-sent events, as they come. @param maxBytes of the whole stream */
  stream(
    path: string,
    body: object,
    signal: AbortSignal,
    maxBytes: number,
  ): AsyncGenerator<string, void, void>
  close(): void
}

export interface UpstreamHttpOptions {
  base: URL
  apiKey: string | null
  model: string
  timers: Timers
  limits: UpstreamLimits
}

const MAX_HEADER_BYTES = 16 * 1024
const MAX_ERROR_BYTES = 64 * 1024
const KEPT_CONNECTIONS = 16

/**
 * HTTP to one server. Redirects are not followed, packed bodies not unpacked, and nothing is read faster than it is
 * used. Whatever goes wrong is a TiramiError UPSTREAM_*, PROMPT_TOO_LONG or ENGINE_BUSY; an aborted `signal` throws
 * what it was aborted with.
 */
export function createUpstreamHttp(options: UpstreamHttpOptions): UpstreamHttp {
  const { base, apiKey, timers, limits } = options
  const secure = base.protocol === 'https:'
  const agentOptions = { keepAlive: true, maxFreeSockets: KEPT_CONNECTIONS }
  const agent = secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions)
  const send = secure ? https.request : http.request

  const urlOf = (path: string): URL => {
    const url = new URL(base)
    const isRoot = path.startsWith('//')
    url.pathname = isRoot ? base.pathname.replace(/\/v1$/, '') + path.slice(1) : base.pathname + path
    return url
  }

  /** The answer once its status is known to be 200. */
  const request = (
    path: string,
    body: object | null,
    accept: string,
    withinMs: number,
    signal: AbortSignal,
    isSecondTry = false,
  ): Promise<IncomingMessage> => {
    const payload = body === null ? null : Buffer.from(JSON.stringify(body))
    return new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = send(
        urlOf(path),
        {
          method: payload ? 'POST' : 'GET',
          agent,
          signal,
          maxHeaderSize: MAX_HEADER_BYTES,
          headers: {
            accept,
            ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
            ...(payload ? { 'content-type': 'application/json', 'content-length': payload.length } : {}),
          },
          ...(secure ? {} : { lookup: ownNetworkLookup }),
        },
        (answer) => {
          cancelDeadline()
          // An error after nobody reads any more must not end the process.
          answer.on('error', () => undefined)
          resolve(answer)
        },
      )
      const cancelDeadline = timers.after(withinMs, () =>
        outgoing.destroy(upstreamUnreachable('did not answer in time')),
      )
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        cancelDeadline()
        // A kept connection that the server was just closing: the request never reached it.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET' && !isSecondTry)
          resolve(request(path, body, accept, withinMs, signal, true))
        else reject(error)
      })
      outgoing.end(payload ?? undefined)
    })
  }

  /** As `request`; anything but 200 in the wanted media type is an error. */
  const opened = async (...asked: Parameters<typeof request>): Promise<IncomingMessage> => {
    const [, , accept, , signal] = asked
    const answer = await request(...asked).catch((error: unknown) => rethrow(error, signal))
    try {
      if (answer.statusCode !== 200) throw await refusal(answer, options, signal)
      if (answer.headers['content-encoding'] !== undefined) throw upstreamInvalid('packed its answer')
      const type = answer.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
      if (type !== accept) throw upstreamInvalid(`answered with something other than ${accept}`)
      return answer
    } catch (error) {
      answer.destroy()
      throw error
    }
  }

  return {
    async ask(path, body, signal, kind = 'question') {
      const withinMs = kind === 'work' ? limits.firstByteMs : limits.questionMs
      const answer = await opened(path, body, 'application/json', withinMs, signal)
      return parseJson(
        await bodyOf(
          answer,
          limits.bodyBytes,
          kind === 'work' ? limits.silenceMs : withinMs,
          options,
          signal,
        ),
      )
    },
    async *stream(path, body, signal, maxBytes) {
      const answer = await opened(path, body, 'text/event-stream', limits.firstByteMs, signal)
      const cancelDeadline = timers.after(limits.streamMs, () =>
        answer.destroy(upstreamInvalid('did not end its answer')),
      )
      try {
        const chunks = bytesOf(answer, maxBytes, limits.silenceMs, options, signal)
        for await (const data of eventData(chunks, limits.lineBytes)) {
          if (data === '[DONE]') {
            finishReading(answer, timers)
            return
          }
          yield data
        }
      } finally {
        cancelDeadline()
        if (!answer.readableFlowing) answer.destroy()
      }
    },
    close: () => agent.destroy(),
  }
}

/** How long the end of an answer may take after its last event: then its connection cannot be used again. */
const LAST_BYTES_MS = 1_000

function finishReading(answer: IncomingMessage, timers: Timers): void {
  const cancel = timers.after(LAST_BYTES_MS, () => answer.destroy())
  answer.once('close', cancel)
  answer.resume()
}

function rethrow(error: unknown, signal: AbortSignal): never {
  if (signal.aborted) throw signal.reason
  if (error instanceof TiramiError) throw error
  const { code = '' } = error as NodeJS.ErrnoException
  if (code.startsWith('HPE_')) throw upstreamInvalid('does not speak HTTP as it should')
  throw upstreamUnreachable('cannot be reached', error)
}

async function* bytesOf(
  answer: IncomingMessage,
  maxBytes: number,
  silenceMs: number,
  { timers }: UpstreamHttpOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  let bytes = 0
  const silence = () => timers.after(silenceMs, () => answer.destroy(upstreamUnreachable('fell silent')))
  let cancelSilence = silence()
  try {
    for await (const chunk of answer.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      // While the reader of the answer takes his time, the server is not the one who is silent.
      cancelSilence()
      bytes += chunk.length
      if (bytes > maxBytes) throw upstreamInvalid('said far more than it was asked for')
      yield chunk
      cancelSilence = silence()
    }
  } catch (error) {
    rethrow(error, signal)
  } finally {
    cancelSilence()
  }
}

async function bodyOf(
  answer: IncomingMessage,
  maxBytes: number,
  silenceMs: number,
  options: UpstreamHttpOptions,
  signal: AbortSignal,
): Promise<Buffer> {
  const cancelDeadline = options.timers.after(options.limits.streamMs, () => answer.destroy())
  try {
    const parts: Buffer[] = []
    for await (const part of bytesOf(answer, maxBytes, silenceMs, options, signal)) parts.push(part)
    return Buffer.concat(parts)
  } finally {
    cancelDeadline()
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    throw upstreamInvalid('answered with broken JSON')
  }
}

const LINE_FEED = 10

/** The `data` fields of server-sent events (HTML standard, section 9.2), one per event; other fields are left out. */
async function* eventData(
  chunks: AsyncIterable<Buffer>,
  maxLineBytes: number,
): AsyncGenerator<string, void, void> {
  let data: string[] = []
  let dataLength = 0
  for await (const line of linesOf(chunks, maxLineBytes)) {
    if (line === '') {
      if (data.length > 0) yield data.join('\n')
      data = []
      dataLength = 0
    } else if (line.startsWith('data:')) {
      data.push(line.slice(line[5] === ' ' ? 6 : 5))
      dataLength += line.length
      if (dataLength > maxLineBytes) throw upstreamInvalid('sent a message without end')
    }
  }
  if (data.length > 0) yield data.join('\n')
}

async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  maxLineBytes: number,
): AsyncGenerator<string, void, void> {
  let parts: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      parts.push(chunk.subarray(from, end))
      yield Buffer.concat(parts).toString().replace(/\r$/, '')
      parts = []
      length = 0
      from = end + 1
    }
    parts.push(chunk.subarray(from))
    length += chunk.length - from
    if (length > maxLineBytes) throw upstreamInvalid('sent a line without end')
  }
  if (length > 0) yield Buffer.concat(parts).toString()
}

/** What an answer other than 200 means to the caller. */
async function refusal(
  answer: IncomingMessage,
  options: UpstreamHttpOptions,
  signal: AbortSignal,
): Promise<TiramiError> {
  const status = answer.statusCode ?? 0
  if (status >= 300 && status < 400) return upstreamInvalid('sends us elsewhere, which we do not follow')
  if (status === 401 || status === 403) return upstreamUnauthorised()
  const body = await bodyOf(answer, MAX_ERROR_BYTES, options.limits.questionMs, options, signal).catch(
    (error) => {
      if (signal.aborted) throw error
      return Buffer.alloc(0)
    },
  )
  const said = errorOf(body)
  if (status === 429 || status === 503) return busy(answer.headers['retry-after'])
  if (status === 404 && /model/i.test(said.message)) return upstreamModelMissing(options.model, [])
  if (status === 400 || status === 413 || status === 422) return upstreamComplaint(said)
  return upstreamInvalid(`answered with status ${status}`)
}

export interface UpstreamComplaint {
  message: string
  /** `code` and `type`, whichever the server uses. */
  kind: string
}

/** A refusal of this request, in the words of the servers that we know. */
export function upstreamComplaint({ message, kind }: UpstreamComplaint): TiramiError {
  const isTooLong =
    /context_length_exceeded|exceed_context_size|prompt_too_long/.test(kind) ||
    /maximum context length|context (size|window|length)/i.test(message)
  return isTooLong ? promptTooLong() : upstreamRefused(message)
}

/** `{error: {message, code, type}}` as OpenAI has it, `{error: "…"}` or `{message}`, `{detail}` as others have. */
function errorOf(body: Buffer): UpstreamComplaint {
  try {
    return complaintIn(JSON.parse(body.toString()))
  } catch {
    return { message: '', kind: '' }
  }
}

export function complaintIn(value: unknown): UpstreamComplaint {
  const outer = recordOf(value)
  const inner = typeof outer.error === 'object' && outer.error !== null ? recordOf(outer.error) : outer
  const message = [inner.message, outer.error, inner.detail].find((text) => typeof text === 'string')
  const kind = [inner.code, inner.type].filter((text) => typeof text === 'string').join(' ')
  return { message: String(message ?? ''), kind }
}

const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {}

const MAX_RETRY_SECONDS = 120

function busy(retryAfter: string | undefined): EngineBusyError {
  const asked = Number(retryAfter ?? 5)
  const seconds = Number.isFinite(asked) ? Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.ceil(asked))) : 5
  return new EngineBusyError('The server behind this host has too much to do.', seconds)
}
