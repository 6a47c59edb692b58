import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { HostStatus, ModelInfo } from '../../src-preload/contract/index.ts'
import {
  chooseThreads,
  createEngine,
  type Engine,
  type JobRequest,
  type SpawnEngine,
} from '../inference/index.ts'
import { type Clock, type Rng, systemClock, systemRng, TiramiError, toPublicError } from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import { readGgufModel } from '../models/index.ts'
import type { Access } from './access.ts'
import { type Books, openBooks } from './books.ts'
import { type Control, createControl } from './control.ts'
import type { EconomyService, MarketSampling } from './economy-service.ts'
import { createSettlement, type Settlement } from './economy-settlement.ts'
import { EventLog } from './events.ts'
import { ensurePrivateDirectory } from './files.ts'
import { type Consumer, openKeys } from './keys.ts'
import { type InspectedModel, inspectModel, type ModelChoice, modelInfo, resolveModel } from './model.ts'
import type { Safety } from './safety.ts'
import {
  type ServedModel,
  type ServeEmbeddingsEvent,
  type ServeEvent,
  type ServeOptions,
  type ServingPorts,
  serve,
  serveEmbeddings,
} from './serving.ts'
import { openSettings } from './settings.ts'
import { hostState } from './state.ts'

/** Version of the product, as package.json states it. */
const HOST_VERSION = '0.1.0'

/** What an edge (an HTTP server, say) may use of the host. */
export interface HostServices {
  access: Access
  safety: Safety
  economy: EconomyService
  settlement: Settlement
  ledger: Pick<
    Ledger,
    | 'balance'
    | 'accountTrm'
    | 'network'
    | 'listTrades'
    | 'merkleRootHex'
    | 'tradeCount'
    | 'transparency'
    | 'proveInclusion'
    | 'proveConsistency'
  >
  nodeId: string
  control: Control
  status(): HostStatus
  model(): { info: ModelInfo; served: ServedModel } | null
  /** Free of charge: nothing is computed. */
  engine: Pick<Engine, 'loaded' | 'tokenize' | 'detokenize'>
  serve(
    consumer: Consumer,
    request: JobRequest,
    signal: AbortSignal,
    options?: ServeOptions,
  ): AsyncGenerator<ServeEvent, void, void>
  serveEmbeddings(
    consumer: Consumer,
    texts: string[],
    signal: AbortSignal,
    options?: ServeOptions,
  ): AsyncGenerator<ServeEmbeddingsEvent, void, void>
}

export interface Edge {
  url: string
  close(): Promise<void>
}

export interface HostOptions {
  dataDirectory: string
  /** `resources/` of the installation. */
  resourcesDirectory: string
  /** Model id or path of a GGUF file; the embedded model when absent. */
  model?: string
  spawnEngine: SpawnEngine
  projectionWorkerUrl: URL
  /** Opens the inference API; the composition root closes it first when it stops. */
  openApi(services: HostServices): Promise<Edge>
  clock?: Clock
  rng?: Rng
}

export interface RunningHost {
  control: Control
  services: HostServices
  status(): HostStatus
  /** Resolves when the model answers, rejects with the reason why it never will. */
  whenServing(): Promise<void>
  /** Drains, closes everything in order, releases the data directory. Safe to call twice. */
  stop(): Promise<void>
}

/** Answers under way may take this long to end before a pause cancels them (they are not charged). */
const PAUSE_GRACE_MS = 2_500
const STOP_GRACE_MS = 10_000
const CONTEXT_TOKENS_MAX = 4096
const SLOTS = 4
const STATUS_EVENT_INTERVAL_MS = 100
const MARKET_INTERVAL_MS = 60_000

/**
 * Builds every service once and starts them in order: ledger, keys, engine, API.
 * @throws TiramiError when the data directory is in use or damaged, a key is unreadable, or a port is taken
 */
export async function startHost(options: HostOptions): Promise<RunningHost> {
  const clock = options.clock ?? systemClock
  const rng = options.rng ?? systemRng
  ensurePrivateDirectory(options.dataDirectory)
  const books = await openBooks({
    directory: join(options.dataDirectory, 'ledger'),
    openKeys: () => openKeys(options.dataDirectory, rng),
    projectionWorkerUrl: options.projectionWorkerUrl,
    foldVersion: HOST_VERSION,
    clock,
    rng,
  })
  try {
    return await composeHost(options, books, clock, rng)
  } catch (error) {
    await books.ledger.close()
    throw error
  }
}

