import { open, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hexFromBytes, sha256, utf8 } from '../kernel/index.ts'
import { diskStorage } from './storage.ts'

const NAME_DIGITS = 16

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.part`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, path)
}

/**
 * Keeps a checked foreign ledger, byte for byte, under `imported/` of the data directory. Nothing reads it again.
 * @returns its path; beside it lies `<path>.sha256` in the form that `sha256sum -c` checks
 */
export async function archiveImport(dataDirectory: string, file: Uint8Array): Promise<string> {
  const directory = join(dataDirectory, 'imported')
  await diskStorage.makeDirectory(directory)
  const sum = hexFromBytes(sha256(file))
  const path = join(directory, `ledger-${sum.slice(0, NAME_DIGITS)}.json`)
  await writeDurably(path, file)
  await writeDurably(`${path}.sha256`, utf8(`${sum}  ${basename(path)}\n`))
  await diskStorage.syncDirectory(directory)
  return path
}
