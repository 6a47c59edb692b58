import { availableParallelism, freemem } from 'node:os'
import type { Download, ModelsView } from '../../src-preload/contract/index.ts'
import {
  chooseThreads,
  createEngine,
  createSwitchingEngine,
  type Engine,
  type LoadPlan,
  listUpstreamModels,
  type SpawnEngine,
} from '../inference/index.ts'
import { type Clock, type Rng, TiramiError } from '../kernel/index.ts'
import {
  adviseLoad,
  type CatalogueEntry,
  fitWords,
  gib,
  type InstalledModel,
  type LoadAdvice,
  type MachineMemory,
  type ModelStore,
  memoryNeedBytes,
  readGgufModel,
} from '../models/index.ts'
import { inOrder } from './in-order.ts'
import type { Machine, ModelRoom } from './machine.ts'
import {
  type CurrentModel,
  EMBEDDED_MODEL_ID,
  embeddedChoice,
  type InspectedModel,
  inspectModel,
  resolveModel,
} from './model.ts'
import type { Settings, SettingValues, UpstreamChoice } from './settings.ts'
import {
  forgetUpstreamKeys,
  keepUpstreamKey,
  openRemoteModel,
  type RemoteModel,
  remoteEntry,
} from './upstream.ts'

type ModelSettings = ModelsView['settings']

/** Which model is served, and everything an owner may do about models. */
export interface ModelDesk {
  engine: Engine
  /** What is served, or will be as soon as the engine runs; null where its file cannot be used. */
  current(): CurrentModel | null
  /** The server that computes in place of this machine; null: this machine does. */
  upstream(): UpstreamChoice | null
  /** The file that is served, or will be; null: another server computes. */
  file(): string | null
  /** Every model file that this host holds. `sha256` null: nobody has said it. */
  files(): Promise<{ path: string; sha256: string | null }[]>
  /** An engine for another file, beside the one that serves; whoever opens it stops it. @throws TiramiError MODEL_* */
  openAside(path: string): Promise<Engine>
  view(): Promise<ModelsView>
  /**
   * Serves another model; resolves when it answers, or at once while the engine is stopped. The old one is put back
   * where the new one cannot be loaded.
   * @throws TiramiError MODEL_UNKNOWN (404), MODEL_TOO_LARGE (409), MODEL_FILE_*, and what the engine throws
   */
  load(id: string): Promise<void>
  /**
   * Serves a model of another server in place of those of this machine; resolves when it answers, or at once while the
   * engine is stopped. Nothing changes where it does not answer; answers that run end where they began.
   * @param apiKey of that server; kept in a private file. @throws TiramiError UPSTREAM_* and MODEL_FILE_*
   */
  connect(choice: UpstreamChoice, apiKey: string | null): Promise<void>
  /** After the owner's rules for GPUs have changed: loads the model anew where they ask for it. @throws as `load` */
  replan(): Promise<void>
  /** Models that another server lists. @throws TiramiError UPSTREAM_* */
  listUpstream(baseUrl: string, apiKey: string | null): Promise<string[]>
  /** @throws TiramiError MODEL_UNKNOWN (404), MODEL_IN_USE (409) */
  remove(id: string): Promise<void>
  configure(settings: { [Name in keyof ModelSettings]?: ModelSettings[Name] | undefined }): void
  store: Pick<ModelStore, 'add' | 'downloads'>
  /** @returns a function that ends it */
  onChange(listener: (change: { download: Download | null }) => void): () => void
  close(): Promise<void>
}

export interface ModelDeskOptions {
  store: ModelStore
  settings: Settings
  machine: Pick<Machine, 'room'>
  resourcesDirectory: string
  spawnEngine: SpawnEngine
  clock: Clock
  /** The most that a model may take, RAM or that of a GPU; null: what is free. Asked at every load. */
  memoryLimitGib?(): number | null
  /** The owner has rules for single GPUs. */
  hasGpuRules?(): boolean
  /** Of the command line: goes before what the owner chose in the window. */
  model: string | null
  /** Another server that computes at first. */
  upstream: UpstreamChoice | null
  /** Of the keys of other servers. */
  keyDirectory: string
  rng: Rng
}

/** Tokens of one conversation, prompt and answer, and conversations at once: where the memory allows. */
const WANTED = { contextTokens: 4096, slots: 4, cacheType: 'f16' } as const
/** As the engine reads prompts. */
const BATCH_TOKENS = { gpu: 512, cpu: 64 } as const
const MINUTE_MS = 60_000
/** Shorter than a call of the window may take. */
const UPSTREAM_QUESTION_MS = 15_000

