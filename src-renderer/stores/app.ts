import { createStore } from 'zustand/vanilla'
import type { AppView, HostClient } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type AppState = HostViewState<AppView>

export const createAppStore = (client: HostClient) =>
  createStore<AppState>()((set, get) => hostView<AppView>(client, 'app.get', (answer) => answer, set, get))
