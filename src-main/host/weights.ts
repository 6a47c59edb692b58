import { createHash } from 'node:crypto'
import { createReadStream, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { readSecretFile, writeFileAtomically } from './files.ts'
import { inOrder } from './in-order.ts'

const FILE_NAME = 'weights.json'
const KEPT_MAX = 1_000

const Known = z.array(
  z.strictObject({
    path: z.string(),
    sizeBytes: z.number(),
    mtimeMs: z.number(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
)
type Known = z.output<typeof Known>[number]

/** SHA-256 of model files, each read once: by it two hosts know that they mean the same weights. */
export interface WeightHashes {
  /** Null while it is not known: it is being read, or cannot be. */
  of(path: string): string | null
}

/** @param onKnown another hash is known */
export function openWeightHashes(dataDirectory: string, onKnown: () => void): WeightHashes {
  const keptPath = join(dataDirectory, FILE_NAME)
  let known = readKnown(keptPath)
  const reading = new Set<string>()
  const serially = inOrder()
  const read = async (path: string, { size, mtimeMs }: Stats): Promise<void> => {
    const hash = createHash('sha256')
    await pipeline(createReadStream(path), hash)
    const entry: Known = { path, sizeBytes: size, mtimeMs, sha256: hash.digest('hex') }
    known = [entry, ...known.filter((other) => other.path !== path)].slice(0, KEPT_MAX)
    writeFileAtomically(keptPath, JSON.stringify(known))
    onKnown()
  }
  return {
    of: (path) => {
      const stats = statSync(path, { throwIfNoEntry: false })
      if (!stats) return null
      const isSame = (entry: Known) =>
        entry.path === path && entry.sizeBytes === stats.size && entry.mtimeMs === stats.mtimeMs
      const entry = known.find(isSame)
      if (entry) return entry.sha256
      const mark = `${path} ${stats.size} ${stats.mtimeMs}`
      if (!reading.has(mark)) {
        reading.add(mark)
        serially(() => read(path, stats)).catch((error) => process.emitWarning(`weights: ${String(error)}`))
      }
      return null
    },
  }
}

/** A missing or damaged file counts as empty: every file is read again. */
function readKnown(path: string): Known[] {
  try {
    return Known.parse(JSON.parse(readSecretFile(path) ?? ''))
  } catch {
    return []
  }
}
