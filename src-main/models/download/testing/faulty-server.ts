import { createHash } from 'node:crypto'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createNet, type Net } from '../net.ts'

export interface Asked {
  /** Number of the request, from 1. */
  count: number
  host: string
  path: string
  /** First and last byte asked for; null where no range was. */
  range: { first: number; last: number } | null
  headers: http.IncomingHttpHeaders
}

/** How a request is answered. Without one it is answered well. */
export type Behaviour =
  | { kind: 'well' }
  /** Sends so many bytes of the body, then breaks the connection, at once or when told to. */
  | { kind: 'cut'; afterBytes: number; until?: Promise<void> }
  /** Sends so many bytes of the body, then nothing more. */
  | { kind: 'hang'; afterBytes: number }
  /** Ends the body early without an error: neither length nor chunks tell. */
  | { kind: 'short'; afterBytes: number }
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  | { kind: 'redirect'; location: string; headers?: Record<string, string> }
  /** Sends a header line now and then and never the last. */
  | { kind: 'slow-headers' }
  | { kind: 'huge-headers' }
  /** Ignores the range and sends the whole file, or its beginning before the connection breaks. */
  | { kind: 'whole'; cutAfterBytes?: number }
  | { kind: 'gzip' }
  /** Flips every bit of the body. */
  | { kind: 'corrupt' }
  /** Names another size for the file. */
  | { kind: 'size'; sizeBytes: number }
  /** Sends another range than was asked for. */
  | { kind: 'other-range' }
  /** Sends more than was asked for. */
  | { kind: 'too-much' }
  /** Sends the body and goes on only when told to. */
  | { kind: 'hold'; afterBytes: number; until: Promise<void> }

export interface FaultyServer {
  /** The content that every path has; a change changes the entity tag. */
  content: Buffer
  /** Whether answers name the SHA-256 as the hub does. */
  announces: boolean
  /** Whether answers carry an entity tag. */
  tags: boolean
  behave: (asked: Asked) => Behaviour
  asked: Asked[]
  /** Body bytes handed to connections so far. */
  sentBytes: number
  /** Connections at once, at most. */
  busiest: number
  /** Calls back at every body write. */
  onSent: (bytes: number) => void
  port: number
  /** A net whose every host is this server; addresses stay as they are written. */
  net(): Net
  close(): Promise<void>
}

