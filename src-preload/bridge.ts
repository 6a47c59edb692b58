import { CALL_CHANNEL, EVENT_CHANNEL, TAKEN_CHANNEL, TAKEN_EVERY } from './channels.ts'
import { bridgeProcedureNames } from './contract/names.ts'
import type { CallResult, HostEvent, TiramiBridge } from './contract/schemas.ts'

/** The part of Electron's `ipcRenderer` that the bridge uses; the page never gets hold of it. */
export interface BridgeIpc {
  invoke(channel: string, procedure: string, input: unknown): Promise<CallResult>
  send(channel: string, seq: number): void
  on(channel: string, listener: (event: unknown, data: HostEvent) => void): unknown
  removeListener(channel: string, listener: (event: unknown, data: HostEvent) => void): unknown
}

/** Builds what the page finds on `window.tirami`: one function per procedure, one for events. */
export function createBridge(ipc: BridgeIpc): TiramiBridge {
  const call = async (procedure: string, input: unknown): Promise<CallResult> => {
    try {
      return await ipc.invoke(CALL_CHANNEL, procedure, input)
    } catch {
      // Input that cannot be copied to another process, or main going away.
      return {
        ok: false,
        error: {
          code: 'BRIDGE_FAILED',
          message: 'The request could not be handed to the host.',
          nextStep: 'Try again; if it happens again, open the app again.',
        },
      }
    }
  }
  let told = 0
  // Chromium queues what a page does not take without a bound: main counts instead, and waits.
  ipc.on(EVENT_CHANNEL, (_event, { seq }) => {
    if (seq - told < TAKEN_EVERY && seq > told) return
    told = seq
    ipc.send(TAKEN_CHANNEL, seq)
  })
  const entries = bridgeProcedureNames.map((name) => [name, (input: unknown) => call(name, input)] as const)
  return {
    // Each function answers with what main parsed by the schema of that very procedure.
    calls: Object.fromEntries(entries) as TiramiBridge['calls'],
    onEvent: (listener) => {
      const forward = (_event: unknown, data: HostEvent): void => listener(data)
      ipc.on(EVENT_CHANNEL, forward)
      return () => {
        ipc.removeListener(EVENT_CHANNEL, forward)
      }
    },
  }
}
