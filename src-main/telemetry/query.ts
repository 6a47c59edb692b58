import type {
  TelemetryCsvPart,
  TelemetryCsvQuery,
  TelemetryPage,
  TelemetryQuery,
  TelemetryRecord,
} from '../../src-preload/contract/index.ts'
import { linesBackward, linesForward, telemetryFiles } from './files.ts'
import { decodeLine } from './format.ts'

/** Which events are wanted; all where nothing is said. */
export type TelemetryFilter = Pick<TelemetryQuery, 'kinds' | 'fromMs' | 'toMs' | 'text'>

/** A page is cut short after so many bytes: a text that is nowhere must not hold the host up. */
const SCAN_BYTES_MAX = 16 * 1024 * 1024

/** The newest events that fit, newest first. Damaged lines are left out; verification tells of them. */
export async function queryTelemetry(directory: string, query: TelemetryQuery): Promise<TelemetryPage> {
  const { beforeSeq = Number.POSITIVE_INFINITY, limit } = query
  const wanted = matcher(query)
  const events: TelemetryRecord[] = []
  let scannedBytes = 0
  for (const file of (await telemetryFiles(directory)).toReversed()) {
    if (file.firstSeq >= beforeSeq) continue
    for await (const { text, bytes, ended } of linesBackward(file)) {
      scannedBytes += bytes
      const decoded = ended ? decodeLine(text) : null
      if (!decoded || 'problem' in decoded || decoded.record.seq >= beforeSeq) continue
      const { record } = decoded
      if (wanted(record)) events.push(record)
      const isFull = events.length >= limit || scannedBytes >= SCAN_BYTES_MAX
      if (isFull) return { events, nextBeforeSeq: record.seq > 1 ? record.seq : null }
    }
  }
  return { events, nextBeforeSeq: null }
}

/** Every event from `fromSeq` on that fits, oldest first. Memory: one line. */
export async function* readTelemetry(
  directory: string,
  filter: TelemetryFilter = {},
  fromSeq = 1,
): AsyncGenerator<TelemetryRecord> {
  const wanted = matcher(filter)
  const files = await telemetryFiles(directory)
  const first = files.findLastIndex((file) => file.firstSeq <= fromSeq)
  for (const file of files.slice(Math.max(0, first))) {
    for await (const { text, ended } of linesForward(file)) {
      const decoded = ended ? decodeLine(text) : null
      if (!decoded || !('record' in decoded) || decoded.record.seq < fromSeq) continue
      if (wanted(decoded.record)) yield decoded.record
    }
  }
}

const CSV_HEADER = 'seq,ts,event_type,payload,hash\r\n'
/** A part stays well below what a call may carry. */
const CSV_PART_EVENTS_MAX = 2_000
const CSV_PART_CHARACTERS_MAX = 2_000_000

/** The same as CSV (RFC 4180), header first. */
export async function* telemetryCsv(directory: string, filter: TelemetryFilter = {}): AsyncGenerator<string> {
  yield CSV_HEADER
  for await (const record of readTelemetry(directory, filter)) yield csvRow(record)
}

/** The same in parts, for a reader that takes one after the other. */
export async function telemetryCsvPart(
  directory: string,
  { fromSeq, ...filter }: TelemetryCsvQuery,
): Promise<TelemetryCsvPart> {
  const rows = fromSeq === 1 ? [CSV_HEADER] : []
  let [events, characters] = [0, 0]
  for await (const record of readTelemetry(directory, filter, fromSeq)) {
    if (events >= CSV_PART_EVENTS_MAX || characters >= CSV_PART_CHARACTERS_MAX) {
      return { text: rows.join(''), events, nextSeq: record.seq }
    }
    const row = csvRow(record)
    rows.push(row)
    events++
    characters += row.length
  }
  return { text: rows.join(''), events, nextSeq: null }
}

function csvRow({ seq, ts, event_type, payload, hash }: TelemetryRecord): string {
  return `${[seq, ts, event_type, JSON.stringify(payload), hash].map(csvCell).join(',')}\r\n`
}

function csvCell(value: string | number): string {
  const text = String(value)
  // A spreadsheet would take it for a formula.
  const safe = /^[=+@\t\r-]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function matcher({ kinds, fromMs, toMs, text }: TelemetryFilter): (record: TelemetryRecord) => boolean {
  const needle = text?.toLowerCase()
  return ({ event_type, ts, payload }) => {
    if (kinds && !kinds.some((kind) => kind === event_type)) return false
    const atMs = Date.parse(ts)
    if (fromMs !== undefined && !(atMs >= fromMs)) return false
    if (toMs !== undefined && !(atMs < toMs)) return false
    return needle === undefined || JSON.stringify(payload).toLowerCase().includes(needle)
  }
}
