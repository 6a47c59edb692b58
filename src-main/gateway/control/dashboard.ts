import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CONTENT_SECURITY_POLICY, eventFeed } from '../../../src-preload/contract/index.ts'
import type { Control } from '../../host/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import { openLocalServer, securityHeaders } from '../http-server.ts'
import { SseStream } from '../sse.ts'

const BODY_BYTES_MAX = 256 * 1024
const COOKIE = 'tirami_session'
const SSE_PING_MS = 15_000

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
}

export interface Dashboard {
  /** Opens a session; works for every browser on this machine that is given it. */
  url: string
  /** Ends every event stream: pages ask again for all that they show. */
  cut(): void
  close(): Promise<void>
}

/**
 * The window as a web page on loopback: the renderer's bundle, `POST /rpc/<procedure>` and `GET /events`.
 * The link carries a session token once; after that a strict, http-only cookie does.
 * @param control the host that runs now; it throws a TiramiError while there is none
 * @throws TiramiError PORT_IN_USE, DASHBOARD_NOT_BUILT
 */
export async function openDashboard(
  control: () => Control,
  options: { port: number; bundleDirectory: string },
): Promise<Dashboard> {
  const token = randomBytes(24).toString('base64url')
  const files = readBundle(options.bundleDirectory)
  const sessions = sessionCheck(token)
  const streams = new Set<SseStream>()
  const server = await openLocalServer(options.port, {
    bodyBytesMax: BODY_BYTES_MAX,
    errorShape: (error) => ({
      ok: false,
      error: { code: error.code, message: error.message, nextStep: error.nextStep },
    }),
    register: (app) => {
      registerPages(app, files, sessions, token)
      registerRpc(app, control, sessions)
      registerEvents(app, control, sessions, streams)
    },
  })
  return {
    url: `${server.url}/?session=${token}`,
    cut: () => {
      for (const stream of streams) stream.end()
    },
    close: async () => {
      for (const stream of streams) stream.end()
      await server.close()
    },
  }
}

/** Every file of the bundle, read once: a request can name nothing else. */
function readBundle(directory: string): Map<string, { type: string; content: Buffer }> {
  const files = new Map<string, { type: string; content: Buffer }>()
  try {
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const type = CONTENT_TYPES[extname(path)]
      if (type)
        files.set(`/${relative(directory, path).split(sep).join('/')}`, { type, content: readFileSync(path) })
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  if (!files.has('/index.html')) {
    throw new TiramiError('DASHBOARD_NOT_BUILT', `There is no dashboard in ${directory}.`, {
      nextStep: 'Run “npm run build”.',
    })
  }
  return files
}

function sessionCheck(token: string) {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(token)
  const matches = (candidate: unknown) =>
    typeof candidate === 'string' && candidate.length <= 128 && timingSafeEqual(digest(candidate), expected)
  const fromCookie = (header: string | undefined) =>
    (header ?? '')
      .split(';')
      .map((part) => part.trim())
      .find((part) => part.startsWith(`${COOKIE}=`))
      ?.slice(COOKIE.length + 1)
  return {
    fromQuery: (request: FastifyRequest) => matches((request.query as Record<string, unknown>).session),
    fromCookie: (request: FastifyRequest) => matches(fromCookie(request.headers.cookie)),
  }
}

type SessionCheck = ReturnType<typeof sessionCheck>

function requireSession(sessions: SessionCheck, request: FastifyRequest): void {
  if (sessions.fromCookie(request)) return
  throw new TiramiError(
    'SESSION_REQUIRED',
    'This page needs the link that the host printed when it started.',
    {
      nextStep: 'Open the dashboard address from the host’s output; it carries a session key.',
      httpStatus: 401,
    },
  )
}

function registerPages(
  app: FastifyInstance,
  files: Map<string, { type: string; content: Buffer }>,
  sessions: SessionCheck,
  token: string,
): void {
  const page = (reply: FastifyReply, path: string) => {
    const file = files.get(path)
    if (!file) return reply.callNotFound()
    return reply
      .header('content-security-policy', CONTENT_SECURITY_POLICY)
      .header('x-frame-options', 'DENY')
      .header('cross-origin-opener-policy', 'same-origin')
      .type(file.type)
      .send(file.content)
  }
  app.get('/', async (request, reply) => {
    if (sessions.fromQuery(request)) {
      // The key leaves the address bar and the history at once.
      return reply
        .header('set-cookie', `${COOKIE}=${token}; HttpOnly; SameSite=Strict; Path=/`)
        .redirect('/', 303)
    }
    requireSession(sessions, request)
    return page(reply, '/index.html')
  })
  app.get('/*', async (request, reply) => {
    requireSession(sessions, request)
    return page(reply, request.url.split('?')[0] ?? '')
  })
}

function registerRpc(app: FastifyInstance, control: () => Control, sessions: SessionCheck): void {
  app.post(
    '/rpc/:procedure',
    { onRequest: async (request) => requireSession(sessions, request) },
    (request) => control().call((request.params as { procedure: string }).procedure, request.body),
  )
}

function registerEvents(
  app: FastifyInstance,
  control: () => Control,
  sessions: SessionCheck,
  streams: Set<SseStream>,
): void {
  app.get('/events', (request, reply) => {
    requireSession(sessions, request)
    const host = control()
    const after = request.headers['last-event-id']
    reply.hijack()
    const sse = new SseStream(reply.raw, securityHeaders(request.id))
    // An event is put into words only when the reader can take it; one that takes nothing is cut off by the stream.
    const feed = eventFeed((event) =>
      sse.send({ id: host.placeOf(event), event: event.name, data: JSON.stringify(event.data) }),
    )
    const end = host.subscribe(feed, typeof after === 'string' ? after : undefined)
    const ping = setInterval(() => {
      if (sse.pendingBytes === 0) reply.raw.write(': ping\n\n')
    }, SSE_PING_MS)
    streams.add(sse)
    sse.gone.addEventListener('abort', () => {
      clearInterval(ping)
      end()
      streams.delete(sse)
    })
  })
}
