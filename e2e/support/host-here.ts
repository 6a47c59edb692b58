import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openApi, openDashboard } from '../../src-main/gateway/index.ts'
import { type RunningHost, startHost } from '../../src-main/host/index.ts'
import { forkEngine } from '../../src-main/inference/index.ts'
import { root, skipGuide } from './host.ts'

type HostOptions = Parameters<typeof startHost>[0]

type Choices = Pick<HostOptions, 'dataDirectory'> &
  Partial<Pick<HostOptions, 'resourcesDirectory' | 'modelNet' | 'clock' | 'environment'>> & {
    /** The window begins with its first-run guide. */
    guide?: boolean
  }

export interface HostHere {
  host: RunningHost
  /** A page of the host, its window unless another folder is named. */
  openPage(bundleDirectory?: string): ReturnType<typeof openDashboard>
}

/** The host in this process, its engine and workers as they were built: for what a process cannot be told. */
export async function startHostHere({ guide = false, ...choices }: Choices): Promise<HostHere> {
  if (!guide) skipGuide(choices.dataDirectory)
  const built = (name: string) => pathToFileURL(join(root, 'out/main', name))
  const host = await startHost({
    resourcesDirectory: join(root, 'resources'),
    ...choices,
    spawnEngine: forkEngine(built('engine.js')),
    projectionWorkerUrl: built('projection.js'),
    reasoningWorkerUrl: built('reasoning.js'),
    openApi: (services) => openApi(services, { port: 0 }),
  })
  return {
    host,
    openPage: (bundleDirectory = join(root, 'out/renderer')) =>
      openDashboard(() => host.control, { port: 0, bundleDirectory }),
  }
}
