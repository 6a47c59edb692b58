import type { HostClient, TiramiBridge } from '../../src-preload/contract/index.ts'
import { BridgeClient } from './bridge-client.ts'
import { HttpClient } from './http-client.ts'

/** In the app the preload bridge is on the window; in a browser it is not, and the host is asked over HTTP. */
export function createClient(): HostClient {
  const { tirami: bridge } = globalThis as { tirami?: TiramiBridge }
  return bridge === undefined ? new HttpClient() : new BridgeClient(bridge)
}

export { HostCallError, toPublicError } from './host-call-error.ts'
