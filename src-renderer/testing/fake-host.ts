import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { pathToFileURL } from 'node:url'
import react from '@vitejs/plugin-react'
import { build } from 'vite'
import type {
  EventData,
  EventName,
  HostStatus,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
  PublicErrorData,
  Trade,
} from '../../src-preload/contract/index.ts'
import { isProcedureName, procedures } from '../../src-preload/contract/index.ts'
import { hex32, sampleEarnings, sampleStatus, sampleTrade } from './samples.ts'

/**
 * A host with made-up data, for looking at the window without an engine:
 * `node src-renderer/testing/fake-host.ts [port]`, then `http://127.0.0.1:PORT/?state=earning`.
 */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"

export const fakeStates = [
  'fresh',
  'earning',
  'paused',
  'engine-down',
  'starting',
  'recovered',
  'failing',
] as const
export type FakeState = (typeof fakeStates)[number]

const ANSWER =
  'TRM is how Tirami Host counts compute. One TRM stands for a billion floating-point operations that this machine really did for an answer.\n\nIt is an account of work, not money.'

const ENGINE_ERROR: PublicErrorData = {
  code: 'ENGINE_EXITED',
  message: 'The engine stopped while it loaded the model.',
  nextStep: 'It is started again by itself. If it keeps stopping, choose a smaller model.',
}

type Handlers = { [P in ProcedureName]: (input: ProcedureInput<P>) => ProcedureOutput<P> }

export class FakeHost {
  /** Milliseconds before each answer, to see what waits. */
  delayMs = 0
  chatDelayMs = 40
  #status: HostStatus = sampleStatus()
  #trades: Trade[] = []
  #failing = false
  #seq = 0
  #cancelled = new Set<string>()
  readonly #streams = new Set<ServerResponse>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #files: string

