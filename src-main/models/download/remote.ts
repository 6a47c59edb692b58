import {
  addressRefused,
  busy,
  confused,
  forbidden,
  Interrupted,
  notFound,
  RemoteChanged,
  refused,
} from './errors.ts'
import type { Net, NetResponse } from './net.ts'

/** Where a download may go: https and the usual port always, and these servers. */
export interface RemotePolicy {
  /** Exact host names; a leading dot stands for all names below. */
  hosts: readonly string[]
  /** Hosts whose word on a file's SHA-256 counts. */
  hubHosts: readonly string[]
}

/** Hugging Face, and the names below its two domains from which it serves file contents. */
export const HUB_POLICY: RemotePolicy = {
  hosts: ['huggingface.co', '.huggingface.co', 'hf.co', '.hf.co'],
  hubHosts: ['huggingface.co'],
}

/** What a server says of a file, as far as it says it. */
export interface RemoteFile {
  sizeBytes: number | null
  /** SHA-256 that the hub names for the file's content, lower-case hex. */
  sha256: string | null
  /** Strong entity tag of the server that sends the content. */
  etag: string | null
  lastModified: string | null
}

export interface RemoteAnswer {
  file: RemoteFile
  /** Where the body begins in the file. */
  startByte: number
  /** Whether the server keeps to ranges. */
  ranged: boolean
  response: NetResponse
}

/** From `startByte` up to and without `endByte`. */
export interface ByteRange {
  startByte: number
  endByte: number
}

const MAX_REDIRECTS = 5
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const MAX_RETRY_AFTER_MS = 10 * 60_000

/** @throws TiramiError DOWNLOAD_ADDRESS_REFUSED unless a download may go to `url` */
export function assertAllowed(url: URL, policy: RemotePolicy): void {
  if (url.protocol !== 'https:') throw addressRefused(`to ${url.protocol}//, not https://`)
  if (url.username !== '' || url.password !== '') throw addressRefused('to an address with a password in it')
  if (url.port !== '') throw addressRefused(`to port ${url.port}`)
  const allowed = policy.hosts.some((host) =>
    host.startsWith('.') ? url.hostname.endsWith(host) : url.hostname === host,
  )
  if (!allowed) throw addressRefused(`to the server ${url.hostname}`)
}

/** A compressed body would be neither the file's bytes nor of its size. */
const PLAIN = { 'accept-encoding': 'identity', 'user-agent': 'tirami-host' }

interface Followed {
  response: NetResponse
  /** SHA-256 that a hub named on the way. */
  sha256: string | null
  sizeBytes: number | null
  hops: number
}

/**
 * Follows redirects by hand, each one checked before anything is sent to where it leads.
 * @throws Interrupted, TiramiError DOWNLOAD_ADDRESS_REFUSED
 */
async function follow(
  net: Net,
  policy: RemotePolicy,
  start: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Followed> {
  let url = start
  let sha256: string | null = null
  let sizeBytes: number | null = null
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    assertAllowed(url, policy)
    const response = await net.get({ url, headers, signal })
    if (policy.hubHosts.includes(url.hostname)) {
      sha256 ??= linkedSha256(response.headers.get('x-linked-etag'))
      sizeBytes ??= wholeNumber(response.headers.get('x-linked-size'))
    }
    if (!REDIRECTS.has(response.status)) return { response, sha256, sizeBytes, hops }
    response.discard()
    const location = response.headers.get('location')
    if (location === undefined || !URL.canParse(location, url)) throw confused('it redirects to nowhere')
    url = new URL(location, url)
  }
  throw confused(`it redirects more than ${MAX_REDIRECTS} times`)
}

