import { z } from 'zod'
import type { Saying } from '../../src-preload/contract/index.ts'
import { say } from './saying.ts'

/** Starts in a row that did not come through, before the next one is made without model and network. */
const FAILED_STARTS_MAX = 2

/** What one start leaves for the next. */
export const StartRecord = z.object({
  version: z.string().nullable(),
  /** Starts since the last one that came through, the present one included. */
  unproven: z.number().int().nonnegative(),
  /** Version that this one has replaced, while it has not come through once. */
  updatedFrom: z.string().nullable(),
})
export type StartRecord = z.infer<typeof StartRecord>
export const FIRST_START: StartRecord = { version: null, unproven: 0, updatedFrom: null }

export interface StartPlan {
  /** Why model and network are left out; null in normal use. */
  safeMode: Saying | null
  note: Saying | null
  /** A version that was installed by an update and then did not start. */
  brokenVersion: string | null
  /** To be written before anything else is tried. */
  record: StartRecord
}

/** Decides how to start from how the starts before have ended. */
export function planStart(last: StartRecord, now: { version: string; safeModeAsked: boolean }): StartPlan {
  const updated = last.version !== null && last.version !== now.version
  const failed = updated ? 0 : last.unproven
  const updatedFrom = updated ? last.version : last.updatedFrom
  const suspect = failed > 0 && updatedFrom !== null
  return {
    safeMode: now.safeModeAsked
      ? say('safe-mode.asked')
      : failed >= FAILED_STARTS_MAX
        ? say('safe-mode.failed-starts', { count: failed })
        : null,
    note: suspect ? say('note.update-failed', { version: now.version, before: updatedFrom }) : null,
    brokenVersion: suspect ? now.version : null,
    record: { version: now.version, unproven: failed + 1, updatedFrom },
  }
}

/** The start came through, or the owner ended the app while nothing was wrong. */
export function startProven(record: StartRecord): StartRecord {
  return { ...record, unproven: 0, updatedFrom: null }
}
