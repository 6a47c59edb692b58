import { join } from 'node:path'
import { journalDamaged } from './errors.ts'
import {
  decodeFrame,
  decodeHead,
  HEAD_BYTES,
  type JournalPosition,
  type JournalRecord,
  RECORD_MAX_BYTES,
} from './journal-format.ts'
import { endOffset, type FoundSegment, fileOffset, headerFor, readHeader, type Segment } from './segments.ts'
import { type Storage, type StoredFile, writeFully } from './storage.ts'

const CHUNK_BYTES = 4 * RECORD_MAX_BYTES

/** May return a promise to slow the reading down. Throws when the record makes no sense. */
export type RecordVisitor = (record: JournalRecord) => void | Promise<void>

/** What stopped a scan before the end of the file. */
interface ScanFault {
  why: string
  /** Where the bad record ends, as far as can be told; beyond the end of the file when it was cut short. */
  endOffset: number
}

/** Visits the intact records of `segment` from `start` to byte `stop` of the journal, holding one chunk in memory. */
export async function scanRecords(
  segment: Segment,
  start: JournalPosition,
  stop: number,
  visit: RecordVisitor,
): Promise<{ end: JournalPosition; fault: ScanFault | null }> {
  let end = start
  while (end.offset < stop) {
    const chunkStart = end.offset
    const length = Math.min(CHUNK_BYTES, stop - chunkStart)
    const chunk = await segment.file.read(fileOffset(segment, chunkStart), length)
    for (;;) {
      const result = decodeFrame(chunk, end.offset - chunkStart, end)
      if (result.type === 'bad') return { end, fault: result }
      if (result.type === 'incomplete') break
      const waiting = visit(result.record)
      if (waiting) await waiting
      const { seq, offset, chainHash } = result.record
      end = { seq, offset, chainHash }
    }
    if (end.offset === chunkStart) {
      return { end, fault: { why: 'the last record is cut short', endOffset: Number.POSITIVE_INFINITY } }
    }
  }
  return { end, fault: null }
}

/** Whether a record of one of `segments` ends at `position` with that chain hash. */
export async function endsAt(segments: readonly Segment[], position: JournalPosition): Promise<boolean> {
  const hashOffset = position.offset - position.chainHash.length
  const segment = segments.findLast(({ start }) => start.offset < position.offset)
  if (!segment || hashOffset < segment.start.offset) return false
  const stored = await segment.file.read(fileOffset(segment, hashOffset), position.chainHash.length)
  return stored.equals(position.chainHash)
}

export interface Recovery {
  tornBytes: number
  savedAs: string
}

interface ReplayOptions<File> {
  /** In the order of the journal. */
  files: readonly FoundSegment<File>[]
  /** What `journal.head` says, or null when it says nothing. */
  head: JournalPosition | null
  /** Everything before is known and proven to be unchanged; nothing of it is visited. */
  from: JournalPosition
  visit: RecordVisitor
}

interface Replay<File> {
  segments: Segment<File>[]
  end: JournalPosition
  /** Bytes after the last whole record; also those of a last file whose creation was cut short. */
  tornBytes: number
  /** The last file, when it has no header yet. */
  unborn: FoundSegment<File> | null
}

/**
 * Visits every whole record and judges what follows the last one, without changing anything: bytes that were never
 * acknowledged are torn, anything else is damage. The head file tells how far acknowledgement went; without it, only a
 * record that the end of the last file cuts short counts as torn.
 * @throws TiramiError JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED
 */
export async function replayJournal<File extends Pick<StoredFile, 'read'>>(
  options: ReplayOptions<File>,
): Promise<Replay<File>> {
  const { files, head, from } = options
  const segments: Segment<File>[] = []
  const last = files.at(-1)
  let end = from
  let tornBytes = 0
  let unborn: FoundSegment<File> | null = null
  for (const found of files) {
    const header = await readHeader(found, end)
    if (!header) {
      if (found !== last) throw journalDamaged(found.path, end.offset, 'it has no header')
      unborn = found
      tornBytes = found.size
      break
    }
    assertContinues(found.path, header.start, end, from)
    const segment = { ...header, path: found.path, file: found.file }
    segments.push(segment)
    const fileEnd = endOffset(segment, found.size)
    if (fileEnd < end.offset) continue
    const scanned = await scanRecords(segment, end, fileEnd, guarded(found.path, options.visit))
    end = scanned.end
    tornBytes = fileEnd - end.offset
    const { fault } = scanned
    if (!fault) continue
    const acknowledged = head ? head.offset > end.offset : fault.endOffset <= fileEnd
    if (found !== last || acknowledged) throw journalDamaged(found.path, end.offset, fault.why)
  }
  if (head) await assertMeetsHead(segments, end, head, last?.path ?? '')
  return { segments, end, tornBytes, unborn }
}

