import { createStore } from 'zustand/vanilla'
import type { HostClient, ProcedureOutput, PublicErrorData } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

export interface OwnerFileState {
  /** The text of `owner.yaml` as it was last read; null until the first answer. */
  file: ProcedureOutput<'settings.ownerFile'> | null
  loadError: PublicErrorData | null
  load(): Promise<void>
}

export const createOwnerFileStore = (client: HostClient) =>
  createStore<OwnerFileState>()((set) => ({
    file: null,
    loadError: null,
    load: async () => {
      try {
        set({ file: await client.call('settings.ownerFile', {}), loadError: null })
      } catch (error) {
        set({ loadError: toPublicError(error) })
      }
    },
  }))
