import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { TiramiError } from '../kernel/index.ts'
import { FileReader, ReadLimitError } from './file-reader.ts'
import {
  type GgufHeader,
  GgufProblem,
  type GgufTensor,
  type GgufValue,
  readGgufHeader,
} from './gguf-header.ts'

/** What the host needs to know of a model before llama.cpp sees the file. */
export interface GgufModel {
  fileName: string
  sizeBytes: number
  /** `general.architecture`, for example `llama` or `qwen2`. */
  architecture: string
  /** `general.name`; the file name without its ending where the model has none. */
  name: string
  /** SPDX id or free text, as the model's author wrote it. */
  license: string | null
  /** Tokens the model was trained for. */
  contextTokens: number
  embeddingLength: number
  blockCount: number
  /** Query heads of a layer; the largest where layers differ. */
  headCount: number
  headCountKv: number
  /** Elements of one key vector. */
  keyLength: number
  /** Elements of all tensors. */
  parameters: bigint
  /** Weights that one token is multiplied with; see `activeMatmulParameters` in the README. */
  activeMatmulParameters: bigint
  chatTemplate: string | null
}

const MAX_HEADER_BYTES = 64 * 1024 * 1024
/** Far above any model; keeps a forged count out of the arithmetic that follows. */
const MAX_METADATA_COUNT = 1 << 28
const MAX_LABEL_CHARACTERS = 200

/** Tensors that are looked up by row, not multiplied with. */
const LOOKUP_TENSORS: ReadonlySet<string> = new Set([
  'position_embd.weight',
  'token_types.weight',
  'per_layer_token_embd.weight',
])

/**
 * Reads and checks the header of a model file in pure TypeScript; at most 64 MiB of it are read, vocabularies
 * are skipped. A file that passes has every tensor inside it; llama.cpp may still refuse it.
 * @throws TiramiError MODEL_FILE_MISSING (404) when it cannot be opened, MODEL_FILE_INVALID (400) when it is
 *   not a complete GGUF model. Nothing else.
 */
export async function readGgufModel(path: string): Promise<GgufModel> {
  const fileName = basename(path)
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (cause) {
    throw missing(fileName, cause)
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new GgufProblem('it is not a regular file')
    const header = await readGgufHeader(new FileReader(file, stat.size, MAX_HEADER_BYTES), stat.size)
    return describe(header, fileName, stat.size)
  } catch (error) {
    throw invalid(fileName, error)
  } finally {
    await file.close().catch(() => undefined)
  }
}

function missing(fileName: string, cause: unknown): TiramiError {
  return new TiramiError('MODEL_FILE_MISSING', `The model file ${fileName} cannot be opened.`, {
    nextStep: 'Check that the file exists and can be read, or choose another model.',
    httpStatus: 404,
    cause,
  })
}

function invalid(fileName: string, error: unknown): TiramiError {
  const known = error instanceof GgufProblem || error instanceof ReadLimitError
  const problem = known ? error.message : 'it cannot be read'
  return new TiramiError('MODEL_FILE_INVALID', `The model file ${fileName} cannot be used: ${problem}.`, {
    nextStep: 'Download the file again, or choose another model in GGUF format.',
    httpStatus: 400,
    cause: error,
  })
}

function describe(header: GgufHeader, fileName: string, sizeBytes: number): GgufModel {
  const architecture = header.values.get('general.architecture')
  if (typeof architecture !== 'string' || !/^[\w.-]{1,64}$/.test(architecture)) {
    throw new GgufProblem('it does not say which architecture it has')
  }
  const metadata = new Metadata(header.values, architecture)
  const embeddingLength = metadata.count('embedding_length')
  const headCount = metadata.count('attention.head_count')
  const keyLength = metadata.count('attention.key_length', Math.floor(embeddingLength / headCount))
  const chatTemplate = header.values.get('tokenizer.chat_template')
  return {
    fileName,
    sizeBytes,
    architecture,
    name: label(header.values.get('general.name')) ?? fileName.replace(/\.gguf$/i, ''),
    license: label(header.values.get('general.license')),
    contextTokens: metadata.count('context_length'),
    embeddingLength,
    blockCount: metadata.count('block_count'),
    headCount,
    headCountKv: metadata.count('attention.head_count_kv', headCount),
    keyLength,
    parameters: header.tensors.reduce((sum, tensor) => sum + tensor.elements, 0n),
    activeMatmulParameters: activeMatmulParameters(
      header.tensors,
      BigInt(metadata.count('expert_used_count', 0, 0)),
      BigInt(metadata.count('expert_count', 0, 0)),
    ),
    chatTemplate: typeof chatTemplate === 'string' && chatTemplate !== '' ? chatTemplate : null,
  }
}

/** Text from the file for a person: one line, short, or null. */
function label(value: GgufValue | undefined): string | null {
  if (typeof value !== 'string') return null
  const text = value
    .replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, MAX_LABEL_CHARACTERS)
  return text === '' ? null : text
}

class Metadata {
  readonly #values: Map<string, GgufValue>
  readonly #architecture: string

  constructor(values: Map<string, GgufValue>, architecture: string) {
    this.#values = values
    this.#architecture = architecture
  }

  /**
   * A whole number from `least` up; the largest one where the file has a list per layer.
   * @throws GgufProblem when it is missing and has no `fallback`, or out of range.
   */
  count(key: string, fallback?: number, least = 1): number {
    const value = this.#values.get(`${this.#architecture}.${key}`)
    const number = Array.isArray(value) ? Math.max(...value) : Number(value ?? fallback)
    if (Number.isInteger(number) && number >= least && number <= MAX_METADATA_COUNT) return number
    throw new GgufProblem(`its ${key} is missing or out of range`)
  }
}

/**
 * Weights that one token is multiplied with in a forward pass, each counted once (2 FLOP apiece).
 * Matrices only: norms, biases and tables that are looked up by row are left out. A tied embedding
 * (no `output.weight`) is the output projection and counts. Of experts the used share counts.
 */
function activeMatmulParameters(tensors: GgufTensor[], expertsUsed: bigint, experts: bigint): bigint {
  const tied = !tensors.some((tensor) => tensor.name === 'output.weight')
  let dense = 0n
  let expert = 0n
  for (const { name, dimensions, elements } of tensors) {
    const isMatrix = dimensions.filter((size) => size > 1n).length >= 2
    const isLookup = LOOKUP_TENSORS.has(name) || (name === 'token_embd.weight' && !tied)
    if (!isMatrix || isLookup) continue
    if (/_exps(\.|$)/.test(name)) expert += elements
    else dense += elements
  }
  if (expert === 0n) return dense
  if (expertsUsed < 1n || expertsUsed > experts)
    throw new GgufProblem('its expert counts do not fit its tensors')
  return dense + (expert * expertsUsed) / experts
}
