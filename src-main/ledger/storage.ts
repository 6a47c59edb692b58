import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ledgerLocked } from './errors.ts'
import { lockDirectory } from './lock.ts'

/** What the ledger needs of a file. Tests put faults in here; offsets and lengths are bytes. */
export interface StoredFile {
  /** @returns up to `length` bytes from `offset`; fewer only at the end of the file */
  read(offset: number, length: number): Promise<Buffer>
  /** @returns the number of bytes written; the caller treats fewer than given as a fault */
  write(bytes: Uint8Array, offset: number): Promise<number>
  /** Resolves when the file's data and length are on the disk. */
  sync(): Promise<void>
  truncate(size: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

/** Where the ledger keeps its files: the disk, or memory for simulations. Paths are those of `node:path`. */
export interface Storage {
  /** Creates what is missing, for the owner only, so that it survives a power cut. */
  makeDirectory(directory: string): Promise<void>
  /** @returns the function that gives the lock back. @throws TiramiError LEDGER_LOCKED */
  lock(directory: string): Promise<() => Promise<void>>
  /** Opens for reading and writing and creates what is missing, readable by the owner only. */
  open(path: string): Promise<StoredFile>
  /** Names of the files in `directory`. */
  list(directory: string): Promise<string[]>
  /** Replaces `to` in one step, durably. */
  rename(from: string, to: string): Promise<void>
  /** Does nothing when there is no such file. */
  remove(path: string): Promise<void>
  /** Makes created, renamed and removed names in `directory` survive a power cut. */
  syncDirectory(directory: string): Promise<void>
}

/** @throws Error when the disk takes only part: what it did take counts as damaged */
export async function writeFully(file: StoredFile, bytes: Uint8Array, offset: number): Promise<void> {
  const written = await file.write(bytes, offset)
  if (written !== bytes.length) throw new Error(`wrote ${written} of ${bytes.length} bytes`)
}

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

async function makePrivateDirectory(directory: string): Promise<void> {
  const created = await mkdir(directory, { recursive: true, mode: 0o700 })
  if (created !== undefined) await syncDirectory(dirname(created))
}

/** @returns up to `length` bytes from `offset`; fewer only at the end of the file */
export async function readFully(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

async function openOnDisk(path: string): Promise<StoredFile> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    await syncDirectory(dirname(path))
  } catch (error) {
    await handle.close()
    throw error
  }
  return {
    read: (offset, length) => readFully(handle, offset, length),
    write: async (bytes, offset) => (await handle.write(bytes, 0, bytes.length, offset)).bytesWritten,
    sync: () => handle.datasync(),
    truncate: (size) => handle.truncate(size),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  }
}

export const diskStorage: Storage = {
  makeDirectory: makePrivateDirectory,
  lock: lockDirectory,
  open: openOnDisk,
  list: (directory) => readdir(directory),
  rename: async (from, to) => {
    await rename(from, to)
    await syncDirectory(dirname(to))
  },
  remove: (path) => rm(path, { force: true }),
  syncDirectory,
}

/** Bytes of one file, in a buffer that doubles as it fills. */
class MemoryFile {
  bytes = Buffer.alloc(0)
  size = 0

  write(from: Uint8Array, offset: number): number {
    const end = offset + from.length
    if (end > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.bytes.length))
      larger.set(this.bytes.subarray(0, this.size))
      this.bytes = larger
    }
    this.bytes.set(from, offset)
    this.size = Math.max(this.size, end)
    return from.length
  }

  truncate(size: number): void {
    this.bytes.fill(0, size)
    this.size = Math.min(this.size, size)
  }
}

/** A disk that is gone with the object: for simulations that open ledgers by the thousand. */
export function memoryStorage(): Storage {
  const files = new Map<string, MemoryFile>()
  const locked = new Set<string>()
  const opened = (file: MemoryFile): StoredFile => ({
    read: async (offset, length) =>
      Buffer.from(file.bytes.subarray(offset, Math.min(file.size, offset + length))),
    write: async (bytes, offset) => file.write(bytes, offset),
    sync: async () => undefined,
    truncate: async (size) => file.truncate(size),
    size: async () => file.size,
    close: async () => undefined,
  })
  return {
    makeDirectory: async () => undefined,
    lock: async (directory) => {
      if (locked.has(directory)) throw ledgerLocked(process.pid, directory)
      locked.add(directory)
      return async () => void locked.delete(directory)
    },
    open: async (path) => {
      const file = files.get(path) ?? new MemoryFile()
      files.set(path, file)
      return opened(file)
    },
    list: async (directory) => {
      const inside = join(directory, '/')
      const names = [...files.keys()].filter((path) => path.startsWith(inside))
      return names.map((path) => path.slice(inside.length)).filter((name) => !name.includes('/'))
    },
    rename: async (from, to) => {
      const file = files.get(from)
      if (!file) throw new Error(`there is no ${from}`)
      files.set(to, file)
      files.delete(from)
    },
    remove: async (path) => void files.delete(path),
    syncDirectory: async () => undefined,
  }
}
