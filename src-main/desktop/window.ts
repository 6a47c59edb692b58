import { join } from 'node:path'
import { BrowserWindow, nativeTheme, screen } from 'electron'
import { APP_START_URL } from './app-request.ts'
import type { LinkedPage } from './deep-link.ts'
import { readPreference, writePreference } from './preferences.ts'
import { boundsOnScreen, WindowPreferences } from './window-bounds.ts'
import { windowOptions } from './window-options.ts'

const SAVE_DELAY_MS = 500
const CRASH_RELOAD_GAP_MS = 10_000

export interface MainWindowSetup {
  preload: string
  icon: string
  packaged: boolean
  userData: string
  /** Started with the owner's session: nothing is shown until he asks. */
  hidden: boolean
  /** What closing it does. */
  onClose(): 'hide' | 'minimize' | 'quit'
  /** Another document is in it. */
  onLoaded(): void
}

/** The one window. Closing it hides it, as the owner chose: the host earns on, and the tray or a second start brings it back. */
export class MainWindow {
  readonly #window: BrowserWindow
  readonly #preferenceFile: string
  #saveTimer: NodeJS.Timeout | undefined
  #lastCrashMs = 0
  #mayClose = false

  constructor(setup: MainWindowSetup) {
    this.#preferenceFile = join(setup.userData, 'window.json')
    const remembered = readPreference(this.#preferenceFile, WindowPreferences)
    const workAreas = screen.getAllDisplays().map((display) => display.workArea)
    const bounds = remembered === null ? null : boundsOnScreen(remembered.bounds, workAreas)
    this.#window = new BrowserWindow(
      windowOptions({ ...setup, dark: nativeTheme.shouldUseDarkColors, bounds }),
    )
    if (remembered?.maximized === true) this.#window.maximize()
    if (!setup.hidden) this.#window.once('ready-to-show', () => this.#window.show())
    this.#window.webContents.on('did-finish-load', setup.onLoaded)
    this.#window.on('resize', () => this.#saveLater())
    this.#window.on('move', () => this.#saveLater())
    this.#window.on('close', (event) => {
      this.#save()
      if (this.#mayClose) return
      const what = setup.onClose()
      if (what === 'quit') return
      event.preventDefault()
      if (what === 'hide') this.#window.hide()
      else this.#window.minimize()
    })
    this.#window.webContents.on('render-process-gone', (_event, details) => {
      if (details.reason === 'clean-exit' || Date.now() - this.#lastCrashMs < CRASH_RELOAD_GAP_MS) return
      this.#lastCrashMs = Date.now()
      void this.#load()
    })
    void this.#load()
  }

  /** Null once destroyed. */
  get contents(): Electron.WebContents | null {
    return this.#window.isDestroyed() ? null : this.#window.webContents
  }

  show(): void {
    if (this.#window.isDestroyed()) return
    if (this.#window.isMinimized()) this.#window.restore()
    this.#window.show()
    this.#window.focus()
  }

  /** Shows a page of the window; the document stays. */
  open(page: LinkedPage): void {
    this.show()
    if (!this.#window.isDestroyed()) void this.#load(`#/${page === 'home' ? '' : page}`)
  }

  /** From now on closing the window destroys it. */
  allowClose(): void {
    this.#mayClose = true
  }

  async #load(fragment = ''): Promise<void> {
    await this.#window
      .loadURL(`${APP_START_URL}${fragment}`)
      .catch((error: unknown) => console.error('window:', error))
  }

  #saveLater(): void {
    clearTimeout(this.#saveTimer)
    this.#saveTimer = setTimeout(() => this.#save(), SAVE_DELAY_MS)
  }

  #save(): void {
    clearTimeout(this.#saveTimer)
    if (this.#window.isDestroyed()) return
    const preferences: WindowPreferences = {
      bounds: this.#window.getNormalBounds(),
      maximized: this.#window.isMaximized(),
    }
    try {
      writePreference(this.#preferenceFile, preferences)
    } catch (error) {
      console.error('window: its place could not be saved:', error)
    }
  }
}
