import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { type JournalPosition, u32le } from './journal-format.ts'
import type { SavedState } from './state.ts'
import { type Storage, type StoredFile, writeFully } from './storage.ts'

/** Name and version of the format; a file of another one is ignored. */
const MAGIC = Buffer.from('TIRAMI-S\x01\0\0\0\0\0\0\0', 'latin1')
const DIGEST_BYTES = 32
/** Hashed or written in one piece, so that requests are answered in between. */
const PIECE_BYTES = 4 * 1024 * 1024
const FILE_NAME = 'snapshot.bin'

/** The first `bytes` bytes of one file of the journal. */
export interface SegmentDigest {
  name: string
  bytes: number
  sha256Hex: string
}

/** What a snapshot is of. */
interface SnapshotScope {
  /** Whose folding made it: another version may fold the same records into something else. */
  version: string
  position: JournalPosition
  /** All files of the journal up to `position`: a start reads them once to see that no byte has changed. */
  segments: SegmentDigest[]
}

/** What follows from the journal up to a position, kept so that a start need not fold all of it again. */
export interface SnapshotState {
  ledger: SavedState
  observer: unknown
}

/** SHA-256 of the first `bytes` bytes. */
export async function digestOf(file: Pick<StoredFile, 'read'>, bytes: number): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0; at < bytes; ) {
    const piece = await file.read(at, Math.min(PIECE_BYTES, bytes - at))
    if (piece.length === 0) break
    hash.update(piece)
    at += piece.length
  }
  return hash.digest('hex')
}

/** V8's structured clone: it knows maps and bigint, and is quick. */
export const packState = (state: SnapshotState): Uint8Array => serialize(state)

/** Replaces the snapshot in `directory`. A crash at any moment leaves the old one or the new one. */
export async function writeSnapshot(
  storage: Storage,
  directory: string,
  scope: SnapshotScope,
  packedState: Uint8Array,
): Promise<void> {
  const draft = join(directory, `${FILE_NAME}.tmp`)
  const file = await storage.open(draft)
  const hash = createHash('sha256')
  let at = 0
  const write = async (bytes: Uint8Array) => {
    hash.update(bytes)
    await writeFully(file, bytes, at)
    at += bytes.length
  }
  try {
    await file.truncate(0)
    const packedScope = serialize(scope)
    await write(Buffer.concat([MAGIC, u32le(packedScope.length), packedScope]))
    for (let from = 0; from < packedState.length; from += PIECE_BYTES) {
      await write(packedState.subarray(from, from + PIECE_BYTES))
    }
    await writeFully(file, hash.digest(), at)
    await file.sync()
  } finally {
    await file.close()
  }
  await storage.rename(draft, join(directory, FILE_NAME))
}

/**
 * Reads the snapshot in `directory` and compares the journal's files with it, byte by byte.
 * @returns null when there is none, or when anything at all does not fit: then the journal is replayed in full
 */
export async function readSnapshot(
  storage: Storage,
  directory: string,
  version: string,
): Promise<{ position: JournalPosition; state: SnapshotState } | null> {
  const names = await storage.list(directory)
  if (!names.includes(FILE_NAME)) return null
  const bytes = await wholeFile(storage, join(directory, FILE_NAME))
  const content = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_BYTES))
  const digest = createHash('sha256').update(content).digest()
  if (!content.subarray(0, MAGIC.length).equals(MAGIC)) return null
  if (!bytes.subarray(content.length).equals(digest)) return null
  const scopeStart = MAGIC.length + 4
  const scopeEnd = scopeStart + content.readUInt32LE(MAGIC.length)
  // The digest says that a host wrote this, and the version that it wrote what this one understands.
  const {
    version: madeBy,
    position,
    segments,
  } = deserialize(content.subarray(scopeStart, scopeEnd)) as SnapshotScope
  if (madeBy !== version || !(await areUnchanged(storage, directory, names, segments))) return null
  return { position, state: deserialize(content.subarray(scopeEnd)) as SnapshotState }
}

async function areUnchanged(
  storage: Storage,
  directory: string,
  names: readonly string[],
  segments: readonly SegmentDigest[],
): Promise<boolean> {
  for (const { name, bytes, sha256Hex } of segments) {
    if (!names.includes(name)) return false
    const file = await storage.open(join(directory, name))
    try {
      if ((await digestOf(file, bytes)) !== sha256Hex) return false
    } finally {
      await file.close()
    }
  }
  return true
}

/** A snapshot that led to a contradiction is kept for a person to look at, and not used again. */
export async function setSnapshotAside(storage: Storage, directory: string): Promise<void> {
  await storage.rename(join(directory, FILE_NAME), join(directory, `${FILE_NAME}.refused`))
}

async function wholeFile(storage: Storage, path: string): Promise<Buffer> {
  const file = await storage.open(path)
  try {
    return await file.read(0, await file.size())
  } finally {
    await file.close()
  }
}