export async function openModelDesk(options: ModelDeskOptions): Promise<ModelDesk> {
  const { store, settings, machine, resourcesDirectory, spawnEngine, clock } = options
  const listeners = new Set<(change: { download: Download | null }) => void>()
  const tell = (download: Download | null = null) => {
    for (const listener of listeners) listener({ download })
  }
  const embedded = embeddedChoice(resourcesDirectory)
  const first = await resolveModel(options.model ?? settings.get().model, resourcesDirectory, store)
  // A file that is no model leaves the host running, with an engine that says what is wrong.
  let current = await inspectModel(first).catch(onlyTyped)
  let loadedBytes = 0

  const limitOf = () => options.memoryLimitGib?.() ?? null
  const adviceFor = (gguf: InspectedModel['gguf'], free: MachineMemory): LoadAdvice => {
    const memory = limited(free, limitOf())
    const contextTokens = Math.min(gguf.contextTokens, WANTED.contextTokens)
    const batchTokens = memory.gpu ? BATCH_TOKENS.gpu : BATCH_TOKENS.cpu
    return adviseLoad(gguf, { ...WANTED, contextTokens, batchTokens }, memory)
  }
  const planOf = (
    { choice, gguf }: InspectedModel,
    { settings: { slots, contextTokens, gpuLayers } }: LoadAdvice,
    { device, capped }: Pick<ModelRoom, 'device' | 'capped'>,
  ): LoadPlan => ({
    modelPath: choice.path,
    contextTokens,
    slots,
    threads: chooseThreads(Number(gguf.parameters), availableParallelism()),
    gpu: device,
    ...(capped || limitOf() !== null ? { gpuLayers } : {}),
  })
  const firstPlan = async (): Promise<LoadPlan> => {
    if (!current) return { ...WANTED, modelPath: first.path, threads: 1, gpu: 'auto' }
    // To look at the machine takes half a second, which a model that fits anyway need not wait for.
    const atOnce = adviceFor(current.gguf, { freeRamBytes: freemem(), gpu: null })
    const isEasy = atOnce.change === 'none' && limitOf() === null && options.hasGpuRules?.() !== true
    const room = isEasy ? null : await machine.room(0)
    const advice = room ? adviceFor(current.gguf, room) : atOnce
    loadedBytes = bytesOf(advice)
    return planOf(current, advice, room ?? { device: 'auto', capped: false })
  }
  let plan = await firstPlan()
  let remote: RemoteModel | null = options.upstream && (await openRemoteModel(options.upstream, clock))
  const own = createEngine({
    ...plan,
    spawn: spawnEngine,
    clock,
    checkModel: async (path) => {
      const gguf = await readGgufModel(path)
      const advice = adviceFor(gguf, { freeRamBytes: Number.POSITIVE_INFINITY, gpu: null })
      if (!advice.fits) throw tooLarge(advice.words)
    },
    idleUnloadMs: () => {
      const minutes = settings.get().idleUnloadMinutes
      return minutes === null ? null : minutes * MINUTE_MS
    },
  })
  const engine = createSwitchingEngine(remote?.engine ?? own)

  const load = async (id: string): Promise<void> => {
    const choice =
      id === EMBEDDED_MODEL_ID
        ? embedded
        : { id, path: (await store.library.locate(id)).path, embedded: false }
    const next = await inspectModel(choice)
    const room = await machine.room(own.loaded() ? loadedBytes : 0)
    const advice = adviceFor(next.gguf, room)
    if (!advice.fits) throw tooLarge(advice.words)
    const before = { current, plan, loadedBytes }
    current = next
    plan = planOf(next, advice, room)
    loadedBytes = bytesOf(advice)
    try {
      await own.load(plan)
      await engine.switchTo(own, () => {
        settings.set({ model: choice.embedded ? null : id, upstream: null })
        remote = null
      })
    } catch (error) {
      ;({ current, plan, loadedBytes } = before)
      if (current) await own.load(plan).catch(() => undefined)
      throw error
    } finally {
      tell()
    }
  }
  const connect = async (wanted: UpstreamChoice, apiKey: string | null): Promise<void> => {
    const next = await openRemoteModel(wanted, clock, apiKey)
    const { keyDirectory, rng } = options
    await engine.switchTo(next.engine, () => {
      const apiKeyFile = apiKey === null ? wanted.apiKeyFile : keepUpstreamKey(keyDirectory, apiKey, rng)
      const choice = { ...wanted, apiKeyFile }
      settings.set({ upstream: choice })
      remote = { ...next, choice }
    })
    // Not before the choice is written, so that a crash leaves one key too many and never one too few.
    forgetUpstreamKeys(keyDirectory, settings.get().upstream?.apiKeyFile ?? null)
    tell()
  }
  const replan = async (): Promise<void> => {
    if (!current) return
    const room = await machine.room(own.loaded() ? loadedBytes : 0)
    const advice = adviceFor(current.gguf, room)
    const next = planOf(current, advice, room)
    if (JSON.stringify([next.gpu, next.gpuLayers]) === JSON.stringify([plan.gpu, plan.gpuLayers])) return
    plan = next
    loadedBytes = bytesOf(advice)
    await own.load(plan)
  }
  const serially = inOrder()
  const unsubscribe = store.downloads.onChange((download) => {
    tell(download)
    if (download.state === 'done' || download.state === 'cancelled') tell()
  })

  return {
    engine,
    current: () => remote?.current ?? current,
    upstream: () => remote?.choice ?? null,
    file: () => (remote ? null : (current?.choice.path ?? null)),
    files: async () => [{ path: embedded.path, sha256: null }, ...(await store.library.list())],
    openAside: async (path) => {
      const model = await inspectModel({ id: path, path, embedded: false })
      const room = await machine.room(0)
      const advice = adviceFor(model.gguf, room)
      if (!advice.fits) throw tooLarge(advice.words)
      const checkModel = async (file: string) => void (await readGgufModel(file))
      const aside = createEngine({
        ...planOf(model, advice, room),
        slots: 1,
        spawn: spawnEngine,
        clock,
        checkModel,
      })
      await aside.start()
      return aside
    },
    load: (id) => serially(() => load(id)),
    connect: (choice, apiKey) => serially(() => connect(choice, apiKey)),
    replan: () => serially(replan),
    listUpstream: (baseUrl, apiKey) =>
      listUpstreamModels(
        { baseUrl, ...(apiKey === null ? {} : { apiKey }) },
        AbortSignal.timeout(UPSTREAM_QUESTION_MS),
      ),
    remove: (id) =>
      serially(async () => {
        if ((remote === null && id === current?.choice.id) || id === EMBEDDED_MODEL_ID) throw inUse(id)
        await store.library.remove(id)
        tell()
      }),
    configure: (changes) => {
      settings.set(defined(changes))
      if (changes.downloadBytesPerSecond !== undefined)
        store.downloads.setBytesPerSecond(changes.downloadBytesPerSecond)
      tell()
    },
    view: async () => {
      const [library, disk, memory, ships] = await Promise.all([
        store.library.list(),
        store.diskUse(),
        machine.room(own.loaded() ? loadedBytes : 0),
        inspectModel(embedded),
      ])
      const chosenId = remote === null ? (current?.choice.id ?? null) : null
      const here = new Set(library.map(({ id }) => id))
      return {
        upstream: remote && upstreamView(remote),
        installed: [
          ...(remote ? [remoteEntry(remote)] : []),
          embeddedView(ships, chosenId, adviceFor(ships.gguf, memory)),
          ...library.map((model) =>
            installedView(model, chosenId, model.gguf && adviceFor(model.gguf, memory)),
          ),
        ],
        offered: store.catalogue.entries.map((entry) => offeredView(entry, here.has(entry.id), memory)),
        downloads: store.downloads.list(),
        disk,
        settings: settingsView(settings.get()),
      }
    },
    store,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: async () => {
      unsubscribe()
      await store.close()
    },
  }
}

