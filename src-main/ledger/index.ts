export { ANCHOR_NETWORKS, anchorScript } from './anchor.ts'
export { archiveImport } from './archive.ts'
export { exactJson } from './exact-json.ts'
export type { JournalFile, OpenJournalFile } from './journal-file.ts'
export { openDiskFile } from './journal-file.ts'
export { openLedger } from './ledger.ts'
export { exportStatement, proveFromDisk, verifyLedger } from './offline.ts'
export { consistencyJson, inclusionJson } from './proofs.ts'
export { statementCsv, statementJson } from './statement.ts'
export { readTiramiLedger } from './tirami-import.ts'
export { canonicalTradeBytes, tradeLeafHash } from './trade.ts'
export type {
  JobFacts,
  JournalEvent,
  Ledger,
  Movement,
  ObservedTrade,
  SignedTrade,
  TradeTerms,
} from './types.ts'
