import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FuseState, FuseV1Options, FuseVersion, flipFuses, getCurrentFuseWire } from '@electron/fuses'
import { describe, expect, it } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }
import { LINK_SCHEME } from '../src-main/desktop/deep-link.ts'
import { feedAt, judgeRelease } from '../src-main/desktop/update-policy.ts'
import config, { configuration, fuseTarget } from './electron-builder.ts'
import { FUSE_NAMES, fakeElectron } from './fake-electron.ts'
import { fuseConfig, fuseTable, RELEASE_FUSES } from './fuses.ts'
import { icnsFile, icoFile } from './icons/containers.ts'
import { notarisation } from './release.ts'

const root = join(import.meta.dirname, '..')

describe('fuses', () => {
  const names = FUSE_NAMES

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
})

describe('the package', () => {
  it('fetches updates from where the release says, over https, and from nowhere otherwise', () => {
    expect(config.publish).toBeNull()
    const url = 'https://updates.example/feed'
    expect(configuration({ TIRAMI_UPDATE_URL: url }).publish).toEqual({ provider: 'generic', url })
    expect(configuration({ TIRAMI_UPDATE_URL: '' }).publish).toBeNull()
    for (const wrong of [
      'http://updates.example/',
      'updates.example',
      'https://me:x@updates.example/',
      'https://u.example/?x',
    ]) {
      expect(() => configuration({ TIRAMI_UPDATE_URL: wrong })).toThrow('https')
    }
    // What was written into the package is what the app takes its feed from.
    expect(feedAt(url)?.hosts).toEqual(new Set(['updates.example']))
  })

  it('names its files as the updater wants them', () => {
    const name = (version: string, os: string, arch: string, ext: string) => {
      const values: Record<string, string> = { version, os, arch, ext }
      return String(config.artifactName).replace(/\$\{(\w+)\}/g, (_, macro: string) => values[macro] ?? '?')
    }
    for (const [platform, os, arch, extension] of [
      ['darwin', 'mac', 'arm64', 'zip'],
      ['darwin', 'mac', 'universal', 'dmg'],
      ['win32', 'win', 'x64', 'exe'],
      ['linux', 'linux', 'x86_64', 'AppImage'],
      ['linux', 'linux', 'amd64', 'deb'],
    ] as const) {
      const file = { url: name('1.3.0', os, arch, extension), sha512: `${'A'.repeat(86)}==`, size: 1 }
      const verdict = judgeRelease(
        { version: '1.3.0', files: [file] },
        { currentVersion: '1.2.3', channel: 'stable', platform, seen: null, brokenVersion: null },
      )
      expect([file.url, verdict.offer]).toEqual([file.url, true])
    }
    expect(config.generateUpdatesFilesForAllChannels).toBe(true)
  })

  it('signs and notarises where it can, and says so where it cannot', () => {
    const apple = { CSC_LINK: 'x', APPLE_API_KEY: 'k', APPLE_API_KEY_ID: 'i', APPLE_API_ISSUER: 's' }
    expect(configuration(apple).mac).toMatchObject({ notarize: true, hardenedRuntime: true })
    for (const left of Object.keys(apple)) {
      const some = { ...apple, [left]: '' }
      expect(configuration(some).mac?.notarize).toBe(false)
      expect(notarisation(some).line).toMatch(/not notarised.*not given/)
    }
    expect(config.win).toMatchObject({ verifyUpdateCodeSignature: true })
    expect(configuration({ WIN_PUBLISHER_NAME: 'Somebody' }).win?.signtoolOptions).toEqual({
      publisherName: 'Somebody',
    })
  })

  it('is made for the systems that are promised', () => {
    const targets = (of: { target?: unknown } | null | undefined) => of?.target
    expect(targets(config.mac)).toEqual([
      { target: 'dmg', arch: ['arm64', 'universal'] },
      { target: 'zip', arch: ['arm64', 'universal'] },
    ])
    expect(targets(config.win)).toEqual([{ target: 'nsis', arch: ['x64'] }])
    expect(targets(config.linux)).toEqual([
      { target: 'AppImage', arch: ['x64', 'arm64'] },
      { target: 'deb', arch: ['x64', 'arm64'] },
    ])
    expect(config.protocols).toEqual([{ name: 'Tirami Host', schemes: [LINK_SCHEME], role: 'Viewer' }])
  })

  it('takes the login item away when it is uninstalled, under the name that the app gives it', () => {
    const macro = readFileSync(join(root, String(config.nsis?.include)), 'utf8')
    const login = readFileSync(join(root, 'src-main/desktop/login.ts'), 'utf8')
    expect(login).toContain(`APP_ID = '${config.appId}'`)
    expect(macro).toContain(`CurrentVersion\\Run" "${config.appId}"`)
    // An update runs the old uninstaller: it must not turn off what the owner has turned on.
    expect(macro).toMatch(/ifNot\} \$\{isUpdated\}/)
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
