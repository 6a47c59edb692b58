import type { EngineReport } from '../types.ts'

/** The engine's end of the line to the host, whoever spawned it. */
export interface EnginePort {
  send(report: EngineReport): void
  /** Messages arrive unchecked. */
  onMessage(listener: (message: unknown) => void): void
  /** The host is gone. */
  onClose(listener: () => void): void
}

/** The parts of Electron's `MessagePortMain` and `ParentPort` that are used; `electron` is not imported here. */
interface ElectronPort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { data: unknown; ports: ElectronPort[] }) => void): unknown
  on(event: 'close', listener: () => void): unknown
  start?(): void
}

/** @throws Error when the process was not started by Electron's `utilityProcess` or `child_process.fork`. */
export function openPort(): EnginePort {
  // Electron adds it; Node's own types do not know it.
  const { parentPort } = process as unknown as { parentPort?: ElectronPort }
  if (parentPort) return electronPort(parentPort)
  if (process.send) return forkPort(process.send.bind(process))
  throw new Error('the engine must be started by the host')
}

/**
 * Main starts the process, but the host talks to it: main's first message `{ type: 'connect' }` may carry a
 * MessagePort, and from then on everything goes over that.
 */
function electronPort(parentPort: ElectronPort): EnginePort {
  let active = parentPort
  let onMessage: (message: unknown) => void = () => undefined
  let onClose: () => void = () => undefined
  parentPort.on('message', (event) => {
    const [port] = event.ports
    if (!port || !isConnect(event.data)) return onMessage(event.data)
    active = port
    port.on('message', (inner) => onMessage(inner.data))
    port.on('close', () => onClose())
    port.start?.()
  })
  return {
    send: (report) => active.postMessage(report),
    onMessage: (listener) => {
      onMessage = listener
    },
    onClose: (listener) => {
      onClose = listener
    },
  }
}

function isConnect(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'connect'
}

type Send = (message: unknown, callback: (error: Error | null) => void) => boolean

function forkPort(send: Send): EnginePort {
  return {
    // A parent that went away is told by `disconnect`; the failed write needs no second report.
    send: (report) => void send(report, () => undefined),
    onMessage: (listener) => process.on('message', listener),
    onClose: (listener) => process.on('disconnect', listener),
  }
}
