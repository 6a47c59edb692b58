import type { Parameters } from './parameters.ts'
import { clamp, floorShare, MICRO, micro } from './types.ts'

/** What the score is made of; each from its own source, none of them declared by the borrower. */
export interface CreditFacts {
  /** The ledger holds an account of this node. */
  known: boolean
  /** TRM traded, as provider or consumer. */
  volumeTrm: bigint
  repaidLoans: number
  defaultedLoans: number
  /** Share of time online where it is measured, else the effective reputation. */
  uptime: number
  /** Days since the node's first trade. */
  ageDays: number
}

export interface CreditScore {
  score: number
  components: { trade: number; repayment: number; uptime: number; age: number }
}

/** Weighted sum of spec section 3.4 (vectors V7). Unknown nodes start at COLD_START_CREDIT. */
export function creditScore(facts: CreditFacts, p: Parameters): CreditScore {
  const closed = facts.repaidLoans + facts.defaultedLoans
  const components = {
    trade: clamp(Number(facts.volumeTrm) / p.CREDIT_FULL_VOLUME_TRM, 0, 1),
    repayment: closed > 0 ? facts.repaidLoans / closed : p.CREDIT_REPAYMENT_UNPROVEN,
    uptime: clamp(facts.uptime, 0, 1),
    age: clamp(facts.ageDays / p.CREDIT_FULL_AGE_DAYS, 0, 1),
  }
  const score =
    p.CREDIT_WEIGHT_TRADE * components.trade +
    p.CREDIT_WEIGHT_REPAYMENT * components.repayment +
    p.CREDIT_WEIGHT_UPTIME * components.uptime +
    p.CREDIT_WEIGHT_AGE * components.age
  return { score: facts.known ? score : p.COLD_START_CREDIT, components }
}

/** Interest per hour that the pool asks for. */
export function offeredRatePerHour(credit: number, p: Parameters): number {
  return p.LOAN_BASE_RATE + (1 - credit) * p.LOAN_RISK_RATE
}

/** floor(credit² × what the pool has at hand × 0.2). */
export function maxBorrowTrm(credit: number, poolAvailableTrm: bigint, p: Parameters): bigint {
  const bound = clamp(credit, 0, 1)
  return floorShare((poolAvailableTrm * micro(bound) * micro(bound)) / MICRO, p.LOAN_MAX_POOL_SHARE) / MICRO
}
