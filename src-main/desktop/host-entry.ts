import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { MessagePortMain } from 'electron'
import { openApi } from '../gateway/index.ts'
import { startHost } from '../host/index.ts'
import type { LinkPort } from './engine-link.ts'
import { serveParent } from './host-link.ts'

// Entry of the host's utility process; built to out/main/host.js.
const beside = (file: string) => pathToFileURL(join(import.meta.dirname, file))
const projectionWorkerUrl = beside('projection.js')
const reasoningWorkerUrl = beside('reasoning.js')

serveParent(
  {
    post: (message) => process.parentPort.postMessage(message),
    onMessage: (listener) => {
      process.parentPort.on('message', ({ data, ports }) => {
        listener(data, ports[0] === undefined ? null : linkPort(ports[0]))
      })
    },
  },
  ({ port, ...options }) =>
    startHost({
      ...options,
      projectionWorkerUrl,
      reasoningWorkerUrl,
      ...(port === null ? {} : { listen: { port } }),
      openApi,
    }),
)

function linkPort(port: MessagePortMain): LinkPort {
  return {
    postMessage: (message) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', ({ data }) => listener(data)),
    onClose: (listener) => void port.once('close', listener),
    start: () => port.start(),
    close: () => port.close(),
  }
}