async function composeHost(options: HostOptions, books: Books, clock: Clock, rng: Rng): Promise<RunningHost> {
  const { ledger, keys, safety, access, economy } = books
  const settings = openSettings(options.dataDirectory)
  const choice = resolveModel(options.model, options.resourcesDirectory)
  const { model, engine } = await prepareModel(choice, options.spawnEngine, clock)
  const startedAtMs = clock.nowMs()
  const events = new EventLog()
  let stopping = false
  let apiBaseUrl = ''

  const status = (): HostStatus => ({
    version: HOST_VERSION,
    nodeId: keys.node.publicKeyHex,
    ...hostState({
      paused: settings.paused(),
      stopping,
      runningJobs: engine.jobs().running,
      ledgerWritable: ledger.journal().writable,
      killSwitch: safety.stoppedBecause(),
      engine: engine.status(),
    }),
    startedAtMs,
    apiBaseUrl,
    apiKeyFile: keys.apiKeyFile,
    model: modelInfo(choice, model, engine.loaded()),
    engine: engine.status(),
    jobs: engine.jobs(),
    safety: {
      killSwitch: safety.stoppedBecause(),
      approvals: safety
        .approvals()
        .map((approval) => ({ ...approval, amountTrm: String(approval.amountTrm) })),
    },
    ledger: ledgerStatus(ledger),
  })
  const announce = coalesced(() => events.emit('status.changed', status()), STATUS_EVENT_INTERVAL_MS)
  engine.onChange(announce)
  safety.onChange(announce)
  ledger.onTrade((trade) => {
    events.emit('trade.booked', trade)
    void economy.rewardTrade({ provider: trade.provider, ownKey: trade.ownKey })
  })
  const ports: ServingPorts = {
    engine,
    ledger,
    safety,
    economy,
    node: keys.node,
    clock,
    rng,
    model: () => model?.served ?? null,
    assertAccepting: () => assertAccepting(stopping, settings.paused()),
  }
  const serveFor: HostServices['serve'] = (consumer, request, signal, how) =>
    serve(ports, consumer, request, signal, how)
  const power = pauseAndResume(engine, settings, announce)
  const control = createControl({
    status,
    ...power,
    ledger,
    safety,
    nodeId: keys.node.publicKeyHex,
    events,
    rng,
    defaultTemperature: () => model?.served.defaultTemperature ?? 0,
    chat: (request, signal) => serveFor(keys.windowConsumer, request, signal),
  })
  const services: HostServices = {
    access,
    safety,
    economy,
    settlement: createSettlement({ directory: join(options.dataDirectory, 'ledger'), ledger, clock }),
    ledger,
    nodeId: keys.node.publicKeyHex,
    control,
    status,
    model: () => {
      const info = modelInfo(choice, model, engine.loaded())
      return model && info ? { info, served: model.served } : null
    },
    engine,
    serve: serveFor,
    serveEmbeddings: (consumer, texts, signal, how) => serveEmbeddings(ports, consumer, texts, signal, how),
  }
  const api = await options.openApi(services)
  apiBaseUrl = `${api.url}/v1`
  const market = runMarket(economy, clock, () => {
    const { running, queued } = engine.jobs()
    const able = engine.status().state === 'ready' && !settings.paused() && !stopping
    return { activeProviders: able ? 1 : 0, pendingJobs: running + queued, slots: SLOTS }
  })
  const serving = settings.paused() ? Promise.resolve() : engine.start()
  // Whoever wants to know asks whenServing(); until then a failure is a state, not a crash.
  serving.catch(() => announce())

  let stopped: Promise<void> | null = null
  const stop = async () => {
    stopping = true
    announce()
    await idle(engine, STOP_GRACE_MS)
    await engine.stop()
    await api.close()
    announce.cancel()
    market.stop()
    await ledger.close()
  }
  return {
    control,
    services,
    status,
    whenServing: () => serving,
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** A file that is no model leaves the host running, without an engine, and able to say so. */
async function prepareModel(
  choice: ModelChoice,
  spawn: SpawnEngine,
  clock: Clock,
): Promise<{ model: InspectedModel | null; engine: Engine }> {
  try {
    const model = await inspectModel(choice)
    const engine = createEngine({
      spawn,
      modelPath: choice.path,
      contextTokens: Math.min(model.gguf.contextTokens, CONTEXT_TOKENS_MAX),
      slots: SLOTS,
      threads: chooseThreads(Number(model.gguf.parameters), availableParallelism()),
      gpu: 'auto',
      clock,
      checkModel: readGgufModel,
    })
    return { model, engine }
  } catch (error) {
    if (!(error instanceof TiramiError)) throw error
    return { model: null, engine: absentEngine(error) }
  }
}

function absentEngine(reason: TiramiError): Engine {
  const fail = () => Promise.reject(reason)
  return {
    status: () => ({
      state: 'failed',
      backend: null,
      deviceName: null,
      threads: null,
      slots: null,
      restarts: 0,
      retryAtMs: null,
      error: toPublicError(reason),
    }),
    jobs: () => ({ running: 0, queued: 0 }),
    loaded: () => null,
    onChange: () => () => {},
    start: fail,
    load: fail,
    // biome-ignore lint/correctness/useYield: it never has anything to yield
    async *generate() {
      throw reason
    },
    // biome-ignore lint/correctness/useYield: it never has anything to yield
    async *embed() {
      throw reason
    },
    tokenize: fail,
    detokenize: fail,
    drain: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  }
}

/** Samples the market and does what is due: yield, loans, votes, slashing. A part that fails is tried again. */
function runMarket(economy: EconomyService, clock: Clock, sample: () => MarketSampling): { stop(): void } {
  const beat = async () => {
    await economy.sampleMarket(sample())
    const { failures } = await economy.tick(clock.nowMs())
    for (const failure of failures) process.emitWarning(`economy: ${String(failure)}`)
  }
  const timer = setInterval(() => {
    beat().catch((error) => process.emitWarning(`economy: ${String(error)}`))
  }, MARKET_INTERVAL_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

function ledgerStatus(ledger: Ledger): HostStatus['ledger'] {
  const journal = ledger.journal()
  return {
    trades: ledger.tradeCount(),
    journalRecords: journal.records,
    journalBytes: journal.bytes,
    headHash: journal.headHashHex,
    merkleRoot: ledger.merkleRootHex(),
    recovery: journal.recovery,
    writable: journal.writable,
  }
}

function assertAccepting(stopping: boolean, paused: boolean): void {
  if (stopping) {
    throw new TiramiError('HOST_DRAINING', 'This host is shutting down and takes no new requests.', {
      nextStep: 'Ask again when it is back.',
      httpStatus: 503,
    })
  }
  if (paused) {
    throw new TiramiError('HOST_PAUSED', 'The owner has paused this host.', {
      nextStep: 'Resume it in the window, or ask again later.',
      httpStatus: 503,
    })
  }
}

/** Pausing gives the model's memory back; the choice outlives a restart. Calls run one after the other. */
function pauseAndResume(engine: Engine, settings: ReturnType<typeof openSettings>, announce: () => void) {
  let tail: Promise<void> = Promise.resolve()
  const inOrder = (action: () => Promise<void>): Promise<void> => {
    const run = tail.then(action)
    tail = run.catch(() => {})
    return run
  }
  return {
    pause: () =>
      inOrder(async () => {
        settings.setPaused(true)
        announce()
        await idle(engine, PAUSE_GRACE_MS)
        await engine.stop()
      }),
    resume: () =>
      inOrder(async () => {
        settings.setPaused(false)
        announce()
        if (engine.status().state === 'stopped' || engine.status().state === 'failed') await engine.start()
      }),
  }
}

/** Resolves when no job runs, or after `graceMs`. */
function idle(engine: Engine, graceMs: number): Promise<void> {
  const busy = () => engine.jobs().running + engine.jobs().queued > 0
  if (!busy()) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      end()
      resolve()
    }
    const timer = setTimeout(done, graceMs)
    const end = engine.onChange(() => {
      if (!busy()) done()
    })
  })
}

/** Runs `action` soon, at most once per interval: a burst of changes is one event. */
function coalesced(action: () => void, intervalMs: number): (() => void) & { cancel(): void } {
  let timer: NodeJS.Timeout | null = null
  const request = () => {
    timer ??= setTimeout(() => {
      timer = null
      action()
    }, intervalMs)
  }
  return Object.assign(request, {
    cancel: () => {
      if (timer) clearTimeout(timer)
    },
  })
}