/** A server on a port of its own that breaks the rules of HTTP and of good manners on demand. */
export async function startFaultyServer(content: Buffer): Promise<FaultyServer> {
  const sockets = new Set<Socket>()
  const lab: FaultyServer = {
    content,
    announces: true,
    tags: true,
    behave: () => ({ kind: 'well' }),
    asked: [],
    sentBytes: 0,
    busiest: 0,
    onSent: () => {},
    port: 0,
    net: () => mappedNet(lab.port),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  let open = 0
  const server = http.createServer({ keepAlive: false }, (request, response) => {
    open++
    lab.busiest = Math.max(lab.busiest, open)
    response.on('close', () => open--)
    const asked = askedBy(request, lab.asked.length + 1)
    lab.asked.push(asked)
    void respond(lab, asked, lab.behave(asked), response).catch(() => response.destroy())
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  lab.port = (server.address() as AddressInfo).port
  return lab
}

/** Sends every https request, whatever its host, to a port of this machine. */
export function mappedNet(port: number, headersWithinMs = 2_000): Net {
  const net = createNet({
    scheme: 'http',
    allowsAddress: () => true,
    resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
    headersWithinMs,
  })
  return {
    get: ({ url, ...rest }) =>
      net.get({ url: new URL(`http://${url.hostname}:${port}${url.pathname}${url.search}`), ...rest }),
  }
}

function askedBy(request: IncomingMessage, count: number): Asked {
  const range = request.headers.range?.match(/^bytes=(\d+)-(\d+)$/)
  return {
    count,
    host: (request.headers.host ?? '').replace(/:\d+$/, ''),
    path: request.url ?? '',
    range: range ? { first: Number(range[1]), last: Number(range[2]) } : null,
    headers: request.headers,
  }
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function respond(
  lab: FaultyServer,
  { range }: Asked,
  behaviour: Behaviour,
  response: ServerResponse,
): Promise<void> {
  const { content } = lab
  if (behaviour.kind === 'slow-headers') return trickleHeaders(response)
  const digest = sha256Hex(content)
  if (lab.announces) {
    response.setHeader('x-linked-etag', `"${digest}"`)
    response.setHeader('x-linked-size', behaviour.kind === 'size' ? behaviour.sizeBytes : content.length)
  }
  if (lab.tags) response.setHeader('etag', `"${digest.slice(0, 16)}"`)
  if (behaviour.kind === 'huge-headers') response.setHeader('x-padding', 'x'.repeat(60_000))
  if (behaviour.kind === 'status' || behaviour.kind === 'redirect') {
    const location = behaviour.kind === 'redirect' ? { location: behaviour.location } : {}
    response.writeHead(behaviour.kind === 'status' ? behaviour.status : 302, {
      ...behaviour.headers,
      ...location,
    })
    response.end()
    return
  }
  const whole = range === null || behaviour.kind === 'whole'
  if (!whole && range.first >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
    return
  }
  const first = whole ? 0 : range.first + (behaviour.kind === 'other-range' ? 1 : 0)
  const last = whole ? content.length - 1 : Math.min(range.last, content.length - 1)
  const sizeBytes = behaviour.kind === 'size' ? behaviour.sizeBytes : content.length
  let body = content.subarray(first, last + 1 + (behaviour.kind === 'too-much' ? 1_000 : 0))
  if (behaviour.kind === 'corrupt') body = Buffer.from(body.map((byte) => byte ^ 0xff))
  if (behaviour.kind === 'gzip') response.setHeader('content-encoding', 'gzip')
  if (!whole) response.setHeader('content-range', `bytes ${first}-${last}/${sizeBytes}`)
  const length = whole ? sizeBytes : body.length
  if (behaviour.kind === 'short') response.setHeader('connection', 'close')
  response.writeHead(whole ? 200 : 206, behaviour.kind === 'short' ? {} : { 'content-length': length })
  response.flushHeaders()
  await sendBody(lab, body, behaviour, response)
}

const PIECE_BYTES = 16 * 1024

async function sendBody(
  lab: FaultyServer,
  body: Buffer,
  behaviour: Behaviour,
  response: ServerResponse,
): Promise<void> {
  const afterBytes =
    behaviour.kind === 'whole'
      ? behaviour.cutAfterBytes
      : 'afterBytes' in behaviour
        ? behaviour.afterBytes
        : undefined
  const limit = Math.min(afterBytes ?? body.length, body.length)
  await sendPieces(lab, body.subarray(0, limit), response)
  if (behaviour.kind === 'hang') return
  if (behaviour.kind === 'cut') await behaviour.until
  if (behaviour.kind === 'cut' || (behaviour.kind === 'whole' && limit < body.length)) {
    response.destroy()
    return
  }
  if (behaviour.kind === 'hold') {
    await behaviour.until
    await sendPieces(lab, body.subarray(limit), response)
  }
  response.end()
}

async function sendPieces(lab: FaultyServer, bytes: Buffer, response: ServerResponse): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES)
    const accepted = await new Promise<boolean>((resolve) => {
      response.write(piece, (error) => resolve(!error))
    })
    if (!accepted) return
    lab.sentBytes += piece.length
    lab.onSent(piece.length)
  }
}

/** A header that never ends; the connection stays open until the client has had enough. */
function trickleHeaders(response: ServerResponse): void {
  response.socket?.write('HTTP/1.1 200 OK\r\nx-a: 1\r\n')
}
