import { join } from 'node:path'
import { z } from 'zod'
import { readSecretFile, writeFileAtomically } from './files.ts'

const Millis = z.number().int().nonnegative()

const StateFile = z.strictObject({
  version: z.literal(1),
  snooze: z.strictObject({ fromMs: Millis, untilMs: Millis }).nullable(),
  finishing: z.boolean(),
})

/** What the owner has said by hand and what ends by itself: it outlives a crash, but is no setting. */
export type EarningWord = Omit<z.infer<typeof StateFile>, 'version'>

const NOTHING_SAID: EarningWord = { snooze: null, finishing: false }

export interface EarningWordFile {
  get(): EarningWord
  /** Durable when it returns. */
  set(word: EarningWord): void
}

/** A file that cannot be read says nothing: the rules hold. */
export function openEarningWord(dataDirectory: string): EarningWordFile {
  const path = join(dataDirectory, 'earning-state.json')
  let word = readWord(path)
  return {
    get: () => word,
    set: (next) => {
      writeFileAtomically(path, `${JSON.stringify({ version: 1, ...next })}\n`)
      word = next
    },
  }
}

function readWord(path: string): EarningWord {
  try {
    const { snooze, finishing } = StateFile.parse(JSON.parse(readSecretFile(path) ?? ''))
    return { snooze, finishing }
  } catch {
    return NOTHING_SAID
  }
}
