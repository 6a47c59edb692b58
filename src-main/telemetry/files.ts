import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LINE_BYTES_MAX } from './format.ts'

export interface TelemetryFile {
  path: string
  name: string
  /** Sequence number that its first event should have. */
  firstSeq: number
  sizeBytes: number
}

const NAME = /^telemetry-(\d{12})\.jsonl$/
const CHUNK_BYTES = 65_536
const NEWLINE = 0x0a

export function telemetryFileName(firstSeq: number): string {
  return `telemetry-${String(firstSeq).padStart(12, '0')}.jsonl`
}

/** Oldest first; none where the directory is missing. */
export async function telemetryFiles(directory: string): Promise<TelemetryFile[]> {
  const names = (await readdir(directory).catch(nullIfGone)) ?? []
  const files: TelemetryFile[] = []
  for (const name of names.toSorted()) {
    const match = NAME.exec(name)
    if (!match) continue
    const path = join(directory, name)
    // It may have been dropped meanwhile.
    const found = await stat(path).catch(nullIfGone)
    if (found) files.push({ path, name, firstSeq: Number(match[1]), sizeBytes: found.size })
  }
  return files
}

function nullIfGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}

/** `ended` is false for what comes after the last newline: an unfinished write. */
export interface Line {
  text: string
  bytes: number
  ended: boolean
}

/**
 * Lines from the one that begins at `fromByte`, up to the size that was listed; none of a file that was dropped meanwhile.
 * Memory: one chunk and one line.
 */
export async function* linesForward({ path, sizeBytes }: TelemetryFile, fromByte = 0): AsyncGenerator<Line> {
  const handle = fromByte < sizeBytes ? await open(path, 'r').catch(nullIfGone) : null
  if (!handle) return
  let rest = Buffer.alloc(0)
  const range = { start: fromByte, end: sizeBytes - 1, highWaterMark: CHUNK_BYTES }
  for await (const chunk of handle.createReadStream(range)) {
    let from = 0
    rest = Buffer.concat([rest, chunk as Buffer])
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE, from)) {
      yield lineOf(rest.subarray(from, end), true)
      from = end + 1
    }
    rest = rest.subarray(from)
    // No event is that long; what is dropped here is told as one bad line.
    if (rest.length > 2 * LINE_BYTES_MAX) rest = rest.subarray(0, LINE_BYTES_MAX + 1)
  }
  if (rest.length > 0) yield lineOf(rest, false)
}

/** Lines from the end, up to the size that was listed; an unfinished one comes first. Of a dropped file none. */
export async function* linesBackward({ path, sizeBytes }: TelemetryFile): AsyncGenerator<Line> {
  const handle = await open(path, 'r').catch(nullIfGone)
  if (!handle) return
  try {
    let rest = Buffer.alloc(0)
    let ended = false
    for (let at = sizeBytes; at > 0; ) {
      const length = Math.min(CHUNK_BYTES, at)
      at -= length
      rest = Buffer.concat([await readAt(handle, at, length), rest])
      for (let newline = rest.lastIndexOf(NEWLINE); newline !== -1; newline = rest.lastIndexOf(NEWLINE)) {
        const line = rest.subarray(newline + 1)
        if (ended || line.length > 0) yield lineOf(line, ended)
        ended = true
        rest = rest.subarray(0, newline)
      }
      if (rest.length > 2 * LINE_BYTES_MAX) rest = rest.subarray(-LINE_BYTES_MAX - 1)
    }
    if (ended || rest.length > 0) yield lineOf(rest, ended)
  } finally {
    await handle.close()
  }
}

function lineOf(bytes: Buffer, ended: boolean): Line {
  return { text: bytes.toString('utf8'), bytes: bytes.length, ended }
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, offset)
  return buffer.subarray(0, bytesRead)
}
