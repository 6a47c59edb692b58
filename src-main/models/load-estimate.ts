import { type FitWords, fitWords, gib } from './fit-sentences.ts'
import type { LayerShape } from './gguf-layers.ts'
import type { WeightBytes } from './gguf-weights.ts'

/** What the estimate needs of a model: numbers that `readGgufModel` reports. */
export interface LoadModel {
  layers: readonly LayerShape[]
  weights: WeightBytes
  vocabularySize: number
  embeddingLength: number
}

export interface LoadSettings {
  /** Tokens per slot, prompt and completion. */
  contextTokens: number
  /** Jobs that run at once. */
  slots: number
  /** Tokens computed at once while a prompt is read. */
  batchTokens: number
  /** How keys and values are kept. */
  cacheType: 'f16' | 'q8_0'
  /** Layers that the GPU computes; one more than the model has: the output too. */
  gpuLayers: number
}

export interface MemoryParts {
  weightsBytes: number
  /** Keys and values, and the state of recurrent layers. */
  cacheBytes: number
  computeBytes: number
  /** The process itself, its vocabulary, the GPU driver. */
  overheadBytes: number
  totalBytes: number
}

export interface LoadEstimate {
  ram: MemoryParts
  /** On a machine whose GPU shares the main memory this comes out of the same memory. */
  vram: MemoryParts
}

/** Memory that may be used now. */
export interface MachineMemory {
  freeRamBytes: number
  /** Null: there is no GPU that the engine can use. */
  gpu: {
    freeVramBytes: number
    /** The GPU's memory is a share of the main memory, as on Apple silicon. */
    isUnified: boolean
  } | null
}

export interface LoadAdvice {
  fits: boolean
  /** The settings that fit, `gpuLayers` chosen; the ones asked for where nothing fits. */
  settings: LoadSettings
  estimate: LoadEstimate
  /** What was given up for it. `smaller-model`: nothing helps but a smaller model or quantisation. */
  change: 'none' | 'fewer-slots' | 'shorter-context' | 'smaller-model'
  /** For a person. */
  words: FitWords
}

const MIB = 1024 * 1024
/** Bytes per element: q8_0 has blocks of 32 elements in 34 bytes. */
const CACHE_ELEMENT_BYTES = { f16: 2, q8_0: 34 / 32 } as const
/** llama.cpp allots cells in steps of this. */
const CACHE_STEP_TOKENS = 256
const F32_BYTES = 4
/** Activations alive at once, in widths of the embedding; measured at most 11 (dense and expert models). */
const LIVE_ACTIVATIONS = 16
/** Measured: Node with llama.cpp's library 110 MiB, a small model's bookkeeping 25 MiB. */
const PROCESS_BYTES = 160 * MIB
/** Measured 0.7 to 1.3 KiB per token without merges. */
const VOCABULARY_ENTRY_BYTES = 1536
/** What a driver keeps for its context; CUDA takes the most. */
const GPU_OVERHEAD_BYTES = 400 * MIB
/** What stays free for the system and other programs. */
const RESERVE_SHARE = 0.1
const LEAST_CONTEXT_TOKENS = 2048

/**
 * Memory that the engine needs, as an upper bound: weights, cache, compute buffers (flash attention) and
 * overhead. Weights that stay in main memory count once: what the CPU code rearranges for speed it holds a
 * second time, but the first copy is the file's, and the system can drop it.
 */
export function estimateLoad(model: LoadModel, settings: LoadSettings): LoadEstimate {
  const layers = model.layers.length
  const firstOnGpu = layers - Math.min(settings.gpuLayers, layers)
  const hasGpu = settings.gpuLayers > 0
  const ram = { weights: model.weights.embedding, cache: 0 }
  const vram = { weights: 0, cache: 0 }
  model.layers.forEach((layer, index) => {
    const place = index >= firstOnGpu ? vram : ram
    place.weights += model.weights.layers[index] ?? 0
    place.cache += layerCacheBytes(layer, settings)
  })
  const outputPlace = settings.gpuLayers > layers ? vram : ram
  outputPlace.weights += model.weights.output
  const compute = computeBytes(model, settings)
  const overhead = PROCESS_BYTES + model.vocabularySize * VOCABULARY_ENTRY_BYTES
  return {
    ram: parts(ram.weights, ram.cache, compute, overhead),
    vram: parts(vram.weights, vram.cache, hasGpu ? compute : 0, hasGpu ? GPU_OVERHEAD_BYTES : 0),
  }
}

function parts(
  weightsBytes: number,
  cacheBytes: number,
  computeBytes: number,
  overheadBytes: number,
): MemoryParts {
  const totalBytes = weightsBytes + cacheBytes + computeBytes + overheadBytes
  return { weightsBytes, cacheBytes, computeBytes, overheadBytes, totalBytes }
}

