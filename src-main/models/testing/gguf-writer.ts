import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'

/** A metadata value as a GGUF file holds it; `raw` writes any type number and any bytes. */
export type MetadataValue =
  | { type: 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64'; value: number }
  | { type: 'u64' | 'i64'; value: bigint }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: string[] }
  | { type: 'bools'; value: boolean[] }
  | { type: 'u8s' | 'u32s' | 'i32s' | 'f32s'; value: number[] }
  | { type: 'raw'; typeNumber: number; bytes: Uint8Array }

/** A tensor as the header tells of it: nothing here is checked, so that a test can tell lies. */
export interface TensorHeader {
  name: string
  /** Elements per dimension, fastest first. */
  dimensions: readonly (number | bigint)[]
  /** Number of the ggml type. */
  type: number
  offset: number | bigint
}

export interface HeaderSpec {
  magic?: string
  version?: number
  /** What the file claims, where that differs from what it holds. */
  tensorCount?: bigint
  entryCount?: bigint
  entries: readonly (readonly [key: string, value: MetadataValue])[]
  tensors: readonly TensorHeader[]
}

export const DEFAULT_ALIGNMENT = 32
export const F32_TYPE = 0
export const Q4_0_TYPE = 2

/** Bytes of `elements` weights, for the types that tests store: [elements, bytes] of a block. */
const BLOCKS: ReadonlyMap<number, readonly [number, number]> = new Map([
  [F32_TYPE, [1, 4]],
  [1, [1, 2]],
  [Q4_0_TYPE, [32, 18]],
  [8, [32, 34]],
])

/** Encodes the header of a GGUF file, up to the end of the last tensor's entry; no padding follows. */
export function encodeHeader(spec: HeaderSpec): Buffer {
  const parts = [
    Buffer.from(spec.magic ?? 'GGUF', 'latin1'),
    uint32(spec.version ?? 3),
    uint64(spec.tensorCount ?? spec.tensors.length),
    uint64(spec.entryCount ?? spec.entries.length),
  ]
  for (const [key, value] of spec.entries) parts.push(text(key), encodeValue(value))
  for (const { name, dimensions, type, offset } of spec.tensors) {
    parts.push(text(name), uint32(dimensions.length), ...dimensions.map(uint64), uint32(type), uint64(offset))
  }
  return Buffer.concat(parts)
}

/** Lays tensors out one after the other. @returns their headers and the bytes that they take together */
export function layOut(
  tensors: readonly Omit<TensorHeader, 'offset'>[],
  alignment = DEFAULT_ALIGNMENT,
): { tensors: TensorHeader[]; dataBytes: number } {
  let offset = 0
  const placed = tensors.map((tensor) => {
    const header = { ...tensor, offset }
    offset += padded(tensorBytes(tensor), alignment)
    return header
  })
  return { tensors: placed, dataBytes: offset }
}

/**
 * Writes a whole GGUF file whose weights are all zero and take no space on disk: the file is as long as the
 * real one, with a hole where the tensors are. @returns `path`
 */
export function writeSparseGguf(
  path: string,
  entries: HeaderSpec['entries'],
  tensors: readonly Omit<TensorHeader, 'offset'>[],
): string {
  const { tensors: placed, dataBytes } = layOut(tensors)
  const header = encodeHeader({ entries, tensors: placed })
  const file = openSync(path, 'w')
  try {
    writeSync(file, header)
    ftruncateSync(file, padded(header.length) + dataBytes)
  } finally {
    closeSync(file)
  }
  return path
}

function tensorBytes({ dimensions, type }: Pick<TensorHeader, 'dimensions' | 'type'>): number {
  const block = BLOCKS.get(type)
  if (!block) throw new RangeError(`the test writer does not know the ggml type ${type}`)
  const elements = dimensions.reduce<number>((product, size) => product * Number(size), 1)
  return (elements / block[0]) * block[1]
}

export function encodeValue(value: MetadataValue): Buffer {
  switch (value.type) {
    case 'u8':
      return Buffer.concat([uint32(0), Buffer.from([value.value])])
    case 'i8':
      return Buffer.concat([uint32(1), Buffer.from([value.value & 0xff])])
    case 'u16':
      return Buffer.concat([uint32(2), uint32(value.value).subarray(0, 2)])
    case 'i16':
      return Buffer.concat([uint32(3), int32(value.value).subarray(0, 2)])
    case 'u32':
      return Buffer.concat([uint32(4), uint32(value.value)])
    case 'i32':
      return Buffer.concat([uint32(5), int32(value.value)])
    case 'f32':
      return Buffer.concat([uint32(6), float32(value.value)])
    case 'bool':
      return Buffer.concat([uint32(7), Buffer.from([value.value ? 1 : 0])])
    case 'string':
      return Buffer.concat([uint32(8), text(value.value)])
    case 'u64':
      return Buffer.concat([uint32(10), uint64(value.value)])
    case 'i64':
      return Buffer.concat([uint32(11), uint64(BigInt.asUintN(64, value.value))])
    case 'f64': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(value.value)
      return Buffer.concat([uint32(12), bytes])
    }
    case 'strings':
      return array(8, value.value.map(text))
    case 'bools':
      return array(
        7,
        value.value.map((item) => Buffer.from([item ? 1 : 0])),
      )
    case 'u8s':
      return array(
        0,
        value.value.map((item) => Buffer.from([item])),
      )
    case 'u32s':
      return array(4, value.value.map(uint32))
    case 'i32s':
      return array(5, value.value.map(int32))
    case 'f32s':
      return array(6, value.value.map(float32))
    case 'raw':
      return Buffer.concat([uint32(value.typeNumber), value.bytes])
  }
}

function array(type: number, items: Buffer[]): Buffer {
  return Buffer.concat([uint32(9), uint32(type), uint64(items.length), ...items])
}

export function padded(length: number, alignment = DEFAULT_ALIGNMENT): number {
  return Math.ceil(length / alignment) * alignment
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint64(bytes.length), bytes])
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export function uint64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
