// Writes GGUF version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), little-endian.

const ALIGNMENT_BYTES = 32
const VERSION = 3

/** Metadata value types and tensor types, numbered as in the specification. */
const VALUE_TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const
const TENSOR_TYPE = { f32: 0, f16: 1, q8_0: 8 } as const

type TensorFormat = keyof typeof TENSOR_TYPE

export type MetadataValue =
  | { readonly type: 'uint32' | 'float32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'int32s'; readonly value: readonly number[] }

/** A row-major [rows, columns] matrix, or a vector when `rows` is absent. */
export interface GgufTensor {
  readonly name: string
  readonly columns: number
  readonly rows?: number
  readonly format: TensorFormat
  readonly values: Float32Array
}

class ByteWriter {
  readonly #parts: Buffer[] = []
  length = 0

  bytes(part: Buffer): void {
    this.#parts.push(part)
    this.length += part.length
  }

  uint32(value: number): void {
    const part = Buffer.alloc(4)
    part.writeUInt32LE(value)
    this.bytes(part)
  }

  int32(value: number): void {
    const part = Buffer.alloc(4)
    part.writeInt32LE(value)
    this.bytes(part)
  }

  uint64(value: number): void {
    const part = Buffer.alloc(8)
    part.writeBigUInt64LE(BigInt(value))
    this.bytes(part)
  }

  float32(value: number): void {
    const part = Buffer.alloc(4)
    part.writeFloatLE(value)
    this.bytes(part)
  }

  string(value: string): void {
    const text = Buffer.from(value, 'utf8')
    this.uint64(text.length)
    this.bytes(text)
  }

  pad(): void {
    this.bytes(Buffer.alloc((ALIGNMENT_BYTES - (this.length % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES))
  }

  concatenated(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function writeMetadata(writer: ByteWriter, entry: MetadataValue): void {
  switch (entry.type) {
    case 'uint32':
      writer.uint32(VALUE_TYPE.uint32)
      writer.uint32(entry.value)
      break
    case 'float32':
      writer.uint32(VALUE_TYPE.float32)
      writer.float32(entry.value)
      break
    case 'bool':
      writer.uint32(VALUE_TYPE.bool)
      writer.bytes(Buffer.from([Number(entry.value)]))
      break
    case 'string':
      writer.uint32(VALUE_TYPE.string)
      writer.string(entry.value)
      break
    case 'strings':
      writer.uint32(VALUE_TYPE.array)
      writer.uint32(VALUE_TYPE.string)
      writer.uint64(entry.value.length)
      for (const item of entry.value) writer.string(item)
      break
    case 'int32s':
      writer.uint32(VALUE_TYPE.array)
      writer.uint32(VALUE_TYPE.int32)
      writer.uint64(entry.value.length)
      for (const item of entry.value) writer.int32(item)
      break
  }
}

const scratch = new DataView(new ArrayBuffer(4))

/** IEEE-754 half-precision bits of `value`, rounded to nearest even. */
export function toFloat16(value: number): number {
  scratch.setFloat32(0, value)
  const bits = scratch.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 112
  const mantissa = bits & 0x7fffff
  if (exponent >= 31) return sign | 0x7c00
  if (exponent < -10) return sign
  // A subnormal result is the full mantissa shifted further right.
  const full = exponent > 0 ? (exponent << 23) | mantissa : mantissa | 0x800000
  const shift = exponent > 0 ? 13 : 14 - exponent
  const half = full >>> shift
  const rest = full & ((1 << shift) - 1)
  const middle = 1 << (shift - 1)
  return sign | (half + (rest > middle || (rest === middle && half % 2 === 1) ? 1 : 0))
}

/** The value of half-precision bits. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0) return sign * mantissa * 2 ** -24
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

const QUANTISATION_BLOCK = 32

/** ggml's q8_0: per 32 values a half-precision scale (largest magnitude / 127) and 32 signed bytes. */
function quantise(values: Float32Array): Buffer {
  const blockBytes = 2 + QUANTISATION_BLOCK
  const out = Buffer.alloc((values.length / QUANTISATION_BLOCK) * blockBytes)
  for (let block = 0; block * QUANTISATION_BLOCK < values.length; block++) {
    const part = values.subarray(block * QUANTISATION_BLOCK, (block + 1) * QUANTISATION_BLOCK)
    const scale = part.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127
    out.writeUInt16LE(toFloat16(scale), block * blockBytes)
    for (const [i, value] of part.entries()) {
      const quantum = scale === 0 ? 0 : Math.sign(value) * Math.round(Math.abs(value) / scale)
      out.writeInt8(quantum, block * blockBytes + 2 + i)
    }
  }
  return out
}

function encodeValues({ name, format, columns, values }: GgufTensor): Buffer {
  if (format === 'q8_0') {
    if (columns % QUANTISATION_BLOCK !== 0) throw new RangeError(`${name}: q8_0 needs rows of whole blocks`)
    return quantise(values)
  }
  if (format === 'f16') {
    return Buffer.from(Uint16Array.from(values, toFloat16).buffer)
  }
  return Buffer.from(values.slice().buffer)
}

/** The bytes of a GGUF file with the given metadata and tensors, in their given order. */
export function encodeGguf(
  metadata: ReadonlyMap<string, MetadataValue>,
  tensors: readonly GgufTensor[],
): Buffer {
  const header = new ByteWriter()
  const data = new ByteWriter()
  header.bytes(Buffer.from('GGUF', 'latin1'))
  header.uint32(VERSION)
  header.uint64(tensors.length)
  header.uint64(metadata.size)
  for (const [key, entry] of metadata) {
    header.string(key)
    writeMetadata(header, entry)
  }
  for (const tensor of tensors) {
    const extents = tensor.rows === undefined ? [tensor.columns] : [tensor.columns, tensor.rows]
    header.string(tensor.name)
    header.uint32(extents.length)
    for (const extent of extents) header.uint64(extent)
    header.uint32(TENSOR_TYPE[tensor.format])
    header.uint64(data.length)
    data.bytes(encodeValues(tensor))
    data.pad()
  }
  header.pad()
  return Buffer.concat([header.concatenated(), data.concatenated()])
}
