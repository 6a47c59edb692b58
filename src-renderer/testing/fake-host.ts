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
  Download,
  EventData,
  EventName,
  HostStatus,
  MeshView,
  ModelsView,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
  PublicErrorData,
  SettingsView,
  Trade,
} from '../../src-preload/contract/index.ts'
import { isProcedureName, procedures } from '../../src-preload/contract/index.ts'
import { fakeActivity } from './activity-samples.ts'
import { fakeApp, sampleApp } from './fake-app.ts'
import { fakeEarning, sampleEarningView } from './fake-earning.ts'
import { fakeKeys, fakeWallet, richWallet, sampleWallet, severalKeys } from './fake-economy.ts'
import { fakeMesh, meshOff, sampleMesh } from './fake-mesh.ts'
import {
  busySafety,
  fakeSafety,
  fakeSettings,
  inTheMarket,
  sampleSafety,
  sampleSettings,
} from './fake-settings.ts'
import { fakeStewardship, redSentinel, sampleSentinel } from './fake-stewardship.ts'
import { sampleMoney } from './money-samples.ts'
import { sampleQuestion, sampleTasks, sampleThought } from './reason-samples.ts'
import {
  gib,
  hex32,
  sampleDownload,
  sampleEarnings,
  sampleHardware,
  sampleInstalled,
  sampleModels,
  sampleOffer,
  sampleStatus,
  sampleTrade,
} from './samples.ts'

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
  'busy-models',
  'no-models',
  'degraded',
  'first-run',
  'market-empty',
  'market-one',
  'market-many',
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
  #models: ModelsView = sampleModels()
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
    const count = state === 'fresh' || state === 'first-run' || state === 'starting' ? 0 : 640
    this.#models =
      state === 'busy-models' ? busyModels() : state === 'no-models' ? noModels() : sampleModels()
    this.#failing = state === 'failing'
    this.#handlers = {
      ...this.#handlers,
      ...fakeWallet(state === 'fresh' || state === 'first-run' ? sampleWallet() : richWallet()),
      ...fakeKeys(state === 'fresh' ? [] : severalKeys()),
      ...fakeSettings(settingsOf(state)),
      ...fakeMesh(meshOf(state)),
      ...fakeStewardship(state === 'fresh' ? sampleSentinel() : redSentinel()),
      ...fakeSafety(state === 'fresh' ? sampleSafety() : busySafety()),
    }
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
      'market-empty': {},
      'market-one': {},
      'market-many': {},
      fresh: { reason: 'The engine is ready; nobody has asked anything yet.' },
      earning: { reason: 'Answering requests from your API keys.', jobs: { running: 2, queued: 1 } },
      recovered: {},
      failing: {},
      'busy-models': {},
      'first-run': {},
      'no-models': { model: null, reason: 'No model is chosen, so there is nothing to serve.' },
      degraded: {
        engine: { ...sampleStatus().engine, backend: 'cpu', deviceName: 'AMD Ryzen 9 7900X' },
        hardware: sampleHardware({
          compute: {
            backend: 'cpu',
            expectedBackend: 'cuda',
            degraded: true,
            sentence:
              "This machine has NVIDIA GeForce RTX 4070, but the engine computes on the CPU: the GPU's driver is missing or does not answer.",
            nextStep: 'Install or update the NVIDIA driver, restart the computer, then restart the engine.',
            code: 'no-driver',
            params: { gpu: 'NVIDIA GeForce RTX 4070', backend: 'cpu', vendor: 'NVIDIA' },
          },
        }),
      },
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

  /** A download that goes on, or says that it does. */
  sendDownload(id: string, change: Partial<Download>): void {
    const download = this.#models.downloads.find((known) => known.id === id)
    if (download !== undefined) this.#send('download.changed', { ...download, ...change })
  }

  /** Ends every event stream. */
  cut(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  #handlers: Handlers = {
    ...fakeMesh(meshOff()),
    ...fakeEarning(sampleEarningView()),
    ...fakeStewardship(redSentinel()),
    ...fakeWallet(richWallet()),
    ...fakeKeys(severalKeys()),
    ...fakeActivity(() => this.#trades.length > 0),
    ...fakeApp(sampleApp(), (view) => this.#send('app.changed', view)),
    ...fakeSettings(sampleSettings()),
    ...fakeSafety(busySafety()),
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
    'hardware.sensors': () => ({
      atMs: Date.now(),
      memoryAvailableBytes: gib(17.4 + Math.random()),
      cpuTemperatureC: 54,
      gpus: [{ id: 'gpu-0', vramUsedBytes: gib(3.2), load: 0.31, temperatureC: 61, powerW: 84 }],
      battery: null,
      onMains: true,
    }),
    'models.get': () => this.#models,
    'models.load': ({ id }) =>
      this.#setModels({
        upstream: null,
        installed: this.#models.installed.map((model) => ({ ...model, chosen: model.id === id })),
      }),
    'models.listUpstream': () => ({ models: ['Qwen/Qwen2.5-7B-Instruct'] }),
    'models.connect': ({ baseUrl, model, apiKey, parameters, slots = 8 }) =>
      this.#setModels({
        upstream: {
          baseUrl,
          model,
          parameters,
          slots,
          hasKey: apiKey !== undefined,
          flop: 'declared',
        },
      }),
    'models.delete': ({ id }) =>
      this.#setModels({ installed: this.#models.installed.filter((model) => model.id !== id) }),
    'models.add': ({ source }) =>
      this.#setModels({
        downloads: [
          ...this.#models.downloads,
          sampleDownload({
            id: hex32(source),
            modelId: source,
            source,
            doneBytes: 0,
            createdAtMs: Date.now(),
          }),
        ],
      }),
    'models.configure': (settings) =>
      this.#setModels({ settings: { ...this.#models.settings, ...settings } as ModelsView['settings'] }),
    'downloads.pause': ({ id }) => this.#setDownload(id, { state: 'paused' }),
    'downloads.resume': ({ id }) =>
      this.#setDownload(id, { state: 'running', error: null, waitingFor: null }),
    'downloads.cancel': ({ id }) =>
      this.#setModels({ downloads: this.#models.downloads.filter((download) => download.id !== id) }),
    'money.get': () => sampleMoney({ priced: this.#trades.length > 0 }),
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
    'reason.tasks': () => ({ tasks: this.#models.installed.length === 0 ? [] : sampleTasks }),
    'reason.example': ({ task, seed }) => ({ input: sampleQuestion(task, seed) }),
    'reason.run': ({ task }) => {
      const { amountTrm, flop, ...thought } = sampleThought(task)
      this.bookTrade({ modelId: `trm-${task}`, ownKey: true, amountTrm, flop })
      return { ...thought, amountTrm, flop }
    },
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
      depth: 1,
      timeToFirstTokenMs: 84,
      latencyMs: words * this.chatDelayMs,
    })
    this.bookTrade({ consumerLabel: 'window chat', ownKey: true, amountTrm: '1', flop: flop.toString() })
  }

  #setModels(change: Partial<ModelsView>): ModelsView {
    this.#models = { ...this.#models, ...change }
    return this.#models
  }

  #setDownload(id: string, change: Partial<Download>): ModelsView {
    const downloads = this.#models.downloads.map((download) =>
      download.id === id ? { ...download, ...change } : download,
    )
    return this.#setModels({ downloads })
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

