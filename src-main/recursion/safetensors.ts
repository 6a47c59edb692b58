import { z } from 'zod'
import { TiramiError, utf8 } from '../kernel/index.ts'
import { fromFloat16, toFloat16 } from './float16.ts'

// The safetensors file format: 8 bytes little-endian length of a JSON header, the header, then the tensors' bytes. The
// header gives each tensor's type, shape and byte range; the ranges cover the data exactly, without holes or overlap.

const ELEMENT_BYTES = { F32: 4, F16: 2 } as const
export type ElementType = keyof typeof ELEMENT_BYTES

export interface StoredTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

const LENGTH_BYTES = 8
const MAXIMUM_HEADER_BYTES = 1 << 20

const tensorSchema = z.strictObject({
  dtype: z.enum(['F32', 'F16']),
  shape: z.array(z.int().min(1)).max(8),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
})
const headerSchema = z.record(z.string(), z.union([tensorSchema, z.record(z.string(), z.string())]))

function invalid(message: string, cause?: unknown): TiramiError {
  return new TiramiError('CHECKPOINT_INVALID', `The weights file is damaged: ${message}.`, {
    nextStep: 'Train the model again, or install the app again.',
    cause,
  })
}

/** Writes the tensors in the given order, rounded to nearest if `type` is F16. */
export function encodeSafetensors(tensors: ReadonlyMap<string, StoredTensor>, type: ElementType): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'tirami-recursion' } }
  let end = 0
  for (const [name, { shape, values }] of tensors) {
    const start = end
    end += values.length * ELEMENT_BYTES[type]
    header[name] = { dtype: type, shape, data_offsets: [start, end] }
  }
  const text = JSON.stringify(header)
  // Spaces after the header align the data to 8 bytes.
  const json = utf8(text.padEnd(Math.ceil(text.length / 8) * 8))
  const file = new Uint8Array(LENGTH_BYTES + json.length + end)
  const view = new DataView(file.buffer)
  view.setBigUint64(0, BigInt(json.length), true)
  file.set(json, LENGTH_BYTES)
  let at = LENGTH_BYTES + json.length
  for (const { values } of tensors.values()) {
    for (const value of values) {
      if (type === 'F32') view.setFloat32(at, value, true)
      else view.setUint16(at, toFloat16(value), true)
      at += ELEMENT_BYTES[type]
    }
  }
  return file
}

function readHeader(file: Uint8Array): { header: z.infer<typeof headerSchema>; dataStart: number } {
  if (file.length < LENGTH_BYTES) throw invalid('it is shorter than its own header')
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const length = view.getBigUint64(0, true)
  if (length > BigInt(Math.min(MAXIMUM_HEADER_BYTES, file.length - LENGTH_BYTES))) {
    throw invalid('its header is longer than the file or than is allowed')
  }
  const dataStart = LENGTH_BYTES + Number(length)
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(LENGTH_BYTES, dataStart))
    return { header: headerSchema.parse(JSON.parse(text)), dataStart }
  } catch (error) {
    throw invalid('its header cannot be read', error)
  }
}

/** @throws TiramiError CHECKPOINT_INVALID for anything but a whole, exact file of f32 and f16 tensors. */
export function decodeSafetensors(file: Uint8Array): Map<string, StoredTensor> {
  const { header, dataStart } = readHeader(file)
  const entries: [string, z.infer<typeof tensorSchema>][] = []
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const tensor = tensorSchema.safeParse(entry)
    if (!tensor.success) throw invalid(`the entry of ${name} is not one of a tensor`)
    entries.push([name, tensor.data])
  }
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
  const view = new DataView(file.buffer, file.byteOffset + dataStart, file.byteLength - dataStart)
  const tensors = new Map<string, StoredTensor>()
  let covered = 0
  for (const [name, { dtype, shape, data_offsets: offsets }] of entries) {
    const [start, end] = offsets
    const count = shape.reduce((product, extent) => product * extent, 1)
    if (start !== covered) throw invalid(`${name} overlaps another tensor or leaves a hole`)
    if (end > view.byteLength) throw invalid(`${name} reaches beyond the end of the file`)
    if (end - start !== count * ELEMENT_BYTES[dtype])
      throw invalid(`the size of ${name} does not fit its shape`)
    const element = (i: number): number =>
      dtype === 'F32'
        ? view.getFloat32(start + 4 * i, true)
        : fromFloat16(view.getUint16(start + 2 * i, true))
    tensors.set(name, { shape, values: Float32Array.from({ length: count }, (_, i) => element(i)) })
    covered = end
  }
  if (covered !== view.byteLength) throw invalid('bytes follow the last tensor')
  return tensors
}
