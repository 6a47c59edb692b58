import type { TelemetryRecord } from '../../src-preload/contract/index.ts'
import { payloads } from './events.ts'
import { linesForward, telemetryFiles } from './files.ts'
import { type ChainHead, decodeLine, GENESIS } from './format.ts'
import { firstRecordOf } from './retention.ts'

export interface TelemetryFault {
  file: string
  /** From 1. */
  line: number
  problem: string
}

export interface TelemetryReport {
  ok: boolean
  files: number
  events: number
  head: ChainHead
  /** The first event that is still there; later than 1 where older ones were dropped. Null: there is none. */
  from: { seq: number; atMs: number } | null
  /** After the last newline: a write under way, or one that a crash cut off. No fault. */
  tornBytes: number
  /** The first ones; `faultCount` counts all. */
  faults: TelemetryFault[]
  faultCount: number
}

const FAULTS_TOLD_MAX = 20

/**
 * Checks every hash and the whole chain, over all files; changes nothing. A chain that does not begin with the first event
 * of all must itself say that what came before was dropped, and with which hash that ended. Events that were cut off at
 * the end leave no trace in a chain: compare `head` with one that was noted earlier.
 */
export async function verifyTelemetry(directory: string): Promise<TelemetryReport> {
  const files = await telemetryFiles(directory)
  const faults: TelemetryFault[] = []
  let faultCount = 0
  let events = 0
  let tornBytes = 0
  const first = files[0] ? await firstRecordOf(files[0]) : null
  const before: ChainHead =
    first && first.seq > 1 ? { seq: first.seq - 1, hash: first.prevHash } : { ...GENESIS }
  /** Ends of files, where a drop may end. */
  const ends = new Map([[before.seq, before.hash]])
  let droppedThrough = 0
  let head = before
  for (const file of files) {
    let line = 0
    const fault = (problem: string): void => {
      faultCount++
      if (faults.length < FAULTS_TOLD_MAX) faults.push({ file: file.name, line, problem })
    }
    for await (const { text, bytes, ended } of linesForward(file)) {
      line++
      if (!ended && file === files.at(-1)) {
        tornBytes = bytes
        continue
      }
      const decoded = ended ? decodeLine(text) : { problem: 'it is cut off' }
      if ('problem' in decoded) {
        fault(decoded.problem)
        // What follows a changed line is judged by itself: one change is one fault.
        if ('claimedHash' in decoded) head = { seq: head.seq + 1, hash: decoded.claimedHash ?? '' }
        continue
      }
      const { seq, prevHash, hash } = decoded.record
      events++
      if (seq !== head.seq + 1) fault(`it is event ${seq}, and ${head.seq + 1} should be here`)
      else if (prevHash !== head.hash) fault('it does not follow the event before it')
      if (line === 1 && seq !== file.firstSeq) fault('the file’s name does not fit its first event')
      head = { seq, hash }
      const dropped = droppedBy(decoded.record)
      if (dropped && ends.get(dropped.seq) === dropped.hash) droppedThrough = dropped.seq
    }
    ends.set(head.seq, head.hash)
  }
  const [file] = files
  if (file && before.seq > droppedThrough) {
    faultCount++
    const problem = `events 1 to ${before.seq} are missing, and nothing says that they were dropped`
    faults.unshift({ file: file.name, line: 1, problem })
  }
  const from = first && { seq: first.seq, atMs: Date.parse(first.ts) }
  return { ok: faultCount === 0, files: files.length, events, head, from, tornBytes, faults, faultCount }
}

/** Where the events end that this one says were dropped. */
function droppedBy({ event_type, payload }: TelemetryRecord): ChainHead | null {
  if (event_type !== 'TelemetryDropped') return null
  const parsed = payloads.TelemetryDropped.safeParse(payload)
  return parsed.success ? { seq: parsed.data.through_seq, hash: parsed.data.last_hash } : null
}
