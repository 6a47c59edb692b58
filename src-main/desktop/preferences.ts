import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import type { z } from 'zod'

const MAX_BYTES = 64 * 1024

/** Reads a small JSON preference; a missing, damaged or foreign file counts as no preference. */
export function readPreference<T>(path: string, schema: z.ZodType<T>): T | null {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > MAX_BYTES) return null
    const parsed = schema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

/** Replaces the file in one step: a crash leaves the old content or the new, never a part. */
export function writePreference(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    const file = openSync(temporary, 'w', 0o600)
    try {
      writeSync(file, `${JSON.stringify(value)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
