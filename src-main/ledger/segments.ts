import { join } from 'node:path'
import { journalDamaged, journalUnsupported } from './errors.ts'
import {
  continuationHeader,
  decodeHeader,
  FORMAT_VERSION,
  HEADER_MAX_BYTES,
  headerVersion,
  JOURNAL_HEADER,
  type JournalPosition,
  type SegmentHeader,
} from './journal-format.ts'
import type { StoredFile } from './storage.ts'

const SEGMENT_NAME = /^journal(?:-(\d{16}))?\.log$/

/** Name of the file whose first record follows record `seq`; the first one has no number. */
export function segmentName(seq: number): string {
  return seq === 0 ? 'journal.log' : `journal-${String(seq).padStart(16, '0')}.log`
}

/** Those of `names` that are files of the journal, in its order. */
export function segmentNames(names: readonly string[]): string[] {
  const numberOf = (name: string) => Number(SEGMENT_NAME.exec(name)?.[1] ?? 0)
  return names.filter((name) => SEGMENT_NAME.test(name)).sort((a, b) => numberOf(a) - numberOf(b))
}

/** A file of the journal as found. */
export interface FoundSegment<File = Pick<StoredFile, 'read'>> {
  path: string
  file: File
  /** Bytes to look at: a running host may be writing more. */
  size: number
}

export interface Segment<File = Pick<StoredFile, 'read'>> extends SegmentHeader {
  path: string
  file: File
}

export async function findSegments<File>(
  directory: string,
  names: readonly string[],
  open: (path: string) => Promise<FoundSegment<File>>,
): Promise<FoundSegment<File>[]> {
  const found: FoundSegment<File>[] = []
  for (const name of segmentNames(names)) found.push(await open(join(directory, name)))
  return found
}

/** Where the byte at `offset` of the journal lies in the file. */
export const fileOffset = ({ start, headerBytes }: SegmentHeader, offset: number): number =>
  offset - start.offset + headerBytes

/** Where in the journal a file of `size` bytes ends. */
export const endOffset = ({ start, headerBytes }: SegmentHeader, size: number): number =>
  start.offset + size - headerBytes

/**
 * @param expected where the file goes on if nothing is missing
 * @returns what its header says, or null when its creation was cut short
 * @throws TiramiError JOURNAL_DAMAGED, JOURNAL_UNSUPPORTED
 */
export async function readHeader(
  { file, path, size }: FoundSegment,
  expected: JournalPosition,
): Promise<SegmentHeader | null> {
  const bytes = await file.read(0, Math.min(size, HEADER_MAX_BYTES))
  const version = headerVersion(bytes)
  if (version !== null && version !== FORMAT_VERSION) throw journalUnsupported(path, version)
  const header = decodeHeader(bytes)
  if (header) return header
  const whole = headerFor(expected)
  if (size < whole.length && bytes.equals(whole.subarray(0, size))) return null
  throw journalDamaged(path, expected.offset, 'it does not start with the header of a journal')
}

/** How a file that goes on at `start` begins. */
export function headerFor(start: JournalPosition): Uint8Array {
  return start.seq === 0 ? JOURNAL_HEADER : continuationHeader(start)
}
