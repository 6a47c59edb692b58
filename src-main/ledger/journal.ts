import { join } from 'node:path'
import { type Clock, TiramiError } from '../kernel/index.ts'
import { journalDamaged, journalUnavailable, journalWriteFailed, ledgerClosed } from './errors.ts'
import { type JournalFile, type OpenJournalFile, writeFully } from './journal-file.ts'
import { encodeFrame, encodeHead, HEADER_BYTES, type JournalPosition } from './journal-format.ts'
import { type RecordVisitor, type Recovery, recoverJournal, scanRecords } from './journal-recovery.ts'

/** Uncommitted bytes after which the journal commits without being asked, so that the buffer stays small. */
const BUFFER_MAX_BYTES = 256 * 1024

interface JournalOptions {
  directory: string
  clock: Clock
  openFile: OpenJournalFile
  /** Called once for each record already in the file. */
  onReplay: RecordVisitor
}

type Waiter = PromiseWithResolvers<void>

function newWaiter(): Waiter {
  const waiter = Promise.withResolvers<void>()
  // A batch may have nobody waiting; its failure is kept in the journal and told to the next caller.
  waiter.promise.catch(() => undefined)
  return waiter
}

/**
 * Append-only, checksummed, hash-chained file with group commit. After the first failed write it refuses everything:
 * a failed fsync may have dropped data that a second fsync would report as safe.
 */
export class Journal {
  readonly path: string
  readonly recovery: Recovery | null
  readonly #file: JournalFile
  readonly #head: JournalFile
  #onDurable: (end: JournalPosition) => void = () => undefined
  #tail: JournalPosition
  #durable: JournalPosition
  #buffered: Uint8Array[] = []
  #bufferedBytes = 0
  /** Waits for what is buffered now. */
  #waiting: Waiter | null = null
  /** Waits for what is being written. */
  #writing: Waiter | null = null
  /** A write begins when this turn is over. */
  #scheduled = false
  #failure: { cause: unknown } | null = null
  #closed = false

  private constructor(
    path: string,
    files: { file: JournalFile; head: JournalFile },
    start: { end: JournalPosition; recovery: Recovery | null },
  ) {
    this.path = path
    this.recovery = start.recovery
    this.#file = files.file
    this.#head = files.head
    this.#tail = start.end
    this.#durable = start.end
  }

  /** @throws TiramiError JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED, JOURNAL_UNAVAILABLE (the disk refuses) */
  static async open(options: JournalOptions): Promise<Journal> {
    const path = join(options.directory, 'journal.log')
    let file: JournalFile | undefined
    let head: JournalFile | undefined
    try {
      file = await options.openFile(path)
      head = await options.openFile(join(options.directory, 'journal.head'))
      const start = await recoverJournal({
        directory: options.directory,
        path,
        file,
        head,
        openFile: options.openFile,
        nowMs: options.clock.nowMs(),
        visit: options.onReplay,
      })
      // Whole records of a killed process are kept: they become as durable as the head is about to say.
      await file.sync()
      await writeFully(head, encodeHead(start.end), 0)
      return new Journal(path, { file, head }, start)
    } catch (error) {
      await head?.close()
      await file?.close()
      throw error instanceof TiramiError ? error : journalUnavailable(path, error)
    }
  }

  /** Sequence number that the next appended record will have; the first is 1. */
  get nextSeq(): number {
    return this.#tail.seq + 1
  }

  /** End of what is on the disk. */
  get durable(): JournalPosition {
    return this.#durable
  }

  /** @param listener called synchronously after each commit, before its waiters resume; it must not throw */
  onDurable(listener: (end: JournalPosition) => void): void {
    this.#onDurable = listener
  }

  get writable(): boolean {
    return !this.#closed && !this.#failure
  }

  /**
   * Puts a record in order behind all others; nothing is written yet.
   * @returns where it ends; its sequence number is there
   * @throws TiramiError JOURNAL_WRITE_FAILED after an earlier fault, LEDGER_CLOSED
   */
  append(payload: Uint8Array): JournalPosition {
    this.assertWritable()
    const { frame, after } = encodeFrame(payload, this.#tail)
    this.#buffered.push(frame)
    this.#bufferedBytes += frame.length
    this.#tail = after
    if (this.#bufferedBytes >= BUFFER_MAX_BYTES) void this.commit()
    return after
  }

  /**
   * Resolves when everything appended so far is on the disk. Callers that arrive during a write share the next one.
   * @throws TiramiError JOURNAL_WRITE_FAILED (503)
   */
  commit(): Promise<void> {
    if (this.#failure) return Promise.reject(journalWriteFailed(this.#failure.cause))
    if (this.#buffered.length === 0) return this.#writing?.promise ?? Promise.resolve()
    this.#waiting ??= newWaiter()
    const { promise } = this.#waiting
    if (!this.#writing && !this.#scheduled) this.#scheduleWrite()
    return promise
  }

  /** @throws TiramiError what `append` would throw now */
  assertWritable(): void {
    if (this.#closed) throw ledgerClosed()
    if (this.#failure) throw journalWriteFailed(this.#failure.cause)
  }

  /**
   * Visits the durable records after `start`.
   * @returns the last position visited
   * @throws TiramiError JOURNAL_DAMAGED when the file changed under the running host
   */
  async scan(start: JournalPosition, visit: RecordVisitor): Promise<JournalPosition> {
    const { end, fault } = await scanRecords(this.#file, start, this.#durable.offset, visit)
    if (fault) throw journalDamaged(this.path, end.offset, fault.why)
    return end
  }

  /** Whether a record ends at `position` with that chain hash: whoever saved it has seen this history. */
  async contains(position: JournalPosition): Promise<boolean> {
    const start = position.offset - position.chainHash.length
    if (start < HEADER_BYTES || position.offset > this.#durable.offset) return false
    const stored = await this.#file.read(start, position.chainHash.length)
    return stored.equals(position.chainHash)
  }

  /** Commits what is buffered, unless writing has failed, and closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return
    try {
      if (!this.#failure) await this.commit()
    } finally {
      this.#closed = true
      await this.#file.close()
      await this.#head.close()
    }
  }

  /** What is appended within one turn, such as a trade and the budget it spends, goes to the disk together. */
  #scheduleWrite(): void {
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      void this.#writeBatches()
    })
  }

  async #writeBatches(): Promise<void> {
    while (this.#waiting && !this.#failure) {
      const batch = Buffer.concat(this.#buffered)
      const end = this.#tail
      const waiter = this.#waiting
      this.#writing = waiter
      this.#waiting = null
      this.#buffered = []
      this.#bufferedBytes = 0
      try {
        await writeFully(this.#file, batch, this.#durable.offset)
        await this.#file.sync()
        // The batch is safe whether or not the head can be written, but the next fault could not be judged.
        const headFault = await this.#writeHead(end)
        this.#durable = end
        this.#onDurable(end)
        waiter.resolve()
        this.#failure = headFault
      } catch (cause) {
        this.#failure = { cause }
        waiter.reject(journalWriteFailed(cause))
      }
      this.#writing = null
    }
    if (this.#failure) this.#waiting?.reject(journalWriteFailed(this.#failure.cause))
  }

  async #writeHead(end: JournalPosition): Promise<{ cause: unknown } | null> {
    try {
      await writeFully(this.#head, encodeHead(end), 0)
      return null
    } catch (cause) {
      return { cause }
    }
  }
}
