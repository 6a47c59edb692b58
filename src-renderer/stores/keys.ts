import { createStore } from 'zustand/vanilla'
import type { HostClient, KeysView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type KeysState = HostViewState<KeysView>

/** Of the answer to `keys.issue` the token is handed to whoever asked, and is not kept here. */
export const createKeysStore = (client: HostClient) =>
  createStore<KeysState>()((set, get) =>
    hostView<KeysView>(client, 'keys.list', ({ keys }) => ({ keys }), set, get),
  )