function cellsPerSlot(tokens: number): number {
  return Math.ceil(tokens / CACHE_STEP_TOKENS) * CACHE_STEP_TOKENS
}

function layerCacheBytes(layer: LayerShape, settings: LoadSettings): number {
  const { contextTokens, slots, batchTokens, cacheType } = settings
  const kept = Math.min(contextTokens, (layer.windowTokens ?? contextTokens) + batchTokens + 1)
  const elements = layer.headCountKv * (layer.keyLength + layer.valueLength)
  const perSlot = cellsPerSlot(kept) * elements * CACHE_ELEMENT_BYTES[cacheType]
  return slots * (perSlot + layer.stateBytes)
}

/** Logits and activations of one batch, and the mask over one slot's cells in f16 and f32. */
function computeBytes(model: LoadModel, { contextTokens, batchTokens, slots }: LoadSettings): number {
  const widths = model.vocabularySize + LIVE_ACTIVATIONS * model.embeddingLength
  const logits = slots * model.vocabularySize * F32_BYTES
  return logits + batchTokens * (widths * F32_BYTES + cellsPerSlot(contextTokens) * (2 + F32_BYTES))
}

/**
 * The best way to load a model on a machine: as many layers on the GPU as fit; then fewer slots, then a
 * shorter context, until it fits.
 */
export function adviseLoad(
  model: LoadModel,
  wanted: Omit<LoadSettings, 'gpuLayers'>,
  machine: MachineMemory,
): LoadAdvice {
  for (const { change, ...candidate } of candidates(wanted)) {
    const settings = withMostGpuLayers(model, { ...wanted, ...candidate }, machine)
    if (settings) {
      const estimate = estimateLoad(model, settings)
      return { fits: true, settings, estimate, change, words: wordsFor(model, settings, change) }
    }
  }
  const settings = { ...wanted, gpuLayers: 0 }
  const estimate = estimateLoad(model, { ...settings, slots: 1, contextTokens: leastContext(wanted) })
  const figures = { needGib: gib(estimate.ram.totalBytes), freeGib: gib(machine.freeRamBytes) }
  return { fits: false, settings, estimate, change: 'smaller-model', words: fitWords('too-large', figures) }
}

function leastContext(wanted: { contextTokens: number }): number {
  return Math.min(wanted.contextTokens, LEAST_CONTEXT_TOKENS)
}

/** What to try, the least change first. */
function* candidates(wanted: {
  slots: number
  contextTokens: number
}): Generator<{ slots: number; contextTokens: number; change: LoadAdvice['change'] }> {
  const { contextTokens } = wanted
  yield { slots: wanted.slots, contextTokens, change: 'none' }
  for (let slots = wanted.slots - 1; slots >= 1; slots--)
    yield { slots, contextTokens, change: 'fewer-slots' }
  const least = leastContext(wanted)
  for (let shorter = Math.floor(contextTokens / 2); shorter >= least; shorter = Math.floor(shorter / 2)) {
    yield { slots: 1, contextTokens: shorter, change: 'shorter-context' }
  }
}

/** Null when it does not fit with any number of layers on the GPU. */
function withMostGpuLayers(
  model: LoadModel,
  settings: Omit<LoadSettings, 'gpuLayers'>,
  machine: MachineMemory,
): LoadSettings | null {
  const most = machine.gpu ? model.layers.length + 1 : 0
  for (let gpuLayers = most; gpuLayers >= 0; gpuLayers--) {
    const candidate = { ...settings, gpuLayers }
    if (fits(estimateLoad(model, candidate), machine)) return candidate
  }
  return null
}

function fits({ ram, vram }: LoadEstimate, { freeRamBytes, gpu }: MachineMemory): boolean {
  const usableRam = freeRamBytes * (1 - RESERVE_SHARE)
  const fitsGpu = vram.totalBytes <= (gpu?.freeVramBytes ?? 0) * (1 - RESERVE_SHARE)
  const fitsRam = ram.totalBytes + (gpu?.isUnified ? vram.totalBytes : 0) <= usableRam
  return fitsGpu && fitsRam
}

function wordsFor(model: LoadModel, settings: LoadSettings, change: LoadAdvice['change']): FitWords {
  const { slots, contextTokens, gpuLayers } = settings
  const layers = model.layers.length
  const place = gpuLayers === 0 ? 'cpu' : gpuLayers > layers ? 'gpu' : 'split'
  const size = `${slots} ${slots === 1 ? 'slot' : 'slots'} of ${contextTokens} tokens`
  const params = { size, slots, tokens: contextTokens, gpuLayers, layers }
  return fitWords(change === 'none' ? place : `${place}-only-with`, params)
}
