import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { TiramiError } from '../kernel/index.ts'

const SafeName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/)

const Build = z
  .strictObject({
    /** As llama.cpp names it, for example `Q4_K_M`. */
    quantisation: z.string().regex(/^[A-Z0-9]+(_[A-Z0-9]+)*$/),
    repository: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/),
    /** Commit of the repository. `main` only where no hash is pinned. */
    revision: z.union([z.string().regex(/^[0-9a-f]{40}$/), z.literal('main')]),
    file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.gguf$/),
    sizeBytes: z.number().int().positive().nullable(),
    /** Null: not known here. Such a file is taken only with the hash that the server announces, and shown so. */
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable(),
  })
  .refine(
    ({ sha256, sizeBytes, revision }) => sha256 === null || (sizeBytes !== null && revision !== 'main'),
    'a pinned hash needs a size and a commit',
  )

const CatalogueModel = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]*:[a-z0-9][a-z0-9.-]*$/),
  family: SafeName,
  name: z.string().min(1).max(80),
  publisher: z.string().min(1).max(80),
  /** SPDX id; `LicenseRef-…` for a licence that SPDX does not list. */
  license: z.string().regex(/^[A-Za-z0-9.-]+$/),
  licenseUrl: z.url({ protocol: /^https$/ }),
  /** How turns are written: what the file's chat template produces. */
  chatFormat: z.enum(['chatml', 'llama3', 'harmony']),
  contextTokens: z.number().int().positive(),
  /** What a token leaves in the cache; null where layers differ and no one figure is right. */
  attention: z
    .strictObject({
      layers: z.number().int().positive(),
      kvHeads: z.number().int().positive(),
      headLength: z.number().int().positive(),
    })
    .nullable(),
  /** The first one is meant when the id has no suffix. */
  builds: z.array(Build).min(1),
})
type CatalogueModel = z.infer<typeof CatalogueModel>

const CatalogueFile = z
  .strictObject({ version: z.literal(1), models: z.array(CatalogueModel).min(1) })
  .refine(({ models }) => {
    const ids = models.flatMap((model) => model.builds.map((build) => buildId(model, build)))
    return new Set(ids).size === ids.length && new Set(models.map(({ id }) => id)).size === models.length
  }, 'an id appears twice')

/** One file that can be downloaded: a model in one quantisation. */
export interface CatalogueEntry extends Omit<CatalogueModel, 'builds' | 'id'>, z.infer<typeof Build> {
  /** Id with the quantisation, for example `qwen2.5:0.5b-q4_k_m`. */
  id: string
  /** The same without it, for example `qwen2.5:0.5b`. */
  modelId: string
  /** Whether the short id means this build. */
  isDefault: boolean
  url: string
  /** Name of the file in the models folder. */
  fileName: string
}

export interface Catalogue {
  entries: readonly CatalogueEntry[]
  /** By short or full id, in any case; undefined where there is none. */
  find(id: string): CatalogueEntry | undefined
}

/**
 * Reads the catalogue that ships with the app.
 * @throws TiramiError MODEL_CATALOGUE_DAMAGED (500)
 */
export async function loadCatalogue(path: string): Promise<Catalogue> {
  try {
    return catalogueOf(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    throw new TiramiError(
      'MODEL_CATALOGUE_DAMAGED',
      'The list of models that ships with the app cannot be read.',
      {
        nextStep: 'Install the app again.',
        cause,
      },
    )
  }
}

/** @throws ZodError */
function catalogueOf(json: unknown): Catalogue {
  const entries = CatalogueFile.parse(json).models.flatMap((model) =>
    model.builds.map((build) => entryOf(model, build)),
  )
  return {
    entries,
    find(id) {
      const wanted = id.trim().toLowerCase()
      return entries.find((entry) => entry.id === wanted || (entry.isDefault && entry.modelId === wanted))
    },
  }
}

function buildId(
  model: Pick<CatalogueModel, 'id'>,
  build: Pick<z.infer<typeof Build>, 'quantisation'>,
): string {
  return `${model.id}-${build.quantisation.toLowerCase()}`
}

function entryOf(
  { builds, id: modelId, ...model }: CatalogueModel,
  build: z.infer<typeof Build>,
): CatalogueEntry {
  const id = buildId({ id: modelId }, build)
  return {
    ...model,
    ...build,
    id,
    modelId,
    isDefault: build === builds[0],
    url: hubUrl(build.repository, build.revision, build.file),
    fileName: `${id.replace(':', '-')}.gguf`,
  }
}

/** Address of a file's content on Hugging Face. */
export function hubUrl(repository: string, revision: string, file: string): string {
  const path = file.split('/').map(encodeURIComponent).join('/')
  return `https://huggingface.co/${repository}/resolve/${encodeURIComponent(revision)}/${path}`
}

const CACHE_ELEMENT_BYTES = 2
const WORKING_BYTES = 256 * 1024 * 1024
/** Where the cache cannot be computed, a fifth of the file stands for it. */
const UNKNOWN_CACHE_SHARE = 0.2

/**
 * Memory that a model needs, by rule, not by measurement: the file, the cache of keys and values (16 bits each) for
 * the context, and 256 MiB to work in.
 * @param contextTokens tokens of all conversations together
 * @returns bytes, or null where the file's size is not known
 */
export function memoryNeedBytes(
  { sizeBytes, attention }: Pick<CatalogueEntry, 'sizeBytes' | 'attention'>,
  contextTokens: number,
): number | null {
  if (sizeBytes === null) return null
  const cacheBytes = attention
    ? 2 * attention.layers * attention.kvHeads * attention.headLength * CACHE_ELEMENT_BYTES * contextTokens
    : Math.ceil(sizeBytes * UNKNOWN_CACHE_SHARE)
  return sizeBytes + cacheBytes + WORKING_BYTES
}
