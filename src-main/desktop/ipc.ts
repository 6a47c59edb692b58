import { type IpcMainInvokeEvent, ipcMain, type WebContents } from 'electron'
import { CALL_CHANNEL, EVENT_CHANNEL } from '../../src-preload/channels.ts'
import type { HostEvent } from '../../src-preload/contract/index.ts'
import { isAppUrl } from './app-request.ts'
import type { CallResultEnvelope } from './host-protocol.ts'
import { gateCall, type Sender } from './ipc-gate.ts'

/** The only IPC handler of the app. */
export function serveCalls(
  windowContents: () => WebContents | null,
  call: (procedure: string, input: unknown) => Promise<CallResultEnvelope>,
): void {
  ipcMain.handle(CALL_CHANNEL, (event, procedure: unknown, input: unknown) =>
    gateCall(
      { sender: senderOf(event), windowContentsId: windowContents()?.id ?? null, procedure, input },
      call,
    ),
  )
}

/** Sends an event to the page, if the window shows our page. */
export function sendEvent(contents: WebContents | null, event: HostEvent): void {
  if (contents !== null && isAppUrl(contents.getURL())) contents.send(EVENT_CHANNEL, event)
}

function senderOf(event: IpcMainInvokeEvent): Sender | null {
  const frame = event.senderFrame
  if (frame === null) return null
  return {
    contentsId: event.sender.id,
    frameUrl: frame.url,
    frameOrigin: frame.origin,
    isTopFrame: frame.parent === null,
  }
}
