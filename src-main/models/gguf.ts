import { type FileHandle, open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { TiramiError } from '../kernel/index.ts'
import { FileReader, ReadLimitError } from './file-reader.ts'
import { type GgufHeader, GgufProblem, type GgufValue, readGgufHeader } from './gguf-header.ts'
import { type LayerShape, layerCount, layerShapes } from './gguf-layers.ts'
import { Metadata } from './gguf-metadata.ts'
import { activeMatmulParameters, vocabularySize, type WeightBytes, weightBytes } from './gguf-weights.ts'

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
  /** The layers that a token runs through, in order. */
  layers: LayerShape[]
  /** Rows of the embedding. */
  vocabularySize: number
  weights: WeightBytes
  /** Elements of all tensors. */
  parameters: bigint
  /** Weights that one token is multiplied with; see `activeMatmulParameters` in the README. */
  activeMatmulParameters: bigint
  chatTemplate: string | null
}

const MAX_HEADER_BYTES = 64 * 1024 * 1024
const MAX_LABEL_CHARACTERS = 200

/**
 * Reads and checks the header of a model file in pure TypeScript; at most 64 MiB of it are read, vocabularies
 * are skipped. A file that passes has every tensor inside it; llama.cpp may still refuse it.
 * @throws TiramiError MODEL_FILE_MISSING (404) when it cannot be opened, MODEL_FILE_SPLIT (400) when it is a
 *   part of a model only, MODEL_FILE_INVALID (400) when it is not a complete GGUF model. Nothing else.
 */
export async function readGgufModel(path: string): Promise<GgufModel> {
  const fileName = basename(path)
  let file: FileHandle
  try {
    // Before it is opened: opening a pipe would wait for its other end.
    if (!(await stat(path)).isFile()) throw invalid(fileName, new GgufProblem('it is not a regular file'))
    file = await open(path, 'r')
  } catch (cause) {
    throw cause instanceof TiramiError ? cause : missing(fileName, cause)
  }
  try {
    const { size } = await file.stat()
    const header = await readGgufHeader(new FileReader(file, size, MAX_HEADER_BYTES), size)
    return describe(header, fileName, size)
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

/** llama.cpp would look for the other parts beside it, by names of its own making; nobody has checked those. */
function split(fileName: string, parts: number): TiramiError {
  return new TiramiError(
    'MODEL_FILE_SPLIT',
    `The model file ${fileName} is one of ${parts} parts of a model.`,
    {
      nextStep: 'Join the parts with “llama-gguf-split --merge”, or choose the model as a single file.',
      httpStatus: 400,
    },
  )
}

function invalid(fileName: string, error: unknown): TiramiError {
  if (error instanceof TiramiError) return error
  const known = error instanceof GgufProblem || error instanceof ReadLimitError
  const problem = known ? error.message : 'it cannot be read'
  return new TiramiError('MODEL_FILE_INVALID', `The model file ${fileName} cannot be used: ${problem}.`, {
    nextStep: 'Download the file again, or choose another model in GGUF format.',
    httpStatus: 400,
    cause: error,
  })
}

/** Other things that come as GGUF, by `general.type`. */
const OTHER_KINDS: ReadonlyMap<GgufValue, string> = new Map([
  ['adapter', 'it is an adapter, which needs a model to go with'],
  ['imatrix', 'it is an importance matrix, not a model'],
  ['mmproj', 'it is the image or audio part of a model, not the model itself'],
])

function describe(header: GgufHeader, fileName: string, sizeBytes: number): GgufModel {
  const { values, tensors } = header
  const parts = values.get('split.count')
  if (Number(parts ?? 1) > 1) throw split(fileName, Number(parts))
  if (tensors.length === 0) throw new GgufProblem('it holds no tensors')
  const otherKind = OTHER_KINDS.get(values.get('general.type') ?? 'model')
  if (otherKind) throw new GgufProblem(otherKind)
  const metadata = new Metadata(values)
  const layers = layerCount(metadata)
  const chatTemplate = values.get('tokenizer.chat_template')
  return {
    fileName,
    sizeBytes,
    architecture: metadata.architecture,
    name: label(values.get('general.name')) ?? fileName.replace(/\.gguf$/i, ''),
    license: label(values.get('general.license')),
    contextTokens: metadata.count('context_length'),
    embeddingLength: metadata.count('embedding_length'),
    layers: layerShapes(metadata),
    vocabularySize: vocabularySize(tensors),
    weights: weightBytes(tensors, layers),
    parameters: tensors.reduce((sum, tensor) => sum + tensor.elements, 0n),
    activeMatmulParameters: activeMatmulParameters(tensors, metadata, layers),
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
