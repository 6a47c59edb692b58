import { join } from 'node:path'
import { z } from 'zod'
import { readSecretFile, writeFileAtomically } from './files.ts'

const SettingsFile = z.object({ paused: z.boolean() })

/** What the owner chose and must find again after a restart. */
export interface Settings {
  paused(): boolean
  setPaused(paused: boolean): void
}

/** A missing or unreadable file counts as never written: the defaults hold and the next change replaces it. */
export function openSettings(dataDirectory: string): Settings {
  const path = join(dataDirectory, 'settings.json')
  let paused = readSettings(path).paused
  return {
    paused: () => paused,
    setPaused: (value) => {
      if (value === paused) return
      writeFileAtomically(path, `${JSON.stringify({ paused: value }, null, 2)}\n`)
      paused = value
    },
  }
}

function readSettings(path: string): z.infer<typeof SettingsFile> {
  try {
    return SettingsFile.parse(JSON.parse(readSecretFile(path) ?? ''))
  } catch {
    return { paused: false }
  }
}
