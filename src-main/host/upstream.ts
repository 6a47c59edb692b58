import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ModelsView } from '../../src-preload/contract/index.ts'
import { createUpstreamEngine, type Engine, type FlopCost } from '../inference/index.ts'
import { type Clock, hexFromBytes, type Rng, TiramiError } from '../kernel/index.ts'
import { fitWords, readGgufModel } from '../models/index.ts'
import { ensurePrivateDirectory, readSecretFile, writeFileAtomically } from './files.ts'
import { type CurrentModel, modelIdOf } from './model.ts'
import type { UpstreamChoice } from './settings.ts'

/** A model that another server computes. */
export interface RemoteModel {
  choice: UpstreamChoice
  current: CurrentModel
  engine: Engine
}

/**
 * Reads what a token costs there and the key; asks the server nothing yet.
 * @param apiKey instead of the one in the choice's file. @throws TiramiError UPSTREAM_ADDRESS_REFUSED, UPSTREAM_KEY_MISSING, UPSTREAM_COST_UNKNOWN, MODEL_FILE_*
 */
export async function openRemoteModel(
  choice: UpstreamChoice,
  clock: Clock,
  apiKey: string | null = null,
): Promise<RemoteModel> {
  const { baseUrl, model, apiKeyFile, slots, contextTokens } = choice
  const key = apiKey ?? (apiKeyFile === null ? null : keyOf(apiKeyFile))
  const current = await describe(choice)
  const keyed = key === null ? {} : { apiKey: key }
  const engine = createUpstreamEngine({ baseUrl, model, slots, contextTokens, clock, ...keyed })
  return { choice, current, engine }
}

type InstalledView = ModelsView['installed'][number]

/** As a line among the models of this machine. */
export function remoteEntry({ current: { choice, gguf } }: RemoteModel): InstalledView {
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
    fit: { verdict: 'fits', needBytes: 0, ...fitWords('elsewhere', { server: gguf.fileName }) },
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

/**
 * Keeps a key in a file of its own that only its owner can read: the choice that names it is written later, and until then
 * the last choice keeps the last key. @returns its path
 */
export function keepUpstreamKey(directory: string, apiKey: string, rng: Rng): string {
  ensurePrivateDirectory(directory)
  const path = join(directory, hexFromBytes(rng.bytes(8)))
  writeFileAtomically(path, `${apiKey}\n`)
  return path
}

/** Keys that no choice names any more. */
export function forgetUpstreamKeys(directory: string, inUse: string | null): void {
  for (const name of existsSync(directory) ? readdirSync(directory) : [])
    if (join(directory, name) !== inUse) rmSync(join(directory, name), { force: true })
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
