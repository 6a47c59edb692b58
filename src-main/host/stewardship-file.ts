import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type OwnerChange, type OwnerFileProblem, OwnerValues } from '../../src-preload/contract/index.ts'
import {
  editOwnerFile,
  newOwnerFile,
  OWNER_FILE_BYTES_MAX,
  type OwnerDifference,
  ownerDifferences,
  ownerFault,
  readOwnerFile,
} from '../earning/index.ts'
import { TiramiError } from '../kernel/index.ts'
import { writeFileAtomically } from './files.ts'

/** Who changed a value. `file`: an editor or the command line. */
export type OwnerSource = 'window' | 'api' | 'file'

export type OwnerFileEvent =
  | { type: 'changed'; source: OwnerSource; differences: OwnerDifference[] }
  | { type: 'refused'; problem: OwnerFileProblem }

/** `owner.yaml`: the one place where the owner's values are. */
export interface OwnerFile {
  /** The last good values. */
  values(): OwnerValues
  /** Why the file as it stands is not in force. */
  problem(): OwnerFileProblem | null
  /** Notices what others did to the file. One look at its date where nothing was done. */
  refresh(): void
  /** All changes or none; in the file when it returns. @throws TiramiError as `editOwnerFile` */
  edit(changes: readonly OwnerChange[], source: OwnerSource): void
}

const FILE_NAME = 'owner.yaml'
/** What was in force, for a start at which the file is damaged. */
const GOOD_NAME = '.owner.last-good.yaml'

export interface OwnerFileOptions {
  directory: string
  /** For a host that has no file yet. */
  initial?: readonly OwnerChange[]
  onEvent(event: OwnerFileEvent): void
}

/**
 * Opens the file, or writes one with every default. A bad file leaves the last good values in force; where there never
 * were any, the host is paused: nobody knows what its owner wants.
 */
export function openOwnerFile({ directory, initial = [], onEvent }: OwnerFileOptions): OwnerFile {
  const path = join(directory, FILE_NAME)
  const goodPath = join(directory, GOOD_NAME)
  let goodText = readText(goodPath) ?? ''
  const good = goodText === '' ? null : readOwnerFile(goodText)
  let values = good?.values ?? null
  let problem: OwnerFileProblem | null = null
  /** Text that was judged last, and the look of its file then. */
  let seenText: string | null = null
  let seenMark: string | null = null

  const accept = (text: string, next: OwnerValues, source: OwnerSource): void => {
    const differences = values ? ownerDifferences(values, next) : []
    values = next
    problem = null
    if (text !== goodText) keepCopy(goodPath, text)
    goodText = text
    if (differences.length > 0) onEvent({ type: 'changed', source, differences })
  }
  const refuse = (found: OwnerFileProblem): void => {
    problem = found
    onEvent({ type: 'refused', problem: found })
  }
  const judge = (text: string | null): void => {
    if (text === seenText && seenMark !== null) return
    seenText = text
    const reading = text === null ? null : readOwnerFile(text)
    if (text !== null && reading?.ok) accept(text, reading.values, 'file')
    else refuse(reading?.problem ?? ownerFault('missing'))
  }
  const refresh = (): void => {
    const mark = markOf(path)
    if (mark === seenMark) return
    judge(readText(path))
    seenMark = mark
  }

  if (markOf(path) === '') write(path, values ? goodText : editOwnerFile(newOwnerFile(), initial))
  refresh()
  const inForce = () => values ?? OwnerValues.parse({ serving: { paused: true } })
  return {
    values: inForce,
    problem: () => problem,
    refresh,
    edit: (changes, source) => {
      refresh()
      const text = editOwnerFile(readText(path) ?? (goodText || newOwnerFile()), changes)
      const reading = readOwnerFile(text)
      if (!reading.ok) return
      if (text !== seenText || problem) write(path, text)
      seenText = text
      // Looked at once more: somebody may have written between this write and a look at its date.
      seenMark = null
      accept(text, reading.values, source)
    },
  }
}

/** Changes with the file; empty where there is none. */
function markOf(path: string): string {
  try {
    const { mtimeNs, ctimeNs, size, ino } = statSync(path, { bigint: true })
    return `${mtimeNs} ${ctimeNs} ${size} ${ino}`
  } catch {
    return ''
  }
}

/** Null where there is none. One byte more than is allowed tells that it is too large. */
function readText(path: string): string | null {
  try {
    const file = openSync(path, 'r')
    try {
      const buffer = Buffer.alloc(OWNER_FILE_BYTES_MAX + 1)
      return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    return null
  }
}

/** Only the next start with a damaged file needs it: a full disk must not stop what is in force. */
function keepCopy(path: string, text: string): void {
  try {
    writeFileAtomically(path, text)
  } catch (error) {
    process.emitWarning(`owner’s file: ${String(error)}`)
  }
}

/** @throws TiramiError OWNER_FILE_UNWRITABLE (503) */
function write(path: string, text: string): void {
  try {
    writeFileAtomically(path, text)
  } catch (cause) {
    throw new TiramiError(
      'OWNER_FILE_UNWRITABLE',
      'The owner’s file cannot be written; nothing was changed.',
      {
        nextStep: 'See that the disk has room and the data directory belongs to you.',
        httpStatus: 503,
        cause,
      },
    )
  }
}
