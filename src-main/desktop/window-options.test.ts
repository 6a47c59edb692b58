import { describe, expect, it } from 'vitest'
import { boundsOnScreen, WindowPreferences } from './window-bounds.ts'
import { backgroundColorFor, SECURE_WEB_PREFERENCES, windowOptions } from './window-options.ts'

const setup = {
  preload: '/out/preload/index.cjs',
  icon: '/icon.png',
  packaged: true,
  dark: false,
  bounds: null,
}

describe('windowOptions', () => {
  it('are the secure ones', () => {
    expect(windowOptions(setup).webPreferences).toEqual({
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
      spellcheck: false,
      preload: setup.preload,
      devTools: false,
    })
  })
  it('allow developer tools in development only, and change nothing else there', () => {
    const { devTools, ...rest } = windowOptions({ ...setup, packaged: false }).webPreferences ?? {}
    expect(devTools).toBe(true)
    expect(rest).toEqual({ ...SECURE_WEB_PREFERENCES, preload: setup.preload })
  })
  it('name no blink features', () => {
    const preferences = windowOptions(setup).webPreferences ?? {}
    expect(Object.keys(preferences).filter((key) => /blink/i.test(key))).toEqual([])
  })
  it('show nothing before there is something to show, in the colour of the theme', () => {
    expect(windowOptions(setup)).toMatchObject({ show: false, backgroundColor: backgroundColorFor(false) })
    expect(windowOptions({ ...setup, dark: true }).backgroundColor).toBe(backgroundColorFor(true))
    expect(backgroundColorFor(true)).not.toBe(backgroundColorFor(false))
  })
  it('take remembered bounds', () => {
    const bounds = { x: 5, y: 6, width: 900, height: 700 }
    expect(windowOptions({ ...setup, bounds })).toMatchObject(bounds)
  })
})

describe('boundsOnScreen', () => {
  const screens = [
    { x: 0, y: 25, width: 1920, height: 1055 },
    { x: 1920, y: 0, width: 2560, height: 1440 },
  ]
  it.each([
    [
      'kept on the first',
      { x: 100, y: 100, width: 1000, height: 700 },
      { x: 100, y: 100, width: 1000, height: 700 },
    ],
    [
      'kept on the second',
      { x: 2500, y: 0, width: 1000, height: 700 },
      { x: 2500, y: 0, width: 1000, height: 700 },
    ],
    ['made smaller', { x: 0, y: 25, width: 9000, height: 9000 }, { x: 0, y: 25, width: 1920, height: 1055 }],
    ['made larger', { x: 0, y: 25, width: 10, height: 10 }, { x: 0, y: 25, width: 720, height: 520 }],
    [
      'kept half outside',
      { x: -500, y: 100, width: 1000, height: 700 },
      { x: -500, y: 100, width: 1000, height: 700 },
    ],
    ['forgotten when the screen is gone', { x: -3000, y: 100, width: 1000, height: 700 }, null],
    ['forgotten when the title bar is above', { x: 100, y: -200, width: 1000, height: 700 }, null],
    ['forgotten when the title bar is below', { x: 100, y: 1070, width: 1000, height: 700 }, null],
  ])('%s', (_name, bounds, expected) => expect(boundsOnScreen(bounds, screens)).toEqual(expected))

  it('without any screen', () => {
    expect(boundsOnScreen({ x: 0, y: 0, width: 800, height: 600 }, [])).toBeNull()
  })
})

describe('WindowPreferences', () => {
  it.each([
    null,
    [],
    {},
    { bounds: { x: 0, y: 0, width: 0, height: 1 }, maximized: false },
    { bounds: { x: 1e9, y: 0, width: 1, height: 1 }, maximized: false },
    { bounds: { x: 0.5, y: 0, width: 1, height: 1 }, maximized: false },
    { bounds: { x: 0, y: 0, width: 1, height: 1 }, maximized: 'yes' },
  ])('refuses %j', (value) => expect(WindowPreferences.safeParse(value).success).toBe(false))
})
