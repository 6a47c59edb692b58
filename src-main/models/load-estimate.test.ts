import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forkEngine } from '../inference/index.ts'
import { adviseLoad, estimateLoad, type LoadModel, type LoadSettings, readGgufModel } from './index.ts'
import { writeSparseGguf } from './testing/gguf-writer.ts'
import { type ModelShape, modelFile } from './testing/published-models.ts'
import { byteVocabulary } from './testing/tiny-gguf.ts'

const GIB = 1024 ** 3
const F16_TYPE = 1

/** Llama-3.1-8B at Q4_0 (4.5 bits per weight), as `readGgufModel` reports it. */
const LLAMA_8B: LoadModel = {
  layers: Array.from({ length: 32 }, () => ({
    headCount: 32,
    headCountKv: 8,
    keyLength: 128,
    valueLength: 128,
    windowTokens: null,
    stateBytes: 0,
  })),
  weights: {
    layers: Array.from({ length: 32 }, () => (218_103_808 * 4.5) / 8),
    embedding: (525_336_576 * 4.5) / 8,
    output: (525_336_576 * 4.5) / 8,
  },
  vocabularySize: 128_256,
  embeddingLength: 4096,
}
const SETTINGS: LoadSettings = {
  contextTokens: 8192,
  slots: 1,
  batchTokens: 512,
  cacheType: 'f16',
  gpuLayers: 0,
}

describe('the estimate', () => {
  test('of the cache is what the architecture says', () => {
    // 32 layers × 8 heads × (128 + 128) elements × 2 bytes × 8192 tokens = 1 GiB, as llama.cpp reports it.
    expect(estimateLoad(LLAMA_8B, SETTINGS).ram.cacheBytes).toBe(GIB)
    expect(estimateLoad(LLAMA_8B, { ...SETTINGS, slots: 3 }).ram.cacheBytes).toBe(3 * GIB)
    expect(estimateLoad(LLAMA_8B, { ...SETTINGS, cacheType: 'q8_0' }).ram.cacheBytes).toBe((GIB * 17) / 32)
  })

  test('of a layer with a window stops at the window and a batch', () => {
    const windowed = {
      ...LLAMA_8B,
      layers: LLAMA_8B.layers.map((layer) => ({ ...layer, windowTokens: 1024 })),
    }
    const tokens = Math.ceil((1024 + 512 + 1) / 256) * 256
    expect(estimateLoad(windowed, SETTINGS).ram.cacheBytes).toBe((GIB * tokens) / 8192)
  })

  test('splits weights and cache by layer; the embedding stays in main memory', () => {
    const whole = estimateLoad(LLAMA_8B, SETTINGS)
    const half = estimateLoad(LLAMA_8B, { ...SETTINGS, gpuLayers: 16 })
    const all = estimateLoad(LLAMA_8B, { ...SETTINGS, gpuLayers: 33 })
    for (const { ram, vram } of [half, all]) {
      expect(ram.weightsBytes + vram.weightsBytes).toBe(whole.ram.weightsBytes)
      expect(ram.cacheBytes + vram.cacheBytes).toBe(whole.ram.cacheBytes)
    }
    expect(half.vram.cacheBytes).toBe(GIB / 2)
    expect(all.ram.weightsBytes).toBe(LLAMA_8B.weights.embedding)
    expect(whole.vram.totalBytes).toBe(0)
  })

  test('never falls when something grows', () => {
    const settings = fc.record({
      contextTokens: fc.integer({ min: 256, max: 131_072 }),
      slots: fc.integer({ min: 1, max: 16 }),
      batchTokens: fc.constantFrom(64, 512),
      cacheType: fc.constantFrom('f16' as const, 'q8_0' as const),
      gpuLayers: fc.integer({ min: 0, max: 33 }),
    })
    const total = (at: LoadSettings): number => {
      const { ram, vram } = estimateLoad(LLAMA_8B, at)
      return ram.totalBytes + vram.totalBytes
    }
    fc.assert(
      fc.property(settings, fc.nat(4096), (at, more) => {
        expect(total({ ...at, contextTokens: at.contextTokens + more })).toBeGreaterThanOrEqual(total(at))
        expect(total({ ...at, slots: at.slots + 1 })).toBeGreaterThan(total(at))
      }),
    )
  })
})

