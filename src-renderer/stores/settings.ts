import { createStore } from 'zustand/vanilla'
import type { HostClient, SettingsView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type SettingsState = HostViewState<SettingsView>

/** Of the answer to `backup.create` the file is handed to whoever asked, and is not kept here. */
export const createSettingsStore = (client: HostClient) =>
  createStore<SettingsState>()((set, get) =>
    hostView<SettingsView>(
      client,
      'settings.get',
      ({ guide, storage, network, backup, restart }) => ({ guide, storage, network, backup, restart }),
      set,
      get,
    ),
  )
