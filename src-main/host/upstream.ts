import { createUpstreamEngine, type FlopCost } from '../inference/index.ts'
import { type Clock, TiramiError } from '../kernel/index.ts'
import { readGgufModel } from '../models/index.ts'
import { readSecretFile } from './files.ts'
import { type CurrentModel, modelIdOf } from './model.ts'
import type { ModelDesk } from './model-desk.ts'
import type { UpstreamChoice } from './settings.ts'

/**
 * The desk of a host that serves from another server: models are downloaded and listed as ever, none of them is loaded.
 * @throws TiramiError UPSTREAM_ADDRESS_REFUSED, UPSTREAM_KEY_MISSING, UPSTREAM_COST_UNKNOWN, MODEL_FILE_*
 */
export async function overUpstream(
  desk: ModelDesk,
  choice: UpstreamChoice,
  clock: Clock,
): Promise<ModelDesk> {
  const { baseUrl, model, apiKeyFile, slots, contextTokens } = choice
  const apiKey = apiKeyFile === null ? null : keyOf(apiKeyFile)
  const current = await describe(choice)
  const keyed = apiKey === null ? {} : { apiKey }
  const engine = createUpstreamEngine({ baseUrl, model, slots, contextTokens, clock, ...keyed })
  return {
    ...desk,
    engine,
    current: () => current,
    load: async () => {
      throw ownModelsIdle()
    },
    view: async () => {
      const view = await desk.view()
      const own = view.installed.map((entry) => ({ ...entry, chosen: false }))
      return { ...view, installed: [entryOf(current), ...own] }
    },
  }
}

type InstalledView = Awaited<ReturnType<ModelDesk['view']>>['installed'][number]

function entryOf({ choice, gguf }: CurrentModel): InstalledView {
  return {
    id: choice.id,
    name: gguf.name,
    fileName: gguf.fileName,
    sizeBytes: 0,
    parameters: Number(gguf.parameters),
    contextTokens: gguf.contextTokens,
    license: null,
    embedded: false,
    hashOrigin: null,
    owned: false,
    chosen: true,
    fit: { verdict: 'fits', needBytes: 0, sentence: `It runs on ${gguf.fileName}, not on this machine.` },
    error: null,
  }
}

async function describe(choice: UpstreamChoice): Promise<CurrentModel> {
  const { cost, parameters, flop } = await costOf(choice)
  const id = modelIdOf(choice.model)
  const address = URL.canParse(choice.baseUrl) ? new URL(choice.baseUrl).host : choice.baseUrl
  return {
    choice: { id, embedded: false },
    gguf: {
      name: choice.model,
      fileName: address,
      sizeBytes: 0,
      parameters,
      contextTokens: choice.contextTokens,
      license: null,
    },
    served: { id, cost, defaultTemperature: 0.7 },
    upstream: { address, flop },
  }
}

/** What one token costs there: from a file's header, or as the owner declares it. */
async function costOf({ ggufPath, parameters, attention }: UpstreamChoice): Promise<{
  cost: FlopCost
  parameters: bigint
  flop: 'gguf' | 'declared'
}> {
  if (ggufPath !== null) {
    const gguf = await readGgufModel(ggufPath)
    return { cost: gguf, parameters: gguf.parameters, flop: 'gguf' }
  }
  if (parameters === null) throw costUnknown()
  const layer = attention && { ...attention, windowTokens: null }
  const layers = layer ? Array.from({ length: layer.layers }, () => layer) : []
  const activeMatmulParameters = BigInt(parameters)
  return { cost: { activeMatmulParameters, layers }, parameters: activeMatmulParameters, flop: 'declared' }
}

function keyOf(path: string): string {
  const key = readSecretFile(path)
  if (key) return key
  throw new TiramiError(
    'UPSTREAM_KEY_MISSING',
    'The file with the key of the upstream server is missing or empty.',
    {
      nextStep: 'Write the key into it, one line, or leave the option out.',
      httpStatus: 400,
    },
  )
}

function costUnknown(): TiramiError {
  return new TiramiError('UPSTREAM_COST_UNKNOWN', 'What a token of the upstream model costs is not known.', {
    nextStep: 'Say how many parameters it has, or name a GGUF file of it.',
    httpStatus: 400,
  })
}

function ownModelsIdle(): TiramiError {
  return new TiramiError('UPSTREAM_IN_USE', 'This host serves the model of another server.', {
    nextStep: 'Start it without an upstream server to serve a model of its own.',
    httpStatus: 409,
  })
}
