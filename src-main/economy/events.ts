import { z } from 'zod'
import { Count, Fraction, Hex32, Millis, SignatureHex, WholeText } from './schema.ts'

/** Everything the economy ever writes to the journal, as plain JSON (amounts as decimal strings). */
const MarketUpdated = z.strictObject({
  kind: z.literal('market.updated'),
  supplyFactor: z.number().positive(),
  demandFactor: z.number().positive(),
  atMs: Millis,
})

/** `not-countersigned`: did not sign for what it was sent. `word-broken`: contradicts what it had signed before. */
const ReputationCauseSchema = z.enum(['trade', 'audit-failed', 'not-countersigned', 'word-broken'])

const ReputationChanged = z.strictObject({
  kind: z.literal('reputation.changed'),
  node: Hex32,
  cause: ReputationCauseSchema,
  delta: z.number().min(-1).max(1),
  atMs: Millis,
})

const ReputationObserved = z.strictObject({
  kind: z.literal('reputation.observed'),
  observer: Hex32,
  subject: Hex32,
  reputation: Fraction,
  tradeCount: WholeText,
  volumeTrm: WholeText,
  timestampMs: Millis,
  signature: SignatureHex,
  keepMax: Count,
  atMs: Millis,
})

export const ComplaintCauseSchema = z.enum(['not-countersigned', 'loan-default'])

const ReputationComplained = z.strictObject({
  kind: z.literal('reputation.complained'),
  complainant: Hex32,
  subject: Hex32,
  cause: ComplaintCauseSchema,
  /** Of what it is about: the same is counted once. */
  evidence: z.string().regex(/^[0-9a-z.:-]{1,160}$/),
  timestampMs: Millis,
  keepMax: Count,
  atMs: Millis,
})

const ReputationCleared = z.strictObject({
  kind: z.literal('reputation.cleared'),
  subject: Hex32,
  evidence: ReputationComplained.shape.evidence,
  atMs: Millis,
})

export const StakeDaysSchema = z.union([z.literal(7), z.literal(30), z.literal(90), z.literal(365)])

const stakeTerms = {
  node: Hex32,
  /** Moved by this event. */
  amountTrm: WholeText,
  days: StakeDaysSchema,
  multiplier: z.number().min(1),
  minimumTrm: WholeText,
  unlocksAtMs: Millis,
  atMs: Millis,
}
const StakeOpened = z.strictObject({ kind: z.literal('stake.opened'), ...stakeTerms })
const StakeExtended = z.strictObject({ kind: z.literal('stake.extended'), ...stakeTerms })
const StakeClosed = z.strictObject({
  kind: z.literal('stake.closed'),
  node: Hex32,
  amountTrm: WholeText,
  atMs: Millis,
})

const YieldSettled = z.strictObject({
  kind: z.literal('yield.settled'),
  node: Hex32,
  /** Periods since the Unix epoch; everything up to here is settled. */
  period: Count,
  /** Base of the next period's yield. */
  contributedTrm: WholeText,
  hours: Count,
  epoch: Count,
  amountTrm: WholeText,
  atMs: Millis,
})

const ReferralSponsored = z.strictObject({
  kind: z.literal('referral.sponsored'),
  sponsor: Hex32,
  referred: Hex32,
  atMs: Millis,
})
const ReferralProgressed = z.strictObject({
  kind: z.literal('referral.progressed'),
  referred: Hex32,
  loanRepaid: z.boolean(),
  thresholdMet: z.boolean(),
  /** Minted by this event, null while a condition is open. */
  bonusTrm: WholeText.nullable(),
  atMs: Millis,
})

export const WelcomeBucketSchema = z.string().regex(/^[0-9a-z.:-]{1,64}$/)

const WelcomeGranted = z.strictObject({
  kind: z.literal('welcome.granted'),
  node: Hex32,
  bucket: WelcomeBucketSchema,
  bucketWindowMs: Millis,
  principalTrm: WholeText,
  expiresAtMs: Millis,
  atMs: Millis,
})
export const WelcomeOutcomeSchema = z.enum(['repaid', 'unused', 'in-debt'])
const WelcomeSettled = z.strictObject({
  kind: z.literal('welcome.settled'),
  node: Hex32,
  outcome: WelcomeOutcomeSchema,
  atMs: Millis,
})

