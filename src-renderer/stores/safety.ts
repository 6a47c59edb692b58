import { createStore } from 'zustand/vanilla'
import type { HostClient, SafetyView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type SafetyState = HostViewState<SafetyView>

export const createSafetyStore = (client: HostClient) =>
  createStore<SafetyState>()((set, get) =>
    hostView<SafetyView>(client, 'safety.get', (answer) => answer, set, get),
  )
