import { join } from 'node:path'
import systeminformation from 'systeminformation'
import type { ApiChoice, HostStatus, ModelInfo } from '../../src-preload/contract/index.ts'
import { finishPendingRestore } from '../backup/index.ts'
import { policyOf } from '../earning/index.ts'
import { createEnvironment, createHardwareMonitor, type KeepAwake, systemPorts } from '../hardware/index.ts'
import type { Engine, JobRequest, SpawnEngine } from '../inference/index.ts'
import {
  type Clock,
  hexFromBytes,
  type Rng,
  readClockMs,
  systemClock,
  systemRng,
  systemTimers,
  TiramiError,
} from '../kernel/index.ts'
import { type Ledger, treeHeadBytes } from '../ledger/index.ts'
import { type Net, openModelStore } from '../models/index.ts'
import type { Access } from './access.ts'
import { createApiAddress } from './api-address.ts'
import { createModelHolder } from './audit-models.ts'
import { type Audits, createAudits } from './audits.ts'
import { type Books, openBooks } from './books.ts'
import { type Control, createControl } from './control.ts'
import { createEarning, type Earning, type Environment } from './earning-policy.ts'
import { createProfit } from './earning-profit.ts'
import type { EconomyService, MarketSampling } from './economy-service.ts'
import { createSettlement, type Settlement } from './economy-settlement.ts'
import { createEnergyMeter, type EnergyMeter } from './energy-meter.ts'
import { EventLog } from './events.ts'
import { ensurePrivateDirectory } from './files.ts'
import { type Consumer, type HostKeys, openKeys } from './keys.ts'
import { createMachine } from './machine.ts'
import { type HostMarket, type MeshChoice, openHostMarket } from './market.ts'
import { meshOff } from './market-view.ts'
import { createMeshSwitch } from './mesh-switch.ts'
import { isMetered, meteringOf } from './metered.ts'
import { modelInfo } from './model.ts'
import { type ModelDesk, openModelDesk } from './model-desk.ts'
import { idle } from './power.ts'
import { createReasoning, type ReasonQuestion, serveReason } from './reasoning/index.ts'
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
import { openSettings, type UpstreamChoice } from './settings.ts'
import { type ShellReading, withShell } from './shell-environment.ts'
import { hostState } from './state.ts'
import { openStewardship, type Stewardship } from './stewardship.ts'
import { openWeightHashes, type WeightHashes } from './weights.ts'

/** Version of the product, as package.json states it. */
const HOST_VERSION = '0.1.0'
/** Changes with what the rules keep in a snapshot, too. */
const FOLD_VERSION = `${HOST_VERSION}+money+mesh+audits+words+statements+suspicions`

