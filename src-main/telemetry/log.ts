import { type FileHandle, mkdir, open, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TelemetryKind } from '../../src-preload/contract/index.ts'
import { type Clock, readClockMs, TiramiError } from '../kernel/index.ts'
import { payloads, type TelemetryPayload } from './events.ts'
import { linesBackward, type TelemetryFile, telemetryFileName, telemetryFiles } from './files.ts'
import { type ChainHead, decodeLine, encodeLine, GENESIS, LINE_BYTES_MAX } from './format.ts'
import { DAY_MS, fileBytesMax, firstRecordOf, outdatedFiles, type TelemetryLimits } from './retention.ts'

export interface TelemetryOptions {
  directory: string
  clock: Clock
  /** Asked before every write. */
  limits(): TelemetryLimits
}

export interface TelemetryRecovery {
  /** Bytes of an unfinished write that were set aside. */
  tornBytes: number
  savedAs: string | null
  /** Whole lines at the end that are no event or were changed. They stay where they are. */
  damagedLines: number
}

export interface TelemetryStatus {
  head: ChainHead
  /** False after a failed write, until the host has been restarted, and once the log is closed. */
  writable: boolean
  /** Events that could not be kept. */
  lost: number
  recovery: TelemetryRecovery | null
}

/** Append-only and hash-chained. One writer per directory: the ledger's lock sees to that. */
export interface TelemetryLog {
  readonly directory: string
  /**
   * Puts an event behind all others; it is on its way to the disk when this returns.
   * @throws TiramiError TELEMETRY_EVENT_INVALID when the payload is not of its kind
   */
  record<Kind extends TelemetryKind>(kind: Kind, payload: TelemetryPayload<Kind>): void
  /** Drops the oldest files that the limits have no room for, and says so in the chain; also done by itself. */
  tidy(): void
  /** Resolves when everything recorded so far is in the files. */
  flush(): Promise<void>
  status(): TelemetryStatus
  close(): Promise<void>
}

/** Opens the log, or begins one. @throws Error when the disk refuses */
export async function openTelemetry(options: TelemetryOptions): Promise<TelemetryLog> {
  const { directory, clock, limits } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const found = await recover(directory, clock)
  let { head } = found
  let lastTs = new Date(0).toISOString()
  let file = await openFile(directory, found.appendTo ?? telemetryFileName(head.seq + 1))
  let pending: Entry[] = []
  let writing: Promise<void> | null = null
  let ended: 'failed' | 'closed' | null = null
  let lost = 0
  // What an earlier run had no time for.
  let untidy = true

  const writeAll = async (): Promise<void> => {
    while ((pending.length > 0 || untidy) && ended !== 'failed') {
      await writePending()
      if (!untidy) continue
      untidy = false
      await drop().catch((error) => process.emitWarning(`telemetry: ${String(error)}`))
    }
    writing = null
  }
  const writePending = async (): Promise<void> => {
    const batch = pending
    pending = []
    if (batch.length === 0) return
    try {
      for (const entry of batch) file = await append(file, entry)
      await file.handle.datasync()
    } catch (error) {
      ended = 'failed'
      lost += batch.length
      process.emitWarning(`telemetry: ${String(error)}`)
    }
  }
  const append = async (into: OpenFile, { seq, line, day }: Entry): Promise<OpenFile> => {
    const bytes = Buffer.from(`${line}\n`)
    const { keepDays } = limits()
    const isFull = into.sizeBytes + bytes.length > fileBytesMax(limits())
    // Only whole files are dropped, so that none may hold the events of many days.
    const isOfYesterday = keepDays !== null && into.day !== null && into.day < day
    let current = into
    if (into.sizeBytes > 0 && (isFull || isOfYesterday)) {
      await into.handle.datasync()
      await into.handle.close()
      current = await openFile(directory, telemetryFileName(seq))
      untidy = true
    }
    await current.handle.appendFile(bytes)
    current.sizeBytes += bytes.length
    current.day ??= day
    return current
  }
  /** Said on the disk before anything is gone: a crash between the two leaves more than was said, never less. */
  const drop = async (): Promise<void> => {
    const files = await telemetryFiles(directory)
    const outdated = await outdatedFiles(files, limits(), Date.parse(timestamp(clock, lastTs)))
    if (!outdated) return
    const { reason, first } = outdated
    enqueue('TelemetryDropped', {
      reason,
      files: outdated.files.length,
      bytes: outdated.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      through_seq: first.seq - 1,
      last_hash: first.prevHash,
    })
    await writePending()
    if (ended === 'failed') return
    for (const { path } of outdated.files) await unlink(path)
  }
  const enqueue = (kind: TelemetryKind, payload: unknown): void => {
    lastTs = timestamp(clock, lastTs)
    const next = encodeLine(head, { ts: lastTs, event_type: kind, payload })
    if (Buffer.byteLength(next.line) > LINE_BYTES_MAX) throw eventInvalid(kind)
    head = next.head
    pending.push({ seq: head.seq, line: next.line, day: Math.floor(Date.parse(lastTs) / DAY_MS) })
  }
  const write = (): void => {
    writing ??= Promise.resolve().then(writeAll)
  }
  const flush = async (): Promise<void> => {
    while (writing) await writing
  }
  write()

  return {
    directory,
    record: (kind, payload) => {
      const parsed = payloads[kind].safeParse(payload)
      if (!parsed.success) throw eventInvalid(kind)
      if (ended) {
        lost += 1
        return
      }
      enqueue(kind, parsed.data)
      write()
    },
    tidy: () => {
      if (ended) return
      untidy = true
      write()
    },
    flush,
    status: () => ({ head, writable: ended === null, lost, recovery: found.recovery }),
    close: async () => {
      await flush()
      ended ??= 'closed'
      await file.handle.close()
    },
  }
}

