import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, systemRng } from '../../../kernel/index.ts'
import { type Library, openLibrary } from '../../library.ts'
import { type Disk, systemDisk } from '../disk.ts'
import { type Download, type Downloads, type DownloadsOptions, openDownloads } from '../manager.ts'
import type { Net } from '../net.ts'
import type { RemoteSource } from '../target.ts'

/** Small parts and short patience, so that a test sees many of both. */
export const QUICK_LIMITS = {
  minPartBytes: 64 * 1024,
  maxPartBytes: 128 * 1024,
  stallMs: 10_000,
  attempts: 4,
  checkpointMs: 0,
  checkpointBytes: 32 * 1024,
  keepFreeBytes: 0,
  diskRetryMs: 5,
}

/** Lets other work happen and does not wait; pauses of seconds would only make tests slow. */
const yieldOnly = async (_ms: number, signal: AbortSignal): Promise<void> => {
  await new Promise((resolve) => setImmediate(resolve))
  signal.throwIfAborted()
}

export interface House {
  directory: string
  downloadsDirectory: string
  library: Library
  downloads: Downloads
  /** Every view that was announced, in order. */
  seen: Download[]
}

export interface HouseOptions extends Partial<Omit<DownloadsOptions, 'library' | 'directory' | 'net'>> {
  net: Net
  directory: string
}

export async function openHouse({ directory, disk = systemDisk, ...options }: HouseOptions): Promise<House> {
  const library = await openLibrary({ directory, disk, clock: systemClock })
  const downloadsDirectory = join(directory, 'downloads')
  const downloads = await openDownloads({
    clock: systemClock,
    rng: systemRng,
    sleep: yieldOnly,
    metering: { isMetered: () => false, onChange: () => () => {} },
    ...options,
    limits: { ...QUICK_LIMITS, ...options.limits },
    directory: downloadsDirectory,
    library,
    disk,
  })
  const seen: Download[] = []
  downloads.onChange((download) => seen.push(download))
  return { directory, downloadsDirectory, library, downloads, seen }
}

export async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tirami-models-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Resolves with the first view that passes, those announced before included where it is the present one. */
export function until(
  downloads: Downloads,
  id: string,
  passes: (download: Download) => boolean,
): Promise<Download> {
  const now = downloads.list().find((download) => download.id === id)
  if (now && passes(now)) return Promise.resolve(now)
  return new Promise((resolve) => {
    const end = downloads.onChange((download) => {
      if (download.id !== id || !passes(download)) return
      end()
      resolve(download)
    })
  })
}

const AT_REST: ReadonlySet<Download['state']> = new Set([
  'done',
  'failed',
  'quarantined',
  'paused',
  'cancelled',
])

export function atRest(downloads: Downloads, id: string): Promise<Download> {
  return until(downloads, id, ({ state }) => AT_REST.has(state))
}

export const HUB_SOURCE: RemoteSource = {
  kind: 'hub-file',
  repository: 'owner/repo',
  file: 'model.gguf',
  url: 'https://huggingface.co/owner/repo/resolve/main/model.gguf',
}

/** A disk that a test can fill, break or stop in the middle. */
export function fragileDisk(disk: Disk = systemDisk): Disk & {
  /** Called before every change; what it throws, the change throws. */
  before: (operation: keyof Disk | 'write' | 'sync' | 'resize', bytes: number) => void
} {
  const fragile = {
    ...disk,
    before: (_operation: keyof Disk | 'write' | 'sync' | 'resize', _bytes: number): void => {},
    async openPart(path: string) {
      fragile.before('openPart', 0)
      const file = await disk.openPart(path)
      return {
        ...file,
        async resize(sizeBytes: number) {
          fragile.before('resize', 0)
          await file.resize(sizeBytes)
        },
        async write(bytes: Uint8Array, position: number) {
          fragile.before('write', bytes.length)
          await file.write(bytes, position)
        },
        async sync() {
          fragile.before('sync', 0)
          await file.sync()
        },
      }
    },
    async replaceFile(path: string, text: string) {
      fragile.before('replaceFile', text.length)
      await disk.replaceFile(path, text)
    },
    async rename(from: string, to: string) {
      fragile.before('rename', 0)
      await disk.rename(from, to)
    },
    async remove(path: string) {
      fragile.before('remove', 0)
      await disk.remove(path)
    },
  }
  return fragile
}
