import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'

const PRIVATE_FILE_MODE = 0o600
const PRIVATE_DIRECTORY_MODE = 0o700

/** The disk as restoring needs it: tests make it fail at any step. */
export interface Disk {
  makeDirectory(path: string): Promise<void>
  /** A new file, readable by the owner only, on the disk when it resolves. */
  writeFile(path: string, content: string | Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Files and folders; does nothing where there is none. */
  remove(path: string): Promise<void>
  /** Makes created and renamed names in `directory` survive a power cut. */
  syncDirectory(directory: string): Promise<void>
  /** Empty where there is none. */
  list(directory: string): Promise<string[]>
  /** Null where there is none. */
  read(path: string): Promise<Buffer | null>
}

export const systemDisk: Disk = {
  makeDirectory: async (path) => {
    await mkdir(path, { recursive: true, mode: PRIVATE_DIRECTORY_MODE })
  },
  writeFile: (path, content) =>
    withFile(open(path, 'wx', PRIVATE_FILE_MODE), async (file) => {
      await file.writeFile(content)
      await file.sync()
    }),
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  syncDirectory: async (directory) => {
    // Windows cannot open a directory for this; NTFS journals names itself.
    if (process.platform === 'win32') return
    await withFile(open(directory, 'r'), (handle) => handle.sync())
  },
  list: (directory) => readdir(directory).catch(absentAs([])),
  read: (path) => readFile(path).catch(absentAs(null)),
}

async function withFile(
  opening: Promise<FileHandle>,
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await opening
  try {
    await use(file)
  } finally {
    await file.close()
  }
}

const absentAs =
  <Value>(value: Value) =>
  (error: unknown): Value => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value
    throw error
  }
