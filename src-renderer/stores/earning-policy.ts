import { createStore } from 'zustand/vanilla'
import type { EarningView, HostClient } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type EarningPolicyState = HostViewState<EarningView>

/** When the host earns, and why it does or does not now. */
export const createEarningPolicyStore = (client: HostClient) =>
  createStore<EarningPolicyState>()((set, get) =>
    hostView<EarningView>(client, 'earning.get', (answer) => answer, set, get),
  )
