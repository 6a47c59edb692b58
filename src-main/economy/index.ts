export {
  type AccessAction,
  AccessEvent,
  type AccessState,
  applyAccessEvent,
  authorise,
  decideIssue,
  decideRevoke,
  decideRotate,
  INITIAL_ACCESS,
  identifyToken,
  listTokens,
  NO_RATES,
  REQUEST_RATE,
  type TokenRecord,
  TokenScope,
  takeRate,
} from './access.ts'
export { type CollusionReport, collusionReports, type TradeEdge } from './collusion.ts'
export { type CreditScore, maxBorrowTrm, offeredRatePerHour } from './credit.ts'
export { applyEconomy, type EconomyState, encodeEconomyState, INITIAL_ECONOMY } from './economy.ts'
export { type EconomyEvent, EconomyEventSchema, type EventOf, type StakeDays } from './events.ts'
export {
  activeProposals,
  applyGovernanceEvent,
  decideClose,
  decideExecute,
  decidePropose,
  decideVote,
  dueProposals,
  epochsParticipated,
  type GovernanceContext,
  GovernanceEvent,
  type GovernanceState,
  GovernanceStateCodec,
  INITIAL_GOVERNANCE,
  type Proposal,
  type ProposalEffect,
  ProposalKind,
  type ProposalTerms,
  proposalBytes,
  proposalDigest,
  proposalId,
  type Tally,
  tallyOf,
  voteBytes,
} from './governance.ts'
export {
  activeLoans,
  borrowerCredit,
  decideBorrow,
  decideDefault,
  decideRepay,
  overdueLoans,
} from './lending.ts'
export {
  canonicalLoanBytes,
  type LoanTerms,
  loanIdOf,
  loanInterestTrm,
  type SignedLoan,
  signedLoanProblem,
} from './loan.ts'
export {
  defaultParameters,
  MUTABLE_PARAMETERS,
  type MutableParameterName,
  type Parameters,
  withParameter,
} from './parameters.ts'
export {
  decidePeerDefault,
  decidePeerLoan,
  decidePeerRepay,
  defaultedBytes,
  defaultProblem,
  isRepaidBy,
  overduePeerLoans,
  type PeerLoan,
  peerLoanDueTrm,
  peerLoans,
  repaidBytes,
  requirePeerLoan,
} from './peer-loans.ts'
export { decideDeposit, decideWithdrawal, depositValueTrm, type PoolView, poolView } from './pool.ts'
export {
  decideMarketUpdate,
  marketMultiplierMicro,
  type PricingView,
  pricingView,
} from './pricing.ts'
export { decideReferralProgress, decideSponsor, type Referral, referralsOf } from './referral.ts'
export {
  averageReputation,
  type Complaint,
  canonicalObservationBytes,
  complaintPenalty,
  complaintsOf,
  consensusReputation,
  decayed,
  decideComplaint,
  decideObservation,
  decideReputationChange,
  effectiveReputation,
  localReputation,
  observationProblem,
  observationsOf,
  type SignedObservation,
  verifiableTrades,
} from './reputation.ts'
export {
  applySafetyEvent,
  assertNotKilled,
  DEFAULT_SPEND_POLICY,
  decideAcceptClock,
  decideApprovalAnswer,
  decideBreakerReset,
  decideError,
  decideKillSwitch,
  decidePolicy,
  decideRelease,
  decideSpend,
  decideSpent,
  initialSafetyState,
  liveApprovals,
  openHolds,
  ownPolicy,
  SafetyEvent,
  type SafetyGauges,
  type SafetyState,
  type SpendPolicy,
  safetyGauges,
} from './safety.ts'
export {
  decideSlashes,
  hasFault,
  penaltySince,
  type Slash,
  type SlashCandidate,
  slashEvents,
} from './slashing.ts'
export { type Eligibility, providerEligibility, requireEligibleProvider } from './stake-gate.ts'
export {
  decideExtendStake,
  decideStake,
  decideUnstake,
  lockedStakeTrm,
  requireClock,
  type Stake,
  stakeMultiplier,
  stakeOf,
  stakeOffer,
} from './staking.ts'
export { tableEntries, tableGet } from './table.ts'
export {
  feeActive,
  halvingEpoch,
  mintedTrm,
  supplyFactor,
  transactionFeeTrm,
  yieldRatePerHour,
} from './tokenomics.ts'
export {
  availableAccount,
  type Decision,
  type EconomyContext,
  type Movement,
  reservedAccount,
  smaller,
  stakedAccount,
} from './types.ts'
export {
  activeWelcomeLoan,
  decideWelcome,
  decideWelcomeSettlement,
  expiredWelcomeLoans,
} from './welcome.ts'
export { decideYield } from './yield.ts'
