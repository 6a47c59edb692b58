import type { StartMessage } from './host-protocol.ts'

/** What the host is started with; `model` and `apiPort` are command line switches, empty when not given. */
export function startMessage(given: {
  userData: string
  resources: string
  model: string
  apiPort: string
  safeMode?: boolean
}): StartMessage {
  const port = /^\d{1,5}$/.test(given.apiPort) ? Number(given.apiPort) : null
  return {
    type: 'start',
    dataDirectory: given.userData,
    resourcesDirectory: given.resources,
    modelPath: given.model === '' ? null : given.model,
    port: port !== null && port <= 65_535 ? port : null,
    rendererless: true,
    safeMode: given.safeMode === true,
  }
}
