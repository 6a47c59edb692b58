import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TiramiError } from '../kernel/index.ts'
import { type GgufModel, readGgufModel } from './index.ts'
import type { MetadataValue } from './testing/gguf-writer.ts'
import { encodeGguf, type TinyTensor, tinyGguf } from './testing/tiny-gguf.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tirami-gguf-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function read(bytes: Uint8Array, name = 'model.gguf'): Promise<GgufModel> {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return readGgufModel(path)
}

async function problem(bytes: Uint8Array): Promise<string> {
  const error = await read(bytes).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(TiramiError)
  expect(error).toMatchObject({ code: 'MODEL_FILE_INVALID', httpStatus: 400 })
  return error instanceof TiramiError ? error.message : ''
}

/** A well-formed model of a few hundred bytes, for tests that change one thing. */
function small(
  change: { entries?: [string, MetadataValue][]; tensors?: TinyTensor[] } = {},
): [Map<string, MetadataValue>, TinyTensor[]] {
  const entries = new Map<string, MetadataValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['llama.context_length', { type: 'u32', value: 128 }],
    ['llama.embedding_length', { type: 'u32', value: 8 }],
    ['llama.block_count', { type: 'u32', value: 1 }],
    ['llama.attention.head_count', { type: 'u32', value: 2 }],
    ...(change.entries ?? []),
  ])
  return [entries, change.tensors ?? [tensor('token_embd.weight', 8, 4), tensor('output_norm.weight', 8)]]
}

function tensor(name: string, ...dimensions: number[]): TinyTensor {
  return { name, dimensions, data: new Float32Array(dimensions.reduce((product, size) => product * size, 1)) }
}

