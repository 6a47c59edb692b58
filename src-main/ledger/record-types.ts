import type { Transfer } from './accounts.ts'
import type { JobFacts, JournalEvent, SignedTrade } from './types.ts'

/** Longest `reason` and `consumerLabel`, in UTF-16 units: keeps every record far below the journal's limit. */
export const TEXT_MAX = 256

/** Transfers of one record. */
export const TRANSFERS_MAX = 16

export interface ReserveRecord {
  kind: 'reserve'
  atMs: number
  reservation: string
  consumer: string
  provider: string
  amountTrm: bigint
  creditLimitTrm: bigint
  expiresAtMs: number
  transfers: Transfer[]
}

export interface SettleRecord extends SignedTrade {
  kind: 'settle'
  atMs: number
  reservation: string
  facts: JobFacts
  transfers: Transfer[]
}

export interface VoidRecord {
  kind: 'void'
  atMs: number
  reservation: string
  reason: string
  transfers: Transfer[]
}

/** What the economy decided, and the TRM that moves with it. */
export interface EventsRecord {
  kind: 'events'
  atMs: number
  events: JournalEvent[]
  transfers: Transfer[]
}

export type LedgerRecord = ReserveRecord | SettleRecord | VoidRecord | EventsRecord
