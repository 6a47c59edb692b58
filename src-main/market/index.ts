export {
  type AskedProbe,
  type AuditEvidence,
  areIndependent,
  auditSecret,
  compareTranscript,
  evidenceFromWire,
  isShareable,
  probedTokens,
  questionOf,
  SUSPICION_MS,
  verifyAuditEvidence,
  WireAuditEvidence,
  wireEvidence,
} from './audit.ts'
export { type ProbeKind, probeRequest } from './audit-probe.ts'
export {
  AUDIT_TOLERANCE,
  type Comparison,
  compareAnswers,
  type ProbedToken,
} from './audit-verdict.ts'
export type { Agreement, Bought, BuyerHooks } from './buyer.ts'
export type { Dispute } from './dispute.ts'
export type { Statement, StatementRules } from './gossip.ts'
export {
  type LoanBooks,
  LoanDesk,
  WireLoan,
  wireLoan,
} from './loan-desk.ts'
export { MarketNode, type SavedMarket } from './node.ts'
export {
  Hash,
  type ModelCost,
  type ModelOffer,
  NodeId,
  type Price,
  PriceSignal,
  Signature,
  type Tariff,
  U64,
} from './offer.ts'
export type { Peer } from './registry.ts'
export type { Candidate, RoutingMode } from './select.ts'
export type { Sale, SaleEvent, Sealing } from './seller.ts'
export { type AuditStanding, afterAudit, auditTier, NO_AUDITS } from './tiers.ts'
export { isSound, jobKey, tradeFromWire, WireTrade, wireTrade } from './trades.ts'
export { RemoteRequest } from './work-messages.ts'
