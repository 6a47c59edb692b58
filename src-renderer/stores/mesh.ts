import { createStore } from 'zustand/vanilla'
import type { HostClient, MeshView } from '../../src-preload/contract/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export type MeshState = HostViewState<MeshView>

export const createMeshStore = (client: HostClient) =>
  createStore<MeshState>()((set, get) => hostView<MeshView>(client, 'mesh.get', (answer) => answer, set, get))
