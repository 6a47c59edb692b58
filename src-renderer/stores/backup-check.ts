import { createStore } from 'zustand/vanilla'
import type { BackupSummary, HostClient, PublicErrorData } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

export interface BackupCheckState {
  busy: boolean
  /** What is in the file that was checked last; null while none was, or it was refused. */
  summary: BackupSummary | null
  error: PublicErrorData | null
  check(backup: { text: string; password: string }): Promise<void>
  /** Another file or another password: what was found does not hold for it. */
  forget(): void
}

/** Neither file nor password is kept here. */
export const createBackupCheckStore = (client: HostClient) =>
  createStore<BackupCheckState>()((set) => {
    let latest = 0
    return {
      busy: false,
      summary: null,
      error: null,
      forget: () => {
        latest += 1
        set({ busy: false, summary: null, error: null })
      },
      check: async (backup) => {
        latest += 1
        const request = latest
        set({ busy: true, summary: null, error: null })
        try {
          const summary = await client.call('backup.verify', backup)
          if (request === latest) set({ busy: false, summary })
        } catch (error) {
          if (request === latest) set({ busy: false, error: toPublicError(error) })
        }
      },
    }
  })
