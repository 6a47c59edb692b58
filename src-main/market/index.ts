export {
  type AuditEvidence,
  type AuditFinding,
  type AuditSecret,
  auditSecret,
  compareTranscript,
  evidenceFromWire,
  isShareable,
  probedTokens,
  type VerifiedEvidence,
  verifyAuditEvidence,
  WireAuditEvidence,
  wireEvidence,
} from './audit.ts'
export {
  AUDIT_TOLERANCE,
  type AuditTolerance,
  type Comparison,
  compareAnswers,
  type ProbedToken,
} from './audit-verdict.ts'
export type { Agreement, Bought } from './buyer.ts'
export type { Dispute } from './dispute.ts'
export { MarketNode, type SavedMarket } from './node.ts'
export type { ModelCost, ModelOffer, Price, Tariff } from './offer.ts'
export type { Peer } from './registry.ts'
export type { Candidate, RoutingMode } from './select.ts'
export type { Sale, SaleEvent, Sealing } from './seller.ts'
export { type AuditStanding, type AuditTier, afterAudit, auditTier, NO_AUDITS } from './tiers.ts'
export { jobKey } from './trades.ts'
export { RemoteRequest } from './work-messages.ts'
