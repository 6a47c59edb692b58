import type { IncomingMessage } from 'node:http'
import { hostname } from 'node:os'
import { TiramiError } from '../kernel/index.ts'

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]']

/** Host values that a request to this port may carry. Anything else is DNS rebinding or a mistake. */
export function allowedHosts(port: number): ReadonlySet<string> {
  return new Set(LOOPBACK_NAMES.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])))
}

/**
 * For a server that other machines may reach: also the address at which the request came in, and this machine's name.
 * A page that rebinds a name of its own to this machine still sends that name.
 */
export function withOwnNames(
  hosts: ReadonlySet<string>,
  port: number,
  localAddress: string | undefined,
): ReadonlySet<string> {
  const name = hostname().toLowerCase()
  const here = localAddress?.replace(/^::ffff:/, '') ?? ''
  return new Set([...hosts, ...[here, name, `${name}.local`].map((own) => `${own}:${port}`)])
}

/** Origins of our own page on this port. */
export function allowedOrigins(port: number): ReadonlySet<string> {
  return new Set([...allowedHosts(port)].map((host) => `http://${host}`))
}

/**
 * Refuses a request that did not come straight to loopback under a loopback name, or that a foreign web page
 * sent. Runs before the body is read.
 * @throws TiramiError HOST_HEADER_REFUSED, ORIGIN_REFUSED, REQUEST_TARGET_INVALID
 */
export function assertLocalRequest(
  request: IncomingMessage,
  hosts: ReadonlySet<string>,
  origins: ReadonlySet<string>,
): void {
  if (!request.url?.startsWith('/')) {
    throw new TiramiError('REQUEST_TARGET_INVALID', 'The request target must be a path.', {
      nextStep: 'Send the request straight to the host, without a proxy.',
      httpStatus: 400,
    })
  }
  const values = headerValues(request, 'host')
  const host = values.length === 1 ? values[0]?.toLowerCase() : undefined
  if (host === undefined || !hosts.has(host)) {
    throw new TiramiError('HOST_HEADER_REFUSED', 'This server answers only under its own address.', {
      nextStep: 'Use the address that the host printed, such as http://127.0.0.1:PORT.',
      httpStatus: 403,
    })
  }
  const originValues = headerValues(request, 'origin')
  if (originValues.some((origin) => !origins.has(origin.toLowerCase()))) {
    throw new TiramiError('ORIGIN_REFUSED', 'Web pages of other sites may not use this server.', {
      nextStep: 'Call it from a program on this machine.',
      httpStatus: 403,
    })
  }
}

/**
 * Whether the other end of the connection is on this machine, by the address that the kernel gives. What a request says of
 * its way (X-Forwarded-For, Forwarded) is not looked at: anybody can write it.
 */
export function isFromLoopback({ remoteAddress }: { remoteAddress?: string | undefined }): boolean {
  const address = remoteAddress?.replace(/^::ffff:/i, '') ?? ''
  return address === '::1' || /^127(\.\d{1,3}){3}$/.test(address)
}

/** All values of a header as they came in: Node merges or drops duplicates. */
function headerValues(request: IncomingMessage, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]?.toLowerCase() === name) values.push(request.rawHeaders[i + 1] ?? '')
  }
  return values
}

/** The token of `Authorization: Bearer …`, or null. */
export function bearerToken(header: string | undefined): string | null {
  const match = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')
  return match?.[1] ?? null
}
