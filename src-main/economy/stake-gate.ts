import type { Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'

/** What the gate looks at. Each field has one source: staking + ledger, slashing, welcome, ledger. */
export interface ProviderFacts {
  lockedStakeTrm: bigint
  /** Slashed for collusion or a failed audit, ever. An unused welcome loan is not a fault. */
  hasFault: boolean
  hasActiveWelcomeLoan: boolean
  contributedTrm: bigint
}

export type Eligibility =
  | 'staked'
  | 'previously-slashed'
  | 'welcome-loan'
  | 'bootstrap-window'
  | 'stake-required'

/** First rule that fits, in the order of spec section 2.11. */
export function providerEligibility(facts: ProviderFacts, p: Parameters): Eligibility {
  const floorTrm = p.MIN_PROVIDER_STAKE_CONSTITUTIONAL_FLOOR
  const voted = BigInt(p.MIN_PROVIDER_STAKE_TRM)
  if (facts.lockedStakeTrm >= (voted > floorTrm ? voted : floorTrm)) return 'staked'
  if (facts.hasFault) return 'previously-slashed'
  if (facts.hasActiveWelcomeLoan) return 'welcome-loan'
  return facts.contributedTrm < BigInt(p.STAKELESS_EARN_CAP_TRM) ? 'bootstrap-window' : 'stake-required'
}

/** @throws TiramiError PREVIOUSLY_SLASHED or STAKE_REQUIRED (403) when the node may not serve for TRM */
export function requireEligibleProvider(facts: ProviderFacts, p: Parameters): Eligibility {
  const eligibility = providerEligibility(facts, p)
  const [capTrm, stakeTrm] = [p.STAKELESS_EARN_CAP_TRM, p.MIN_PROVIDER_STAKE_TRM]
  if (eligibility === 'previously-slashed') {
    const nextStep = `Stake at least ${stakeTrm} TRM.`
    throw refusal('PREVIOUSLY_SLASHED', 'This node was slashed and has no stake.', nextStep, 403)
  }
  if (eligibility === 'stake-required') {
    throw refusal(
      'STAKE_REQUIRED',
      `Guests and other hosts may pay this host ${capTrm} TRM in all while it has neither a stake nor a welcome loan, and have.`,
      `Its owner claims the welcome loan, where it is still to be had, or stakes at least ${stakeTrm} TRM: both on the page Wallet.`,
      403,
      { capTrm, stakeTrm },
    )
  }
  return eligibility
}
