import { join } from 'node:path'

export interface DesktopPaths {
  preload: string
  renderer: string
  /** Modules that run in their own utility process. */
  hostModule: string
  engineModule: string
  /** Shipped files outside app.asar. */
  resources: string
}

/** `mainDirectory` is the folder of the built main.js; the rest of the build lies beside it. */
export function desktopPaths(at: {
  mainDirectory: string
  packaged: boolean
  /** Electron's `process.resourcesPath`: the folder that holds app.asar. */
  resourcesPath: string
}): DesktopPaths {
  const out = join(at.mainDirectory, '..')
  return {
    preload: join(out, 'preload', 'index.cjs'),
    renderer: join(out, 'renderer'),
    hostModule: join(at.mainDirectory, 'host.js'),
    engineModule: join(at.mainDirectory, 'engine.js'),
    resources: at.packaged ? join(at.resourcesPath, 'resources') : join(out, '..', 'resources'),
  }
}
