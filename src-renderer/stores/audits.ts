import { createStore } from 'zustand/vanilla'
import type {
  AuditResult,
  AuditsView,
  HostClient,
  PublicErrorData,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'
import { type HostViewState, hostView } from './host-view.ts'

export interface AuditsState extends HostViewState<AuditsView> {
  /** Host and model that are being audited; null: none. */
  running: { nodeId: string; model: string } | null
  auditError: PublicErrorData | null
  /** One at a time: an audit loads the model here, too. @returns null: why not is in `auditError` */
  audit(nodeId: string, model: string): Promise<AuditResult | null>
}

export const createAuditsStore = (client: HostClient) =>
  createStore<AuditsState>()((set, get) => ({
    ...hostView<AuditsView>(client, 'mesh.audits', (answer) => answer, set, get),
    running: null,
    auditError: null,
    audit: async (nodeId, model) => {
      if (get().running !== null) return null
      set({ running: { nodeId, model }, auditError: null })
      try {
        return await client.call('mesh.audit', { nodeId, model })
      } catch (error) {
        set({ auditError: toPublicError(error) })
        return null
      } finally {
        set({ running: null })
        void get().load()
      }
    },
  }))
