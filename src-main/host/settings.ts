import { join } from 'node:path'
import { z } from 'zod'
import { ModelsView } from '../../src-preload/contract/index.ts'
import { readSecretFile, writeFileAtomically } from './files.ts'

const SettingsFile = z.object({
  paused: z.boolean().default(false),
  /** Id of the model to serve; null: the one that ships with the app. */
  model: z.string().nullable().default(null),
  idleUnloadMinutes: ModelsView.shape.settings.shape.idleUnloadMinutes.default(null),
  declaredPowerW: ModelsView.shape.settings.shape.declaredPowerW.default(null),
  downloadBytesPerSecond: ModelsView.shape.settings.shape.downloadBytesPerSecond.default(null),
})
export type SettingValues = z.infer<typeof SettingsFile>

/** What the owner chose and must find again after a restart. */
export interface Settings {
  get(): Readonly<SettingValues>
  /** Durable when it returns. */
  set(changes: Partial<SettingValues>): void
}

/** A missing or unreadable file counts as never written: the defaults hold and the next change replaces it. */
export function openSettings(dataDirectory: string): Settings {
  const path = join(dataDirectory, 'settings.json')
  let values = readSettings(path)
  return {
    get: () => values,
    set: (changes) => {
      const next = { ...values, ...changes }
      const text = JSON.stringify(next, null, 2)
      if (text === JSON.stringify(values, null, 2)) return
      writeFileAtomically(path, `${text}\n`)
      values = next
    },
  }
}

function readSettings(path: string): SettingValues {
  try {
    return SettingsFile.parse(JSON.parse(readSecretFile(path) ?? ''))
  } catch {
    return SettingsFile.parse({})
  }
}