function limited({ freeRamBytes, gpu }: MachineMemory, limitGib: number | null): MachineMemory {
  const limitBytes = (limitGib ?? Number.POSITIVE_INFINITY) * 2 ** 30
  return {
    freeRamBytes: Math.min(freeRamBytes, limitBytes),
    gpu: gpu && { ...gpu, freeVramBytes: Math.min(gpu.freeVramBytes, limitBytes) },
  }
}

const bytesOf = ({ estimate: { ram, vram } }: LoadAdvice): number => ram.totalBytes + vram.totalBytes

function onlyTyped(error: unknown): null {
  if (error instanceof TiramiError) return null
  throw error
}

type Defined<Values> = { [Name in keyof Values]?: Exclude<Values[Name], undefined> }

/** Zod gives a field that was left out as undefined; here that means: as it is. */
function defined<Values extends object>(values: Values): Defined<Values> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Defined<Values>
}

function upstreamView({ choice, current }: RemoteModel): ModelsView['upstream'] {
  const { baseUrl, model, parameters, slots } = choice
  return {
    baseUrl,
    model,
    parameters,
    slots,
    hasKey: choice.apiKeyFile !== null,
    flop: current.upstream?.flop ?? 'declared',
  }
}

const settingsView = (values: SettingValues): ModelSettings => ({
  idleUnloadMinutes: values.idleUnloadMinutes,
  declaredPowerW: values.declaredPowerW,
  downloadBytesPerSecond: values.downloadBytesPerSecond,
})

