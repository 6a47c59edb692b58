export { ANCHOR_NETWORKS, anchorScript } from './anchor.ts'
export { archiveImport } from './archive.ts'
export { exactJson } from './exact-json.ts'
export { type OpenLedgerOptions, openLedger } from './ledger.ts'
export { lockDirectory } from './lock.ts'
export { exportStatement, proveFromDisk, verifyLedger } from './offline.ts'
export { consistencyJson, inclusionJson, treeHeadBytes } from './proofs.ts'
export { segmentNames } from './segments.ts'
export { type Statement, statementCsv, statementJson, statementTradesCsv } from './statement.ts'
export { diskStorage, memoryStorage, type Storage, type StoredFile } from './storage.ts'
export { readTiramiLedger } from './tirami-import.ts'
export { canonicalTradeBytes, tradeLeafHash } from './trade.ts'
export { TransparencyRoot, TransparencyTree } from './transparency.ts'
export type {
  JobFacts,
  JournalEvent,
  JournalObserver,
  Ledger,
  Movement,
  ObservedTrade,
  SignedTrade,
  TradeTerms,
  UnsignedTrade,
} from './types.ts'
