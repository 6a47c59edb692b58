import { createHash } from 'node:crypto'
import { z } from 'zod'
import { TiramiError } from '../../kernel/index.ts'
import { type CatalogueEntry, hubUrl } from '../catalogue.ts'
import { isSplit, type ModelSource } from '../source.ts'
import { confused } from './errors.ts'
import type { Net } from './net.ts'
import type { Target } from './record.ts'
import { fetchText, HUB_POLICY } from './remote.ts'

/** What can be downloaded; a file that is here already cannot. */
export type RemoteSource = Exclude<ModelSource, { kind: 'file' }>

const MAX_LISTING_BYTES = 8 * 1024 * 1024

const Listing = z.object({
  /** Commit that the listing describes. */
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z
    .array(
      z.object({
        rfilename: z.string(),
        size: z.number().int().positive().optional(),
        lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
      }),
    )
    .max(100_000),
})

/**
 * What a source means as a file to download. Only a quantisation of a repository takes a look at the network.
 * @throws Interrupted, TiramiError MODEL_QUANTISATION_UNKNOWN (404), DOWNLOAD_*
 */
export async function targetOf(source: RemoteSource, net: Net, signal: AbortSignal): Promise<Target> {
  switch (source.kind) {
    case 'catalogue':
      return catalogueTarget(source.entry)
    case 'hub-file':
      return { ...hubTarget(source.repository, source.file), url: source.url }
    case 'hub-quantisation':
      return quantisationTarget(source.repository, source.quantisation, net, signal)
    case 'url':
      return urlTarget(source.url, source.sha256)
  }
}

function catalogueTarget(entry: CatalogueEntry): Target {
  return {
    modelId: entry.id,
    fileName: entry.fileName,
    url: entry.url,
    source: entry.id,
    sizeBytes: entry.sizeBytes,
    sha256: entry.sha256,
    hashOrigin: entry.sha256 === null ? null : 'catalogue',
    license: entry.license,
    extraHost: null,
  }
}

function hubTarget(repository: string, file: string): Target {
  const modelId = `hf:${repository}/${file}`
  return {
    modelId,
    fileName: fileNameFor(modelId, `${repository}/${file}`),
    url: hubUrl(repository, 'main', file),
    source: modelId,
    sizeBytes: null,
    sha256: null,
    hashOrigin: null,
    license: null,
    extraHost: null,
  }
}

function urlTarget(address: string, sha256: string): Target {
  const url = new URL(address)
  const modelId = `url:${url.hostname}${url.pathname}`
  return {
    modelId,
    fileName: fileNameFor(address, `${url.hostname}/${url.pathname.split('/').at(-1) ?? ''}`),
    url: address,
    source: `${address}#sha256=${sha256}`,
    sizeBytes: null,
    sha256,
    hashOrigin: 'owner',
    license: null,
    extraHost: url.hostname,
  }
}

async function quantisationTarget(
  repository: string,
  quantisation: string,
  net: Net,
  signal: AbortSignal,
): Promise<Target> {
  const url = new URL(`https://huggingface.co/api/models/${repository}?blobs=true`)
  const listing = parseListing(await fetchText(net, HUB_POLICY, url, MAX_LISTING_BYTES, signal))
  const wanted = quantisation.toLowerCase()
  const matches = listing.siblings.filter(({ rfilename }) => quantisationOf(rfilename) === wanted)
  const [match] = matches
  if (!match || matches.length > 1)
    throw noSuchQuantisation(repository, quantisation, listing, matches.length)
  return {
    ...hubTarget(repository, match.rfilename),
    // The commit, so that the file stays the one that was listed.
    url: hubUrl(repository, listing.sha, match.rfilename),
    source: `hf:${repository}:${quantisation}`,
    sizeBytes: match.size ?? null,
    sha256: match.lfs?.sha256 ?? null,
    hashOrigin: match.lfs ? 'server' : null,
  }
}

function parseListing(text: string): z.infer<typeof Listing> {
  try {
    return Listing.parse(JSON.parse(text))
  } catch {
    throw confused('its list of files cannot be read')
  }
}

/** `q4_k_m` of `folder/Model-Q4_K_M.gguf`; null for other files, cut ones and image projectors. */
function quantisationOf(path: string): string | null {
  const name = path.split('/').at(-1)?.toLowerCase() ?? ''
  if (isSplit(name) || name.includes('mmproj')) return null
  return name.match(/[-.]((?:ud-)?(?:i?q\d|bf16|f16|f32|mxfp4|tq\d)[a-z0-9_]*)\.gguf$/)?.[1] ?? null
}

function noSuchQuantisation(
  repository: string,
  quantisation: string,
  listing: z.infer<typeof Listing>,
  found: number,
): TiramiError {
  const offered = [...new Set(listing.siblings.flatMap(({ rfilename }) => quantisationOf(rfilename) ?? []))]
  const sentence = found > 1 ? 'several files' : 'no single file'
  return new TiramiError(
    'MODEL_QUANTISATION_UNKNOWN',
    `${repository} has ${sentence} in ${quantisation.toUpperCase()}.`,
    {
      nextStep:
        offered.length > 0
          ? `Choose one of ${offered.slice(0, 20).join(', ').toUpperCase()}, or give the file's whole name.`
          : 'Choose a repository with GGUF files.',
      httpStatus: 404,
    },
  )
}

/** A readable name that no other source maps to, on file systems that fold case too. */
function fileNameFor(identity: string, readable: string): string {
  const stem = readable
    .replace(/\.gguf$/i, '')
    .replaceAll('/', '--')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 150)
  const mark = createHash('sha256').update(identity).digest('hex').slice(0, 8)
  return `${stem === '' ? 'model' : stem}-${mark}.gguf`
}
