import { join } from 'node:path'
import { journalDamaged, journalUnsupported } from './errors.ts'
import {
  type JournalFile,
  makePrivateDirectory,
  type OpenJournalFile,
  syncDirectory,
  writeFully,
} from './journal-file.ts'
import {
  decodeFrame,
  decodeHead,
  encodeHead,
  FORMAT_VERSION,
  GENESIS,
  HEAD_BYTES,
  HEADER_BYTES,
  headerVersion,
  JOURNAL_HEADER,
  type JournalPosition,
  type JournalRecord,
  RECORD_MAX_BYTES,
} from './journal-format.ts'

const CHUNK_BYTES = 4 * RECORD_MAX_BYTES

/** May return a promise to slow the reading down. Throws when the record makes no sense. */
export type RecordVisitor = (record: JournalRecord) => void | Promise<void>

/** What stopped a scan before the end of the file. */
interface ScanFault {
  why: string
  /** Where the bad record ends, as far as can be told; beyond the end of the file when it was cut short. */
  endOffset: number
}

/** Visits the intact records of `file` from `start` to byte `endOffset`, holding one chunk in memory. */
export async function scanRecords(
  file: Pick<JournalFile, 'read'>,
  start: JournalPosition,
  endOffset: number,
  visit: RecordVisitor,
): Promise<{ end: JournalPosition; fault: ScanFault | null }> {
  let end = start
  while (end.offset < endOffset) {
    const chunk = await file.read(end.offset, Math.min(CHUNK_BYTES, endOffset - end.offset))
    const chunkStart = end.offset
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

export interface Recovery {
  tornBytes: number
  savedAs: string
}

interface RecoverOptions {
  directory: string
  path: string
  file: JournalFile
  head: JournalFile
  openFile: OpenJournalFile
  /** Names the file that a torn tail is saved to. */
  nowMs: number
  visit: RecordVisitor
}

async function startEmptyJournal(options: RecoverOptions): Promise<void> {
  await writeFully(options.file, JOURNAL_HEADER, 0)
  await options.file.sync()
  await writeFully(options.head, encodeHead(GENESIS), 0)
}

/** Copies what follows `offset` aside, durably, before it is cut off: a person may still want it. */
async function cutTail(options: RecoverOptions, offset: number, size: number): Promise<Recovery> {
  const tornDirectory = join(options.directory, 'torn')
  const savedAs = join(tornDirectory, `journal-${offset}-${options.nowMs}.bin`)
  await makePrivateDirectory(tornDirectory)
  const copy = await options.openFile(savedAs)
  try {
    await copy.truncate(0)
    for (let at = offset; at < size; at += CHUNK_BYTES) {
      await writeFully(copy, await options.file.read(at, Math.min(CHUNK_BYTES, size - at)), at - offset)
    }
    await copy.sync()
  } finally {
    await copy.close()
  }
  await syncDirectory(tornDirectory)
  await options.file.truncate(offset)
  await options.file.sync()
  return { tornBytes: size - offset, savedAs }
}

/** @returns whether the file holds a header; false when it is new or its creation was cut short */
async function checkHeader({ file, path, size }: ReplayOptions): Promise<boolean> {
  const header = await file.read(0, HEADER_BYTES)
  if (size < HEADER_BYTES && header.equals(JOURNAL_HEADER.subarray(0, size))) return false
  const version = headerVersion(header)
  if (version !== null && version !== FORMAT_VERSION) throw journalUnsupported(path, version)
  if (!header.equals(JOURNAL_HEADER)) {
    throw journalDamaged(path, 0, 'it does not start with the header of a journal')
  }
  return true
}

interface ReplayOptions {
  path: string
  file: Pick<JournalFile, 'read'>
  /** What `journal.head` says, or null when it says nothing. */
  head: JournalPosition | null
  /** Bytes of the file to look at. */
  size: number
  visit: RecordVisitor
}

/**
 * Visits every whole record and judges what follows the last one, without changing anything: bytes that were never
 * acknowledged are torn, anything else is damage. The head file tells how far acknowledgement went; without it, only a
 * record that the end of the file cuts short counts as torn.
 * @returns null when the file has no header yet
 * @throws TiramiError JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED
 */
export async function replayJournal(
  options: ReplayOptions,
): Promise<{ end: JournalPosition; tornBytes: number } | null> {
  const { file, path, head, size } = options
  if (head && size < head.offset) {
    throw journalDamaged(
      path,
      size,
      `it ends before byte ${head.offset}, up to which trades were acknowledged`,
    )
  }
  if (!(await checkHeader(options))) return null
  let meetsHead = head === null || head.offset === GENESIS.offset
  let at = GENESIS.offset
  const visit: RecordVisitor = (record) => {
    if (head?.offset === record.offset) meetsHead = Buffer.compare(head.chainHash, record.chainHash) === 0
    try {
      const waiting = options.visit(record)
      at = record.offset
      return waiting
    } catch (error) {
      throw journalDamaged(path, at, 'a record does not follow from those before it', error)
    }
  }
  const { end, fault } = await scanRecords(file, GENESIS, size, visit)
  if (fault && (head ? head.offset > end.offset : fault.endOffset <= size)) {
    throw journalDamaged(path, end.offset, fault.why)
  }
  if (!meetsHead) {
    throw journalDamaged(path, head?.offset ?? 0, 'its history is not the one that journal.head recorded')
  }
  return { end, tornBytes: size - end.offset }
}

/**
 * Replays the journal and puts its end in order. Only bytes that were never acknowledged are cut off.
 * @throws TiramiError JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED
 */
export async function recoverJournal(
  options: RecoverOptions,
): Promise<{ end: JournalPosition; recovery: Recovery | null }> {
  const { file, path, visit } = options
  const head = decodeHead(await options.head.read(0, HEAD_BYTES))
  const size = await file.size()
  const replayed = await replayJournal({ path, file, head, size, visit })
  if (!replayed) {
    const recovery = size > 0 ? await cutTail(options, 0, size) : null
    await startEmptyJournal(options)
    return { end: GENESIS, recovery }
  }
  const { end, tornBytes } = replayed
  return { end, recovery: tornBytes > 0 ? await cutTail(options, end.offset, size) : null }
}
