import { cpus } from 'node:os'
import {
  getLlama,
  InsufficientMemoryError,
  type Llama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
} from 'node-llama-cpp'
import { TiramiError } from '../../kernel/index.ts'
import type { EngineCommand, GpuChoice, LoadedModel } from '../types.ts'
import { PromptWriter, type Vocabulary } from './prompt.ts'

/** A loaded model, ready to run jobs. */
export interface Session {
  model: LlamaModel
  context: LlamaContext
  prompts: PromptWriter
  /** Tokens that one job may take, prompt and completion. */
  contextTokens: number
  /** Tokens computed at once while a prompt is read; a cancel waits for one such batch. */
  batchTokens: number
  loaded: LoadedModel
}

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
  const model = await llama.loadModel({ modelPath: command.modelPath })
  const prompts = new PromptWriter(
    model.fileInfo.metadata.tokenizer?.chat_template || null,
    vocabularyOf(model),
  )
  const backend = model.gpuLayers > 0 && llama.gpu !== false ? llama.gpu : 'cpu'
  const batchTokens = backend === 'cpu' ? CPU_BATCH_TOKENS : GPU_BATCH_TOKENS
  const contextTokens = Math.min(command.contextTokens, model.trainContextSize)
  const context = await model.createContext({
    contextSize: contextTokens,
    sequences: command.slots,
    batchSize: batchTokens,
    threads: command.threads,
  })
  const loaded: LoadedModel = {
    contextTokens,
    backend,
    deviceName: await deviceName(llama, backend),
    threads: command.threads,
    slots: command.slots,
    loadMs: Math.round(performance.now() - startedMs),
  }
  return { model, context, prompts, contextTokens, batchTokens, loaded }
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
  const llama = await getLlama({ ...options, gpu: gpu === 'cpu' ? false : 'auto' })
  // A software Vulkan driver (llvmpipe) passes for a GPU but has no memory of its own: slower than the CPU.
  const isSoftware = llama.gpu === 'vulkan' && (await llama.getVramState()).total === 0
  if (!isSoftware) return llama
  await llama.dispose()
  return getLlama({ ...options, gpu: false })
}

async function deviceName(llama: Llama, backend: LoadedModel['backend']): Promise<string | null> {
  if (backend === 'cpu') return cpus()[0]?.model.trim() || null
  return (await llama.getGpuDeviceNames())[0] ?? null
}

function vocabularyOf(model: LlamaModel): Vocabulary {
  const controls = new Set<number>()
  const controlSpellings: string[] = []
  for (const token of model.iterateAllTokens()) {
    const { control, unknown } = model.getTokenAttributes(token)
    if (control) controls.add(token)
    // Some models end their turn with a token that is not marked as a control token.
    if (control || unknown || model.isEogToken(token)) controlSpellings.push(model.detokenize([token], true))
  }
  return {
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
