import { join } from 'node:path'
import { flipFuses } from '@electron/fuses'
import type { AfterPackContext, Configuration } from 'electron-builder'
import { fuseConfig } from './fuses.ts'
import { notarisation, updateUrl, windowsPublisher } from './release.ts'

const EXECUTABLE = 'tirami-host'

/** A folder with an unpacked Electron, where none may be downloaded. */
const electronDist = process.env.ELECTRON_OVERRIDE_DIST_PATH

/** The file inside an unpacked app that carries the fuse wire. */
export function fuseTarget(platform: string, appOutDir: string, productFilename: string): string {
  if (platform === 'darwin') return join(appOutDir, `${productFilename}.app`)
  return join(appOutDir, platform === 'win32' ? `${productFilename}.exe` : EXECUTABLE)
}

async function afterPack(context: AfterPackContext): Promise<void> {
  const platform = context.electronPlatformName
  const target = fuseTarget(platform, context.appOutDir, context.packager.appInfo.productFilename)
  // Not `electronFuses`: the fuse library inside electron-builder does not know wasmTrapHandlers yet.
  await flipFuses(target, fuseConfig(process.env, platform))
}

function afterSign(context: AfterPackContext): void {
  if (context.electronPlatformName === 'darwin') console.log(`  • ${notarisation(process.env).line}`)
}

/** @throws Error where the surroundings contradict themselves */
export function configuration(environment: NodeJS.ProcessEnv): Configuration {
  const feed = updateUrl(environment)
  const publisher = windowsPublisher(environment)
  return {
    appId: 'dev.tirami.host',
    productName: 'Tirami Host',
    copyright: 'MIT licence',
    directories: { output: 'dist', buildResources: 'build' },
    // The updater takes files of this form only (src-main/desktop/update-policy.ts).
    // biome-ignore lint/suspicious/noTemplateCurlyInString: electron-builder's own macros
    artifactName: 'tirami-host-${version}-${os}-${arch}.${ext}',
    // A build without a feed writes no app-update.yml, and the app says that it cannot update itself.
    publish: feed === null ? null : { provider: 'generic', url: feed },
    // A stable release is the newest of the beta channel, too.
    generateUpdatesFilesForAllChannels: true,
    asar: true,
    // All native code comes prebuilt over N-API.
    npmRebuild: false,
    nodeGypRebuild: false,
    electronLanguages: ['en', 'en-US', 'ja'],
    ...(electronDist === undefined ? {} : { electronDist }),
    // Only `dependencies` are packed; what the page needs is bundled and listed under `devDependencies`.
    files: [
      'package.json',
      'out/**/*',
      '!out/**/*.map',
      // llama.cpp for this platform only, and not its sources.
      '!node_modules/@node-llama-cpp/*/bins/**/*',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: electron-builder's own macros
      'node_modules/@node-llama-cpp/${os}-${arch}*/bins/**/*',
      '!node_modules/node-llama-cpp/llama/addon/**/*',
      '!node_modules/node-llama-cpp/llama/gitRelease.bundle',
      '!node_modules/node-llama-cpp/templates/**/*',
      '!node_modules/sql.js/dist/*',
      'node_modules/sql.js/dist/sql-wasm.js',
      'node_modules/sql.js/dist/sql-wasm.wasm',
      '!node_modules/@types/**/*',
      '!node_modules/**/*.{d.ts,d.mts,d.cts,map}',
      '!node_modules/**/{test,tests,__tests__,benchmark,benchmarks}/**/*',
    ],
    asarUnpack: [
      'node_modules/node-llama-cpp/bins/**/*',
      'node_modules/@node-llama-cpp/*/bins/**/*',
      'node_modules/sql.js/dist/*.wasm',
    ],
    extraResources: [{ from: 'resources', to: 'resources' }],
    // Opens a page of the window and does nothing else (src-main/desktop/deep-link.ts).
    protocols: [{ name: 'Tirami Host', schemes: ['tirami'], role: 'Viewer' }],
    afterPack,
    afterSign,
    mac: {
      category: 'public.app-category.utilities',
      icon: 'build/icons/icon.icns',
      target: [
        { target: 'dmg', arch: ['arm64', 'universal'] },
        // What the updater takes.
        { target: 'zip', arch: ['arm64', 'universal'] },
      ],
      // Both halves of a universal app must hold the same files: each has llama.cpp for both, and takes its own.
      files: ['node_modules/@node-llama-cpp/mac-*/bins/**/*'],
      x64ArchFiles: '**/node_modules/@node-llama-cpp/**',
      hardenedRuntime: true,
      gatekeeperAssess: false,
      entitlements: 'build/entitlements.mac.plist',
      entitlementsInherit: 'build/entitlements.mac.plist',
      notarize: notarisation(environment).on,
      darkModeSupport: true,
    },
    win: {
      icon: 'build/icons/icon.ico',
      target: [{ target: 'nsis', arch: ['x64'] }],
      requestedExecutionLevel: 'asInvoker',
      verifyUpdateCodeSignature: true,
      ...(publisher === null ? {} : { signtoolOptions: { publisherName: publisher } }),
    },
    nsis: {
      oneClick: false,
      perMachine: false,
      allowToChangeInstallationDirectory: true,
      // The ledger and the keys are the owner's money; an uninstaller must not take them.
      deleteAppDataOnUninstall: false,
      // Takes the login item away (what the system's own uninstaller does not know).
      include: 'build/uninstall.nsh',
    },
    linux: {
      icon: 'build/icons/linux',
      executableName: EXECUTABLE,
      category: 'Utility',
      synopsis: 'Earn with an idle computer',
      maintainer: 'Tirami Host contributors',
      target: [
        { target: 'AppImage', arch: ['x64', 'arm64'] },
        { target: 'deb', arch: ['x64', 'arm64'] },
      ],
    },
  }
}

export default configuration(process.env)
