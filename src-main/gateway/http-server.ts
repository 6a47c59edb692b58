import { randomBytes } from 'node:crypto'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { NotEarningError } from '../host/index.ts'
import { EngineBusyError } from '../inference/index.ts'
import { TiramiError } from '../kernel/index.ts'
import { allowedHosts, allowedOrigins, assertLocalRequest, withOwnNames } from './guard.ts'

/** Shapes an error for the client of one server: OpenAI's shape on the API, the contract's in the window. */
export type ErrorShape = (error: TiramiError) => unknown

export interface LocalServerOptions {
  /** IPv4 address that it listens at; the loopback by default. */
  address?: string
  bodyBytesMax: number
  errorShape: ErrorShape
  register(app: FastifyInstance): void
}

const CONNECTIONS_MAX = 256
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000

const LOOPBACK = '127.0.0.1'
const EVERYWHERE = '0.0.0.0'

/**
 * An HTTP server, on 127.0.0.1 unless told otherwise, that refuses foreign hosts and origins before it reads a body.
 * @param port 0 picks a free one
 * @throws TiramiError PORT_IN_USE, ADDRESS_NOT_HERE
 */
export async function openLocalServer(
  port: number,
  options: LocalServerOptions,
): Promise<{ url: string; port: number; close(): Promise<void> }> {
  const app = Fastify({
    bodyLimit: options.bodyBytesMax,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
    genReqId: (request) => requestId(request.headers['x-tirami-request-id']),
    exposeHeadRoutes: false,
  })
  app.server.headersTimeout = HEADERS_TIMEOUT_MS
  app.server.maxConnections = CONNECTIONS_MAX
  // A form or a text/plain body is what a foreign page can send without asking first.
  app.removeContentTypeParser('text/plain')

  const host = options.address ?? LOOPBACK
  let bound = port
  let hosts: ReadonlySet<string> = new Set()
  let origins: ReadonlySet<string> = new Set()
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders(request.id))
    const named = host === LOOPBACK ? hosts : withOwnNames(hosts, bound, request.raw.socket.localAddress)
    assertLocalRequest(request.raw, named, origins)
    assertPlainBody(request.headers['content-encoding'])
  })
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    sendError(reply, asTiramiError(error), options.errorShape)
  })
  app.setNotFoundHandler((request, reply) => {
    sendError(reply, notFound(request.method, request.url), options.errorShape)
  })
  options.register(app)

  await listen(app, host, port)
  const address = app.server.address()
  bound = typeof address === 'object' && address ? address.port : port
  hosts = allowedHosts(bound)
  origins = allowedOrigins(bound)
  const reached = host === EVERYWHERE ? LOOPBACK : host
  return { url: `http://${reached}:${bound}`, port: bound, close: () => app.close() }
}

/** A packed body is not unpacked: a small one could fill the memory. @throws TiramiError UNSUPPORTED_MEDIA_TYPE */
function assertPlainBody(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return
  throw new TiramiError('UNSUPPORTED_MEDIA_TYPE', 'The body must not be compressed.', {
    nextStep: 'Send it without Content-Encoding.',
    httpStatus: 415,
  })
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRNOTAVAIL') throw notHere(host, error)
    if (code !== 'EADDRINUSE') throw error
    throw new TiramiError('PORT_IN_USE', `Port ${port} is used by another program.`, {
      nextStep: 'Choose another port, or 0 for any free one.',
      cause: error,
    })
  }
}

function notHere(address: string, cause: unknown): TiramiError {
  return new TiramiError('ADDRESS_NOT_HERE', `This machine does not have the address ${address}.`, {
    nextStep: 'Choose another address in the settings under “Storage and network”, or with --bind.',
    cause,
  })
}

function requestId(incoming: string | string[] | undefined): string {
  if (typeof incoming === 'string' && /^[\w.:-]{1,64}$/.test(incoming)) return incoming
  return `req-${randomBytes(8).toString('hex')}`
}

export function securityHeaders(id: string): Record<string, string> {
  return {
    'x-tirami-request-id': id,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  }
}

function sendError(reply: FastifyReply, error: TiramiError, shape: ErrorShape): void {
  if (error.httpStatus === 429 || error.httpStatus === 503) {
    reply.header('retry-after', String(retryAfterSeconds(error)))
  }
  void reply.status(error.httpStatus).send(shape(error))
}

/** Who knows when there is room again says so; 5 s otherwise. */
function retryAfterSeconds(error: TiramiError): number {
  const known = error instanceof EngineBusyError || error instanceof NotEarningError
  return (known ? error.retryAfterSeconds : null) ?? 5
}

/** Fastify's own refusals (size, media type, JSON) in our terms; anything else is a defect, told without detail. */
export function asTiramiError(error: unknown): TiramiError {
  if (error instanceof TiramiError) return error
  const status = (error as FastifyError).statusCode ?? 500
  const known: Record<number, [code: string, message: string, nextStep: string]> = {
    400: ['INVALID_JSON', 'The request body is not valid JSON.', 'Send one JSON object.'],
    413: ['BODY_TOO_LARGE', 'The request body is too large.', 'Send a shorter conversation.'],
    414: ['URL_TOO_LONG', 'The address is too long.', 'Shorten it.'],
    415: ['UNSUPPORTED_MEDIA_TYPE', 'The body must be JSON.', 'Send Content-Type: application/json.'],
  }
  const [code, message, nextStep] = known[status] ?? [
    'INTERNAL',
    'Something went wrong inside the host.',
    'Try again; if it happens again, report it with the request id.',
  ]
  return new TiramiError(code, message, { nextStep, httpStatus: known[status] ? status : 500, cause: error })
}

function notFound(method: string, url: string): TiramiError {
  return new TiramiError('NOT_FOUND', `There is no ${method} ${url.split('?')[0]?.slice(0, 100)} here.`, {
    nextStep: 'See docs/api.md for what this host offers.',
    httpStatus: 404,
  })
}
