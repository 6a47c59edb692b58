import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FuseState, FuseV1Options, FuseVersion, flipFuses, getCurrentFuseWire } from '@electron/fuses'
import { describe, expect, it } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }
import config, { fuseTarget } from './electron-builder.ts'
import { fuseConfig, fuseTable, RELEASE_FUSES } from './fuses.ts'
import { icnsFile, icoFile } from './icons/containers.ts'

const root = join(import.meta.dirname, '..')

describe('fuses', () => {
  const names = Object.keys(FuseV1Options).filter((key) => Number.isNaN(Number(key)))

  it('are all decided, as the security page says', () => {
    const table = Object.fromEntries(
      names.map((name) => [name, RELEASE_FUSES[FuseV1Options[name as keyof typeof FuseV1Options]]]),
    )
    expect(table).toEqual({
      RunAsNode: false,
      EnableCookieEncryption: true,
      EnableNodeOptionsEnvironmentVariable: false,
      EnableNodeCliInspectArguments: false,
      EnableEmbeddedAsarIntegrityValidation: true,
      OnlyLoadAppFromAsar: true,
      LoadBrowserProcessSpecificV8Snapshot: false,
      GrantFileProtocolExtraPrivileges: false,
      WasmTrapHandlers: true,
    })
  })

  it.each([undefined, '', '0', 'true', 'yes'])(
    'are the released ones when TIRAMI_E2E_BUILD is %j',
    (value) => {
      const environment = value === undefined ? {} : { TIRAMI_E2E_BUILD: value }
      expect(fuseTable(environment)).toEqual(RELEASE_FUSES)
    },
  )

  it('differ in one for the build that Playwright drives', () => {
    const table = fuseTable({ TIRAMI_E2E_BUILD: '1' })
    expect(table).toEqual({ ...RELEASE_FUSES, [FuseV1Options.EnableNodeCliInspectArguments]: true })
  })

  it('end up in a binary', async () => {
    const binary = join(mkdtempSync(join(tmpdir(), 'fuses-')), 'tirami-host')
    writeFileSync(binary, fakeElectron(names.length))
    await flipFuses(binary, fuseConfig({}, 'linux'))
    const wire = await getCurrentFuseWire(binary)
    expect(wire.version).toBe(FuseVersion.V1)
    for (const name of names) {
      const option = FuseV1Options[name as keyof typeof FuseV1Options]
      expect([name, wire[option]]).toEqual([
        name,
        RELEASE_FUSES[option] ? FuseState.ENABLE : FuseState.DISABLE,
      ])
    }
  })

  it('stop a build on an Electron with a fuse that nobody has decided', async () => {
    const binary = join(mkdtempSync(join(tmpdir(), 'fuses-')), 'tirami-host')
    writeFileSync(binary, fakeElectron(names.length + 1))
    await expect(flipFuses(binary, fuseConfig({}, 'linux'))).rejects.toThrow()
  })

  it('are written to the file that carries the wire', () => {
    expect(fuseTarget('linux', '/d', 'Tirami Host')).toBe(join('/d', 'tirami-host'))
    expect(fuseTarget('win32', '/d', 'Tirami Host')).toBe(join('/d', 'Tirami Host.exe'))
    expect(fuseTarget('darwin', '/d', 'Tirami Host')).toBe(join('/d', 'Tirami Host.app'))
  })

  /** The bytes by which the fuse tool knows an Electron. */
  function fakeElectron(fuses: number): Buffer {
    const sentinel = Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX', 'latin1')
    return Buffer.concat([
      Buffer.alloc(64),
      sentinel,
      Buffer.from([1, fuses]),
      Buffer.from('1'.repeat(fuses)),
      Buffer.alloc(64),
    ])
  }
})

describe('the package', () => {
  it('publishes nowhere and updates from nowhere', () => {
    expect(config.publish).toBeNull()
    expect(Object.keys({ ...packageJson.dependencies, ...packageJson.devDependencies })).not.toContain(
      'electron-updater',
    )
  })

  it('carries what main imports and nothing that only the page needs', () => {
    for (const name of ['react', 'react-dom', 'recharts', 'zustand', 'lucide-react']) {
      expect(Object.keys(packageJson.dependencies)).not.toContain(name)
    }
  })

  it('starts where electron-vite puts main', () => {
    expect(join(root, packageJson.main)).toBe(join(root, 'out/main/main.js'))
    expect(config.files).toContain('out/**/*')
  })

  it('keeps native code outside the archive, and only that of the platform', () => {
    expect(config.asar).toBe(true)
    expect(config.asarUnpack).toEqual(
      expect.arrayContaining(['node_modules/@node-llama-cpp/*/bins/**/*', 'node_modules/sql.js/dist/*.wasm']),
    )
    expect(config.files).toEqual(
      expect.arrayContaining([
        '!node_modules/@node-llama-cpp/*/bins/**/*',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: electron-builder's own macros
        'node_modules/@node-llama-cpp/${os}-${arch}*/bins/**/*',
      ]),
    )
  })

  it('keeps the owner’s ledger when it is uninstalled', () => {
    expect(config.nsis).toMatchObject({ deleteAppDataOnUninstall: false, perMachine: false })
  })

  it('runs hardened on macOS, with one entitlement', () => {
    expect(config.mac).toMatchObject({ hardenedRuntime: true, entitlements: config.mac?.entitlementsInherit })
    const plist = readFileSync(join(root, config.mac?.entitlements ?? ''), 'utf8')
    expect([...plist.matchAll(/<key>(.*?)<\/key>/g)].map((match) => match[1])).toEqual([
      'com.apple.security.cs.allow-jit',
    ])
  })
})

describe('icons', () => {
  it('exist where the configuration looks for them', () => {
    const icns = readFileSync(join(root, String(config.mac?.icon)))
    expect(icns.toString('latin1', 0, 4)).toBe('icns')
    expect(icns.readUInt32BE(4)).toBe(icns.length)
    const ico = readFileSync(join(root, String(config.win?.icon)))
    expect([ico.readUInt16LE(0), ico.readUInt16LE(2), ico.readUInt16LE(4)]).toEqual([0, 1, 7])
    expect(readdirSync(join(root, String(config.linux?.icon)))).toContain('512x512.png')
  })

  it('are small enough to be kept in the repository', () => {
    for (const folder of ['build/icons', 'build/icons/linux', 'resources/icons', 'resources/tray']) {
      for (const name of readdirSync(join(root, folder))) {
        expect(statSync(join(root, folder, name)).size).toBeLessThan(200_000)
      }
    }
  })

  it('are packed by the rules of their formats', () => {
    const png = (size: number) => Buffer.alloc(size, size % 251)
    const ico = icoFile([
      { size: 16, png: png(10) },
      { size: 256, png: png(20) },
    ])
    // Width 0 is 256; each entry says where its image lies.
    expect([ico.readUInt8(6), ico.readUInt8(22)]).toEqual([16, 0])
    const offset = ico.readUInt32LE(6 + 16 + 12)
    expect(ico.subarray(offset, offset + ico.readUInt32LE(6 + 16 + 8))).toEqual(png(20))
    expect(ico.length).toBe(offset + 20)
    expect(() => icnsFile(new Map([[32, png(1)]]))).toThrow('no image of 64')
  })
})
