import { type FileHandle, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { hexFromBytes } from '../kernel/index.ts'
import { journalUnavailable, ledgerLocked, ledgerMissing } from './errors.ts'
import {
  decodeHead,
  decodeHeader,
  GENESIS,
  HEAD_BYTES,
  HEADER_MAX_BYTES,
  type JournalPosition,
} from './journal-format.ts'
import { replayJournal } from './journal-recovery.ts'
import { lockHolder } from './lock.ts'
import type { SettleRecord } from './record-types.ts'
import { decodeRecord } from './records.ts'
import { type FoundSegment, fileOffset, findSegments } from './segments.ts'
import { LedgerState } from './state.ts'
import { readFully, type StoredFile } from './storage.ts'

/** A ledger as it lies on the disk. */
export interface LedgerReading {
  records: number
  headHashHex: string
  /** Written after the last whole record and never acknowledged; the next start of the host sets it aside. */
  tornBytes: number
  /** The process that is writing the ledger; then what it had acknowledged when the reading began was read. */
  writerPid: number | null
  state: LedgerState
}

const HEAD_ATTEMPTS = 10
const HEAD_RETRY_MS = 20

async function readHead(path: string): Promise<JournalPosition | null> {
  try {
    const bytes = await readFile(path)
    return bytes.length === HEAD_BYTES ? decodeHead(bytes) : null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** A running host rewrites the head in place: one that is read in the middle of that is read again. */
async function readLiveHead(path: string): Promise<JournalPosition | null> {
  for (let attempt = 1; attempt < HEAD_ATTEMPTS; attempt++) {
    const head = await readHead(path)
    if (head) return head
    await pause(HEAD_RETRY_MS)
  }
  return readHead(path)
}

/**
 * Replays the ledger in `directory` with every check of a start, and without writing, locking or repairing anything.
 * @param onTrade called for each trade in the order of the journal
 * @throws TiramiError LEDGER_NOT_FOUND, JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED, JOURNAL_UNAVAILABLE, LEDGER_LOCKED (a
 *   running host whose head file cannot be read)
 */
export async function readLedger(
  directory: string,
  onTrade: (record: SettleRecord, index: number) => void = () => undefined,
): Promise<LedgerReading> {
  const handles: FileHandle[] = []
  try {
    const headPath = join(directory, 'journal.head')
    const writerPid = await lockHolder(directory)
    const head = writerPid === null ? await readHead(headPath) : await readLiveHead(headPath)
    if (writerPid !== null && !head) throw ledgerLocked(writerPid, join(directory, 'lock'))
    const files = await openFiles(directory, handles)
    const live = writerPid !== null && head !== null
    const state = new LedgerState()
    const { end, tornBytes } = await replayJournal({
      files: live ? await upTo(head, files) : files,
      head,
      from: GENESIS,
      visit: ({ seq, payload }) => {
        const record = decodeRecord(payload)
        state.apply(seq, record)
        if (record.kind === 'settle') onTrade(record, state.tradeCount - 1)
      },
    })
    return { records: end.seq, headHashHex: hexFromBytes(end.chainHash), tornBytes, writerPid, state }
  } finally {
    for (const handle of handles) await handle.close()
  }
}

async function openFiles(directory: string, handles: FileHandle[]): Promise<FoundSegment[]> {
  try {
    const found = await findSegments(directory, await readdir(directory), async (path) => {
      const handle = await open(path, 'r')
      handles.push(handle)
      const { size } = await handle.stat()
      const read: StoredFile['read'] = (offset, length) => readFully(handle, offset, length)
      return { path, size, file: { read } }
    })
    if (found.length > 0) return found
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw journalUnavailable(directory, error)
  }
  throw ledgerMissing(directory)
}

/** Beyond its head a running host is still writing. */
async function upTo(head: JournalPosition, files: FoundSegment[]): Promise<FoundSegment[]> {
  const acknowledged: FoundSegment[] = []
  for (const found of files) {
    const header = decodeHeader(await found.file.read(0, Math.min(found.size, HEADER_MAX_BYTES)))
    // A broken header is left for the replay to judge.
    if (header && acknowledged.length > 0 && header.start.offset >= head.offset) break
    const size = header ? Math.min(found.size, fileOffset(header, head.offset)) : found.size
    acknowledged.push({ ...found, size })
  }
  return acknowledged
}
