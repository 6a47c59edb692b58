import type { FileReader } from './file-reader.ts'
import { type GgmlTypeLayout, ggmlType } from './ggml-types.ts'

/** What is wrong with a model file, in a few words that complete "The model file is damaged: …". */
export class GgufProblem extends Error {}

export type GgufValue = string | number | bigint | boolean | number[]

export interface GgufTensor {
  name: string
  /** Elements per dimension, fastest first, as ggml stores them (`ne`). */
  dimensions: bigint[]
  type: GgmlTypeLayout
  elements: bigint
  /** From the start of the file. */
  offsetBytes: bigint
  sizeBytes: bigint
}

export interface GgufHeader {
  version: number
  /** Scalars and short lists of numbers. Strings only where `KEPT_TEXTS` says so, long lists never. */
  values: Map<string, GgufValue>
  /** None in the first part of some split models. */
  tensors: GgufTensor[]
}

const MAGIC = 'GGUF'
const MAX_KEY_VALUES = 65_536n
const MAX_TENSORS = 65_536n
const MAX_STRING_BYTES = 16n * 1024n * 1024n
const MAX_KEY_BYTES = 65_535n
/** GGML_MAX_NAME: 64 bytes with the terminating zero in memory; the file may hold 64. */
const MAX_TENSOR_NAME_BYTES = 64n
/** GGML_MAX_DIMS. */
const MAX_DIMENSIONS = 4
/** Eight times the largest vocabulary known; bounds the time a forged list can take. */
const MAX_ARRAY_ITEMS = 1n << 22n
/** Per-layer lists such as `attention.head_count` are kept; vocabularies are far longer and are skipped. */
const MAX_KEPT_ITEMS = 4096
/** Of all kept lists together: several hundred lists of the longest. Bounds memory, not only time. */
const MAX_KEPT_ITEMS_IN_ALL = 1 << 20
/** The longest chat templates in use have tens of kilobytes; rendering a forged one takes time and memory. */
const MAX_KEPT_TEXT_BYTES = 1024n * 1024n
/** Four times the largest vocabulary known. */
const MAX_VOCABULARY = 1n << 20n
const MAX_ALIGNMENT = 65_536
const DEFAULT_ALIGNMENT = 32
/** ggml counts elements in a signed 64-bit integer. */
const MAX_ELEMENTS = (1n << 63n) - 1n

const U32_TYPE = 4
const STRING_TYPE = 8
const ARRAY_TYPE = 9
/** Bytes of every scalar type, by its number in the file. */
const SCALAR_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
])

const ALIGNMENT_KEY = 'general.alignment'
const TOKENS_KEY = 'tokenizer.ggml.tokens'
/** One entry per token each; llama.cpp reads them to the vocabulary's length, however long they are. */
const PER_TOKEN_KEYS = ['tokenizer.ggml.scores', 'tokenizer.ggml.token_type']
/** Text that the reader wants; every other string is checked and skipped. */
const KEPT_TEXTS: ReadonlySet<string> = new Set([
  'general.architecture',
  'general.license',
  'general.name',
  'general.type',
  'tokenizer.chat_template',
])

/**
 * Reads the header of a GGUF file, version 2 or 3, and checks every count, length, type and offset in it
 * against its bounds and the file's size before anything is allocated for it.
 * Source: the GGUF specification (ggml docs/gguf.md) and the checks of llama.cpp's gguf.cpp.
 * @throws GgufProblem, ReadLimitError
 */
export async function readGgufHeader(reader: FileReader, fileBytes: number): Promise<GgufHeader> {
  const magic = (await reader.take(4)).toString('latin1')
  if (magic !== MAGIC) throw new GgufProblem('it is not a GGUF file')
  const version = await readVersion(reader)
  const tensorCount = await reader.u64()
  const keyValueCount = await reader.u64()
  if (keyValueCount > MAX_KEY_VALUES) throw new GgufProblem(`it claims ${keyValueCount} metadata entries`)
  if (tensorCount > MAX_TENSORS) throw new GgufProblem(`it claims ${tensorCount} tensors`)
  const values = await readKeyValues(reader, Number(keyValueCount))
  const tensors = await readTensors(reader, Number(tensorCount))
  placeTensors(tensors, reader.position, alignmentOf(values), fileBytes)
  return { version, values, tensors }
}

async function readVersion(reader: FileReader): Promise<number> {
  const version = await reader.u32()
  if (version === 2 || version === 3) return version
  if (version !== 0 && (version & 0xffff) === 0)
    throw new GgufProblem('it is a big-endian GGUF file, which cannot be loaded')
  throw new GgufProblem(`it has GGUF version ${version}; versions 2 and 3 are supported`)
}

