import type { BrowserWindowConstructorOptions, Rectangle, WebPreferences } from 'electron'

/** The same for every window; nothing else may set these. */
export const SECURE_WEB_PREFERENCES = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  plugins: false,
  safeDialogs: true,
  enableWebSQL: false,
  // Would download dictionaries from the network.
  spellcheck: false,
} as const satisfies WebPreferences

export const DEFAULT_SIZE = { width: 1180, height: 800 } as const
export const MINIMUM_SIZE = { width: 720, height: 520 } as const

/** Painted before the page, so that opening never flashes the other theme: the renderer's `--paper`. */
export function backgroundColorFor(dark: boolean): string {
  return dark ? '#110c09' : '#f3ebdf'
}

export interface WindowSetup {
  preload: string
  icon: string
  packaged: boolean
  dark: boolean
  bounds: Rectangle | null
}

export function windowOptions(setup: WindowSetup): BrowserWindowConstructorOptions {
  return {
    ...DEFAULT_SIZE,
    ...setup.bounds,
    minWidth: MINIMUM_SIZE.width,
    minHeight: MINIMUM_SIZE.height,
    show: false,
    title: 'Tirami Host',
    icon: setup.icon,
    backgroundColor: backgroundColorFor(setup.dark),
    autoHideMenuBar: true,
    webPreferences: { ...SECURE_WEB_PREFERENCES, preload: setup.preload, devTools: !setup.packaged },
  }
}