/** Hugging Face names the Git LFS object id of a large file, which is the SHA-256 of its content. */
function linkedSha256(etag: string | undefined): string | null {
  return etag?.match(/^(?:W\/)?"?([0-9a-f]{64})"?$/)?.[1] ?? null
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/**
 * Asks for a range of a file.
 * @throws Interrupted when it is worth another attempt, RemoteChanged when the range lies outside the file,
 *   TiramiError otherwise
 */
export async function openRange(
  net: Net,
  policy: RemotePolicy,
  url: URL,
  range: ByteRange,
  signal: AbortSignal,
): Promise<RemoteAnswer> {
  const followed = await follow(
    net,
    policy,
    url,
    // A compressed body would be neither the file's bytes nor of its size.
    {
      range: `bytes=${range.startByte}-${range.endByte - 1}`,
      'accept-encoding': 'identity',
      'user-agent': 'tirami-host',
    },
    signal,
  )
  try {
    return readAnswer(followed, range)
  } catch (error) {
    followed.response.discard()
    throw error
  }
}

function readAnswer({ response, sha256, sizeBytes, hops }: Followed, range: ByteRange): RemoteAnswer {
  const { status, headers } = response
  if (status !== 200 && status !== 206) throw statusError(status, retryAfterMs(headers), hops)
  assertPlain(headers)
  const span = status === 206 ? contentRange(headers.get('content-range')) : null
  if (status === 206 && (!span || span.startByte !== range.startByte))
    throw confused('it sent another range than was asked for')
  const statedBytes = span ? span.sizeBytes : wholeNumber(headers.get('content-length'))
  if (sizeBytes !== null && statedBytes !== null && sizeBytes !== statedBytes)
    throw confused('it names two sizes')
  const etag = headers.get('etag') ?? null
  return {
    file: {
      sizeBytes: statedBytes ?? sizeBytes,
      sha256,
      etag: etag?.startsWith('W/') ? null : etag,
      lastModified: headers.get('last-modified') ?? null,
    },
    startByte: span?.startByte ?? 0,
    ranged: status === 206,
    response,
  }
}

function contentRange(text: string | undefined): { startByte: number; sizeBytes: number | null } | null {
  const match = text?.match(/^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/)
  if (!match) return null
  return { startByte: Number(match[1]), sizeBytes: match[3] === '*' ? null : Number(match[3]) }
}

function statusError(status: number, retryMs: number | null, hops: number): Error {
  if (status === 416) return new RemoteChanged('the range lies outside the file')
  if (status === 408 || status === 429 || status >= 500) return busy(status, retryMs)
  if (status === 404 || status === 410) return notFound(status)
  // Behind a redirect lies a signed address that runs out; the next attempt gets a fresh one.
  if (status === 401 || status === 403)
    return hops > 0 ? new Interrupted(forbidden(status)) : forbidden(status)
  return refused(status)
}

/** Seconds, or a date, which counts from the answer's own date; null for anything else. */
function retryAfterMs(headers: ReadonlyMap<string, string>): number | null {
  const text = headers.get('retry-after')?.trim()
  if (text === undefined) return null
  const seconds = wholeNumber(text)
  const waitMs = seconds === null ? Date.parse(text) - Date.parse(headers.get('date') ?? '') : seconds * 1000
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS) : null
}

function assertPlain(headers: ReadonlyMap<string, string>): void {
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') throw confused(`it is packed (${printable(encoding)})`)
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 40)
}

/** Whether two descriptions can be of the same content: the strongest fact that both carry decides. */
export function sameFile(known: RemoteFile, offered: RemoteFile): boolean {
  if (known.sizeBytes !== null && offered.sizeBytes !== null && known.sizeBytes !== offered.sizeBytes)
    return false
  for (const fact of ['sha256', 'etag', 'lastModified'] as const) {
    if (known[fact] !== null && offered[fact] !== null) return known[fact] === offered[fact]
  }
  return true
}

/**
 * Fetches a small text.
 * @throws Interrupted when it is worth another attempt, TiramiError otherwise
 */
export async function fetchText(
  net: Net,
  policy: RemotePolicy,
  url: URL,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const { response, hops } = await follow(net, policy, url, PLAIN, signal)
  try {
    if (response.status !== 200) throw statusError(response.status, retryAfterMs(response.headers), hops)
    assertPlain(response.headers)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body) {
      bytes += chunk.length
      if (bytes > maxBytes) throw confused('it is longer than it may be')
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  } finally {
    response.discard()
  }
}
