import { type IpcMainEvent, type IpcMainInvokeEvent, ipcMain, type WebContents } from 'electron'
import { CALL_CHANNEL, EVENT_CHANNEL, TAKEN_CHANNEL } from '../../src-preload/channels.ts'
import type { HostEvent } from '../../src-preload/contract/index.ts'
import { isAppUrl } from './app-request.ts'
import type { CallResultEnvelope } from './host-protocol.ts'
import { gateCall, type Sender, senderAllowed } from './ipc-gate.ts'

/** The only IPC handler of the app that answers. */
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

/** The page says what it has taken; nothing is answered. */
export function hearTaken(windowContents: () => WebContents | null, taken: (seq: unknown) => void): void {
  ipcMain.on(TAKEN_CHANNEL, (event, seq: unknown) => {
    if (senderAllowed(senderOf(event), windowContents()?.id ?? null)) taken(seq)
  })
}

function senderOf(event: IpcMainInvokeEvent | IpcMainEvent): Sender | null {
  const frame = event.senderFrame
  if (frame === null) return null
  return {
    contentsId: event.sender.id,
    frameUrl: frame.url,
    frameOrigin: frame.origin,
    isTopFrame: frame.parent === null,
  }
}
