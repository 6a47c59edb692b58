/** How much a host has shown (spec section 2.9). */
export type AuditTier = 'unverified' | 'probationary' | 'established' | 'trusted'

interface TierRow {
  tier: AuditTier
  /** Trades that both sides signed, from which on a host stands here when no audit says otherwise. */
  verifiedTrades: number
  /** How often it is audited when something was bought of it. */
  auditProbability: number
  /** Factor of its score when a provider is chosen. Ours: the source has tiers, and chooses without them. */
  weight: number
}

/** From the lowest. */
export const AUDIT_TIERS: readonly TierRow[] = [
  { tier: 'unverified', verifiedTrades: 0, auditProbability: 1, weight: 0.7 },
  { tier: 'probationary', verifiedTrades: 1, auditProbability: 0.5, weight: 0.85 },
  { tier: 'established', verifiedTrades: 10, auditProbability: 0.1, weight: 0.95 },
  { tier: 'trusted', verifiedTrades: 100, auditProbability: 0.01, weight: 1 },
]

/** What audits of one host have shown here. */
export interface AuditStanding {
  /** Up with a passed audit, down with a failed one; within −3 to 3, so that nothing is stored up. */
  steps: number
  /** Files of which it served something else when it was audited last: it is not asked for them. */
  failedWeights: readonly string[]
  /** Files of which it failed one probe lately, and no second yet: others are asked first. */
  suspectedWeights: readonly string[]
}

export const NO_AUDITS: AuditStanding = { steps: 0, failedWeights: [], suspectedWeights: [] }

const STEPS_MAX = AUDIT_TIERS.length - 1

export function auditTier(
  verifiedTrades: number,
  { steps }: Pick<AuditStanding, 'steps'> = NO_AUDITS,
): TierRow {
  const byTrades = AUDIT_TIERS.findLastIndex((row) => verifiedTrades >= row.verifiedTrades)
  const [lowest] = AUDIT_TIERS
  const row = AUDIT_TIERS[Math.min(STEPS_MAX, Math.max(0, byTrades + steps))] ?? lowest
  if (!row) throw new Error('there are no tiers')
  return row
}

/** One step per audit (spec section 2.9); a pass clears the file, a failure names it. */
export function afterAudit(
  { steps, failedWeights }: Omit<AuditStanding, 'suspectedWeights'>,
  { weights, verdict }: { weights: string; verdict: 'passed' | 'failed' },
): Omit<AuditStanding, 'suspectedWeights'> {
  const others = failedWeights.filter((known) => known !== weights)
  return verdict === 'passed'
    ? { steps: Math.min(STEPS_MAX, steps + 1), failedWeights: others }
    : { steps: Math.max(-STEPS_MAX, steps - 1), failedWeights: [...others, weights] }
}
