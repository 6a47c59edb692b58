import { createStore } from 'zustand/vanilla'
import type { HostClient, PublicErrorData } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

export interface RestartState {
  /** `restarting` until another host process has been heard. */
  phase: 'idle' | 'restarting'
  error: PublicErrorData | null
  restart(): Promise<void>
  /** Another host process answers. */
  done(): void
}

export const createRestartStore = (client: HostClient) =>
  createStore<RestartState>()((set, get) => ({
    phase: 'idle',
    error: null,
    restart: async () => {
      if (get().phase === 'restarting') return
      set({ phase: 'restarting', error: null })
      try {
        await client.call('host.restart', {})
      } catch (error) {
        set({ phase: 'idle', error: toPublicError(error) })
      }
    },
    done: () => set({ phase: 'idle', error: null }),
  }))
