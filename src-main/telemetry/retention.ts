import type { TelemetryRecord } from '../../src-preload/contract/index.ts'
import { type Line, linesBackward, linesForward, type TelemetryFile } from './files.ts'
import { decodeLine } from './format.ts'

/** How much telemetry the owner keeps; null sets no limit. */
export interface TelemetryLimits {
  /** Size at which a new file is begun. */
  maxFileBytes: number
  maxTotalBytes: number | null
  keepDays: number | null
}

export const DAY_MS = 86_400_000
/** Whole files are dropped: with few of them too much would go at once. */
const FILES_IN_TOTAL = 4

/** Size at which a file ends. */
export function fileBytesMax({ maxFileBytes, maxTotalBytes }: TelemetryLimits): number {
  return maxTotalBytes === null
    ? maxFileBytes
    : Math.min(maxFileBytes, Math.floor(maxTotalBytes / FILES_IN_TOTAL))
}

/** The oldest files, which are to go, and the intact event that the log then begins with. */
export interface Outdated {
  files: readonly TelemetryFile[]
  reason: 'bytes' | 'days'
  first: TelemetryRecord
}

/**
 * What the limits have no room for: enough to let the newest file, which is never dropped, grow to its end. Null where
 * nothing is to go, or where what stays would not begin with an intact event: it could not be checked any more.
 *
 * @param files oldest first
 */
export async function outdatedFiles(
  files: readonly TelemetryFile[],
  limits: TelemetryLimits,
  nowMs: number,
): Promise<Outdated | null> {
  const { maxTotalBytes, keepDays } = limits
  let excessBytes =
    maxTotalBytes === null
      ? 0
      : files.slice(0, -1).reduce((sum, file) => sum + file.sizeBytes, 0) -
        (maxTotalBytes - fileBytesMax(limits))
  const oldestMs = keepDays === null ? Number.NEGATIVE_INFINITY : nowMs - keepDays * DAY_MS
  let count = 0
  let reason: Outdated['reason'] = 'bytes'
  for (const file of files.slice(0, -1)) {
    const isTooMuch = excessBytes > 0
    const last = isTooMuch || keepDays === null ? null : await lastRecordOf(file)
    if (!isTooMuch && (last === null || Date.parse(last.ts) >= oldestMs)) break
    if (!isTooMuch) reason = 'days'
    excessBytes -= file.sizeBytes
    count++
  }
  const next = files[count]
  const first = count === 0 || !next ? null : await firstRecordOf(next)
  return first && { files: files.slice(0, count), reason, first }
}

/** Null where the file does not begin with an intact event. */
export async function firstRecordOf(file: TelemetryFile): Promise<TelemetryRecord | null> {
  for await (const line of linesForward(file)) return recordIn(line)
  return null
}

async function lastRecordOf(file: TelemetryFile): Promise<TelemetryRecord | null> {
  for await (const line of linesBackward(file)) {
    const record = recordIn(line)
    if (record) return record
  }
  return null
}

function recordIn({ text, ended }: Line): TelemetryRecord | null {
  const decoded = ended ? decodeLine(text) : null
  return decoded && 'record' in decoded ? decoded.record : null
}
