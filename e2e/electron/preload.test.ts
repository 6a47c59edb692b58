import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { procedures, type TiramiBridge } from '../../src-preload/contract/index.ts'
import { root } from './app.ts'

const folder = join(root, 'out/preload')

/** The built file, in an empty world with no more than a sandboxed preload has. */
describe.skipIf(!existsSync(folder))('the built preload', () => {
  it('is one small CommonJS file without zod that exposes the bridge and nothing else', async () => {
    expect(readdirSync(folder).filter((name) => !name.endsWith('.map'))).toEqual(['index.cjs'])
    const code = readFileSync(join(folder, 'index.cjs'), 'utf8')
    expect(code.length).toBeLessThan(5_000)

    const required: string[] = []
    const exposed = new Map<string, TiramiBridge>()
    const invoke = vi.fn(async () => ({ ok: true }))
    runInNewContext(code, {
      exports: {},
      module: { exports: {} },
      require: (name: string) => {
        required.push(name)
        return {
          contextBridge: { exposeInMainWorld: (key: string, value: TiramiBridge) => exposed.set(key, value) },
          ipcRenderer: { invoke, on: vi.fn(), removeListener: vi.fn(), send: vi.fn() },
        }
      },
    })
    expect([...new Set(required)]).toEqual(['electron'])
    expect([...exposed.keys()]).toEqual(['tirami'])
    const bridge = exposed.get('tirami')
    expect(Object.keys(bridge ?? {}).sort()).toEqual(['calls', 'onEvent'])
    expect(Object.keys(bridge?.calls ?? {}).sort()).toEqual(Object.keys(procedures).sort())
    await bridge?.calls['host.pause']({})
    expect(invoke.mock.calls).toEqual([['tirami:call', 'host.pause', {}]])
  })
})
