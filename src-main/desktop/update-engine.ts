import { EventEmitter } from 'node:events'
import type { AppUpdater } from 'electron-updater'
import type { UpdateChannel } from '../../src-preload/contract/index.ts'
import { type UpdateFeed, updateRequestAllowed } from './update-policy.ts'

/** What the desk needs of an updater. */
export interface UpdateEngine {
  /** Asks the feed. @returns what it says of a version that this machine may have now; null for none */
  check(channel: UpdateChannel): Promise<unknown>
  /** Downloads what `check` found, and checks its hash. */
  download(onProgress: (fraction: number) => void): Promise<void>
  /** Quits, installs, and starts the new version. */
  install(): void
  /** Whether what was downloaded is installed when the app quits. */
  installAtQuit(allowed: boolean): void
}

/** A download is one request and the hops of its redirects; the updater itself would follow them for ever. */
const REQUESTS_MAX = 12

/** electron-updater's HTTP client, as far as it is guarded. */
interface HttpExecutor {
  createRequest(options: RequestOptions, callback: (response: unknown) => void): unknown
}
interface RequestOptions {
  protocol?: string | null
  hostname?: string | null
  port?: string | number | null
  path?: string | null
}

/**
 * electron-updater, held to our rules: https to the feed's hosts only, no downgrade, nothing by itself but the
 * installation at quit of what the desk has had downloaded.
 */
export function guardedEngine(updater: AppUpdater, feed: UpdateFeed): UpdateEngine {
  const guard = guardRequests((updater as unknown as { httpExecutor: HttpExecutor }).httpExecutor, (url) =>
    updateRequestAllowed(url, feed),
  )
  updater.autoDownload = false
  updater.autoInstallOnAppQuit = false
  updater.autoRunAppAfterInstall = true
  updater.disableWebInstaller = true
  // A whole file with one hash; parts put together from two servers' block maps are not worth what they save.
  updater.disableDifferentialDownload = true
  updater.fullChangelog = false
  return {
    check: async (channel) => {
      guard.anew()
      updater.allowPrerelease = channel === 'beta'
      updater.channel = CHANNEL_FILES[channel]
      // After the channel, whose setter turns it on.
      updater.allowDowngrade = false
      updater.setFeedURL({ provider: 'generic', url: feed.url, channel: CHANNEL_FILES[channel] })
      const result = await updater.checkForUpdates()
      return result?.isUpdateAvailable === true ? result.updateInfo : null
    },
    download: async (onProgress) => {
      guard.anew()
      const progress = ({ percent }: { percent: number }) =>
        onProgress(Math.min(1, Math.max(0, percent / 100)))
      updater.on('download-progress', progress)
      try {
        await updater.downloadUpdate()
      } finally {
        updater.removeListener('download-progress', progress)
      }
    },
    install: () => updater.quitAndInstall(true, true),
    installAtQuit: (allowed) => {
      updater.autoInstallOnAppQuit = allowed
    },
  }
}

/** `latest.yml` is the updater's own name for the stable channel. */
const CHANNEL_FILES: Record<UpdateChannel, string> = { stable: 'latest', beta: 'beta' }

/** @param allowed is asked about every request, the hops of redirects included */
function guardRequests(executor: HttpExecutor, allowed: (url: string) => boolean): { anew(): void } {
  const create = executor.createRequest.bind(executor)
  let left = REQUESTS_MAX
  executor.createRequest = (options, callback) => {
    left -= 1
    if (left < 0) return refusedRequest('too many redirects')
    const { protocol, hostname, port, path } = options
    const url = `${protocol ?? 'https:'}//${hostname ?? ''}${port ? `:${port}` : ''}${path ?? '/'}`
    if (!allowed(url)) return refusedRequest('the feed led to an address that updates may not come from')
    const request = create(options, (response) => {
      try {
        callback(response)
      } catch (error) {
        // The updater follows a redirect in here, and a `Location` that is no address would end the app.
        ;(request as EventEmitter).emit('error', error)
      }
    })
    return request
  }
  return {
    anew: () => {
      left = REQUESTS_MAX
    },
  }
}

/** Fails the way a request fails; an exception would come up where nobody catches it. */
function refusedRequest(problem: string): unknown {
  const request = new EventEmitter()
  const fail = () => void queueMicrotask(() => request.emit('error', new Error(problem)))
  return Object.assign(request, { end: fail, abort: () => undefined, write: () => true })
}
