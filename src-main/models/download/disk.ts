import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, mkdir, open, readFile, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DiskFull } from './errors.ts'

/** A file that is written in any order. */
export interface PartFile {
  /** Cuts or lengthens the file; what is new takes no room until it is written. */
  resize(sizeBytes: number): Promise<void>
  /** @throws DiskFull */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Resolves when everything written is on the disk. @throws DiskFull */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Every change that downloads make on disk goes through here. Files are readable by the owner only. */
export interface Disk {
  /** Opens for writing and creates what is missing. @throws DiskFull */
  openPart(path: string): Promise<PartFile>
  /** Replaces a small file in one step: a crash leaves the old text or the new. @throws DiskFull */
  replaceFile(path: string, text: string): Promise<void>
  /** Moves within one volume, durably. */
  rename(from: string, to: string): Promise<void>
  /** No error where there is nothing. */
  remove(path: string): Promise<void>
  makeDirectory(path: string): Promise<void>
  /** Bytes that this user may still write on the volume. */
  freeBytes(directory: string): Promise<number>
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

async function orFull<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw error instanceof Error && 'code' in error && FULL.has(String(error.code)) ? new DiskFull() : error
  }
}

/** Makes created, renamed and removed names in `directory` survive a power cut. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a directory for this; NTFS journals names itself.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeAll(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export const systemDisk: Disk = {
  async openPart(path) {
    const handle = await orFull(open(path, constants.O_RDWR | constants.O_CREAT, 0o600))
    return {
      resize: (sizeBytes) => orFull(handle.truncate(sizeBytes)),
      async write(bytes, position) {
        let written = 0
        while (written < bytes.length) {
          const { bytesWritten } = await orFull(
            handle.write(bytes, written, bytes.length - written, position + written),
          )
          written += bytesWritten
        }
      },
      sync: () => orFull(handle.datasync()),
      close: () => handle.close(),
    }
  },

  async replaceFile(path, text) {
    const temporary = join(dirname(path), `.${randomBytes(6).toString('hex')}.tmp`)
    try {
      await orFull(writeAll(temporary, text))
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    await syncDirectory(dirname(path))
  },

  async rename(from, to) {
    await rename(from, to)
    await syncDirectory(dirname(to))
    if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from))
  },

  remove: (path) => rm(path, { force: true }),

  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (process.platform !== 'win32') await chmod(path, 0o700)
  },

  async freeBytes(directory) {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  },
}

/** Text of a small file, or null where there is none. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
