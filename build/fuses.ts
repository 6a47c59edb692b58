import { type FuseConfig, FuseV1Options, FuseVersion } from '@electron/fuses'

type FuseTable = Record<FuseV1Options, boolean>

/** What is burned into the released binary. Every fuse is decided: a new one fails to compile here. */
export const RELEASE_FUSES: FuseTable = {
  // ELECTRON_RUN_AS_NODE would turn our signed binary into a plain Node.
  [FuseV1Options.RunAsNode]: false,
  [FuseV1Options.EnableCookieEncryption]: true,
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
  [FuseV1Options.EnableNodeCliInspectArguments]: false,
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
  [FuseV1Options.OnlyLoadAppFromAsar]: true,
  [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
  [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
  // Off would slow down sql.js and the tensor kernels.
  [FuseV1Options.WasmTrapHandlers]: true,
}

/** Playwright needs `--inspect`; a build for it says so and is never released. */
export function fuseTable(environment: NodeJS.ProcessEnv): FuseTable {
  const e2e = environment.TIRAMI_E2E_BUILD === '1'
  return { ...RELEASE_FUSES, [FuseV1Options.EnableNodeCliInspectArguments]: e2e }
}

export function fuseConfig(environment: NodeJS.ProcessEnv, platform: string): FuseConfig {
  return {
    version: FuseVersion.V1,
    // An Electron with a fuse that we have not decided does not build.
    strictlyRequireAllFuses: true,
    resetAdHocDarwinSignature: platform === 'darwin',
    ...fuseTable(environment),
  }
}