/** Overwrites `bytes` right after the first occurrence of `marker`. */
function patchAfter(file: Buffer, marker: string, bytes: Buffer): Buffer {
  const at = file.indexOf(marker) + marker.length
  return Buffer.concat([file.subarray(0, at), bytes, file.subarray(at + bytes.length)])
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

describe('a well-formed model', () => {
  test('is described', async () => {
    const model = await read(tinyGguf())
    expect(model).toMatchObject({
      architecture: 'llama',
      name: 'Tiny',
      license: 'mit',
      contextTokens: 4096,
      embeddingLength: 64,
      vocabularySize: 260,
      fileName: 'model.gguf',
    })
    const layer = { headCount: 4, headCountKv: 4, keyLength: 16, valueLength: 16 }
    expect(model.layers).toEqual([
      { ...layer, windowTokens: null, stateBytes: 0 },
      { ...layer, windowTokens: null, stateBytes: 0 },
    ])
    // Per block: 4 attention matrices of 64×64 and 3 feed-forward ones of 64×128; output 64×260.
    expect(model.activeMatmulParameters).toBe(BigInt(2 * (4 * 64 * 64 + 3 * 64 * 128) + 64 * 260))
    // All of that, the embedding, and 5 norms of 64.
    expect(model.parameters).toBe(model.activeMatmulParameters + BigInt(64 * 260 + 5 * 64))
    expect(model.chatTemplate).toContain('<|im_start|>')
  })

  test('counts a tied embedding as the output, and takes the name from the file', async () => {
    const model = await read(encodeGguf(...small()), 'some model.GGUF')
    expect(model.activeMatmulParameters).toBe(32n)
    expect(model.parameters).toBe(40n)
    expect(model).toMatchObject({ name: 'some model', license: null, chatTemplate: null })
  })

  test('counts experts at their used share', async () => {
    const tensors = [
      tensor('token_embd.weight', 8, 4),
      tensor('output.weight', 8, 4),
      tensor('blk.0.ffn_up_exps.weight', 8, 16, 4),
      tensor('blk.0.ffn_gate_inp.weight', 8, 4),
    ]
    const entries: [string, MetadataValue][] = [
      ['llama.expert_count', { type: 'u32', value: 4 }],
      ['llama.expert_used_count', { type: 'u32', value: 1 }],
    ]
    const model = await read(encodeGguf(...small({ tensors, entries })))
    expect(model.activeMatmulParameters).toBe(BigInt(32 + 32 + 8 * 16))
    await expect(read(encodeGguf(...small({ tensors })))).rejects.toMatchObject({
      code: 'MODEL_FILE_INVALID',
    })
  })

  test('takes what the layers differ in from lists, one number per layer', async () => {
    const entries: [string, MetadataValue][] = [
      ['llama.block_count', { type: 'u32', value: 3 }],
      ['llama.attention.head_count', { type: 'i32s', value: [2, 4, 1] }],
      ['llama.attention.head_count_kv', { type: 'i32s', value: [1, 2, 1] }],
    ]
    const { layers } = await read(encodeGguf(...small({ entries })))
    expect(layers.map((layer) => [layer.headCount, layer.headCountKv, layer.keyLength])).toEqual([
      [2, 1, 2],
      [4, 2, 2],
      [1, 1, 2],
    ])
  })
})

describe('a file that is no model', () => {
  test('is reported missing', async () => {
    await expect(readGgufModel(join(folder, 'none.gguf'))).rejects.toMatchObject({
      code: 'MODEL_FILE_MISSING',
      httpStatus: 404,
    })
  })

  test('is reported invalid when it is a folder, empty, or something else', async () => {
    await expect(readGgufModel(folder)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' })
    expect(await problem(Buffer.alloc(0))).toMatch(/ends in the middle/)
    expect(await problem(Buffer.from('PK\x03\x04 not a model at all'))).toMatch(/not a GGUF/)
  })

  const file = encodeGguf(...small())
  const cases: [string, Buffer, RegExp][] = [
    ['version 1', patchAfter(file, 'GGUF', u32(1)), /version 1/],
    ['big-endian', patchAfter(file, 'GGUF', Buffer.from([0, 0, 0, 3])), /big-endian/],
    ['2^64-1 tensors', patchAfter(file, 'GGUF', Buffer.concat([u32(3), u64(2n ** 64n - 1n)])), /tensors/],
    ['no tensors', encodeGguf(...small({ tensors: [] })), /no tensors/],
    ['2^63 entries', patchAfter(file, 'GGUF', Buffer.concat([u32(3), u64(2n), u64(2n ** 63n)])), /entries/],
    [
      'a 2^60 byte string',
      patchAfter(file, 'general.architecture', Buffer.concat([u32(8), u64(2n ** 60n)])),
      /claims/,
    ],
    [
      'a string past the end',
      patchAfter(file, 'general.architecture', Buffer.concat([u32(8), u64(9999n)])),
      /ends/,
    ],
    ['an unknown value type', patchAfter(file, 'general.architecture', u32(99)), /unknown type 99/],
    ['no architecture', patchAfter(file, 'general.', Buffer.from('X')), /architecture/],
    ['a missing count', patchAfter(file, 'llama.block_', Buffer.from('X')), /block_count/],
    [
      'a count of zero',
      patchAfter(file, 'llama.block_count', Buffer.concat([u32(4), u32(0)])),
      /block_count/,
    ],
    ['9 dimensions', patchAfter(file, 'token_embd.weight', u32(9)), /9 dimensions/],
    [
      'an overflowing product',
      patchAfter(file, 'token_embd.weight', Buffer.concat([u32(2), u64(2n ** 40n), u64(2n ** 40n)])),
      /impossible/,
    ],
    [
      'an unknown tensor type',
      patchAfter(file, 'output_norm.weight', Buffer.concat([u32(1), u64(8n), u32(31)])),
      /unknown type 31/,
    ],
    [
      'rows that do not fit blocks',
      patchAfter(file, 'output_norm.weight', Buffer.concat([u32(1), u64(8n), u32(12)])),
      /Q4_K/,
    ],
    [
      'a tensor past the end',
      patchAfter(file, 'output_norm.weight', Buffer.concat([u32(1), u64(8n), u32(0), u64(2n ** 62n)])),
      /beyond/,
    ],
    [
      'a tensor out of line',
      patchAfter(file, 'output_norm.weight', Buffer.concat([u32(1), u64(8n), u32(0), u64(4n)])),
      /aligned/,
    ],
    [
      'tensors on top of each other',
      patchAfter(file, 'output_norm.weight', Buffer.concat([u32(1), u64(8n), u32(0), u64(0n)])),
      /overlaps/,
    ],
    ['two tensors of one name', encodeGguf(...small({ tensors: [tensor('a', 8), tensor('a', 8)] })), /twice/],
    [
      'a tensor name of 100 bytes',
      encodeGguf(...small({ tensors: [tensor('a'.repeat(100), 8)] })),
      /name of a tensor/,
    ],
    [
      'an odd alignment',
      encodeGguf(...small({ entries: [['general.alignment', { type: 'u32', value: 24 }]] })),
      /alignment/,
    ],
  ]
  test.each(cases)('is reported invalid: %s', async (_, bytes, message) => {
    expect(await problem(bytes)).toMatch(message)
  })
})

describe('whatever the bytes', () => {
  const file = encodeGguf(
    ...small({ entries: [['tokenizer.ggml.tokens', { type: 'strings', value: ['a', 'bc'] }]] }),
  )

  async function readsOrRefuses(bytes: Uint8Array): Promise<void> {
    await read(bytes).catch((error: unknown) => {
      expect(error).toBeInstanceOf(TiramiError)
    })
  }

  test('a cut file is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 33), async (length) => {
        await problem(file.subarray(0, length))
      }),
      { numRuns: 150 },
    )
  })

  test('flipped bytes never do anything else', async () => {
    const flips = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const bytes = Buffer.from(file)
        for (const [position, value] of changes) bytes[position] = value
        await readsOrRefuses(bytes)
      }),
      { numRuns: 400 },
    )
  })

  test('random bytes after the magic never do anything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (tail) => {
        await readsOrRefuses(Buffer.concat([file.subarray(0, 24), tail]))
      }),
      { numRuns: 200 },
    )
  })
})
