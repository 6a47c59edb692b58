import { basename, join } from 'node:path'
import type { ModelInfo } from '../../src-preload/contract/index.ts'
import { type LoadedModel, prefillFlop } from '../inference/index.ts'
import { type GgufModel, readGgufModel } from '../models/index.ts'
import type { ServedModel } from './serving.ts'

export const EMBEDDED_MODEL_ID = 'tirami-concierge'

export interface ModelChoice {
  id: string
  path: string
  embedded: boolean
}

export interface InspectedModel {
  gguf: GgufModel
  served: ServedModel
}

/** The embedded model's id (or nothing) means the file that ships with the app; anything else is a path. */
export function resolveModel(model: string | undefined, resourcesDirectory: string): ModelChoice {
  if (model === undefined || model === EMBEDDED_MODEL_ID || model === 'concierge') {
    return {
      id: EMBEDDED_MODEL_ID,
      path: join(resourcesDirectory, 'models', 'concierge.gguf'),
      embedded: true,
    }
  }
  const id = basename(model, '.gguf')
    .toLowerCase()
    .replace(/[^a-z0-9\-_:.]/g, '-')
    .slice(0, 64)
  return { id, path: model, embedded: false }
}

/** Reads the file's header in TypeScript before any native code sees it. @throws TiramiError MODEL_FILE_* */
export async function inspectModel(choice: ModelChoice): Promise<InspectedModel> {
  const gguf = await readGgufModel(choice.path)
  return {
    gguf,
    // The concierge knows its answers by heart: sampling only adds mistakes.
    served: { id: choice.id, cost: gguf, defaultTemperature: choice.embedded ? 0 : 0.7 },
  }
}

export function modelInfo(
  choice: ModelChoice,
  model: InspectedModel | null,
  loaded: LoadedModel | null,
): ModelInfo | null {
  if (!model) return null
  const { gguf } = model
  return {
    id: choice.id,
    name: gguf.name ?? choice.id,
    fileName: gguf.fileName,
    sizeBytes: gguf.sizeBytes,
    parameters: Number(gguf.parameters),
    contextTokens: loaded?.contextTokens ?? gguf.contextTokens,
    flopPerToken: String(prefillFlop(model.served.cost, 1)),
    demonstration: choice.embedded,
    license: gguf.license,
  }
}
