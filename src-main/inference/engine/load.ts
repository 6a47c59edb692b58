import { cpus } from 'node:os'
import {
  getLlama,
  InsufficientMemoryError,
  type Llama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import { TiramiError } from '../../kernel/index.ts'
import type { EngineCommand, GpuChoice, LoadedModel } from '../types.ts'
import { Embedder } from './embedder.ts'
import { PromptWriter, type Vocabulary } from './prompt.ts'
import type { Session } from './session.ts'
import { SlotPool } from './slots.ts'
import { tokenBytes } from './token-bytes.ts'

/** The library's own sign that sampling gave nothing. */
const NO_TOKEN = -1

type LoadCommand = Extract<EngineCommand, { type: 'load' }>

/** On a GPU a batch of this size takes tens of milliseconds. */
const GPU_BATCH_TOKENS = 512
/** A CPU reads 100 to 1000 tokens a second: small enough that a cancel takes effect well within a second. */
const CPU_BATCH_TOKENS = 64

/**
 * Loads the model and makes one context with a sequence for every slot.
 * @throws TiramiError MODEL_TEMPLATE_INVALID, MODEL_TOO_LARGE, MODEL_LOAD_FAILED
 */
export async function loadSession(command: LoadCommand): Promise<Session> {
  const startedMs = performance.now()
  try {
    return await load(command, startedMs)
  } catch (error) {
    throw loadError(error)
  }
}

async function load(command: LoadCommand, startedMs: number): Promise<Session> {
  const llama = await openLlama(command.gpu, command.threads)
  const { modelPath, gpuLayers } = command
  const limit = gpuLayers === undefined ? {} : { gpuLayers: gpuLayers === 0 ? 0 : { max: gpuLayers } }
  const model = await llama.loadModel({ modelPath, ...limit })
  const vocabulary = vocabularyOf(model)
  const prompts = new PromptWriter(model.fileInfo.metadata.tokenizer?.chat_template || null, vocabulary)
  const backend = model.gpuLayers > 0 && llama.gpu !== false ? llama.gpu : 'cpu'
  const batchTokens = backend === 'cpu' ? CPU_BATCH_TOKENS : GPU_BATCH_TOKENS
  const contextTokens = Math.min(command.contextTokens, model.trainContextSize)
  const { context, slots } = await createContext(model, { ...command, contextTokens }, batchTokens)
  const loaded: LoadedModel = {
    contextTokens,
    backend,
    deviceName: await deviceName(llama, backend),
    threads: command.threads,
    slots,
    loadMs: Math.round(performance.now() - startedMs),
    vocabularySize: vocabulary.size,
    toolCallFormat: prompts.toolCallFormat,
  }
  return {
    model,
    pool: new SlotPool(context, slots),
    embedder: new Embedder(model, contextTokens, command.threads),
    prompts,
    contextTokens,
    batchTokens,
    loaded,
    textOf: textReader(model, vocabulary.toolMarkers),
    describe: (token) => ({
      token: model.detokenize([token], true),
      bytes: [...tokenBytes(model.detokenize([token], true), spellingOf(model, token))],
    }),
  }
}

/** As many slots as were asked for, or as memory has room for. */
async function createContext(
  model: LlamaModel,
  { contextTokens, slots, threads }: LoadCommand,
  batchTokens: number,
): Promise<{ context: LlamaContext; slots: number }> {
  try {
    const options = { contextSize: contextTokens, sequences: slots, batchSize: batchTokens, threads }
    const context = await model.createContext(options)
    containSamplingFailures(context)
    return { context, slots }
  } catch (error) {
    if (slots === 1 || !(error instanceof InsufficientMemoryError)) throw error
    const fewer = { contextTokens, slots: Math.floor(slots / 2), threads } as LoadCommand
    return createContext(model, fewer, batchTokens)
  }
}

type SampleToken = (...input: unknown[]) => Promise<unknown>

/**
 * When llama.cpp cannot choose a token (a grammar that leaves none), the library leaves the rejection unhandled and the
 * other jobs of the batch unanswered. As “no token”, it fails only the job that it belongs to.
 */
function containSamplingFailures(context: LlamaContext): void {
  const { _ctx: native } = context as unknown as { _ctx: { sampleToken: SampleToken } }
  const sampleToken = native.sampleToken.bind(native)
  const contained: SampleToken = (...input) =>
    sampleToken(...input).catch(() => (input.length > 2 ? [NO_TOKEN] : NO_TOKEN))
  // A native method: it cannot be assigned to.
  Object.defineProperty(native, 'sampleToken', { value: contained })
}

/** Control tokens that open, divide or close tool calls in the known formats. */
const TOOL_MARKERS = new Set([
  '<tool_call>',
  '</tool_call>',
  '[TOOL_CALLS]',
  '[ARGS]',
  '[CALL_ID]',
  '<|python_tag|>',
])

function textReader(model: LlamaModel, markers: ReadonlyMap<number, string>): Session['textOf'] {
  return (tokens, before, showsMarkers) => {
    if (!showsMarkers || !tokens.some((token) => markers.has(token))) {
      return model.detokenize(tokens, false, before)
    }
    return tokens.map((token) => markers.get(token) ?? model.detokenize([token], false, before)).join('')
  }
}

/** A token as the file spells it. */
function spellingOf(model: LlamaModel, token: Token): string {
  return model.fileInfo.metadata.tokenizer?.ggml.tokens[token] ?? ''
}

/**
 * Opens llama.cpp's prebuilt library; never compiles and never downloads. Threads are always said: the
 * library's own default starts more than there are cores, which is many times slower (probes §1).
 */
async function openLlama(gpu: GpuChoice, threads: number): Promise<Llama> {
  const options = {
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: threads,
    logLevel: LlamaLogLevel.error,
    logger: (_level: LlamaLogLevel, message: string) => void process.stderr.write(`llama.cpp: ${message}\n`),
  } as const
  // Before the driver is asked for the first time: it looks once. This process loads one model in its life.
  if (typeof gpu === 'object') process.env.CUDA_VISIBLE_DEVICES = gpu.cuda.join(',')
  const llama = await getLlama({ ...options, gpu: gpu === 'cpu' ? false : 'auto' })
  // A software Vulkan driver (llvmpipe) passes for a GPU but has no memory of its own: slower than the CPU.
  const isSoftware = llama.gpu === 'vulkan' && (await llama.getVramState()).total === 0
  // Another backend than CUDA would use the GPUs that are to be left alone.
  const isAllowed = typeof gpu !== 'object' || llama.gpu === 'cuda' || llama.gpu === false
  if (!isSoftware && isAllowed) return llama
  await llama.dispose()
  return getLlama({ ...options, gpu: false })
}

async function deviceName(llama: Llama, backend: LoadedModel['backend']): Promise<string | null> {
  if (backend === 'cpu') return cpus()[0]?.model.trim() || null
  return (await llama.getGpuDeviceNames())[0] ?? null
}

interface ModelVocabulary extends Vocabulary {
  size: number
  /** Control tokens of `TOOL_MARKERS`. */
  toolMarkers: ReadonlyMap<number, string>
}

function vocabularyOf(model: LlamaModel): ModelVocabulary {
  let size = 0
  const controls = new Set<number>()
  const toolMarkers = new Map<number, string>()
  const controlSpellings: string[] = []
  for (const token of model.iterateAllTokens()) {
    size++
    const { control, unknown } = model.getTokenAttributes(token)
    // Some models end their turn with a token that is not marked as a control token.
    if (!control && !unknown && !model.isEogToken(token)) continue
    const text = model.detokenize([token], true)
    controlSpellings.push(text)
    if (control) controls.add(token)
    if (control && TOOL_MARKERS.has(text)) toolMarkers.set(token, text)
  }
  return {
    size,
    toolMarkers,
    tokenize: (text, specials, isStart) =>
      model.tokenize(text, specials, ...(isStart ? [] : (['trimLeadingSpace'] as const))),
    isControl: (token) => controls.has(token),
    controlSpellings,
    bosText: model.tokens.bosString ?? '',
    eosText: model.tokens.eosString ?? '',
    requiredBos: model.tokens.shouldPrependBosToken ? model.tokens.bos : null,
  }
}

/** llama.cpp's own words may hold paths: they go to the log, not to the caller. */
function loadError(error: unknown): TiramiError {
  if (error instanceof TiramiError) return error
  process.stderr.write(`engine: loading failed: ${error instanceof Error ? error.message : String(error)}\n`)
  if (error instanceof InsufficientMemoryError) {
    return new TiramiError('MODEL_TOO_LARGE', 'The model does not fit into the free memory.', {
      nextStep: 'Close other programs, choose a shorter context or fewer slots, or choose a smaller model.',
      cause: error,
    })
  }
  return new TiramiError('MODEL_LOAD_FAILED', 'llama.cpp could not load the model.', {
    nextStep: 'Choose another model, or another conversion of this one.',
    cause: error,
  })
}
