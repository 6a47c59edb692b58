import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TiramiError } from '../kernel/index.ts'
import { type GgufModel, readGgufModel } from './index.ts'
import {
  encodeHeader,
  type HeaderSpec,
  type MetadataValue,
  padded,
  type TensorHeader,
  text,
  uint32,
  uint64,
} from './testing/gguf-writer.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tirami-malformed-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function read(bytes: Uint8Array): Promise<GgufModel> {
  const path = join(folder, 'model.gguf')
  writeFileSync(path, bytes)
  return readGgufModel(path)
}

const ENTRIES: [string, MetadataValue][] = [
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['llama.context_length', { type: 'u32', value: 128 }],
  ['llama.embedding_length', { type: 'u32', value: 32 }],
  ['llama.block_count', { type: 'u32', value: 1 }],
  ['llama.attention.head_count', { type: 'u32', value: 2 }],
]
const I8_TYPE = 24
/** Two tensors of 32 × 2 bytes each; every alignment up to 32 has room between them. */
const TENSORS: TensorHeader[] = [
  { name: 'token_embd.weight', dimensions: [32, 2], type: I8_TYPE, offset: 0 },
  { name: 'output_norm.weight', dimensions: [32, 2], type: I8_TYPE, offset: 64 },
]
const DATA_BYTES = 128

interface Fault extends Partial<HeaderSpec> {
  /** Added after the entries of the small model. */
  added?: [string, MetadataValue][]
  /** Replaces parts of the second tensor. */
  second?: Partial<TensorHeader>
  alignment?: number
  dataBytes?: number
}

/** The small model with one fault; without one, a model that is read. */
function file(fault: Fault = {}): Buffer {
  const [first, second] = TENSORS as [TensorHeader, TensorHeader]
  const header = encodeHeader({
    entries: [...ENTRIES, ...(fault.added ?? [])],
    tensors: [first, { ...second, ...fault.second }],
    ...fault,
  })
  const dataStart = padded(header.length, fault.alignment)
  return Buffer.concat([header, Buffer.alloc(dataStart - header.length + (fault.dataBytes ?? DATA_BYTES))])
}

async function refusal(bytes: Uint8Array): Promise<TiramiError> {
  const error = await read(bytes).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof TiramiError) return error
  throw new Error(error === null ? 'the file was read' : 'something else than a TiramiError was thrown', {
    cause: error,
  })
}

const alignment = (value: number): [string, MetadataValue] => ['general.alignment', { type: 'u32', value }]
const second = (change: Partial<TensorHeader>): Buffer => file({ second: change })

/** One value of every type that the format has. */
const ALL_TYPES: [string, MetadataValue][] = [
  ['my.u8', { type: 'u8', value: 255 }],
  ['my.i8', { type: 'i8', value: -1 }],
  ['my.u16', { type: 'u16', value: 65_535 }],
  ['my.i16', { type: 'i16', value: -2 }],
  ['my.i32', { type: 'i32', value: -3 }],
  ['my.f32', { type: 'f32', value: Number.NaN }],
  ['my.bool', { type: 'bool', value: true }],
  ['my.u64', { type: 'u64', value: 2n ** 64n - 1n }],
  ['my.i64', { type: 'i64', value: -(2n ** 63n) }],
  ['my.f64', { type: 'f64', value: Number.POSITIVE_INFINITY }],
  ['my.empty', { type: 'string', value: '' }],
  ['my.strings', { type: 'strings', value: ['', 'ä'] }],
  ['my.u8s', { type: 'u8s', value: [1, 2, 3] }],
  ['my.f32s', { type: 'f32s', value: [] }],
]

/**
 * The cases of llama.cpp's tests/test-gguf.cpp, by their names there, each written anew on a small model.
 * Two are stricter here: no tensor of a model is empty (ZERO_DIM), and without its data no file is whole.
 */
