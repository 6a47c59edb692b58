import { linesForward, telemetryFiles } from './files.ts'
import { type ChainHead, decodeLine, GENESIS } from './format.ts'

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
  /** After the last newline: a write under way, or one that a crash cut off. No fault. */
  tornBytes: number
  /** The first ones; `faultCount` counts all. */
  faults: TelemetryFault[]
  faultCount: number
}

const FAULTS_TOLD_MAX = 20

/**
 * Checks every hash and the whole chain, over all files; changes nothing. Events that were cut off at the end leave no
 * trace in a chain: compare `head` with one that was noted earlier.
 */
export async function verifyTelemetry(directory: string): Promise<TelemetryReport> {
  const files = await telemetryFiles(directory)
  const faults: TelemetryFault[] = []
  let faultCount = 0
  let events = 0
  let tornBytes = 0
  let head = GENESIS
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
    }
  }
  return { ok: faultCount === 0, files: files.length, events, head, tornBytes, faults, faultCount }
}
