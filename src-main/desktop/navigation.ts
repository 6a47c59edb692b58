import { app, type Session, shell } from 'electron'
import { externalTarget, navigationAllowed, requestAllowed } from './navigation-rules.ts'

/** Guards every page that is ever created, windows we did not mean to open included. */
export function guardAllContents(): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (details) => {
      if (!navigationAllowed(details.url, details.isMainFrame)) details.preventDefault()
    })
    contents.on('will-frame-navigate', (details) => {
      if (!navigationAllowed(details.url, details.isMainFrame)) details.preventDefault()
    })
    contents.on('will-redirect', (details) => {
      if (!navigationAllowed(details.url, details.isMainFrame)) details.preventDefault()
    })
    contents.on('will-attach-webview', (event) => event.preventDefault())
    contents.on('select-bluetooth-device', (event, _devices, callback) => {
      event.preventDefault()
      callback('')
    })
    contents.setWindowOpenHandler(({ url }) => {
      const target = externalTarget(url)
      if (target !== null) void shell.openExternal(target).catch(() => undefined)
      return { action: 'deny' }
    })
  })
}

/** Second line behind the page's policy: requests to anything but the bundle are cancelled. */
export function guardRequests(session: Session, packaged: boolean): void {
  session.webRequest.onBeforeRequest((details, callback) => {
    callback({ cancel: !requestAllowed(details.url, packaged) })
  })
}
