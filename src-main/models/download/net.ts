import type { LookupAddress } from 'node:dns'
import { lookup as dnsLookup } from 'node:dns/promises'
import http, { type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { TiramiError } from '../../kernel/index.ts'
import { isPublicAddress, literalAddress } from './address.ts'
import { addressRefused, Interrupted, interrupted, stalled } from './errors.ts'

export interface NetRequest {
  url: URL
  headers: Readonly<Record<string, string>>
  /** Ends the request and its body. */
  signal: AbortSignal
}

export interface NetResponse {
  status: number
  /** Names in lower case; of a header that came twice, the first. */
  headers: ReadonlyMap<string, string>
  body: AsyncIterable<Uint8Array>
  /** Closes the connection. Safe at any time and more than once. */
  discard(): void
}

/** One GET and its answer; redirects are the caller's business. */
export interface Net {
  /** @throws Interrupted when no answer came, TiramiError DOWNLOAD_ADDRESS_REFUSED */
  get(request: NetRequest): Promise<NetResponse>
}

/** All addresses of a host name. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>

export interface NetOptions {
  /** From the start of the request to the last header. */
  headersWithinMs?: number
  resolve?: Resolve
  allowsAddress?(address: string): boolean
  /** `http` is for a server of a test on this machine. */
  scheme?: 'https' | 'http'
  /** Certificate authorities to trust instead of the system's. */
  ca?: string
}

const HEADERS_WITHIN_MS = 30_000
const MAX_HEADER_BYTES = 32 * 1024

const systemResolve: Resolve = (hostname) => dnsLookup(hostname, { all: true, verbatim: true })

/**
 * The network that downloads use: https to public addresses, nothing else. The name is resolved here, its addresses
 * are checked, and the connection goes to an address that was checked: a later answer of the name server has no say.
 */
export function createNet(options: NetOptions = {}): Net {
  const scheme = options.scheme ?? 'https'
  const allowsAddress = options.allowsAddress ?? isPublicAddress
  const lookup = checkedLookup(options.resolve ?? systemResolve, allowsAddress)
  const send = scheme === 'https' ? https.request : http.request
  return {
    async get({ url, headers, signal }) {
      if (url.protocol !== `${scheme}:`) throw addressRefused(`to ${url.protocol}//, not ${scheme}://`)
      const literal = literalAddress(url.hostname)
      if (literal !== null && !allowsAddress(literal)) throw addressRefused('into a private network')
      const request: RequestOptions & https.RequestOptions = {
        headers,
        signal,
        lookup,
        // A fresh connection each time: a kept one would outlive the check of its address.
        agent: false,
        maxHeaderSize: MAX_HEADER_BYTES,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      }
      return toResponse(
        await answer(
          (onAnswer) => send(url, request, onAnswer),
          options.headersWithinMs ?? HEADERS_WITHIN_MS,
        ),
      )
    },
  }
}

function checkedLookup(resolve: Resolve, allowsAddress: (address: string) => boolean): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname).then(
      (found) => {
        const allowed = found.filter(({ address }) => allowsAddress(address))
        const first = allowed[0]
        if (!first) callback(addressRefused('into a private network'), '', 0)
        else if (all) callback(null, allowed)
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    )
  }
}

/** The answer's headers, or an error once `withinMs` have passed without them. */
function answer(
  send: (onAnswer: (message: IncomingMessage) => void) => http.ClientRequest,
  withinMs: number,
): Promise<IncomingMessage> {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const request = send((message) => {
      clearTimeout(deadline)
      resolve(message)
    })
    const deadline = setTimeout(() => request.destroy(stalled()), withinMs)
    request.on('error', (error) => {
      clearTimeout(deadline)
      reject(error)
    })
    request.end()
  }).catch((error: unknown): never => {
    throw networkError(error)
  })
}

/** What is ours passes; whatever the system says of a connection is an interruption. */
function networkError(error: unknown): unknown {
  return error instanceof TiramiError || error instanceof Interrupted ? error : interrupted(error)
}

function toResponse(message: IncomingMessage): NetResponse {
  const headers = new Map<string, string>()
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    const name = message.rawHeaders[i]?.toLowerCase() ?? ''
    if (!headers.has(name)) headers.set(name, message.rawHeaders[i + 1] ?? '')
  }
  // An error after nobody reads any more must not end the process.
  message.on('error', () => {})
  return {
    status: message.statusCode ?? 0,
    headers,
    body: readBody(message),
    discard: () => message.destroy(),
  }
}

async function* readBody(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of message) yield chunk as Uint8Array
  } catch (error) {
    throw networkError(error)
  }
}