/** Every state of a download, every verdict, both kinds of licence. */
function busyModels(): ModelsView {
  const tooLarge = {
    verdict: 'too-large',
    needBytes: gib(41.2),
    sentence:
      'The model needs about 41.2 GiB even with one slot and a short context, and 28.8 GiB are free: choose a smaller model or a smaller quantisation.',
    code: 'too-large',
    params: { needGib: '41.2', freeGib: '28.8' },
  } as const
  const squeezed = {
    verdict: 'squeezed',
    needBytes: gib(9.7),
    sentence:
      'The model fits with 21 of 36 layers on the GPU and the rest on the CPU only with 1 slot of 4096 tokens.',
    code: 'split-only-with',
    params: { size: '1 slot of 4096 tokens', slots: 1, tokens: 4096, gpuLayers: 21, layers: 36 },
  } as const
  const error = (code: string, message: string, nextStep: string): PublicErrorData => ({
    code,
    message,
    nextStep,
  })
  const own = { id: 'd2', createdAtMs: 1_795_000_200_000 }
  return sampleModels({
    installed: [
      ...sampleModels().installed,
      sampleInstalled({
        id: 'my-model',
        name: 'Mistral Small 24B (my own file)',
        fileName: 'mistral-small-24b-instruct-2501-q6_k.gguf',
        sizeBytes: 19_345_940_320,
        parameters: 23_572_403_200,
        license: null,
        hashOrigin: null,
        owned: false,
        fit: squeezed,
      }),
      sampleInstalled({
        id: 'hf-model',
        name: 'Llama 3.2 3B Instruct',
        fileName: 'Llama-3.2-3B-Instruct-Q4_K_M.gguf',
        license: 'LicenseRef-Llama-3.2-Community',
        hashOrigin: 'server',
        error: error(
          'MODEL_FILE_CHANGED',
          'The file of the model hf-model has changed its size.',
          'Delete the model and download it again.',
        ),
      }),
    ],
    offered: [
      sampleOffer({
        id: 'qwen2.5:0.5b-q4_k_m',
        name: 'Qwen2.5 0.5B Instruct',
        sizeBytes: 491_400_032,
        installed: true,
      }),
      sampleOffer({
        id: 'qwen2.5:0.5b-q8_0',
        name: 'Qwen2.5 0.5B Instruct',
        quantisation: 'Q8_0',
        sizeBytes: null,
        hashPinned: false,
      }),
      sampleOffer(),
      sampleOffer({
        id: 'qwen2.5:3b-q4_k_m',
        name: 'Qwen2.5 3B Instruct',
        license: 'LicenseRef-Qwen-Research',
        fit: squeezed,
      }),
      sampleOffer({
        id: 'gpt-oss:120b-mxfp4',
        family: 'gpt-oss',
        publisher: 'OpenAI',
        name: 'gpt-oss 120B',
        quantisation: 'MXFP4',
        sizeBytes: 63_387_346_464,
        contextTokens: 131_072,
        fit: tooLarge,
      }),
    ],
    downloads: [
      sampleDownload(),
      sampleDownload({
        ...own,
        modelId: 'qwen3:4b-q4_k_m',
        source: 'qwen3:4b-q4_k_m',
        state: 'queued',
        doneBytes: 0,
      }),
      sampleDownload({
        ...own,
        id: 'd3',
        modelId: 'bartowski/Phi-4-GGUF:Q4_K_M',
        source: 'hf:bartowski/Phi-4-GGUF:Q4_K_M',
        state: 'waiting',
        waitingFor: 'disk',
        hashOrigin: 'server',
        error: error(
          'DOWNLOAD_DISK_FULL',
          'The disk has no room for the rest of the file.',
          'Free 3.1 GB; the download goes on by itself.',
        ),
      }),
      sampleDownload({
        ...own,
        id: 'd4',
        modelId: 'smollm2:135m-q4_k_m',
        source: 'smollm2:135m',
        state: 'verifying',
        sizeBytes: 105_454_432,
        doneBytes: 105_454_432,
      }),
      sampleDownload({
        ...own,
        id: 'd5',
        modelId: 'llama3.2:1b-q4_k_m',
        source: 'llama3.2:1b',
        state: 'quarantined',
        attempt: 2,
        doneBytes: 807_694_464,
        sizeBytes: 807_694_464,
        error: error(
          'DOWNLOAD_HASH_MISMATCH',
          'The file is not the one that the catalogue names.',
          'Download it again; if it happens again, do not trust this source.',
        ),
      }),
      sampleDownload({
        ...own,
        id: 'd6',
        modelId: 'qwen3:0.6b-q8_0',
        source: 'qwen3:0.6b-q8_0',
        state: 'paused',
        attempt: 3,
      }),
    ],
    disk: { installedBytes: 21_845_940_320, downloadingBytes: 2_113_000_000, freeBytes: 9_400_000_000 },
    settings: { idleUnloadMinutes: null, declaredPowerW: 240, downloadBytesPerSecond: 12_500_000 },
  })
}

const noModels = (): ModelsView =>
  sampleModels({
    installed: [],
    offered: [],
    disk: { installedBytes: 0, downloadingBytes: 0, freeBytes: 9e9 },
  })

function settingsOf(state: FakeState): SettingsView {
  const settings = sampleSettings(state === 'first-run' ? { guide: { state: 'open', step: 'machine' } } : {})
  return meshOf(state).enabled ? inTheMarket(settings) : settings
}

function meshOf(state: FakeState): MeshView {
  const hosts: Partial<Record<FakeState, number>> = {
    earning: 8,
    'market-empty': 0,
    'market-one': 1,
    'market-many': 200,
  }
  const count = hosts[state]
  return count === undefined ? meshOff() : sampleMesh(count)
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Builds the window as it is shipped. @returns the folder it lies in. */
async function buildWindow(outDir: string): Promise<string> {
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
