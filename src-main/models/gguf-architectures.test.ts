import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generationFlop, prefillFlop } from '../inference/index.ts'
import { trmFromFlop } from '../kernel/index.ts'
import { type GgufModel, readGgufModel } from './index.ts'
import { type MetadataValue, Q4_0_TYPE, type TensorHeader, writeSparseGguf } from './testing/gguf-writer.ts'
import { type ModelShape, modelFile } from './testing/published-models.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tirami-architectures-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function readModel(
  shape: ModelShape,
  change: { entries?: [string, MetadataValue][]; tensors?: Omit<TensorHeader, 'offset'>[] } = {},
): Promise<GgufModel> {
  const { entries, tensors } = modelFile(shape, Q4_0_TYPE)
  const path = join(folder, 'model.gguf')
  const changed = new Map([...entries, ...(change.entries ?? [])])
  return readGgufModel(writeSparseGguf(path, [...changed], [...tensors, ...(change.tensors ?? [])]))
}

/** The shapes are those of the models' published config.json. */
const SMOLLM2_135M: ModelShape = {
  architecture: 'llama',
  blocks: 30,
  embedding: 576,
  heads: 9,
  headsKv: 3,
  headSize: 64,
  feedForward: 1536,
  vocabulary: 49_152,
  contextTokens: 8192,
  tied: true,
}
const QWEN25_05B: ModelShape = {
  architecture: 'qwen2',
  blocks: 24,
  embedding: 896,
  heads: 14,
  headsKv: 2,
  headSize: 64,
  feedForward: 4864,
  vocabulary: 151_936,
  contextTokens: 32_768,
  tied: true,
  attentionBias: true,
}
const LLAMA32_1B: ModelShape = {
  architecture: 'llama',
  blocks: 16,
  embedding: 2048,
  heads: 32,
  headsKv: 8,
  headSize: 64,
  feedForward: 8192,
  vocabulary: 128_256,
  contextTokens: 131_072,
  tied: true,
}
const LLAMA31_8B: ModelShape = {
  architecture: 'llama',
  blocks: 32,
  embedding: 4096,
  heads: 32,
  headsKv: 8,
  headSize: 128,
  feedForward: 14_336,
  vocabulary: 128_256,
  contextTokens: 131_072,
  tied: false,
}
const MIXTRAL_8X7B: ModelShape = {
  architecture: 'llama',
  blocks: 32,
  embedding: 4096,
  heads: 32,
  headsKv: 8,
  headSize: 128,
  feedForward: 0,
  vocabulary: 32_000,
  contextTokens: 32_768,
  tied: false,
  experts: { count: 8, used: 2, feedForward: 14_336 },
}
const QWEN3_30B_A3B: ModelShape = {
  architecture: 'qwen3moe',
  blocks: 48,
  embedding: 2048,
  heads: 32,
  headsKv: 4,
  headSize: 128,
  feedForward: 0,
  vocabulary: 151_936,
  contextTokens: 40_960,
  tied: false,
  headNorms: true,
  experts: { count: 128, used: 8, feedForward: 768 },
}
const QWEN15_MOE_A27B: ModelShape = {
  architecture: 'qwen2moe',
  blocks: 24,
  embedding: 2048,
  heads: 16,
  headsKv: 16,
  headSize: 128,
  feedForward: 0,
  vocabulary: 151_936,
  contextTokens: 8192,
  tied: false,
  attentionBias: true,
  experts: { count: 60, used: 4, feedForward: 1408, sharedFeedForward: 5632 },
}
const GEMMA3_1B: ModelShape = {
  architecture: 'gemma3',
  blocks: 26,
  embedding: 1152,
  heads: 4,
  headsKv: 1,
  headSize: 256,
  feedForward: 6912,
  vocabulary: 262_144,
  contextTokens: 32_768,
  tied: true,
  headNorms: true,
  postNorms: true,
  windowTokens: 512,
}

/**
 * `parameters` is what the models' pages publish, and so a check of the shapes; `active` is worked out by
 * hand: per layer query, output, key and value projection, router, feed-forward of the experts in use and the
 * shared ones; then the output projection, which a tied embedding is.
 */
