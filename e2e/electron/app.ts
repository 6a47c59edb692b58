import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { _electron, type ElectronApplication, type JSHandle, type Page } from 'playwright'
import { expect } from 'vitest'
import type { TiramiBridge } from '../../src-preload/contract/index.ts'

export const root = resolve(import.meta.dirname, '../..')

const EXECUTABLES: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'Electron.app/Contents/MacOS/Electron',
  win32: 'electron.exe',
}

/** The Electron binary, or null where there is none (it is never downloaded from here). */
function electronBinary(): string | null {
  const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? join(root, 'node_modules/electron/dist')
  const path = join(dist, EXECUTABLES[process.platform] ?? 'electron')
  return existsSync(path) ? path : null
}

const display = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY

/** Null, with the reason in `whyNot`, where the app cannot be started. */
export const binary = display ? electronBinary() : null
export const whyNot = display ? 'no Electron binary' : 'no display'

export interface RunningApp {
  app: ElectronApplication
  page: Page
  userData: string
  close(): Promise<void>
}

/** Starts the built app on a fresh profile, or on `userData`. */
export async function startApp(
  userData = mkdtempSync(join(tmpdir(), 'tirami-app-')),
  switches: string[] = [],
): Promise<RunningApp> {
  if (binary === null) throw new Error(whyNot)
  const asRoot = process.getuid?.() === 0
  const app = await _electron.launch({
    executablePath: binary,
    // Chromium refuses to sandbox root; the flags of the window are tested all the same.
    args: [
      root,
      `--user-data-dir=${userData}`,
      '--api-port=0',
      ...switches,
      ...(asRoot ? ['--no-sandbox'] : []),
    ],
    timeout: 60_000,
  })
  const page = await app.firstWindow()
  await page.waitForLoadState('domcontentloaded')
  return {
    app,
    page,
    userData,
    close: async () => {
      await app.close()
      rmSync(userData, { recursive: true, force: true })
    },
  }
}

/** Repeats `probe` until it gives `expected`. */
export async function eventually<T>(probe: () => Promise<T>, expected: T, withinMs = 60_000): Promise<void> {
  await expect.poll(probe, { timeout: withinMs, interval: 200 }).toEqual(expected)
}

/** What preload gave the page. Taken anew for each use: a loaded page has a new one. */
export function bridgeOf(page: Page): Promise<JSHandle<TiramiBridge>> {
  return page.evaluateHandle(() => (window as unknown as { tirami: TiramiBridge }).tirami)
}
