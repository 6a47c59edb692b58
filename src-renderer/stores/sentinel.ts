import { createStore } from 'zustand/vanilla'
import type { HostClient, SentinelView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type SentinelState = HostViewState<SentinelView>

export const createSentinelStore = (client: HostClient) =>
  createStore<SentinelState>()((set, get) =>
    hostView<SentinelView>(client, 'sentinel.get', (answer) => answer, set, get),
  )