const MODELS: [name: string, shape: ModelShape, expected: { parameters: bigint; active: bigint }][] = [
  [
    'SmolLM2-135M (dense, grouped queries, tied)',
    SMOLLM2_135M,
    {
      parameters: 134_515_008n,
      active: 30n * (2n * 576n * 576n + 2n * 576n * 192n + 3n * 576n * 1536n) + 49_152n * 576n,
    },
  ],
  [
    'Qwen2.5-0.5B (dense, grouped queries, biases, tied)',
    QWEN25_05B,
    { parameters: 494_032_768n, active: 493_961_216n },
  ],
  [
    'Llama-3.2-1B (dense, grouped queries, tied)',
    LLAMA32_1B,
    {
      parameters: 1_235_814_400n,
      active: 16n * (2n * 2048n * 2048n + 2n * 2048n * 512n + 3n * 2048n * 8192n) + 128_256n * 2048n,
    },
  ],
  [
    'Llama-3.1-8B (dense, embedding apart from the output)',
    LLAMA31_8B,
    {
      parameters: 8_030_261_248n,
      active: 32n * (2n * 4096n * 4096n + 2n * 4096n * 1024n + 3n * 4096n * 14_336n) + 128_256n * 4096n,
    },
  ],
  [
    'Mixtral-8x7B (2 of 8 experts)',
    MIXTRAL_8X7B,
    {
      parameters: 46_702_792_704n,
      active:
        32n * (2n * 4096n * 4096n + 2n * 4096n * 1024n + 4096n * 8n + 2n * 3n * 4096n * 14_336n) +
        32_000n * 4096n,
    },
  ],
  [
    'Qwen3-30B-A3B (8 of 128 experts, heads wider than the embedding)',
    QWEN3_30B_A3B,
    {
      parameters: 30_532_122_624n,
      active:
        48n * (2n * 2048n * 4096n + 2n * 2048n * 512n + 2048n * 128n + 8n * 3n * 2048n * 768n) +
        151_936n * 2048n,
    },
  ],
  [
    'Qwen1.5-MoE-A2.7B (4 of 60 experts and a shared one)',
    QWEN15_MOE_A27B,
    {
      parameters: 14_315_784_192n,
      active:
        24n * (4n * 2048n * 2048n + 2048n * 60n + 4n * 3n * 2048n * 1408n + 3n * 2048n * 5632n) +
        151_936n * 2048n,
    },
  ],
  [
    'Gemma-3-1B (sliding window, tied)',
    GEMMA3_1B,
    {
      parameters: 999_885_952n,
      active: 26n * (2n * 1152n * 1024n + 2n * 1152n * 256n + 3n * 1152n * 6912n) + 262_144n * 1152n,
    },
  ],
]

describe('parameters of published models', () => {
  test.each(MODELS)('%s', async (_, shape, expected) => {
    const model = await readModel(shape)
    expect(model.parameters).toBe(expected.parameters)
    expect(model.activeMatmulParameters).toBe(expected.active)
    expect(model.layers).toHaveLength(shape.blocks)
    expect(model.vocabularySize).toBe(shape.vocabulary)
  })

  test('weights lie in the layers, the embedding and the output', async () => {
    const { weights } = await readModel(LLAMA31_8B)
    const q4 = (elements: number): number => (elements / 32) * 18
    const layer = q4(2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14_336) + 2 * 4096 * 4
    expect(weights.layers).toEqual(Array.from({ length: 32 }, () => layer))
    expect(weights.embedding).toBe(q4(128_256 * 4096))
    expect(weights.output).toBe(q4(128_256 * 4096) + 4096 * 4)
    const tied = await readModel(LLAMA32_1B)
    expect(tied.weights.output).toBe(tied.weights.embedding + 2048 * 4)
  })
})

