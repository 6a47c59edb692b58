import { join } from 'node:path'
import { app, dialog, Menu, session } from 'electron'
import { utilityProcesses } from './host-process.ts'
import { HostSupervisor } from './host-supervisor.ts'
import { sendEvent, serveCalls } from './ipc.ts'
import { menuTemplate } from './menu-template.ts'
import { guardAllContents, guardRequests } from './navigation.ts'
import { desktopPaths } from './paths.ts'
import { refusePermissions } from './permissions.ts'
import { registerAppScheme, serveAppScheme } from './protocol.ts'
import { startMessage } from './start-message.ts'
import { AppTray } from './tray.ts'
import { type TrayAction, trayModel } from './tray-model.ts'
import { MainWindow } from './window.ts'

/** The host gives jobs under way 10 s to end; the rest is for closing its books. */
const STOP_LIMIT_MS = 15_000

/** Starts the app. Must be called while main.ts is evaluated: sandbox and scheme must be set before `ready`. */
export function startDesktop(mainDirectory: string): void {
  app.enableSandbox()
  if (!app.requestSingleInstanceLock()) {
    app.exit(0)
    return
  }
  registerAppScheme()
  guardAllContents()
  // Not awaited at the top level of main.ts: Electron waits for that module before it becomes ready.
  app
    .whenReady()
    .then(() => run(mainDirectory))
    .catch((error: unknown) => {
      console.error(error)
      dialog.showErrorBox(
        'Tirami Host could not start',
        error instanceof Error ? error.message : String(error),
      )
      app.exit(1)
    })
}

function run(mainDirectory: string): void {
  const packaged = app.isPackaged
  const paths = desktopPaths({ mainDirectory, packaged, resourcesPath: process.resourcesPath })
  const userData = app.getPath('userData')
  const template = menuTemplate(process.platform)
  Menu.setApplicationMenu(template === null ? null : Menu.buildFromTemplate(template))
  refusePermissions(session.defaultSession)
  guardRequests(session.defaultSession, packaged)
  serveAppScheme(paths.renderer)

  const start = startMessage({
    userData,
    resources: paths.resources,
    model: app.commandLine.getSwitchValue('model'),
    apiPort: app.commandLine.getSwitchValue('api-port'),
  })
  const host = new HostSupervisor(utilityProcesses(paths), start)
  const act = (action: TrayAction): void => {
    if (action === 'open') window.show()
    else if (action === 'quit') app.quit()
    else void host.call(action === 'pause' ? 'host.pause' : 'host.resume', {})
  }
  const tray = new AppTray(join(paths.resources, 'tray'), trayModel(host.view), act)
  const window = new MainWindow({
    preload: paths.preload,
    icon: join(paths.resources, 'icons', 'icon.png'),
    packaged,
    userData,
  })
  serveCalls(
    () => window.contents,
    (procedure, input) => host.call(procedure, input),
  )
  host.onEvent((event) => sendEvent(window.contents, event))
  host.onView((view) => tray.show(trayModel(view)))
  host.start()

  app.on('second-instance', () => window.show())
  app.on('activate', () => window.show())
  let drained = false
  app.on('before-quit', (event) => {
    window.allowClose()
    if (drained) return
    event.preventDefault()
    void host.stop(STOP_LIMIT_MS).then(() => {
      drained = true
      app.quit()
    })
  })
}
