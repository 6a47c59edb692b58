export type { JournalFile, OpenJournalFile } from './journal-file.ts'
export { openDiskFile } from './journal-file.ts'
export { type OpenLedgerOptions, openLedger } from './ledger.ts'
export { canonicalTradeBytes, tradeLeafHash } from './trade.ts'
export type {
  Balance,
  JobFacts,
  JournalEvent,
  JournalFacts,
  JournalObserver,
  Ledger,
  Movement,
  NetworkTotals,
  ReserveRequest,
  SignedTrade,
  TradeTerms,
} from './types.ts'