const LLAMA_CPP_CASES: [name: string, bytes: Buffer, expected: RegExp | 'read'][] = [
  ['HEADER_BAD_MAGIC', file({ magic: 'FUGG' }), /not a GGUF/],
  ['HEADER_BAD_VERSION_0', file({ version: 0 }), /version 0/],
  ['HEADER_BAD_VERSION_1', file({ version: 1 }), /version 1/],
  ['HEADER_BAD_VERSION_FUTURE', file({ version: 4 }), /version 4/],
  ['HEADER_BAD_N_TENSORS', file({ tensorCount: 2n ** 64n - 1n }), /claims 18446744073709551615 tensors/],
  ['HEADER_BAD_N_KV', file({ entryCount: 2n ** 64n - 1n }), /claims 18446744073709551615 metadata/],
  ['HEADER_EMPTY', encodeHeader({ entries: [], tensors: [] }), /no tensors/],
  [
    'KV_BAD_KEY_SIZE',
    Buffer.concat([
      encodeHeader({ entries: [], entryCount: 1n, tensors: [], tensorCount: 1n }),
      uint64(2n ** 64n - 1n),
    ]),
    /name of a metadata entry claims/,
  ],
  ['KV_EMPTY_KEY', file({ added: [['', { type: 'u8', value: 1 }]] }), /has no name/],
  [
    'KV_BAD_TYPE',
    file({ added: [['my.key', { type: 'raw', typeNumber: 13, bytes: Buffer.alloc(1) }]] }),
    /unknown type 13/,
  ],
  [
    'KV_BAD_VALUE_SIZE',
    file({ added: [['my.key', { type: 'raw', typeNumber: 8, bytes: uint64(2n ** 63n) }]] }),
    /claims 9223372036854775808 bytes/,
  ],
  [
    'KV_DUPLICATE_KEY',
    file({
      added: [
        ['my.key', { type: 'u8', value: 1 }],
        ['my.key', { type: 'u8', value: 2 }],
      ],
    }),
    /"my.key" appears twice/,
  ],
  ['KV_BAD_ALIGN', file({ added: [alignment(13)], alignment: 13 }), /not a power of two/],
  [
    'KV_WRONG_TYPE_ALIGN',
    file({ added: [['general.alignment', { type: 'i32', value: 32 }]] }),
    /alignment has the wrong type/,
  ],
  ['KV_SUCCESS', file({ added: ALL_TYPES }), 'read'],
  ['TENSORS_BAD_NAME_SIZE', second({ name: 'n'.repeat(65) }), /name of a tensor claims 65 bytes/],
  ['TENSORS_BAD_N_DIMS', second({ dimensions: [1, 1, 1, 1, 1] }), /claims 5 dimensions/],
  ['TENSORS_BAD_SHAPE', second({ dimensions: [2n ** 64n - 1n] }), /impossible dimensions/],
  ['TENSORS_ZERO_DIM', second({ dimensions: [32, 0] }), /impossible dimensions/],
  ['TENSORS_NE_TOO_BIG', second({ dimensions: [2n ** 33n, 2n ** 33n] }), /impossible dimensions/],
  [
    'TENSORS_NBYTES_TOO_BIG',
    second({ type: 27, dimensions: [2n ** 31n, 2n ** 31n] }),
    /lies beyond the end of the file/,
  ],
  ['TENSORS_BAD_TYPE', second({ type: 43 }), /unknown type 43/],
  ['TENSORS_BAD_OFFSET', second({ offset: 2n ** 64n - 1n }), /not aligned/],
  ['TENSORS_DUPLICATE_NAME', second({ name: 'token_embd.weight' }), /"token_embd.weight" appears twice/],
  ['TENSORS_BAD_ALIGN', file({ added: [alignment(13)], alignment: 13 }), /not a power of two/],
  [
    'TENSORS_INCONSISTENT_ALIGN',
    file({ second: { offset: 65 }, dataBytes: 0 }),
    /not aligned|beyond the end/,
  ],
  ['TENSORS_SUCCESS', file(), 'read'],
  [
    'TENSORS_CUSTOM_ALIGN',
    file({ added: [alignment(1)], alignment: 1, second: { dimensions: [31], offset: 65 } }),
    'read',
  ],
  ['DATA_NOT_ENOUGH_DATA', file({ dataBytes: DATA_BYTES - 1 }), /lies beyond the end of the file/],
  ['DATA_BAD_ALIGN', file({ added: [alignment(0)] }), /not a power of two/],
  ['DATA_INCONSISTENT_ALIGN', file({ second: { offset: 65 }, dataBytes: 256 }), /not aligned/],
  [
    'DATA_MEM_SIZE_OVERFLOW',
    file({
      tensors: [0, 1].map((index) => ({
        name: `t${index}`,
        dimensions: [2n ** 63n - 64n],
        type: I8_TYPE,
        offset: BigInt(index) * (2n ** 63n - 64n),
      })),
      dataBytes: 32,
    }),
    /lies beyond the end of the file/,
  ],
  ['DATA_SUCCESS', file({ dataBytes: DATA_BYTES + 7 }), 'read'],
  ['DATA_CUSTOM_ALIGN', file({ added: [alignment(64)], alignment: 64 }), 'read'],
]