  constructor(files: string) {
    this.#files = files
  }

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  enter(state: FakeState): void {
    const now = Date.now()
    const count = state === 'fresh' || state === 'starting' ? 0 : 640
    this.#failing = state === 'failing'
    this.#trades = Array.from({ length: count }, (_, index) => {
      const age = (count - 1 - index) ** 1.9 * 9_000 + 41_000
      return sampleTrade(index, { timestampMs: Math.floor(now - age) })
    })
    const ledger = {
      ...sampleStatus().ledger,
      trades: count,
      journalRecords: count * 3 + 3,
      journalBytes: count * 1_311 + 812,
      recovery:
        state === 'recovered' ? { tornBytes: 57, savedAs: 'journal/torn-2026-11-21T05-12-44.bin' } : null,
    }
    const changes: Record<FakeState, Partial<HostStatus>> = {
      fresh: { reason: 'The engine is ready; nobody has asked anything yet.' },
      earning: { reason: 'Answering requests from your API keys.', jobs: { running: 2, queued: 1 } },
      recovered: {},
      failing: {},
      paused: {
        state: 'paused',
        reason: 'You paused this host 12 minutes ago; new requests are turned away.',
      },
      starting: {
        state: 'starting',
        reason: 'The engine is loading the model.',
        engine: {
          ...sampleStatus().engine,
          state: 'starting',
          backend: null,
          deviceName: null,
          threads: null,
          slots: null,
        },
      },
      'engine-down': {
        state: 'engine-down',
        reason: 'The engine stopped; requests are turned away until it runs again.',
        engine: {
          ...sampleStatus().engine,
          state: 'restarting',
          restarts: 3,
          retryAtMs: now + 16_000,
          error: ENGINE_ERROR,
        },
      },
    }
    this.#setStatus({ ...sampleStatus({ ledger }), ...changes[state] })
  }

  bookTrade(change: Partial<Trade> = {}): void {
    const trade = sampleTrade(this.#trades.length, change)
    this.#trades.push(trade)
    this.#send('trade.booked', trade)
  }

  /** Ends every event stream. */
  cut(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  readonly #handlers: Handlers = {
    'status.get': () => this.#status,
    'host.pause': () =>
      this.#setStatus({ ...this.#status, state: 'paused', reason: 'You paused this host just now.' }),
    'host.resume': () =>
      this.#setStatus({
        ...this.#status,
        state: 'serving',
        reason: 'The engine is ready and answers requests.',
      }),
    'safety.kill': ({ active }) =>
      this.#setStatus({
        ...this.#status,
        safety: { ...this.#status.safety, killSwitch: active ? 'stopped in the window' : null },
      }),
    'safety.answer': () =>
      this.#setStatus({ ...this.#status, safety: { ...this.#status.safety, approvals: [] } }),
    'earnings.get': ({ range }) => sampleEarnings(range, this.#trades),
    'trades.list': ({ limit, beforeIndex }) => ({
      trades: this.#trades.slice(0, beforeIndex).slice(-limit).reverse(),
      total: this.#trades.length,
    }),
    'trades.prove': ({ tradeId }) => ({
      tradeId,
      signedBytesHex: hex32(`bytes ${tradeId}`).repeat(6),
      providerSignatureHex: hex32('a').repeat(2),
      consumerSignatureHex: hex32('b').repeat(2),
      providerValid: true,
      consumerValid: true,
    }),
    'chat.start': () => {
      const chatId = randomBytes(16).toString('hex')
      void this.#answer(chatId)
      return { chatId }
    },
    'chat.cancel': ({ chatId }) => {
      this.#cancelled.add(chatId)
      return {}
    },
  }

  async #answer(chatId: string): Promise<void> {
    let words = 0
    for (const text of ANSWER.split(/(?<= )/)) {
      if (this.#cancelled.has(chatId)) break
      this.#send('chat.delta', { chatId, text })
      words += 1
      await pause(this.chatDelayMs)
    }
    const flop = BigInt(words + 21) * 6_428_160n
    this.#send('chat.done', {
      chatId,
      finishReason: this.#cancelled.has(chatId) ? 'cancelled' : 'stop',
      promptTokens: 21,
      completionTokens: words,
      amountTrm: '1',
      flop: flop.toString(),
      timeToFirstTokenMs: 84,
      latencyMs: words * this.chatDelayMs,
    })
    this.bookTrade({ consumerLabel: 'window chat', ownKey: true, amountTrm: '1', flop: flop.toString() })
  }

  #setStatus(status: HostStatus): HostStatus {
    this.#status = status
    this.#send('status.changed', status)
    return status
  }

  #send<E extends EventName>(name: E, data: EventData<E>): void {
    this.#seq += 1
    for (const stream of this.#streams) {
      stream.write(`id: ${this.#seq}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://host')
    const state = fakeStates.find((name) => name === url.searchParams.get('state'))
    if (state !== undefined) this.enter(state)
    if (url.pathname === '/events') this.#stream(response)
    else if (url.pathname.startsWith('/rpc/')) await this.#call(url.pathname.slice(5), request, response)
    else await this.#file(url.pathname, response)
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('retry: 1000\n\n')
    this.#streams.add(response)
    response.on('close', () => this.#streams.delete(response))
  }

  async #call(procedure: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    await pause(this.delayMs)
    const answer = (status: number, envelope: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(envelope))
    }
    if (!isProcedureName(procedure)) {
      const error = {
        code: 'UNKNOWN_PROCEDURE',
        message: 'No such procedure.',
        nextStep: 'Update the window.',
      }
      return answer(404, { ok: false, error })
    }
    if (this.#failing) {
      const error = {
        code: 'PROJECTION_REBUILDING',
        message: 'The ledger is being read again.',
        nextStep: 'Try again in a few seconds.',
      }
      return answer(503, { ok: false, error })
    }
    const handle = this.#handlers[procedure] as (input: unknown) => unknown
    answer(200, { ok: true, result: handle(procedures[procedure].input.parse(JSON.parse(body))) })
  }

  async #file(path: string, response: ServerResponse): Promise<void> {
    const types: Record<string, string> = {
      '.html': 'text/html',
      '.js': 'text/javascript',
      '.css': 'text/css',
    }
    const name = path === '/' ? '/index.html' : normalize(path)
    try {
      const content = await readFile(join(this.#files, name))
      const type = types[extname(name)] ?? 'application/octet-stream'
      response.writeHead(200, { 'content-type': type, 'content-security-policy': CSP }).end(content)
    } catch {
      response.writeHead(404).end()
    }
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Builds the window as it is shipped. @returns the folder it lies in. */
export async function buildWindow(outDir: string): Promise<string> {
  await build({
    configFile: false,
    root: join(import.meta.dirname, '..'),
    plugins: [react()],
    logLevel: 'warn',
    build: { outDir, emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  })
  return outDir
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const host = new FakeHost(await buildWindow(join(tmpdir(), 'tirami-window')))
  host.enter('earning')
  const port = await host.listen(Number(process.argv[2] ?? 0))
  console.log(`http://127.0.0.1:${port}/?state=earning   (states: ${fakeStates.join(', ')})`)
}
