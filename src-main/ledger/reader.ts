import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { hexFromBytes } from '../kernel/index.ts'
import { journalUnavailable, ledgerLocked, ledgerMissing } from './errors.ts'
import { readFully } from './journal-file.ts'
import { decodeHead, GENESIS, HEAD_BYTES, type JournalPosition } from './journal-format.ts'
import { replayJournal } from './journal-recovery.ts'
import { lockHolder } from './lock.ts'
import type { SettleRecord } from './record-types.ts'
import { decodeRecord } from './records.ts'
import { LedgerState } from './state.ts'

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
  const path = join(directory, 'journal.log')
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? ledgerMissing(directory) : journalUnavailable(path, error)
  })
  try {
    const headPath = join(directory, 'journal.head')
    const writerPid = await lockHolder(directory)
    const head = writerPid === null ? await readHead(headPath) : await readLiveHead(headPath)
    if (writerPid !== null && !head) throw ledgerLocked(writerPid, join(directory, 'lock'))
    const fileSize = (await handle.stat()).size
    const state = new LedgerState()
    const replayed = await replayJournal({
      path,
      file: { read: (offset, length) => readFully(handle, offset, length) },
      head,
      // Beyond its head a running host is still writing.
      size: writerPid !== null && head ? Math.min(fileSize, head.offset) : fileSize,
      visit: ({ seq, payload }) => {
        const record = decodeRecord(payload)
        state.apply(seq, record)
        if (record.kind === 'settle') onTrade(record, state.tradeCount - 1)
      },
    })
    const end = replayed?.end ?? GENESIS
    const tornBytes = replayed?.tornBytes ?? fileSize
    return { records: end.seq, headHashHex: hexFromBytes(end.chainHash), tornBytes, writerPid, state }
  } finally {
    await handle.close()
  }
}