describe('FLOP of published models', () => {
  test('9 tokens of Qwen2.5-0.5B cost 9 TRM', async () => {
    const model = await readModel(QWEN25_05B)
    expect(trmFromFlop(generationFlop(model, 0, 9))).toBe(9n)
    // Twice the active weights, and 4 × 24 layers × 14 heads × 64 elements for the one position.
    expect(generationFlop(model, 0, 1)).toBe(2n * 493_961_216n + 4n * 24n * 14n * 64n)
  })

  test('attention counts query heads, whatever the heads that keys are kept for', async () => {
    const model = await readModel(LLAMA31_8B)
    const perPosition = 4n * 32n * 32n * 128n
    const weights = 2n * model.activeMatmulParameters
    expect(generationFlop(model, 1000, 1)).toBe(weights + perPosition * 1001n)
    expect(prefillFlop(model, 3)).toBe(3n * weights + perPosition * 6n)
  })

  test('experts that are not used cost nothing', async () => {
    const one = await readModel(MIXTRAL_8X7B, {
      entries: [['llama.expert_used_count', { type: 'u32', value: 1 }]],
    })
    const two = await readModel(MIXTRAL_8X7B)
    expect(two.activeMatmulParameters - one.activeMatmulParameters).toBe(32n * 3n * 4096n * 14_336n)
  })

  test('a layer with a window stops growing at its window', async () => {
    const model = await readModel(GEMMA3_1B)
    const full = model.layers.flatMap((layer, index) => (layer.windowTokens === null ? [index] : []))
    expect(full).toEqual([5, 11, 17, 23])
    // 22 layers of 4 heads × 256 elements see 512 positions, 4 see all 2000.
    const attention = 4n * 4n * 256n * (22n * 512n + 4n * 2000n)
    expect(generationFlop(model, 1999, 1)).toBe(2n * model.activeMatmulParameters + attention)
  })

  test('a window that no pattern goes with is not applied', async () => {
    const entries: [string, MetadataValue][] = [
      ['llama.attention.sliding_window', { type: 'u32', value: 4096 }],
    ]
    const model = await readModel(LLAMA32_1B, { entries })
    expect(model.layers.every((layer) => layer.windowTokens === null)).toBe(true)
  })

  test('a pattern in the file goes before that of the architecture', async () => {
    const listed = await readModel(GEMMA3_1B, {
      entries: [['gemma3.attention.sliding_window_pattern', { type: 'bools', value: Array(26).fill(true) }]],
    })
    expect(listed.layers.every((layer) => layer.windowTokens === 512)).toBe(true)
    const period = await readModel(GEMMA3_1B, {
      entries: [['gemma3.attention.sliding_window_pattern', { type: 'u32', value: 2 }]],
    })
    expect(period.layers.filter((layer) => layer.windowTokens === null)).toHaveLength(13)
  })

  test('keys and values of different length count each at their own', async () => {
    const model = await readModel(LLAMA32_1B, {
      entries: [
        ['llama.attention.key_length', { type: 'u32', value: 576 }],
        ['llama.attention.value_length', { type: 'u32', value: 512 }],
      ],
    })
    const attention = 2n * 16n * 32n * (576n + 512n)
    expect(generationFlop(model, 0, 1)).toBe(2n * model.activeMatmulParameters + attention)
  })
})

describe('layers that are not attention', () => {
  test('a layer without key heads costs no attention and keeps a state', async () => {
    const model = await readModel(LLAMA32_1B, {
      entries: [
        ['llama.attention.head_count_kv', { type: 'i32s', value: Array(16).fill(8).fill(0, 0, 12) }],
        ['llama.ssm.inner_size', { type: 'u32', value: 4096 }],
        ['llama.ssm.state_size', { type: 'u32', value: 128 }],
        ['llama.ssm.conv_kernel', { type: 'u32', value: 4 }],
        ['llama.ssm.group_count', { type: 'u32', value: 1 }],
      ],
    })
    expect(model.layers.filter((layer) => layer.headCount > 0)).toHaveLength(4)
    expect(model.layers[0]?.stateBytes).toBe(4 * (3 * (4096 + 2 * 128) + 4096 * 128))
    expect(model.layers[15]?.stateBytes).toBe(0)
    expect(generationFlop(model, 0, 1)).toBe(2n * model.activeMatmulParameters + 4n * 4n * 32n * 64n)
  })

  test('with an interval only every n-th layer attends', async () => {
    const model = await readModel(LLAMA32_1B, {
      entries: [
        ['llama.full_attention_interval', { type: 'u32', value: 4 }],
        ['llama.ssm.inner_size', { type: 'u32', value: 4096 }],
        ['llama.ssm.state_size', { type: 'u32', value: 128 }],
      ],
    })
    const attending = model.layers.flatMap((layer, index) => (layer.headCount > 0 ? [index] : []))
    expect(attending).toEqual([3, 7, 11, 15])
  })

  test('layers for multi-token prediction are not run and not counted', async () => {
    const plain = await readModel(LLAMA32_1B)
    const tensors = [{ name: 'blk.16.nextn.eh_proj.weight', dimensions: [4096, 2048], type: Q4_0_TYPE }]
    const model = await readModel(LLAMA32_1B, {
      entries: [
        ['llama.block_count', { type: 'u32', value: 17 }],
        ['llama.nextn_predict_layers', { type: 'u32', value: 1 }],
      ],
      tensors,
    })
    expect(model.layers).toHaveLength(16)
    expect(model.activeMatmulParameters).toBe(plain.activeMatmulParameters)
    expect(model.parameters).toBe(plain.parameters + 4096n * 2048n)
  })

  test('biases of experts are no matrices', async () => {
    const plain = await readModel(MIXTRAL_8X7B)
    const tensors = [{ name: 'blk.0.ffn_up_exps.bias', dimensions: [14_336, 8], type: 0 }]
    const model = await readModel(MIXTRAL_8X7B, { tensors })
    expect(model.activeMatmulParameters).toBe(plain.activeMatmulParameters)
  })
})
