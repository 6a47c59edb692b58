import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What the journal needs of a file. Tests put faults in here; offsets and lengths are bytes. */
export interface JournalFile {
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

/** Opens for reading and writing and creates what is missing, readable by the owner only. */
export type OpenJournalFile = (path: string) => Promise<JournalFile>

/** @throws Error when the disk takes only part: what it did take counts as damaged */
export async function writeFully(file: JournalFile, bytes: Uint8Array, offset: number): Promise<void> {
  const written = await file.write(bytes, offset)
  if (written !== bytes.length) throw new Error(`wrote ${written} of ${bytes.length} bytes`)
}

/** Makes created, renamed and removed names in `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a directory for this; NTFS journals names itself.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export async function makePrivateDirectory(directory: string): Promise<void> {
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

export const openDiskFile: OpenJournalFile = async (path) => {
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