interface Entry {
  seq: number
  line: string
  day: number
}

interface OpenFile {
  handle: FileHandle
  sizeBytes: number
  /** Whole UTC days from 1970 to its first event; null: none yet, or it cannot be read. */
  day: number | null
}

async function openFile(directory: string, name: string): Promise<OpenFile> {
  const path = join(directory, name)
  const handle = await open(path, 'a', 0o600)
  const { size: sizeBytes } = await handle.stat()
  const first = await firstRecordOf({ path, name, firstSeq: 0, sizeBytes })
  return { handle, sizeBytes, day: first && Math.floor(Date.parse(first.ts) / DAY_MS) }
}

/** An unreadable clock loses no event: it is dated like the one before. */
function timestamp(clock: Clock, last: string): string {
  try {
    return new Date(readClockMs(clock)).toISOString()
  } catch {
    return last
  }
}

interface Found {
  head: ChainHead
  /** The file that may go on; null: begin another one. */
  appendTo: string | null
  recovery: TelemetryRecovery | null
}

/** Finds the last intact event. Telemetry never keeps a host from starting: damage is kept, told, and left behind. */
async function recover(directory: string, clock: Clock): Promise<Found> {
  const files = await telemetryFiles(directory)
  const last = files.at(-1)
  if (!last) return { head: GENESIS, appendTo: null, recovery: null }
  const torn = await setTornAside(directory, last, clock)
  let damagedLines = 0
  for (const file of files.toReversed()) {
    for await (const { text, ended } of linesBackward(file)) {
      const decoded = ended ? decodeLine(text) : null
      if (!decoded) continue
      if ('problem' in decoded) {
        damagedLines++
        continue
      }
      const { seq, hash } = decoded.record
      const recovery = torn || damagedLines > 0 ? { ...(torn ?? NOT_TORN), damagedLines } : null
      // Numbers of damaged lines are not given again, so that what follows never looks like what was there.
      const head = { seq: seq + damagedLines, hash }
      return { head, appendTo: damagedLines === 0 && file === last ? last.name : null, recovery }
    }
  }
  const recovery = torn || damagedLines > 0 ? { ...(torn ?? NOT_TORN), damagedLines } : null
  return { head: { ...GENESIS, seq: damagedLines }, appendTo: null, recovery }
}

const NOT_TORN = { tornBytes: 0, savedAs: null }

/** Cuts an unfinished write off the end and keeps it beside the files. */
async function setTornAside(
  directory: string,
  file: TelemetryFile,
  clock: Clock,
): Promise<{ tornBytes: number; savedAs: string } | null> {
  const handle = await open(file.path, 'r')
  try {
    const tornBytes = await bytesAfterLastNewline(handle, file.sizeBytes)
    if (tornBytes === 0) return null
    const bytes = Buffer.alloc(Math.min(tornBytes, 2 * LINE_BYTES_MAX))
    await handle.read(bytes, 0, bytes.length, file.sizeBytes - tornBytes)
    const tornDirectory = join(directory, 'torn')
    await mkdir(tornDirectory, { recursive: true, mode: 0o700 })
    const savedAs = join(tornDirectory, `${file.name}-${clock.nowMs()}.part`)
    await writeFile(savedAs, bytes, { mode: 0o600, flush: true })
    await truncate(file.path, file.sizeBytes - tornBytes)
    file.sizeBytes -= tornBytes
    return { tornBytes, savedAs }
  } finally {
    await handle.close()
  }
}

async function bytesAfterLastNewline(handle: FileHandle, sizeBytes: number): Promise<number> {
  const buffer = Buffer.alloc(65_536)
  for (let end = sizeBytes; end > 0; ) {
    const length = Math.min(buffer.length, end)
    const { bytesRead } = await handle.read(buffer, 0, length, end - length)
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(0x0a)
    if (newline !== -1) return sizeBytes - (end - length + newline + 1)
    end -= length
  }
  return sizeBytes
}

function eventInvalid(kind: string): TiramiError {
  return new TiramiError('TELEMETRY_EVENT_INVALID', `An event of kind ${kind} does not have its shape.`, {
    nextStep: 'Report it: this is a defect of the host.',
  })
}