/** What an edge (an HTTP server, say) may use of the host. */
export interface HostServices {
  access: Access
  safety: Safety
  economy: EconomyService
  settlement: Settlement
  /** The present head of the log, signed by this node. */
  signedHead(): SignedHead
  energy: Pick<EnergyMeter, 'of' | 'totals' | 'power'>
  stewardship: Stewardship
  /** Other hosts; null while the mesh is off. Can change at any time: read it anew for every request. */
  readonly mesh: HostMarket | null
  /** Tests of other hosts. */
  audits: Audits
  earning: Earning
  /** Tasks of the recursive model. */
  reasonTasks(): Promise<string[]>
  serveReason(
    consumer: Consumer,
    question: ReasonQuestion,
    signal: AbortSignal,
  ): ReturnType<typeof serveReason>
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
  /** Another server that computes in this host's place. */
  upstream?: UpstreamChoice
  /** How to join other hosts, whatever was chosen in the window; absent: as chosen there. */
  mesh?: MeshChoice
  /** Where the API listens, whatever was chosen in the window. */
  listen?: { address?: string; port?: number }
  /** Starts the whole host anew; absent: whoever started it has to. */
  restart?: () => void
  /** Where models are downloaded from; https to public addresses when absent. */
  modelNet?: Net
  spawnEngine: SpawnEngine
  projectionWorkerUrl: URL
  reasoningWorkerUrl: URL
  /** Opens the inference API; the composition root closes it first when it stops. */
  openApi(services: HostServices, listen: ApiChoice): Promise<Edge>
  /** What is known of the machine, for the owner's rules; by default what its system tells. */
  environment?: Environment
  /** What the desktop shell sees; it goes before `environment`. */
  shell?: () => ShellReading | null
  /** No model is loaded, nothing is fetched and nothing is served: the owner can look and set things right. */
  safeMode?: boolean
  /** Keeps the system awake while guests are served; absent where somebody else does, or nobody is to. */
  keepAwake?: KeepAwake
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

const STOP_GRACE_MS = 10_000
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
  await finishPendingRestore(options.dataDirectory)
  const books = await openBooks({
    directory: join(options.dataDirectory, 'ledger'),
    openKeys: () => openKeys(options.dataDirectory, rng),
    projectionWorkerUrl: options.projectionWorkerUrl,
    foldVersion: FOLD_VERSION,
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
  const { ledger, keys, safety, access, economy, earning: earningRules } = books
  const settings = openSettings(options.dataDirectory)
  const stewardship = await openStewardship({
    dataDirectory: options.dataDirectory,
    ledger,
    rules: earningRules,
    clock,
  })
  const events = new EventLog(hexFromBytes(rng.bytes(8)))
  const monitor = createHardwareMonitor(systemPorts(systeminformation))
  const gpuRules = () => policyOf(stewardship.values()).gpus
  const machine = createMachine(monitor, gpuRules)
  const ownEnvironment = options.environment ?? createEnvironment(systemPorts(systeminformation), monitor)
  const environment = options.shell ? withShell(ownEnvironment, options.shell) : ownEnvironment
  // In safe mode downloads wait, as on a network that charges by volume.
  const network = meteringOf(() => options.safeMode === true || isMetered(environment))
  const desk = await openModelDesk({
    store: await openModelStore({
      directory: join(options.dataDirectory, 'models'),
      cataloguePath: join(options.resourcesDirectory, 'catalogue.json'),
      bytesPerSecond: settings.get().downloadBytesPerSecond,
      metering: network,
      ...(options.modelNet ? { net: options.modelNet } : {}),
      clock,
      rng,
    }),
    settings,
    machine,
    resourcesDirectory: options.resourcesDirectory,
    spawnEngine: options.spawnEngine,
    memoryLimitGib: () => stewardship.values().earning.max_model_memory_gib,
    hasGpuRules: () => gpuRules().length > 0,
    clock,
    model: options.model ?? null,
    upstream: options.upstream ?? (options.model === undefined ? settings.get().upstream : null),
    keyDirectory: join(options.dataDirectory, 'upstream-keys'),
    rng,
  })
  const { engine } = desk
  const profit = createProfit({
    prices: () => {
      const { per_trm: perTrm, per_kwh: perKwh } = stewardship.values().prices
      return { perTrm, perKwh }
    },
    costTrm: (flop) => economy.jobPrice()(flop),
    nowMs: () => clock.nowMs(),
  })
  const earning = createEarning({
    dataDirectory: options.dataDirectory,
    stewardship,
    engine,
    environment,
    profitPerKwh: profit.perKwh,
    modelBytes: () => desk.current()?.gguf.sizeBytes ?? 0,
    ...(options.keepAwake ? { keepAwake: options.keepAwake } : {}),
    clock,
  })
  earning.onChange(network.look)
  let gpusInForce = stewardship.values().earning.gpus
  stewardship.onChange(() => {
    const { gpus } = stewardship.values().earning
    if (gpus === gpusInForce) return
    gpusInForce = gpus
    // Whether it loads is a state of the engine, which everybody sees.
    desk.replan().catch(() => undefined)
  })
  const startedAtMs = clock.nowMs()
  const safeMode = options.safeMode === true
  let stopping = false
  let apiBaseUrl = ''

  const reasoning = createReasoning({
    workerUrl: options.reasoningWorkerUrl,
    directory: join(options.resourcesDirectory, 'recursion'),
    concurrency: () => stewardship.depth().concurrency,
    onJobs: () => announce(),
  })
  /** Answers of the engine and thoughts. */
  const jobs = () => {
    const [answers, thoughts] = [engine.jobs(), reasoning.jobs()]
    return { running: answers.running + thoughts.running, queued: answers.queued + thoughts.queued }
  }
  const currentInfo = () => {
    const current = desk.current()
    return current && modelInfo(current, engine.loaded())
  }
  const status = (): HostStatus => ({
    version: HOST_VERSION,
    nodeId: keys.node.publicKeyHex,
    ...hostState({
      earning: earning.decision(),
      sentinel: stewardship.sentinel(),
      stopping,
      runningJobs: jobs().running,
      safeMode,
      ledgerWritable: ledger.journal().writable,
      killSwitch: safety.stoppedBecause(),
      engine: engine.status(),
    }),
    startedAtMs,
    apiBaseUrl,
    apiKeyFile: keys.apiKeyFile,
    model: currentInfo(),
    engine: engine.status(),
    hardware: machine.info(engine.status()),
    jobs: jobs(),
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
  machine.onLook(announce)
  safety.onChange(announce)
  stewardship.onChange(announce)
  earning.onChange(() => {
    events.emit('earning.changed', earning.view())
    announce()
  })
  desk.onChange(({ download }) => {
    if (download) events.emit('download.changed', download)
    else events.emit('models.changed', {})
  })
  ledger.onTrade((trade) => {
    events.emit('trade.booked', trade)
    profit.trade(trade)
    // Passing a question on is no work of this host's.
    const forwarded = trade.provider === keys.node.publicKeyHex && trade.passedOnTrm !== undefined
    if (!forwarded) void economy.rewardTrade({ provider: trade.provider, ownKey: trade.ownKey })
    if (trade.consumer === keys.node.publicKeyHex) audits.bought(trade.provider, trade.modelId)
  })
  const energy = createEnergyMeter({
    sensors: () => monitor.sensors(),
    computesOn: () => (engine.loaded()?.backend === 'cpu' ? 'cpu' : 'gpu'),
    declaredPowerW: () => settings.get().declaredPowerW,
    onKnown: (tradeId, joules) => {
      profit.energy(tradeId, joules)
      stewardship.energyKnown(tradeId, joules)
    },
    onUnpaid: (joules, ownKey) => stewardship.unpaidEnergy(joules, ownKey),
    clock,
  })
  const ports: ServingPorts & { stewardship: Stewardship } = {
    engine,
    energy,
    stewardship,
    ledger,
    safety,
    economy,
    node: keys.node,
    clock,
    rng,
    model: () => desk.current()?.served ?? null,
    admit: (consumer) => {
      if (stopping) throw shuttingDown()
      if (safeMode) throw inSafeMode()
      return earning.admit(consumer)
    },
  }
  const announceMesh = coalesced(() => events.emit('mesh.changed', {}), STATUS_EVENT_INTERVAL_MS)
  const meshView = () =>
    mesh.current()?.view() ??
    meshOff({ serving: { ...ports, economy }, rules: books.mesh, sendsPrompts: () => values().send_prompts })
  const serveFor: HostServices['serve'] = (consumer, request, signal, how) =>
    serve(ports, consumer, request, signal, how)
  const values = () => stewardship.values().mesh
  const hashes = openWeightHashes(options.dataDirectory, () => {
    mesh.current()?.node.announceSoon()
    void holder.refresh()
  })
  const holder = createModelHolder(desk, hashes)
  const audits = createAudits({
    market: () => mesh.current()?.node ?? null,
    rules: books.audits,
    holder,
    ledger,
    safety,
    economy,
    node: keys.node,
    clock,
    rng,
    timers: systemTimers,
    isIdle: () => !stopping && jobs().running + jobs().queued === 0,
    budgetTrmPerDay: () => values().audit_trm_per_day,
    onChange: announceMesh,
  })
  const mesh = createMeshSwitch({
    given: options.mesh,
    allowed: !safeMode,
    settings,
    open: (choice) =>
      openHostMarket(
        {
          serving: { ...ports, economy },
          rules: books.mesh,
          safety,
          closedBecause: () => {
            const { action, sentence } = earning.decision()
            return stopping || action !== 'serve' ? sentence : null
          },
          assertRunning: () => {
            if (stopping) throw shuttingDown()
          },
          model: () => offeredModel(desk, hashes),
          load: () => ({ ...engine.jobs(), slots: engine.loaded()?.slots ?? 1 }),
          sendsPrompts: () => values().send_prompts,
          mode: () => values().routing,
          maxPriceMicro: () => {
            const { max_price: limit } = values()
            return limit === null ? null : BigInt(Math.round(limit * 1e6))
          },
          auditsOf: (nodeId) => audits.standingOf(nodeId),
          audits,
          onChange: announceMesh,
        },
        choice,
        options.dataDirectory,
        keys.nodeSeed,
      ),
    onChange: announceMesh,
  })
  await mesh.start()
  engine.onChange(() => mesh.current()?.node.announceSoon())
  const api = createApiAddress({
    given: options.listen ?? {},
    settings,
    keysIssued: () => access.list().length,
  })
  const settlement = createSettlement({ directory: join(options.dataDirectory, 'ledger'), ledger, clock })
  const control = createControl({
    settlement,
    status,
    mesh: {
      view: meshView,
      allowKey: (consumer, allowed) =>
        ledger.post([
          { kind: 'mesh.key-allowed', atMs: readClockMs(clock), consumer, allowed } as { kind: string },
        ]),
      loans: () => mesh.current()?.loans ?? null,
      partners: () => books.mesh.partners(keys.node.publicKeyHex),
    },
    audits,
    earning,
    ledger,
    safety,
    economy,
    access,
    stewardship,
    energy,
    reason: {
      reasoning,
      serve: (request, signal) => serveReason(ports, reasoning, keys.windowConsumer, request, signal),
    },
    keys,
    settings: {
      dataDirectory: options.dataDirectory,
      settings,
      upstream: desk.upstream,
      api,
      mesh,
      restart: options.restart ?? null,
      journalBytes: () => ledger.journal().bytes,
      telemetryLost: () => stewardship.telemetryStatus().lost,
      modelDisk: async () => (await desk.view()).disk,
      clock,
    },
    clock,
    nodeId: keys.node.publicKeyHex,
    events,
    rng,
    desk,
    machine,
    defaultTemperature: () => desk.current()?.served.defaultTemperature ?? 0,
    chat: (request, signal) => serveFor(keys.windowConsumer, request, signal),
  })
  const services: HostServices = {
    access,
    safety,
    economy,
    energy,
    stewardship,
    audits,
    get mesh() {
      return mesh.current()
    },
    earning,
    reasonTasks: () => reasoning.tasks(),
    serveReason: (consumer, request, signal) => serveReason(ports, reasoning, consumer, request, signal),
    signedHead: () => signedHead(ledger, keys.node, readClockMs(clock)),
    settlement,
    ledger,
    nodeId: keys.node.publicKeyHex,
    control,
    status,
    model: () => {
      const current = desk.current()
      return current && { info: modelInfo(current, engine.loaded()), served: current.served }
    },
    engine,
    serve: serveFor,
    serveEmbeddings: (consumer, texts, signal, how) => serveEmbeddings(ports, consumer, texts, signal, how),
  }
  const edge = safeMode ? null : await api.open((listen) => options.openApi(services, listen))
  apiBaseUrl = edge === null ? '' : `${edge.url}/v1`
  const market = runMarket(economy, clock, () => {
    const { running, queued } = engine.jobs()
    const { state } = engine.status()
    const able =
      (state === 'ready' || state === 'unloaded') && earning.decision().action === 'serve' && !stopping
    const slots = engine.loaded()?.slots ?? running
    return { activeProviders: able ? 1 : 0, pendingJobs: running + queued, slots }
  })
  const serving = safeMode ? Promise.resolve() : earning.start()
  // Whoever wants to know asks whenServing(); until then a failure is a state, not a crash.
  serving.catch(() => announce())

  let stopped: Promise<void> | null = null
  const stop = async () => {
    stopping = true
    earning.close()
    announce()
    await idle(engine, STOP_GRACE_MS)
    // What was signed for is booked, with the ledger still open.
    await audits.close()
    await mesh.close()
    await engine.stop()
    await edge?.close()
    announceMesh.cancel()
    await desk.close()
    await reasoning.close()
    await energy.close()
    announce.cancel()
    market.stop()
    await stewardship.close()
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

/** The model as another host may ask for it; a file that is only called by its path has no name that would hold there. */
function offeredModel(desk: Pick<ModelDesk, 'current' | 'file' | 'engine'>, hashes: WeightHashes) {
  const { engine } = desk
  const current = desk.current()
  const { state } = engine.status()
  if (!current || (state !== 'ready' && state !== 'unloaded')) return null
  const { choice, gguf, served } = current
  const loaded = engine.loaded()
  const path = desk.file()
  return {
    id: served.id,
    contextTokens: loaded?.contextTokens ?? gguf.contextTokens,
    toolCallFormat: loaded?.toolCallFormat ?? null,
    demonstration: choice.embedded,
    // Another server computes what it likes: there is no file to stand by.
    weights: path === null ? null : hashes.of(path),
  }
}

export interface SignedHead {
  size: number
  rootHex: string
  timestampMs: number
  nodeId: string
  /** Over `treeHeadBytes`. */
  signatureHex: string
}

function signedHead(
  ledger: Pick<Ledger, 'transparency'>,
  node: HostKeys['node'],
  timestampMs: number,
): SignedHead {
  const head = ledger.transparency()
  const signature = node.sign(treeHeadBytes(head, timestampMs))
  return { ...head, timestampMs, nodeId: node.publicKeyHex, signatureHex: hexFromBytes(signature) }
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

function inSafeMode(): TiramiError {
  return new TiramiError('SAFE_MODE', 'The app runs in safe mode: no model is loaded.', {
    nextStep: 'Leave safe mode in the settings or the tray.',
    httpStatus: 503,
  })
}

function shuttingDown(): TiramiError {
  return new TiramiError('HOST_DRAINING', 'This host is shutting down and takes no new requests.', {
    nextStep: 'Ask again when it is back.',
    httpStatus: 503,
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