const PoolDeposited = z.strictObject({
  kind: z.literal('pool.deposited'),
  lender: Hex32,
  amountTrm: WholeText,
  shares: WholeText,
  atMs: Millis,
})
const PoolWithdrawn = z.strictObject({
  kind: z.literal('pool.withdrawn'),
  lender: Hex32,
  amountTrm: WholeText,
  shares: WholeText,
  atMs: Millis,
})
const LoanOpened = z.strictObject({
  kind: z.literal('loan.opened'),
  loanId: Hex32,
  lender: Hex32,
  borrower: Hex32,
  principalTrm: WholeText,
  ratePerHour: z.number().nonnegative(),
  termHours: Count,
  collateralTrm: WholeText,
  createdAtMs: Millis,
  dueAtMs: Millis,
  lenderSignature: SignatureHex,
  borrowerSignature: SignatureHex,
  atMs: Millis,
})
const LoanRepaid = z.strictObject({
  kind: z.literal('loan.repaid'),
  loanId: Hex32,
  interestTrm: WholeText,
  atMs: Millis,
})
const LoanDefaulted = z.strictObject({
  kind: z.literal('loan.defaulted'),
  loanId: Hex32,
  borrower: Hex32,
  burnedTrm: WholeText,
  recoveredTrm: WholeText,
  reputationDelta: z.number().min(-1).max(0),
  tripsBreaker: z.boolean(),
  atMs: Millis,
})

const PeerLoanOpened = z.strictObject({ ...LoanOpened.shape, kind: z.literal('peerloan.opened') })
const PeerLoanRepaid = z.strictObject({
  kind: z.literal('peerloan.repaid'),
  loanId: Hex32,
  dueTrm: WholeText,
  atMs: Millis,
})
const PeerLoanDefaulted = z.strictObject({
  kind: z.literal('peerloan.defaulted'),
  loanId: Hex32,
  borrower: Hex32,
  burnedTrm: WholeText,
  recoveredTrm: WholeText,
  reputationDelta: z.number().min(-1).max(0),
  atMs: Millis,
})

/** `equivocation`: two signed statements that contradict each other. */
export const FaultReasonSchema = z.enum(['collusion', 'audit-fail', 'equivocation'])
export const SlashEvidenceSchema = z.string().regex(/^[0-9a-z.:-]{1,80}$/)

const StakeSlashed = z.strictObject({
  kind: z.literal('stake.slashed'),
  node: Hex32,
  reason: FaultReasonSchema,
  evidence: SlashEvidenceSchema,
  trustPenalty: Fraction,
  burnedTrm: WholeText,
  atMs: Millis,
})

export const EconomyEventSchema = z.discriminatedUnion('kind', [
  MarketUpdated,
  ReputationChanged,
  ReputationObserved,
  ReputationComplained,
  ReputationCleared,
  StakeOpened,
  StakeExtended,
  StakeClosed,
  YieldSettled,
  ReferralSponsored,
  ReferralProgressed,
  WelcomeGranted,
  WelcomeSettled,
  PoolDeposited,
  PoolWithdrawn,
  LoanOpened,
  LoanRepaid,
  LoanDefaulted,
  PeerLoanOpened,
  PeerLoanRepaid,
  PeerLoanDefaulted,
  StakeSlashed,
])

export type EconomyEvent = z.infer<typeof EconomyEventSchema>
export type EventOf<Kind extends EconomyEvent['kind']> = Extract<EconomyEvent, { kind: Kind }>
export type StakeDays = z.infer<typeof StakeDaysSchema>
export type FaultReason = z.infer<typeof FaultReasonSchema>
export type WelcomeOutcome = z.infer<typeof WelcomeOutcomeSchema>
export type ComplaintCause = z.infer<typeof ComplaintCauseSchema>
export type ReputationCause = z.infer<typeof ReputationCauseSchema>
