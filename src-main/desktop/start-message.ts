import type { StartMessage } from './host-protocol.ts'

/** Port of the inference API on this machine, as in the headless host. */
const DEFAULT_API_PORT = 3000

/** What the host is started with; `model` and `apiPort` are command line switches, empty when not given. */
export function startMessage(given: {
  userData: string
  resources: string
  model: string
  apiPort: string
  safeMode?: boolean
}): StartMessage {
  const port = /^\d{1,5}$/.test(given.apiPort) ? Number(given.apiPort) : DEFAULT_API_PORT
  return {
    type: 'start',
    dataDirectory: given.userData,
    resourcesDirectory: given.resources,
    modelPath: given.model === '' ? null : given.model,
    port: port <= 65_535 ? port : DEFAULT_API_PORT,
    rendererless: true,
    safeMode: given.safeMode === true,
  }
}
