import { createStore } from 'zustand/vanilla'
import type { HostClient, MoneyView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type MoneyState = HostViewState<MoneyView>

export const createMoneyStore = (client: HostClient) =>
  createStore<MoneyState>()((set, get) =>
    hostView<MoneyView>(client, 'money.get', (answer) => answer, set, get),
  )
