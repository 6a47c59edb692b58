export type { JournalFile, OpenJournalFile } from './journal-file.ts'
export { openDiskFile } from './journal-file.ts'
export { openLedger } from './ledger.ts'
export { canonicalTradeBytes, tradeLeafHash } from './trade.ts'
export type {
  JobFacts,
  JournalEvent,
  Ledger,
  Movement,
  SignedTrade,
  TradeTerms,
} from './types.ts'
