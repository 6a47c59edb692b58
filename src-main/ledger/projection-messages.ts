import type { EarningsRange } from '../../src-preload/contract/index.ts'
import type { ProjectedTrade, ProjectionPosition, ProjectionStore } from './projection-store.ts'

/** Asked of the worker; each gets one answer with the same id. */
export type ProjectionCall =
  | { name: 'position' }
  | { name: 'reset' }
  | { name: 'flush' }
  | { name: 'list'; limit: number; beforeIndex: number }
  | { name: 'find'; tradeId: string }
  | { name: 'remotes'; from: number; limit: number }
  | { name: 'earnings'; provider: string; range: EarningsRange; nowMs: number }
  | { name: 'save' }

export interface ProjectionResults {
  position: ProjectionPosition
  reset: null
  flush: null
  list: ReturnType<ProjectionStore['list']>
  find: ReturnType<ProjectionStore['find']>
  remotes: number[]
  earnings: ReturnType<ProjectionStore['earnings']>
  save: null
}

/** Host → worker, handled strictly in order. */
export type ProjectionMessage =
  | { type: 'insert'; trades: ProjectedTrade[] }
  | { type: 'call'; id: number; call: ProjectionCall }

/** Worker → host. */
export type ProjectionAnswer =
  | { id: number; ok: true; result: ProjectionResults[ProjectionCall['name']] }
  | { id: number; ok: false; error: string }

export interface ProjectionWorkerData {
  /** Where the SQLite file is kept. */
  path: string
}