/** A record that makes no sense after those before it is damage, whatever the visitor says of it. */
function guarded(path: string, visit: RecordVisitor): RecordVisitor {
  return (record) => {
    try {
      return visit(record)
    } catch (error) {
      throw journalDamaged(path, record.offset, 'a record does not follow from those before it', error)
    }
  }
}

function assertContinues(
  path: string,
  start: JournalPosition,
  end: JournalPosition,
  from: JournalPosition,
): void {
  if (start.offset < from.offset) return
  const { seq, offset, chainHash } = start
  if (seq === end.seq && offset === end.offset && Buffer.compare(chainHash, end.chainHash) === 0) return
  throw journalDamaged(path, end.offset, 'it does not continue the file before it')
}

async function assertMeetsHead(
  segments: readonly Segment[],
  end: JournalPosition,
  head: JournalPosition,
  path: string,
): Promise<void> {
  if (head.offset > end.offset) {
    const why = `it ends before byte ${head.offset}, up to which trades were acknowledged`
    throw journalDamaged(path, end.offset, why)
  }
  if (head.seq > 0 && !(await endsAt(segments, head))) {
    throw journalDamaged(path, head.offset, 'its history is not the one that journal.head recorded')
  }
}

interface RecoverOptions extends Omit<ReplayOptions<StoredFile>, 'head'> {
  directory: string
  storage: Storage
  head: StoredFile
  /** Names the file that a torn tail is saved to. */
  nowMs: number
}

/**
 * Replays the journal and puts its end in order. Only bytes that were never acknowledged are cut off.
 * @throws TiramiError JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED
 */
export async function recoverJournal(options: RecoverOptions): Promise<{
  segments: Segment<StoredFile>[]
  end: JournalPosition
  recovery: Recovery | null
}> {
  const head = decodeHead(await options.head.read(0, HEAD_BYTES))
  const { segments, end, tornBytes, unborn } = await replayJournal({ ...options, head })
  const last = unborn ?? segments.at(-1)
  const recovery = last && tornBytes > 0 ? await cutTail(options, last.file, end.offset, tornBytes) : null
  if (unborn) segments.push(await beginSegment(unborn, end))
  return { segments, end, recovery }
}

/** Writes the header of a file that goes on at `start`, durably: from then on it belongs to the journal. */
export async function beginSegment(
  { path, file }: Pick<FoundSegment<StoredFile>, 'path' | 'file'>,
  start: JournalPosition,
): Promise<Segment<StoredFile>> {
  const header = headerFor(start)
  await writeFully(file, header, 0)
  await file.sync()
  return { path, file, start, headerBytes: header.length }
}

/** Copies the last bytes of a file aside, durably, before they are cut off: a person may still want them. */
async function cutTail(
  { directory, storage, nowMs }: RecoverOptions,
  file: StoredFile,
  offset: number,
  tornBytes: number,
): Promise<Recovery> {
  const keptBytes = (await file.size()) - tornBytes
  const tornDirectory = join(directory, 'torn')
  const savedAs = join(tornDirectory, `journal-${offset}-${nowMs}.bin`)
  await storage.makeDirectory(tornDirectory)
  const copy = await storage.open(savedAs)
  try {
    await copy.truncate(0)
    for (let at = 0; at < tornBytes; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, tornBytes - at)
      await writeFully(copy, await file.read(keptBytes + at, length), at)
    }
    await copy.sync()
  } finally {
    await copy.close()
  }
  await storage.syncDirectory(tornDirectory)
  await file.truncate(keptBytes)
  await file.sync()
  return { tornBytes, savedAs }
}
