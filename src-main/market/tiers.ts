/** How much a host has shown (spec section 2.9). Audits themselves are not there yet: nothing is promoted by passing one. */
export type AuditTier = 'unverified' | 'probationary' | 'established' | 'trusted'

/** From the highest: trades that both sides signed, and how often a host of that tier is to be audited. */
export const AUDIT_TIERS: readonly { tier: AuditTier; verifiedTrades: number; auditProbability: number }[] = [
  { tier: 'trusted', verifiedTrades: 100, auditProbability: 0.01 },
  { tier: 'established', verifiedTrades: 10, auditProbability: 0.1 },
  { tier: 'probationary', verifiedTrades: 1, auditProbability: 0.5 },
  { tier: 'unverified', verifiedTrades: 0, auditProbability: 1 },
]

export function auditTier(verifiedTrades: number): AuditTier {
  return AUDIT_TIERS.find((row) => verifiedTrades >= row.verifiedTrades)?.tier ?? 'unverified'
}
