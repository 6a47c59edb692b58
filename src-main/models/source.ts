import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TiramiError } from '../kernel/index.ts'
import { type Catalogue, type CatalogueEntry, hubUrl } from './catalogue.ts'

/** What an owner asked for. */
export type ModelSource =
  | { kind: 'catalogue'; entry: CatalogueEntry }
  /** One file of a Hugging Face repository. */
  | { kind: 'hub-file'; repository: string; file: string; url: string }
  /** The file of a quantisation; which one it is only the repository can say. */
  | { kind: 'hub-quantisation'; repository: string; quantisation: string }
  /** Any other https address; the owner vouches for it with a SHA-256. */
  | { kind: 'url'; url: string; sha256: string }
  | { kind: 'file'; path: string }

const HUB_HOSTS: ReadonlySet<string> = new Set(['huggingface.co', 'www.huggingface.co', 'hf.co'])
const REPOSITORY_PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/
const FILE_SEGMENT = /^[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,199}$/
const QUANTISATION = /^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$/
const MAX_SOURCE_CHARACTERS = 2_000
/** Where it is followed by a path: `hf:`, `huggingface.co/`, `hf.co/`, with or without https. */
const HUB_PREFIX = /^(?:hf:(?:\/\/)?|(?:https:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/)/i

/**
 * Reads what an owner typed: a catalogue id, `hf:owner/repo/file.gguf`, `hf:owner/repo:Q4_K_M`, a Hugging Face
 * address, another https address with `#sha256=…`, or the path of a file.
 * @throws TiramiError MODEL_SOURCE_UNKNOWN, MODEL_SOURCE_INVALID, MODEL_SOURCE_NEEDS_FILE, MODEL_SOURCE_SPLIT,
 *   MODEL_SOURCE_NEEDS_HASH, all 400
 */
export function parseSource(typed: string, catalogue: Catalogue): ModelSource {
  const text = typed.trim()
  if (text === '' || text.length > MAX_SOURCE_CHARACTERS || /\p{Cc}/u.test(text))
    throw invalid('it is empty, too long or not text')
  const path = localPath(text)
  if (path !== null) return { kind: 'file', path }
  if (HUB_PREFIX.test(text)) return hubSource(text.replace(HUB_PREFIX, ''))
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return urlSource(text)
  const entry = catalogue.find(text)
  if (entry) return { kind: 'catalogue', entry }
  throw new TiramiError('MODEL_SOURCE_UNKNOWN', `The catalogue has no model ${text.slice(0, 80)}.`, {
    nextStep:
      'Choose one from the list, or give hf:owner/repository:Q4_K_M, an https address or a full path.',
    httpStatus: 400,
  })
}

/** A path that says by its form that it is one; a network share is not read, it would send the owner's sign-in. */
function localPath(text: string): string | null {
  if (text.startsWith('\\\\') || text.startsWith('//')) throw invalid('network shares are not read')
  if (/^file:/i.test(text)) {
    if (!/^file:\/\/\//i.test(text)) throw invalid('network shares are not read')
    try {
      return fileURLToPath(text)
    } catch {
      throw invalid('it is not the address of a file')
    }
  }
  if (/^~[\\/]/.test(text)) return join(homedir(), text.slice(2))
  return isAbsolute(text) || /^[A-Za-z]:[\\/]/.test(text) ? text : null
}

/** What follows the prefix: `owner/repo:QUANT`, `owner/repo/file`, or the path of a page or file on the site. */
function hubSource(rest: string): ModelSource {
  const [path = ''] = rest.split(/[?#]/)
  const segments = path.split('/').filter((segment) => segment !== '')
  const [owner = '', second = '', ...below] = segments.map(decode)
  const [name = '', quantisation] = second.split(':')
  if (!REPOSITORY_PART.test(owner) || !REPOSITORY_PART.test(name)) throw invalid('it names no repository')
  const repository = `${owner}/${name}`
  if (quantisation !== undefined) {
    if (below.length > 0 || !QUANTISATION.test(quantisation)) throw invalid('it names no quantisation')
    return { kind: 'hub-quantisation', repository, quantisation }
  }
  const [verb = '', revision = ''] = below
  const isPage = ['resolve', 'blob', 'raw'].includes(verb) && below.length >= 3
  return isPage ? hubFile(repository, revision, below.slice(2)) : hubFile(repository, 'main', below)
}

function hubFile(repository: string, revision: string, segments: string[]): ModelSource {
  const file = segments.join('/')
  if (!file.toLowerCase().endsWith('.gguf')) {
    throw new TiramiError(
      'MODEL_SOURCE_NEEDS_FILE',
      `It does not say which GGUF file of ${repository} is meant.`,
      {
        nextStep: `Add a quantisation (hf:${repository}:Q4_K_M) or a file name that ends in .gguf.`,
        httpStatus: 400,
      },
    )
  }
  if (!segments.every((segment) => FILE_SEGMENT.test(segment)) || !REPOSITORY_PART.test(revision))
    throw invalid('it has characters that a file name here cannot have')
  if (isSplit(file)) throw split()
  return { kind: 'hub-file', repository, file, url: hubUrl(repository, revision, file) }
}

function urlSource(text: string): ModelSource {
  if (!URL.canParse(text)) throw invalid('it is not an address')
  const url = new URL(text)
  if (url.protocol !== 'https:') throw invalid('only https addresses are used')
  if (url.username !== '' || url.password !== '' || url.port !== '')
    throw invalid('an address with a password or a port is not used')
  // A name with a trailing dot is the same host by another spelling.
  if (HUB_HOSTS.has(url.hostname.replace(/\.$/, ''))) throw invalid('the name of the server is misspelt')
  const sha256 = url.hash.match(/^#sha256=([0-9a-fA-F]{64})$/)?.[1]?.toLowerCase()
  if (sha256 === undefined) {
    throw new TiramiError('MODEL_SOURCE_NEEDS_HASH', 'Nothing vouches for a file from this server.', {
      nextStep: 'Add #sha256= and the 64 digits that the publisher names to the address.',
      httpStatus: 400,
    })
  }
  const fileName = decode(url.pathname.split('/').at(-1) ?? '')
  if (!fileName.toLowerCase().endsWith('.gguf')) throw invalid('the address does not end in .gguf')
  if (isSplit(fileName)) throw split()
  url.hash = ''
  return { kind: 'url', url: url.href, sha256 }
}

/** llama.cpp cuts large models into files that are numbered like this. */
export function isSplit(file: string): boolean {
  return /-\d{5}-of-\d{5}\.gguf$/i.test(file)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw invalid('it is not an address')
  }
}

function split(): TiramiError {
  return new TiramiError(
    'MODEL_SOURCE_SPLIT',
    'This model is cut into several files, which is not supported yet.',
    {
      nextStep: 'Choose a quantisation that is one file.',
      httpStatus: 400,
    },
  )
}

function invalid(why: string): TiramiError {
  return new TiramiError('MODEL_SOURCE_INVALID', `This cannot be read as a model: ${why}.`, {
    nextStep: 'Give a catalogue id, hf:owner/repository:Q4_K_M, an https address or a full path.',
    httpStatus: 400,
  })
}
