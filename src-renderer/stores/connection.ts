import { createStore } from 'zustand/vanilla'

export interface ConnectionState {
  /** `connecting` until the host has been heard, or been found silent, for the first time. */
  phase: 'connecting' | 'online' | 'offline'
  setConnected(connected: boolean): void
}

export const createConnectionStore = () =>
  createStore<ConnectionState>()((set) => ({
    phase: 'connecting',
    setConnected: (connected) => set({ phase: connected ? 'online' : 'offline' }),
  }))
