import { basename, join } from 'node:path'
import { type Clock, TiramiError } from '../kernel/index.ts'
import { journalDamaged, journalUnavailable, journalWriteFailed, ledgerClosed } from './errors.ts'
import {
  encodeFrame,
  encodeHead,
  intactPayload,
  type JournalPosition,
  RECORD_MAX_BYTES,
} from './journal-format.ts'
import {
  beginSegment,
  endsAt,
  type RecordVisitor,
  type Recovery,
  recoverJournal,
  scanRecords,
} from './journal-recovery.ts'
import { type FoundSegment, fileOffset, findSegments, type Segment, segmentName } from './segments.ts'
import { digestOf, type SegmentDigest } from './snapshot.ts'
import { type Storage, type StoredFile, writeFully } from './storage.ts'

/** Uncommitted bytes after which the journal commits without being asked, so that the buffer stays small. */
const BUFFER_MAX_BYTES = 256 * 1024

/** A file that has grown to this is closed for ever; the next record begins another one. */
const SEGMENT_MAX_BYTES = 64 * 1024 * 1024

interface JournalOptions {
  directory: string
  clock: Clock
  storage: Storage
  segmentMaxBytes?: number
  /** Everything before is known and proven to be unchanged. */
  from: JournalPosition
  /** Called once for each record already there after `from`. */
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
 * Append-only, checksummed, hash-chained files with group commit. After the first failed write it refuses everything:
 * a failed fsync may have dropped data that a second fsync would report as safe.
 */
export class Journal {
  readonly recovery: Recovery | null
  readonly #directory: string
  readonly #storage: Storage
  readonly #segmentMaxBytes: number
  readonly #segments: Segment<StoredFile>[]
  readonly #head: StoredFile
  /** Of files that will not grow any more. */
  readonly #closedDigests = new Map<string, SegmentDigest>()
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
    options: JournalOptions,
    files: { segments: Segment<StoredFile>[]; head: StoredFile },
    start: { end: JournalPosition; recovery: Recovery | null },
  ) {
    this.#directory = options.directory
    this.#storage = options.storage
    this.#segmentMaxBytes = options.segmentMaxBytes ?? SEGMENT_MAX_BYTES
    this.recovery = start.recovery
    this.#segments = files.segments
    this.#head = files.head
    this.#tail = start.end
    this.#durable = start.end
  }

  /** @throws TiramiError JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED, JOURNAL_UNAVAILABLE (the disk refuses) */
  static async open(options: JournalOptions): Promise<Journal> {
    const { directory, storage, clock, from, onReplay } = options
    let files: FoundSegment<StoredFile>[] = []
    let head: StoredFile | undefined
    try {
      files = await openSegments(directory, storage)
      head = await storage.open(join(directory, 'journal.head'))
      const nowMs = clock.nowMs()
      const start = await recoverJournal({ directory, storage, files, head, nowMs, from, visit: onReplay })
      // Whole records of a killed process are kept: they become as durable as the head is about to say.
      await start.segments.at(-1)?.file.sync()
      await writeFully(head, encodeHead(start.end), 0)
      // From here on there is a head, if an old one, whatever the power does: without any, a torn end looks like damage.
      await head.sync()
      return new Journal(options, { segments: start.segments, head }, start)
    } catch (error) {
      await head?.close()
      for (const { file } of files) await file.close()
      throw error instanceof TiramiError ? error : journalUnavailable(directory, error)
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
    const durable = this.#durable.offset
    let at = start
    for (const [index, segment] of this.#segments.entries()) {
      const next = this.#segments[index + 1]?.start.offset ?? durable
      const { end, fault } = await scanRecords(segment, at, Math.min(next, durable), visit)
      if (fault) throw journalDamaged(segment.path, end.offset, fault.why)
      at = end
    }
    return at
  }

  /** @returns the payload of the durable record that starts at byte `offset`, or null when there is none, intact */
  async payloadAt(offset: number): Promise<Buffer | null> {
    const segment = this.#segments.findLast(({ start }) => start.offset <= offset)
    if (!segment || offset >= this.#durable.offset) return null
    const length = Math.min(RECORD_MAX_BYTES, this.#durable.offset - offset)
    return intactPayload(await segment.file.read(fileOffset(segment, offset), length))
  }

  /** Whether a record ends at `position` with that chain hash: whoever saved it has seen this history. */
  async contains(position: JournalPosition): Promise<boolean> {
    return position.offset <= this.#durable.offset && (await endsAt(this.#segments, position))
  }

  /** SHA-256 of every file up to `position`, for a snapshot. */
  async digests(position: JournalPosition): Promise<SegmentDigest[]> {
    const digests: SegmentDigest[] = []
    for (const [index, segment] of this.#segments.entries()) {
      if (segment.start.offset >= position.offset) break
      const next = this.#segments[index + 1]?.start.offset ?? Number.POSITIVE_INFINITY
      const bytes = fileOffset(segment, Math.min(next, position.offset))
      const known = this.#closedDigests.get(segment.path)
      const digest = known ?? {
        name: basename(segment.path),
        bytes,
        sha256Hex: await digestOf(segment.file, bytes),
      }
      if (next <= position.offset) this.#closedDigests.set(segment.path, digest)
      digests.push(digest)
    }
    return digests
  }

  /** Nothing is appended that is not on the disk. */
  get isIdle(): boolean {
    return this.#tail.seq === this.#durable.seq
  }

  /** Commits what is buffered, unless writing has failed, and closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return
    try {
      if (!this.#failure) await this.commit()
    } finally {
      this.#closed = true
      for (const { file } of this.#segments) await file.close()
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
        const segment = await this.#activeSegment()
        await writeFully(segment.file, batch, fileOffset(segment, this.#durable.offset))
        await segment.file.sync()
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

  /** Begins a new file when the last one is full. */
  async #activeSegment(): Promise<Segment<StoredFile>> {
    const active = this.#segments.at(-1)
    if (active && fileOffset(active, this.#durable.offset) < this.#segmentMaxBytes) return active
    const path = join(this.#directory, segmentName(this.#durable.seq))
    const next = await beginSegment({ path, file: await this.#storage.open(path) }, this.#durable)
    this.#segments.push(next)
    return next
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

/** All files of the journal, the first of which is created when there is none. */
async function openSegments(directory: string, storage: Storage): Promise<FoundSegment<StoredFile>[]> {
  const names = await storage.list(directory)
  const open = async (path: string) => {
    const file = await storage.open(path)
    return { path, file, size: await file.size() }
  }
  const found = await findSegments(directory, names, open)
  return found.length > 0 ? found : [await open(join(directory, segmentName(0)))]
}
