import { createStore } from 'zustand/vanilla'
import type { HostClient, MeshLoansView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type MeshLoansState = HostViewState<MeshLoansView>

export const createMeshLoansStore = (client: HostClient) =>
  createStore<MeshLoansState>()((set, get) =>
    hostView<MeshLoansView>(client, 'mesh.loans', (answer) => answer, set, get),
  )