type InstalledView = ModelsView['installed'][number]

function factsOf(gguf: InspectedModel['gguf']) {
  const { name, parameters, contextTokens } = gguf
  return { name, parameters: Number(parameters), contextTokens }
}

function fitOf(advice: LoadAdvice): InstalledView['fit'] {
  const verdict = !advice.fits ? 'too-large' : advice.change === 'none' ? 'fits' : 'squeezed'
  return { verdict, needBytes: bytesOf(advice), ...advice.words }
}

function embeddedView(
  { choice, gguf }: InspectedModel,
  chosenId: string | null,
  advice: LoadAdvice,
): InstalledView {
  return {
    id: choice.id,
    ...factsOf(gguf),
    fileName: gguf.fileName,
    sizeBytes: gguf.sizeBytes,
    license: gguf.license,
    embedded: true,
    hashOrigin: null,
    owned: false,
    chosen: choice.id === chosenId,
    fit: fitOf(advice),
    error: null,
  }
}

function installedView(
  model: InstalledModel,
  chosenId: string | null,
  advice: LoadAdvice | null,
): InstalledView {
  const { id, path, sizeBytes, license, hashOrigin, owned, gguf, error } = model
  return {
    id,
    ...(gguf ? factsOf(gguf) : { name: id, parameters: null, contextTokens: null }),
    fileName: path.split(/[\\/]/).at(-1) ?? path,
    sizeBytes,
    license,
    embedded: false,
    hashOrigin,
    owned,
    chosen: id === chosenId,
    fit: advice ? fitOf(advice) : { verdict: 'unknown', needBytes: null, ...fitWords('unusable') },
    error,
  }
}

function offeredView(
  entry: CatalogueEntry,
  installed: boolean,
  memory: MachineMemory,
): ModelsView['offered'][number] {
  const { id, name, publisher, family, quantisation, license, licenseUrl, contextTokens, sizeBytes } = entry
  const hashPinned = entry.sha256 !== null
  const facts = { id, name, publisher, family, quantisation, license, licenseUrl, contextTokens, sizeBytes }
  return { ...facts, hashPinned, installed, fit: offeredFit(entry, memory) }
}

/** What stays free for the system and other programs. */
const USABLE_SHARE = 0.9

/** By rule: the file is not here yet. */
function offeredFit(entry: CatalogueEntry, { freeRamBytes, gpu }: MachineMemory): InstalledView['fit'] {
  const contextTokens = Math.min(entry.contextTokens, WANTED.contextTokens)
  const freeBytes = USABLE_SHARE * Math.max(freeRamBytes, gpu?.freeVramBytes ?? 0)
  const [full, least] = [WANTED.slots, 1].map((slots) => memoryNeedBytes(entry, slots * contextTokens))
  if (full == null || least == null) {
    return { verdict: 'unknown', needBytes: null, ...fitWords('offered-unknown') }
  }
  const verdict = full <= freeBytes ? 'fits' : least <= freeBytes ? 'squeezed' : 'too-large'
  const needBytes = verdict === 'fits' ? full : least
  const figures = { needGib: gib(needBytes), freeGib: gib(freeBytes) }
  return { verdict, needBytes, ...fitWords(`offered-${verdict}`, figures) }
}

function tooLarge({ sentence, params }: LoadAdvice['words']): TiramiError {
  return new TiramiError('MODEL_TOO_LARGE', sentence, {
    params,
    nextStep: 'Close other programs, or choose a smaller model or quantisation.',
    httpStatus: 409,
  })
}

function inUse(id: string): TiramiError {
  const ships = id === EMBEDDED_MODEL_ID
  return new TiramiError(
    'MODEL_IN_USE',
    ships ? 'The model that ships with the app stays.' : 'This model is the one that is served.',
    { nextStep: ships ? 'Nothing has to be done.' : 'Load another model first.', httpStatus: 409 },
  )
}
