import { createStore } from 'zustand/vanilla'
import type { ConsoleView, HostClient } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type OwnerState = HostViewState<ConsoleView>

export const createOwnerStore = (client: HostClient) =>
  createStore<OwnerState>()((set, get) =>
    hostView<ConsoleView>(client, 'console.get', (answer) => answer, set, get),
  )
