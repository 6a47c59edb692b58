import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TiramiError } from '../kernel/index.ts'
import {
  decodeWeights,
  describeWeights,
  encodeWeights,
  loadCheckpoint,
  type ManifestFacts,
} from './checkpoint.ts'
import { fromFloat16, toFloat16 } from './float16.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'
import { initialParameters, initialState, type NetworkShape } from './shape.ts'

const shape: NetworkShape = {
  mixer: { kind: 'convolution' },
  width: 16,
  layers: 1,
  expansion: 2,
  vocabulary: 4,
  classes: 2,
  output: 'softmax',
}

const model = { shape, parameters: initialParameters(shape, 1), start: initialState(shape.width, 1) }

const facts: ManifestFacts = {
  task: 'maze',
  file: 'maze.safetensors',
  cycles: { inner: 2, outer: 2 },
  seed: 1,
  trainingSteps: 10,
  trainingSetSha256: '0'.repeat(64),
  metrics: { unseen: { rate: 0.5, count: 10 } },
  license: 'MIT',
}

const file = encodeWeights(model, 'F32')
const manifest = describeWeights(file, shape, facts)

function expectInvalid(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(TiramiError)
    expect((error as TiramiError).code).toBe('CHECKPOINT_INVALID')
    return
  }
  throw new Error('was accepted')
}

/** A safetensors file put together by hand. */
function rawFile(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + json.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}

const entry = (start: number, end: number, extent = (end - start) / 4, dtype = 'F32') => ({
  dtype,
  shape: [extent],
  data_offsets: [start, end],
})

describe('half precision', () => {
  it('keeps every half', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromFloat16(bits)
      if (!Number.isNaN(value)) expect(toFloat16(value)).toBe(Object.is(value, -0) ? 0x8000 : bits)
    }
  })

  it('rounds to nearest, ties to even', () => {
    const halves = Array.from({ length: 0x7c00 }, (_, bits) => fromFloat16(bits))
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7bfe }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (bits, share) => {
          const [low, high] = [halves[bits] as number, halves[bits + 1] as number]
          const value = Math.fround(low + share * (high - low))
          const [toLow, toHigh] = [value - low, high - value]
          const expected = toLow < toHigh || (toLow === toHigh && bits % 2 === 0) ? bits : bits + 1
          expect(toFloat16(value)).toBe(expected)
          expect(toFloat16(-value)).toBe(expected | 0x8000)
        },
      ),
    )
  })
})

describe('safetensors', () => {
  it('gives back what was written', () => {
    const tensors = new Map([
      ['a', { shape: [2, 3], values: Float32Array.from([1, -2, 3.5, 0, 1e-3, 65504]) }],
      ['b', { shape: [1], values: Float32Array.from([0.25]) }],
    ])
    expect(decodeSafetensors(encodeSafetensors(tensors, 'F32'))).toEqual(tensors)
    const halves = decodeSafetensors(encodeSafetensors(tensors, 'F16'))
    expect([...(halves.get('a')?.values ?? [])]).toEqual([1, -2, 3.5, 0, fromFloat16(toFloat16(1e-3)), 65504])
  })

  it('is laid out as the format says: length, JSON, data aligned to 8 bytes', () => {
    const bytes = encodeSafetensors(new Map([['x', { shape: [1], values: Float32Array.of(1) }]]), 'F32')
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    expect(length % 8).toBe(0)
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
    expect(header.x).toEqual({ dtype: 'F32', shape: [1], data_offsets: [0, 4] })
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 128, 63])
  })

  it.each([
    ['overlapping ranges', rawFile({ a: entry(0, 8), b: entry(4, 12) }, 12)],
    ['the same range twice', rawFile({ a: entry(0, 8), b: entry(0, 8) }, 8)],
    ['a hole', rawFile({ a: entry(0, 4), b: entry(8, 12) }, 12)],
    ['bytes after the last tensor', rawFile({ a: entry(0, 4) }, 8)],
    ['a range beyond the end', rawFile({ a: entry(0, 64) }, 8)],
    ['a size that does not fit the shape', rawFile({ a: entry(0, 8, 3) }, 8)],
    ['a size that fits another type', rawFile({ a: entry(0, 8, 2, 'F16') }, 8)],
    ['a range that runs backwards', rawFile({ a: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 4)],
    ['an unknown type', rawFile({ a: entry(0, 8, 1, 'F64') }, 8)],
    ['a huge shape', rawFile({ a: { dtype: 'F32', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 4] } }, 4)],
    ['a negative extent', rawFile({ a: entry(0, 4, -1) }, 4)],
    ['a header that is no JSON', rawFile('{"a":', 4)],
    ['a header that is no object', rawFile('[1]', 0)],
    ['a header longer than the file', Uint8Array.of(255, 0, 0, 0, 0, 0, 0, 0, 123, 125)],
    ['a header of 2^63 bytes', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 123, 125)],
    ['nothing', new Uint8Array(0)],
    ['less than a length', new Uint8Array(7)],
  ])('refuses %s', (_what, bytes) => {
    expectInvalid(() => decodeSafetensors(bytes))
  })

  it('never throws anything but its own error, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(file.length - 1),
        fc.nat(255),
        (noise, at, byte) => {
          const changed = file.slice()
          changed[at] = byte
          for (const bytes of [noise, changed, file.subarray(0, at)]) {
            try {
              decodeSafetensors(bytes)
            } catch (error) {
              expect(error).toBeInstanceOf(TiramiError)
            }
          }
        },
      ),
    )
  })
})

describe('checkpoint', () => {
  it('comes back whole', () => {
    const loaded = loadCheckpoint(file, JSON.parse(JSON.stringify(manifest)))
    expect(loaded.model).toEqual(model)
    expect(loaded.cycles).toEqual(facts.cycles)
  })

  it('refuses a changed byte, a missing byte and another manifest', () => {
    const changed = file.slice()
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
    expectInvalid(() => loadCheckpoint(changed, manifest))
    expectInvalid(() => loadCheckpoint(file.subarray(0, -1), manifest))
    expectInvalid(() => loadCheckpoint(file, { ...manifest, sha256: 'f'.repeat(64) }))
    expectInvalid(() => loadCheckpoint(file, { ...manifest, unknown: true }))
    expectInvalid(() => loadCheckpoint(file, null))
  })

  it('refuses other tensors, shapes and numbers than the network has', () => {
    expectInvalid(() => decodeWeights(file, { ...shape, width: 20 }))
    expectInvalid(() => decodeWeights(file, { ...shape, layers: 2 }))
    expectInvalid(() => decodeWeights(file, { ...shape, mixer: { kind: 'attention', heads: 1 } }))
    const stored = decodeSafetensors(file)
    const extra = new Map([...stored, ['stranger', { shape: [1], values: Float32Array.of(1) }]])
    expectInvalid(() => decodeWeights(encodeSafetensors(extra, 'F32'), shape))
    const head = stored.get('head')
    if (!head) throw new Error('no head')
    const infinite = { ...head, values: head.values.map(() => Number.POSITIVE_INFINITY) }
    expectInvalid(() =>
      decodeWeights(encodeSafetensors(new Map([...stored, ['head', infinite]]), 'F32'), shape),
    )
    const turned = { ...head, shape: [...head.shape].reverse() }
    expectInvalid(() =>
      decodeWeights(encodeSafetensors(new Map([...stored, ['head', turned]]), 'F32'), shape),
    )
  })
})
