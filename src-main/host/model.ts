import { basename, join } from 'node:path'
import type { ModelInfo } from '../../src-preload/contract/index.ts'
import { type LoadedModel, prefillFlop } from '../inference/index.ts'
import { type GgufModel, type ModelStore, readGgufModel } from '../models/index.ts'
import type { ServedModel } from './serving.ts'

export const EMBEDDED_MODEL_ID = 'tirami-concierge'

export interface ModelChoice {
  id: string
  path: string
  embedded: boolean
}

/** What is served, wherever it is computed. */
export interface CurrentModel {
  choice: Pick<ModelChoice, 'id' | 'embedded'>
  gguf: Pick<GgufModel, 'name' | 'fileName' | 'sizeBytes' | 'parameters' | 'contextTokens' | 'license'>
  served: ServedModel
  /** Set when another server computes. */
  upstream?: NonNullable<ModelInfo['upstream']>
}

export interface InspectedModel extends CurrentModel {
  choice: ModelChoice
  gguf: GgufModel
}

export function embeddedChoice(resourcesDirectory: string): ModelChoice {
  const path = join(resourcesDirectory, 'models', 'concierge.gguf')
  return { id: EMBEDDED_MODEL_ID, path, embedded: true }
}

/** The embedded model (or nothing), an installed one by its id in any form, or the path of a file. */
export async function resolveModel(
  model: string | null,
  resourcesDirectory: string,
  { catalogue, library }: Pick<ModelStore, 'catalogue' | 'library'>,
): Promise<ModelChoice> {
  if (model === null || model === EMBEDDED_MODEL_ID || model === 'concierge')
    return embeddedChoice(resourcesDirectory)
  for (const id of [model, catalogue.find(model)?.id]) {
    if (id === undefined || !(await library.has(id))) continue
    const { path } = await library.locate(id)
    return { id, path, embedded: false }
  }
  return { id: modelIdOf(model), path: model, embedded: false }
}

/** The id under which a file, or a model of another server, is served. */
export function modelIdOf(name: string): string {
  return basename(name, '.gguf')
    .toLowerCase()
    .replace(/[^a-z0-9\-_:.]/g, '-')
    .slice(0, 64)
}

/** Reads the file's header in TypeScript before any native code sees it. @throws TiramiError MODEL_FILE_* */
export async function inspectModel(choice: ModelChoice): Promise<InspectedModel> {
  const gguf = await readGgufModel(choice.path)
  return {
    choice,
    gguf,
    // The concierge knows its answers by heart: sampling only adds mistakes.
    served: { id: choice.id, cost: gguf, defaultTemperature: choice.embedded ? 0 : 0.7 },
  }
}

/** @param loaded null: as the file says */
export function modelInfo(
  { choice, gguf, served, upstream }: CurrentModel,
  loaded: LoadedModel | null,
): ModelInfo {
  return {
    id: choice.id,
    name: gguf.name ?? choice.id,
    fileName: gguf.fileName,
    sizeBytes: gguf.sizeBytes,
    parameters: Number(gguf.parameters),
    contextTokens: loaded?.contextTokens ?? gguf.contextTokens,
    flopPerToken: String(prefillFlop(served.cost, 1)),
    demonstration: choice.embedded,
    license: gguf.license,
    ...(upstream ? { upstream } : {}),
  }
}