/** What real attacks on GGUF readers looked like. */
const ATTACKS: [name: string, bytes: Buffer, expected: RegExp][] = [
  ['CVE-2026-7482: an offset beyond the file', second({ offset: 1 << 20 }), /beyond the end/],
  ['CVE-2026-7482: a size beyond the file', second({ dimensions: [32, 1 << 20] }), /beyond the end/],
  ['CVE-2026-7482: the last byte beyond the file', file({ dataBytes: DATA_BYTES - 1 }), /beyond the end/],
  [
    'CVE-2025-53630: an offset that wraps around with the size',
    second({ offset: 2n ** 64n - 64n }),
    /beyond the end/,
  ],
  [
    'CVE-2025-53630: sizes whose sum wraps around',
    file({
      tensors: [
        { name: 'a', dimensions: [2n ** 62n], type: I8_TYPE, offset: 0 },
        { name: 'b', dimensions: [2n ** 62n], type: I8_TYPE, offset: 2n ** 62n },
        { name: 'c', dimensions: [2n ** 62n], type: I8_TYPE, offset: 2n ** 63n },
      ],
    }),
    /beyond the end/,
  ],
  [
    'CVE-2026-27940: a product of dimensions that wraps around to a small one',
    second({ dimensions: [2n ** 32n, 2n ** 32n, 32] }),
    /impossible dimensions/,
  ],
  [
    'CVE-2026-27940: a list whose bytes wrap around',
    file({
      added: [
        [
          'my.list',
          { type: 'raw', typeNumber: 9, bytes: Buffer.concat([uint32(10), uint64(2n ** 61n + 1n)]) },
        ],
      ],
    }),
    /claims 2305843009213693953 items/,
  ],
  ['division by zero: an alignment of 0', file({ added: [alignment(0)] }), /alignment/],
  [
    'division by zero: no heads',
    file({
      entries: ENTRIES.map(([key, value]) => [
        key,
        key.endsWith('head_count') ? { type: 'u32', value: 0 } : value,
      ]),
    }),
    /no attention heads/,
  ],
  [
    'division by zero: no heads to keep keys for',
    file({ added: [['llama.attention.head_count_kv', { type: 'u32', value: 0 }]] }),
    /no attention heads/,
  ],
  [
    'division by zero: no heads in any layer of a list',
    file({ added: [['llama.attention.head_count_kv', { type: 'u32s', value: [0] }]] }),
    /no attention heads/,
  ],
  [
    'division by zero: heads of no size',
    file({ added: [['llama.attention.key_length', { type: 'u32', value: 0 }]] }),
    /key_length/,
  ],
  [
    'division by zero: experts that nobody counted',
    second({ name: 'blk.0.ffn_up_exps.weight', dimensions: [8, 4, 2] }),
    /expert counts/,
  ],
  ['division by zero: a removed type, whose blocks have no size', second({ type: 4 }), /unknown type 4/],
  [
    'a layer count that would fill the memory',
    file({
      entries: ENTRIES.map(([key, value]) => [
        key,
        key.endsWith('block_count') ? { type: 'u32', value: 2 ** 28 } : value,
      ]),
    }),
    /block_count/,
  ],
  [
    'a list that is shorter than the model is deep',
    file({ added: [['llama.attention.head_count_kv', { type: 'u32s', value: [] }]] }),
    /head_count_kv does not fit/,
  ],
  [
    'lists within lists',
    file({
      added: [
        [
          'my.deep',
          { type: 'raw', typeNumber: 9, bytes: Buffer.concat([uint32(9), uint64(1), uint32(9), uint64(1)]) },
        ],
      ],
    }),
    /items of the unknown type 9/,
  ],
  [
    'a token twice in the vocabulary, on which llama.cpp ends its process',
    file({ added: [['tokenizer.ggml.tokens', { type: 'strings', value: ['a', '', '', 'b', 'a'] }]] }),
    /token of its vocabulary appears twice/,
  ],
  [
    'token scores that end before the vocabulary',
    file({
      added: [
        ['tokenizer.ggml.tokens', { type: 'strings', value: ['a', 'b'] }],
        ['tokenizer.ggml.scores', { type: 'f32s', value: [0] }],
      ],
    }),
    /"tokenizer.ggml.scores" is not as long as the vocabulary/,
  ],
  [
    'a vocabulary of numbers',
    file({ added: [['tokenizer.ggml.tokens', { type: 'u8s', value: [1] }]] }),
    /no list of texts/,
  ],
  [
    'a chat template of 2 MiB',
    file({ added: [['tokenizer.chat_template', { type: 'string', value: 'x'.repeat(2 ** 21) }]] }),
    /claims 2097152 bytes/,
  ],
  [
    'tensors that share bytes',
    file({ second: { offset: 32, dimensions: [32, 3] } }),
    /"output_norm.weight" overlaps/,
  ],
]

