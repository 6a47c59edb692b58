import { createStore } from 'zustand/vanilla'
import type {
  HostClient,
  PublicErrorData,
  StatementPeriod,
  WalletStatement,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

export interface StatementState {
  period: StatementPeriod
  /** Of `period`; null until the host has made it. */
  statement: WalletStatement | null
  error: PublicErrorData | null
  busy: boolean
  /** The host makes one at a time: while it does, nothing is asked. */
  load(period: StatementPeriod): Promise<void>
}

export const createStatementStore = (client: HostClient) =>
  createStore<StatementState>()((set, get) => ({
    period: '7d',
    statement: null,
    error: null,
    busy: false,
    load: async (period) => {
      if (get().busy) return
      // What is shown may be older than what the ledger holds by now: it is not kept to be saved.
      set({ busy: true, error: null, period, statement: null })
      try {
        set({ statement: await client.call('wallet.statement', { period }), busy: false })
      } catch (error) {
        set({ statement: null, error: toPublicError(error), busy: false })
      }
    },
  }))
