import { z } from 'zod'
import { AppSettings, type AppSettingsChange } from '../../src-preload/contract/index.ts'
import { readPreference, writePreference } from './preferences.ts'
import { FIRST_START, StartRecord } from './start-record.ts'
import { NO_UPDATE_MEMORY, UpdateMemory } from './update-desk.ts'

export const DEFAULT_SETTINGS: AppSettings = {
  // Nobody asked to be started at login: the owner turns it on.
  startAtLogin: false,
  closeToTray: true,
  notifications: { firstEarning: true, sentinelRed: true, updateReady: true },
  updates: { enabled: true, channel: 'stable', onMetered: false },
}

/** What the shell keeps between two starts. A part that is damaged or missing is forgotten, not the rest. */
const AppMemory = z.object({
  settings: AppSettings.catch(DEFAULT_SETTINGS),
  updates: UpdateMemory.catch(NO_UPDATE_MEMORY),
  start: StartRecord.catch(FIRST_START),
  /** The owner has been told that closing the window does not quit. */
  trayHintShown: z.boolean().catch(false),
  /** Evening of the last night whose first earning was told, such as `2026-11-28`. */
  nightTold: z.string().max(10).nullable().catch(null),
})
export type AppMemory = z.infer<typeof AppMemory>

export interface AppMemoryFile {
  get(): Readonly<AppMemory>
  /** Durable when it returns; a disk that refuses is reported and what was changed holds until the app ends. */
  set(change: Partial<AppMemory>): void
}

export function openAppMemory(path: string): AppMemoryFile {
  let memory: AppMemory = readPreference(path, AppMemory) ?? AppMemory.parse({})
  return {
    get: () => memory,
    set: (change) => {
      memory = { ...memory, ...change }
      try {
        writePreference(path, memory)
      } catch (error) {
        console.error('shell: what it remembers could not be written:', error)
      }
    },
  }
}

export function changeSettings(settings: AppSettings, change: AppSettingsChange): AppSettings {
  const { notifications, updates, startAtLogin, closeToTray } = change
  return AppSettings.parse({
    startAtLogin: startAtLogin ?? settings.startAtLogin,
    closeToTray: closeToTray ?? settings.closeToTray,
    notifications: { ...settings.notifications, ...given(notifications) },
    updates: { ...settings.updates, ...given(updates) },
  })
}

function given<T extends object>(values: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>
}