describe('malformed files', () => {
  test.each(LLAMA_CPP_CASES)('llama.cpp: %s', async (_, bytes, expected) => {
    if (expected === 'read') {
      expect((await read(bytes)).parameters).toBeGreaterThan(0n)
      return
    }
    const error = await refusal(bytes)
    expect(error.code).toBe('MODEL_FILE_INVALID')
    expect(error.message).toMatch(expected)
  })

  test.each(ATTACKS)('%s', async (_, bytes, expected) => {
    const error = await refusal(bytes)
    expect(error.code).toBe('MODEL_FILE_INVALID')
    expect(error.message).toMatch(expected)
  })
})

describe('tensor types', () => {
  /** Number in the file and bits per weight, as llama.cpp's documentation of its quantisations gives them. */
  const TYPES: [name: string, type: number, bitsPerWeight: number][] = [
    ['F32', 0, 32],
    ['F16', 1, 16],
    ['Q4_0', 2, 4.5],
    ['Q4_1', 3, 5],
    ['Q5_0', 6, 5.5],
    ['Q5_1', 7, 6],
    ['Q8_0', 8, 8.5],
    ['Q2_K', 10, 2.625],
    ['Q3_K', 11, 3.4375],
    ['Q4_K', 12, 4.5],
    ['Q5_K', 13, 5.5],
    ['Q6_K', 14, 6.5625],
    ['IQ2_XXS', 16, 2.0625],
    ['IQ2_XS', 17, 2.3125],
    ['IQ3_XXS', 18, 3.0625],
    ['IQ1_S', 19, 1.5625],
    ['IQ4_NL', 20, 4.5],
    ['IQ3_S', 21, 3.4375],
    ['IQ2_S', 22, 2.5625],
    ['IQ4_XS', 23, 4.25],
    ['IQ1_M', 29, 1.75],
    ['BF16', 30, 16],
    ['TQ1_0', 34, 1.6875],
    ['TQ2_0', 35, 2.0625],
    ['MXFP4', 39, 4.25],
    ['NVFP4', 40, 4.5],
  ]
  test.each(TYPES)('%s takes exactly its bits per weight', async (_, type, bitsPerWeight) => {
    const bytes = (512 * bitsPerWeight) / 8
    const at = (dataBytes: number): Buffer =>
      file({ second: { type, dimensions: [256, 2] }, dataBytes: 64 + dataBytes })
    expect((await read(at(bytes))).weights.output).toBe(bytes + 64)
    expect((await refusal(at(bytes - 1))).message).toMatch(/beyond the end/)
  })

  test.each([4, 5, 31, 32, 33, 36, 37, 38, 1000, 2 ** 32 - 1])(
    'type %d, which nothing loads, is refused',
    async (type) => {
      expect((await refusal(second({ type }))).message).toMatch(/unknown type/)
    },
  )
})