async function readText(reader: FileReader, maxBytes: bigint, what: string): Promise<string> {
  const length = await reader.u64()
  if (length > maxBytes) throw new GgufProblem(`${what} claims ${length} bytes`)
  return (await reader.take(Number(length))).toString('utf8')
}

function skipTexts(reader: FileReader, count: number, what: string): Promise<void> {
  return reader.skipTexts(count, (length) => {
    if (length > MAX_STRING_BYTES) throw new GgufProblem(`${what} claims ${length} bytes`)
  })
}

async function readKeyValues(reader: FileReader, count: number): Promise<Map<string, GgufValue>> {
  const seen = new Set<string>()
  const values = new Map<string, GgufValue>()
  const lengths = new Map<string, bigint>()
  let keptItems = 0
  for (let i = 0; i < count; i++) {
    const key = await readText(reader, MAX_KEY_BYTES, 'the name of a metadata entry')
    if (key === '') throw new GgufProblem('a metadata entry has no name')
    if (seen.has(key)) throw new GgufProblem(`the metadata entry ${shown(key)} appears twice`)
    seen.add(key)
    const value = await readValue(reader, key, await reader.u32(), lengths)
    if (Array.isArray(value)) keptItems += value.length
    if (keptItems > MAX_KEPT_ITEMS_IN_ALL) throw new GgufProblem('its lists are too long')
    if (value !== undefined) values.set(key, value)
  }
  for (const key of PER_TOKEN_KEYS) {
    if (lengths.has(key) && lengths.get(key) !== lengths.get(TOKENS_KEY))
      throw new GgufProblem(`the list ${shown(key)} is not as long as the vocabulary`)
  }
  return values
}

/** @param lengths gets the number of items of every list */
async function readValue(
  reader: FileReader,
  key: string,
  type: number,
  lengths: Map<string, bigint>,
): Promise<GgufValue | undefined> {
  if (type === ARRAY_TYPE) return readArray(reader, key, lengths)
  if (type === STRING_TYPE) {
    if (KEPT_TEXTS.has(key)) return readText(reader, MAX_KEPT_TEXT_BYTES, shown(key))
    await skipTexts(reader, 1, shown(key))
    return undefined
  }
  const bytes = SCALAR_BYTES.get(type)
  if (bytes === undefined)
    throw new GgufProblem(`the metadata entry ${shown(key)} has the unknown type ${type}`)
  // llama.cpp reads the alignment as this type, whatever the file says.
  if (key === ALIGNMENT_KEY && type !== U32_TYPE) throw new GgufProblem('its alignment has the wrong type')
  return scalarFrom(await reader.take(bytes), type)
}

/** llama.cpp ends its process on a token that appears twice; only empty ones may. */
async function readVocabulary(reader: FileReader, count: bigint): Promise<void> {
  if (count > MAX_VOCABULARY) throw new GgufProblem(`its vocabulary claims ${count} tokens`)
  const seen = new Set<string>()
  const assertLength = (length: bigint): void => {
    if (length > MAX_KEY_BYTES) throw new GgufProblem(`a token claims ${length} bytes`)
  }
  await reader.skipTexts(Number(count), assertLength, (bytes) => {
    const token = bytes.toString('latin1')
    if (token !== '' && seen.has(token)) throw new GgufProblem('a token of its vocabulary appears twice')
    seen.add(token)
  })
}

async function readArray(
  reader: FileReader,
  key: string,
  lengths: Map<string, bigint>,
): Promise<number[] | undefined> {
  const type = await reader.u32()
  const count = await reader.u64()
  if (count > MAX_ARRAY_ITEMS) throw new GgufProblem(`the list ${shown(key)} claims ${count} items`)
  lengths.set(key, count)
  if (key === TOKENS_KEY) {
    if (type !== STRING_TYPE) throw new GgufProblem('its vocabulary is no list of texts')
    await readVocabulary(reader, count)
    return undefined
  }
  if (type === STRING_TYPE) {
    await skipTexts(reader, Number(count), `an item of ${shown(key)}`)
    return undefined
  }
  const bytes = SCALAR_BYTES.get(type)
  if (bytes === undefined)
    throw new GgufProblem(`the list ${shown(key)} has items of the unknown type ${type}`)
  if (count > MAX_KEPT_ITEMS) {
    reader.skip(Number(count) * bytes)
    return undefined
  }
  const items: number[] = []
  for (let i = 0n; i < count; i++) items.push(Number(scalarFrom(await reader.take(bytes), type)))
  return items
}

