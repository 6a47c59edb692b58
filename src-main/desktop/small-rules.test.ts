import { join, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import { childEnvironment } from './child-environment.ts'
import { MainToHost } from './host-protocol.ts'
import { menuTemplate } from './menu-template.ts'
import { desktopPaths } from './paths.ts'
import { startMessage } from './start-message.ts'

describe('menuTemplate', () => {
  it('exists on macOS only', () => {
    expect(menuTemplate('linux')).toBeNull()
    expect(menuTemplate('win32')).toBeNull()
    expect(menuTemplate('darwin')).not.toBeNull()
  })
  it('has copy, paste and quit, but neither reload nor developer tools', () => {
    const text = JSON.stringify(menuTemplate('darwin'))
    for (const role of ['copy', 'paste', 'quit', 'close']) expect(text).toContain(`"role":"${role}"`)
    expect(text).not.toMatch(/devtools|reload/i)
  })
})

describe('desktopPaths', () => {
  const at = { mainDirectory: join(sep, 'app', 'out', 'main'), resourcesPath: join(sep, 'Resources') }
  it('find the build beside main and the resources outside the archive', () => {
    expect(desktopPaths({ ...at, packaged: true })).toEqual({
      preload: join(sep, 'app', 'out', 'preload', 'index.cjs'),
      renderer: join(sep, 'app', 'out', 'renderer'),
      hostModule: join(sep, 'app', 'out', 'main', 'host.js'),
      engineModule: join(sep, 'app', 'out', 'main', 'engine.js'),
      resources: join(sep, 'Resources', 'resources'),
    })
  })
  it('find the resources of the repository in development', () => {
    expect(desktopPaths({ ...at, packaged: false }).resources).toBe(join(sep, 'app', 'resources'))
  })
})

describe('startMessage', () => {
  const given = { userData: '/data', resources: '/resources', model: '', apiPort: '' }
  it('has defaults that the protocol accepts', () => {
    expect(startMessage(given)).toMatchObject({ modelPath: null, port: null, dataDirectory: '/data' })
    expect(MainToHost.safeParse(startMessage(given)).success).toBe(true)
  })
  it.each([
    ['0', 0],
    ['65535', 65_535],
    ['65536', null],
    ['-1', null],
    ['1e3', null],
    [' 80', null],
    ['x', null],
  ])('port %j is %j; null is the one that the owner chose', (apiPort, port) =>
    expect(startMessage({ ...given, apiPort }).port).toBe(port),
  )
  it('passes a model on', () =>
    expect(startMessage({ ...given, model: '/m.gguf' }).modelPath).toBe('/m.gguf'))
})

describe('childEnvironment', () => {
  it('keeps what a process needs and drops what would load foreign code', () => {
    expect(
      childEnvironment({
        PATH: '/bin',
        HOME: '/home/me',
        NODE_OPTIONS: '--require /tmp/x.js',
        node_options: '--inspect',
        NODE_PATH: '/tmp',
        NODE_EXTRA_CA_CERTS: '/tmp/ca.pem',
        ELECTRON_RUN_AS_NODE: '1',
        UNSET: undefined,
      }),
    ).toEqual({ PATH: '/bin', HOME: '/home/me' })
  })
})