describe('files that are something else', () => {
  test.each([
    ['adapter', /an adapter/],
    ['mmproj', /image or audio part/],
    ['imatrix', /importance matrix/],
  ])('%s is named', async (kind, expected) => {
    const error = await refusal(file({ added: [['general.type', { type: 'string', value: kind }]] }))
    expect(error).toMatchObject({ code: 'MODEL_FILE_INVALID' })
    expect(error.message).toMatch(expected)
  })

  test('a part of a split model is refused as that, even the first one without tensors', async () => {
    const added: [string, MetadataValue][] = [
      ['split.no', { type: 'u16', value: 0 }],
      ['split.count', { type: 'u16', value: 3 }],
    ]
    for (const bytes of [file({ added }), encodeHeader({ entries: [...ENTRIES, ...added], tensors: [] })]) {
      const error = await refusal(bytes)
      expect(error).toMatchObject({ code: 'MODEL_FILE_SPLIT', httpStatus: 400 })
      expect(error.message).toContain('one of 3 parts')
      expect(error.nextStep).toMatch(/llama-gguf-split --merge/)
    }
  })

  test('a model that was split into one part is whole', async () => {
    const added: [string, MetadataValue][] = [['split.count', { type: 'u16', value: 1 }]]
    expect((await read(file({ added }))).architecture).toBe('llama')
  })
})

describe('whatever the bytes', () => {
  const valid = file({ added: ALL_TYPES })
  /** What a reader keeps of a file must stay in proportion to it, whatever the file claims. */
  const HEAP_LIMIT_BYTES = 64 * 1024 * 1024

  async function readsOrRefuses(bytes: Uint8Array): Promise<void> {
    const before = process.memoryUsage()
    await read(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(TiramiError))
    const after = process.memoryUsage()
    expect(after.heapUsed - before.heapUsed).toBeLessThan(HEAP_LIMIT_BYTES)
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(HEAP_LIMIT_BYTES)
  }

  test('flipped, cut, lengthened and spliced files are read or refused', async () => {
    const at = fc.nat(valid.length - 1)
    const mutation = fc.oneof(
      fc.record({ kind: fc.constant('flip' as const), at, value: fc.nat(255) }),
      fc.record({ kind: fc.constant('cut' as const), at }),
      fc.record({ kind: fc.constant('lengthen' as const), tail: fc.uint8Array({ maxLength: 64 }) }),
      fc.record({ kind: fc.constant('insert' as const), at, piece: fc.uint8Array({ maxLength: 16 }) }),
      // Counts, lengths and offsets are 64-bit numbers: forge them whole.
      fc.record({
        kind: fc.constant('number' as const),
        at,
        value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 6 }), async (mutations) => {
        let bytes = Buffer.from(valid)
        for (const change of mutations) {
          if (change.kind === 'flip' && change.at < bytes.length) bytes[change.at] = change.value
          if (change.kind === 'cut') bytes = bytes.subarray(0, change.at)
          if (change.kind === 'lengthen') bytes = Buffer.concat([bytes, change.tail])
          if (change.kind === 'insert')
            bytes = Buffer.concat([bytes.subarray(0, change.at), change.piece, bytes.subarray(change.at)])
          if (change.kind === 'number' && change.at + 8 <= bytes.length)
            bytes.writeBigUInt64LE(change.value, change.at)
        }
        await readsOrRefuses(bytes)
      }),
      { numRuns: 600 },
    )
  })

  test('a file that claims far more than it holds is refused for what it claims, not read to its end', async () => {
    // Each list claims 4 million items that the file has no room for.
    const list = (key: string): Buffer =>
      Buffer.concat([text(key), uint32(9), uint32(0), uint64(2n ** 22n), Buffer.alloc(4096)])
    const header = encodeHeader({ entries: [], entryCount: 60_000n, tensors: [], tensorCount: 1n })
    await readsOrRefuses(Buffer.concat([header, ...Array.from({ length: 64 }, (_, i) => list(`my.${i}`))]))
  })

  test('many lists of the longest kept length are refused before they fill the memory', async () => {
    const bytes = Buffer.alloc(4096)
    const list = (key: string): Buffer =>
      Buffer.concat([text(key), uint32(9), uint32(0), uint64(4096), bytes])
    const header = encodeHeader({ entries: [], entryCount: 2000n, tensors: [], tensorCount: 1n })
    const error = await refusal(
      Buffer.concat([header, ...Array.from({ length: 2000 }, (_, i) => list(`my.${i}`))]),
    )
    expect(error.message).toMatch(/lists are too long/)
  })
})