function scalarFrom(bytes: Buffer, type: number): number | bigint | boolean {
  switch (type) {
    case 0:
      return bytes.readUInt8(0)
    case 1:
      return bytes.readInt8(0)
    case 2:
      return bytes.readUInt16LE(0)
    case 3:
      return bytes.readInt16LE(0)
    case 4:
      return bytes.readUInt32LE(0)
    case 5:
      return bytes.readInt32LE(0)
    case 6:
      return bytes.readFloatLE(0)
    case 7:
      return bytes.readUInt8(0) !== 0
    case 10:
      return bytes.readBigUInt64LE(0)
    case 11:
      return bytes.readBigInt64LE(0)
    default:
      return bytes.readDoubleLE(0)
  }
}

function alignmentOf(values: Map<string, GgufValue>): bigint {
  const alignment = values.get(ALIGNMENT_KEY) ?? DEFAULT_ALIGNMENT
  const isPowerOfTwo =
    typeof alignment === 'number' &&
    alignment >= 1 &&
    Math.log2(alignment) === Math.trunc(Math.log2(alignment))
  if (!isPowerOfTwo || alignment > MAX_ALIGNMENT) throw new GgufProblem('its alignment is not a power of two')
  return BigInt(alignment)
}

async function readTensors(reader: FileReader, count: number): Promise<GgufTensor[]> {
  const names = new Set<string>()
  const tensors: GgufTensor[] = []
  for (let i = 0; i < count; i++) {
    const tensor = await readTensor(reader)
    if (names.has(tensor.name)) throw new GgufProblem(`the tensor ${shown(tensor.name)} appears twice`)
    names.add(tensor.name)
    tensors.push(tensor)
  }
  return tensors
}

async function readTensor(reader: FileReader): Promise<GgufTensor> {
  const name = await readText(reader, MAX_TENSOR_NAME_BYTES, 'the name of a tensor')
  const dimensionCount = await reader.u32()
  if (dimensionCount < 1 || dimensionCount > MAX_DIMENSIONS) {
    throw new GgufProblem(`the tensor ${shown(name)} claims ${dimensionCount} dimensions`)
  }
  const dimensions: bigint[] = []
  let elements = 1n
  for (let i = 0; i < dimensionCount; i++) {
    const size = await reader.u64()
    elements *= size
    if (size === 0n || elements > MAX_ELEMENTS)
      throw new GgufProblem(`the tensor ${shown(name)} has impossible dimensions`)
    dimensions.push(size)
  }
  const typeNumber = await reader.u32()
  const type = ggmlType(typeNumber)
  if (!type) throw new GgufProblem(`the tensor ${shown(name)} has the unknown type ${typeNumber}`)
  const blockElements = BigInt(type.blockElements)
  if ((dimensions[0] ?? 0n) % blockElements !== 0n) {
    throw new GgufProblem(`the rows of the tensor ${shown(name)} do not fit blocks of ${type.name}`)
  }
  const sizeBytes = (elements / blockElements) * BigInt(type.blockBytes)
  return { name, dimensions, type, elements, offsetBytes: await reader.u64(), sizeBytes }
}

/** Turns offsets into file positions and checks that every tensor lies in the file, aligned and alone. */
function placeTensors(tensors: GgufTensor[], headerEnd: number, alignment: bigint, fileBytes: number): void {
  const dataStart = ((BigInt(headerEnd) + alignment - 1n) / alignment) * alignment
  for (const tensor of tensors) {
    if (tensor.offsetBytes % alignment !== 0n)
      throw new GgufProblem(`the tensor ${shown(tensor.name)} is not aligned`)
    tensor.offsetBytes += dataStart
    if (tensor.offsetBytes + tensor.sizeBytes > BigInt(fileBytes)) {
      throw new GgufProblem(`the tensor ${shown(tensor.name)} lies beyond the end of the file`)
    }
  }
  const inOrder = tensors.toSorted((a, b) => (a.offsetBytes < b.offsetBytes ? -1 : 1))
  let end = 0n
  for (const tensor of inOrder) {
    if (tensor.offsetBytes < end)
      throw new GgufProblem(`the tensor ${shown(tensor.name)} overlaps another one`)
    end = tensor.offsetBytes + tensor.sizeBytes
  }
}

/** A name from the file as a message may carry it: printable and short. */
function shown(name: string): string {
  const printable = name.replaceAll(/[^\x20-\x7e]/g, '?')
  return `"${printable.length > 64 ? `${printable.slice(0, 64)}…` : printable}"`
}