describe('the advice', () => {
  const wanted = { contextTokens: 8192, slots: 4, batchTokens: 512, cacheType: 'f16' as const }

  test('takes the whole model to a GPU that has room', () => {
    const gpu = { freeVramBytes: 24 * GIB, isUnified: false }
    const advice = adviseLoad(LLAMA_8B, wanted, { freeRamBytes: 32 * GIB, gpu })
    expect(advice).toMatchObject({ fits: true, change: 'none', settings: { gpuLayers: 33, slots: 4 } })
    expect(advice.words.sentence).toBe('The model fits on the GPU, with 4 slots of 8192 tokens.')
  })

  test('takes as many layers as fit and leaves the rest to the CPU', () => {
    const gpu = { freeVramBytes: 6 * GIB, isUnified: false }
    const advice = adviseLoad(LLAMA_8B, wanted, { freeRamBytes: 32 * GIB, gpu })
    expect(advice).toMatchObject({ fits: true, change: 'none' })
    expect(advice.settings.gpuLayers).toBeGreaterThan(0)
    expect(advice.settings.gpuLayers).toBeLessThan(33)
    expect(advice.words.sentence).toMatch(/layers on the GPU and the rest on the CPU/)
  })

  test('gives up slots first, then context', () => {
    const at = (freeRamBytes: number) => adviseLoad(LLAMA_8B, wanted, { freeRamBytes, gpu: null })
    expect(at(12 * GIB)).toMatchObject({ change: 'none', settings: { slots: 4 } })
    expect(at(8 * GIB)).toMatchObject({ change: 'fewer-slots', settings: { contextTokens: 8192 } })
    expect(at(6.2 * GIB)).toMatchObject({ change: 'shorter-context', settings: { slots: 1 } })
    const none = at(3 * GIB)
    expect(none).toMatchObject({ fits: false, change: 'smaller-model' })
    expect(none.words.sentence).toMatch(/3\.0 GiB are free: choose a smaller model/)
  })

  test('counts memory that GPU and CPU share once', () => {
    const gpu = { freeVramBytes: 12 * GIB, isUnified: true }
    expect(adviseLoad(LLAMA_8B, wanted, { freeRamBytes: 16 * GIB, gpu }).change).toBe('none')
    expect(adviseLoad(LLAMA_8B, wanted, { freeRamBytes: 7 * GIB, gpu }).change).not.toBe('none')
  })

  test('what fits is within what is free, and more memory never fits less', () => {
    const memory = fc.integer({ min: 1, max: 64 }).map((gib) => gib * GIB)
    fc.assert(
      fc.property(memory, memory, fc.boolean(), (freeRamBytes, freeVramBytes, isUnified) => {
        const machine = { freeRamBytes, gpu: { freeVramBytes, isUnified } }
        const { fits, estimate } = adviseLoad(LLAMA_8B, wanted, machine)
        if (fits) {
          expect(estimate.vram.totalBytes).toBeLessThanOrEqual(freeVramBytes)
          expect(estimate.ram.totalBytes).toBeLessThanOrEqual(freeRamBytes)
        }
        const more = adviseLoad(LLAMA_8B, wanted, { ...machine, freeRamBytes: freeRamBytes * 2 })
        expect(Number(more.fits)).toBeGreaterThanOrEqual(Number(fits))
      }),
    )
  })
})

/** A real engine process, loaded; what it takes is what the system says it takes. */
describe.skipIf(process.platform === 'win32')('against a real engine on the CPU', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tirami-load-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const SHAPE: ModelShape = {
    architecture: 'llama',
    blocks: 12,
    embedding: 1024,
    heads: 16,
    headsKv: 4,
    headSize: 64,
    feedForward: 2816,
    vocabulary: 260,
    contextTokens: 32_768,
    tied: true,
  }

  function residentBytes(pid: number): number {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024
  }

  /** Loads the file and fails where the engine cannot. @returns resident bytes of the loaded process */
  async function loadedBytes(modelPath: string, contextTokens: number, slots: number): Promise<number> {
    const engine = forkEngine(new URL('../inference/engine/entry.ts', import.meta.url))()
    const gone = new Promise<void>((resolve) => engine.onExit(() => resolve()))
    try {
      await new Promise<void>((resolve, reject) => {
        engine.onMessage((message) => {
          if (message.type === 'loaded') resolve()
          if (message.type === 'load-failed') reject(new Error(message.error.message))
        })
        engine.send({ type: 'load', modelPath, contextTokens, slots, threads: 1, gpu: 'cpu' })
      })
      return residentBytes(engine.pid ?? Number.NaN)
    } finally {
      engine.kill()
      await gone
    }
  }

  test.each([
    [512, 1],
    [4096, 1],
    [4096, 4],
    [16_384, 2],
  ])(
    '%d tokens × %d slots: never less than it takes, and at most 1.25 times that',
    async (contextTokens, slots) => {
      const { entries, tensors } = modelFile(SHAPE, F16_TYPE)
      const path = join(folder, 'model.gguf')
      writeSparseGguf(path, [...entries, ...byteVocabulary()], tensors)
      const model = await readGgufModel(path)
      const settings = { contextTokens, slots, batchTokens: 64, cacheType: 'f16' as const, gpuLayers: 0 }
      const estimated = estimateLoad(model, settings).ram.totalBytes
      const real = await loadedBytes(path, contextTokens, slots)
      expect(estimated / real).toBeGreaterThanOrEqual(1)
      expect(estimated / real).toBeLessThanOrEqual(1.25)
    },
  )
})
