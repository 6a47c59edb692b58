import { join } from 'node:path'
import { app, dialog, Menu, Notification, powerMonitor, session } from 'electron'
import { openAppMemory } from './app-memory.ts'
import { LINK_SCHEME, linkIn, pageOfLink } from './deep-link.ts'
import { utilityProcesses } from './host-process.ts'
import { HostSupervisor } from './host-supervisor.ts'
import { hearTaken, sendEvent, serveCalls } from './ipc.ts'
import { APP_ID, loginItem, startedHidden } from './login.ts'
import { menuTemplate } from './menu-template.ts'
import { guardAllContents, guardRequests } from './navigation.ts'
import { pageFeed } from './page-feed.ts'
import { desktopPaths } from './paths.ts'
import { refusePermissions } from './permissions.ts'
import { awakeSwitch, watchPower } from './power.ts'
import { registerAppScheme, serveAppScheme } from './protocol.ts'
import { createShell } from './shell.ts'
import { startMessage } from './start-message.ts'
import { planStart } from './start-record.ts'
import { AppTray } from './tray.ts'
import { trayModel } from './tray-model.ts'
import { installedUpdates } from './updates.ts'
import { MainWindow } from './window.ts'
import { wordsIn } from './words.ts'

/** The host gives jobs under way 10 s to end; the rest is for closing its books. */
const STOP_LIMIT_MS = 15_000
const SAFE_MODE_SWITCH = 'safe-mode'
const PLATFORMS = { darwin: 'macos', win32: 'windows' } as const

/** Starts the app. Must be called while main.ts is evaluated: sandbox and scheme must be set before `ready`. */
export function startDesktop(mainDirectory: string): void {
  app.enableSandbox()
  if (!app.requestSingleInstanceLock()) {
    app.exit(0)
    return
  }
  registerAppScheme()
  guardAllContents()
  // macOS hands a link over before the app is ready, too.
  let linked = linkIn(process.argv)
  let open: ((page: NonNullable<typeof linked>) => void) | null = null
  app.on('open-url', (event, url) => {
    event.preventDefault()
    linked = pageOfLink(url)
    if (linked !== null) open?.(linked)
  })
  // Not awaited at the top level of main.ts: Electron waits for that module before it becomes ready.
  app
    .whenReady()
    .then(() => {
      open = run(mainDirectory)
      if (linked !== null) open(linked)
    })
    .catch((error: unknown) => {
      console.error(error)
      dialog.showErrorBox(
        'Tirami Host could not start',
        error instanceof Error ? error.message : String(error),
      )
      app.exit(1)
    })
}

/** @returns opens a page of the window */
function run(mainDirectory: string): (page: NonNullable<ReturnType<typeof pageOfLink>>) => void {
  const packaged = app.isPackaged
  const paths = desktopPaths({ mainDirectory, packaged, resourcesPath: process.resourcesPath })
  const userData = app.getPath('userData')
  const template = menuTemplate(process.platform)
  Menu.setApplicationMenu(template === null ? null : Menu.buildFromTemplate(template))
  refusePermissions(session.defaultSession)
  guardRequests(session.defaultSession, packaged)
  serveAppScheme(paths.renderer)
  if (packaged) app.setAsDefaultProtocolClient(LINK_SCHEME)
  // Windows shows notices of an app that it knows by this name only.
  if (process.platform === 'win32') app.setAppUserModelId(APP_ID)

  const memory = openAppMemory(join(userData, 'app.json'))
  const plan = planStart(memory.get().start, {
    version: app.getVersion(),
    safeModeAsked: app.commandLine.hasSwitch(SAFE_MODE_SWITCH),
  })
  const { brokenVersion } = plan
  memory.set({
    start: plan.record,
    ...(brokenVersion === null ? {} : { updates: { ...memory.get().updates, brokenVersion } }),
  })
  const safeMode = plan.safeMode !== null
  const languages = app.getPreferredSystemLanguages()
  const words = wordsIn(languages)

  const host = new HostSupervisor(
    utilityProcesses(paths),
    startMessage({
      userData,
      resources: paths.resources,
      model: app.commandLine.getSwitchValue('model'),
      apiPort: app.commandLine.getSwitchValue('api-port'),
      safeMode,
    }),
  )
  const tray = openTray(join(paths.resources, 'tray'), (action) => shell.act(action))
  const shell = createShell({
    platform: PLATFORMS[process.platform as keyof typeof PLATFORMS] ?? 'linux',
    memory,
    safeMode: plan.safeMode,
    note: plan.note,
    hasTray: tray !== null,
    languages,
    words,
    host: {
      view: () => host.view,
      call: (procedure, input) => host.call(procedure, input),
      publish: (view) => host.publish('app.changed', view),
    },
    login: loginItem(),
    updates: installedUpdates(safeMode),
    notify: (title, body) => {
      if (!Notification.isSupported()) return
      const notice = new Notification({ title, body, silent: true })
      notice.on('click', () => window.show())
      notice.show()
    },
    showTray: (facts) => tray?.show(trayModel(facts)),
    keepAwake: awakeSwitch(),
    openWindow: () => window.show(),
    relaunch: () => {
      app.relaunch({ args: process.argv.slice(1).filter((argument) => argument !== `--${SAFE_MODE_SWITCH}`) })
      app.quit()
    },
    quit: () => app.quit(),
    nowMs: Date.now,
  })
  const window: MainWindow = new MainWindow({
    preload: paths.preload,
    icon: join(paths.resources, 'icons', 'icon.png'),
    packaged,
    userData,
    // In safe mode something is wrong: the owner is shown what.
    hidden: !safeMode && startedHidden(),
    onClose: () => {
      const what = shell.closing()
      if (what === 'quit') app.quit()
      // The window goes when the host has stopped.
      return what === 'quit' ? 'hide' : what
    },
    onLoaded: () => feed.reset(),
  })
  const feed = pageFeed((event) => sendEvent(window.contents, event))
  hearTaken(() => window.contents, feed.taken)
  serveCalls(
    () => window.contents,
    (procedure, input) => shell.call(procedure, input) ?? host.call(procedure, input),
  )
  host.onEvent((event) => {
    feed.push(event)
    shell.onEvent(event)
  })
  host.onView((view) => shell.onView(view))
  host.start()
  shell.start()
  const endWatch = watchPower((reading) => host.seen(reading))

  app.on('second-instance', (_event, argv) => {
    const page = linkIn(argv)
    if (page === null) window.show()
    else window.open(page)
  })
  app.on('activate', () => window.show())
  // The system waits a little for a host that closes its books.
  const onShutdown = (event: Electron.Event) => {
    event.preventDefault()
    app.quit()
  }
  // Electron's types leave out what its documentation promises.
  powerMonitor.on('shutdown', onShutdown as () => void)
  let drained = false
  app.on('before-quit', (event) => {
    window.allowClose()
    if (drained) return
    event.preventDefault()
    endWatch()
    shell.close()
    void host.stop(STOP_LIMIT_MS).then(() => {
      drained = true
      app.quit()
    })
  })
  return (page) => window.open(page)
}

/** Null where the desktop has no tray: then the window is not closed to it. */
function openTray(iconDirectory: string, act: ConstructorParameters<typeof AppTray>[1]): AppTray | null {
  try {
    return new AppTray(iconDirectory, act)
  } catch (error) {
    console.error('tray:', error)
    return null
  }
}
