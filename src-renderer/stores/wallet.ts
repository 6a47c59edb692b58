import { createStore } from 'zustand/vanilla'
import type { HostClient, WalletView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type WalletState = HostViewState<WalletView>

export const createWalletStore = (client: HostClient) =>
  createStore<WalletState>()((set, get) =>
    hostView<WalletView>(client, 'wallet.get', (answer) => answer, set, get),
  )
