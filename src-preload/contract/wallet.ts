import { z } from 'zod'
import { ReasonParams } from './errors.ts'

const Count = z.number().int().nonnegative()
const TimestampMs = z.number().int().nonnegative()
/** Decimal string: JSON numbers lose precision above 2^53. */
const Trm = z.string().regex(/^-?\d{1,40}$/)
const PositiveTrm = z.string().regex(/^[1-9]\d{0,19}$/)
const NodeId = z.string().regex(/^[0-9a-f]{64}$/)

export const StakeDays = z.union([z.literal(7), z.literal(30), z.literal(90), z.literal(365)])

/** What an owner does next. Stable: the window has a sentence for each. */
export const WalletStepCode = z.enum(['slashed', 'loan-ends', 'stake-now', 'claim', 'stake-later', 'refused'])
export type WalletStepCode = z.infer<typeof WalletStepCode>

/** What this node owns, owes and may do next. */
export const WalletView = z.object({
  /** Free to stake, lend or spend; what the owner paid himself is not in it. */
  availableTrm: Trm,
  income: z.object({
    fromOthersTrm: Trm,
    /** The part of it that strangers still owe. */
    onCreditTrm: Trm,
    ownUseTrm: Trm,
  }),
  /** One sentence to the owner; null when nothing is to be done. */
  nextStep: z.string().nullable(),
  /** The same by its code. */
  next: z.object({ code: WalletStepCode, params: ReasonParams }).nullable(),
  /** Why guests may, or may not, pay this host now. */
  eligibility: z.string(),
  welcomeLoan: z.enum(['available', 'active', 'used', 'unavailable']),
  stake: z.object({
    stakedTrm: Trm,
    /** On the yield, in effect now. */
    multiplier: z.number(),
    locked: z.boolean(),
    /** Null without a stake. */
    unlocksAtMs: TimestampMs.nullable(),
    /** Least stake with which guests are served. */
    minimumTrm: Trm,
    /** What each term multiplies the yield with, and the least that it takes. */
    terms: z.array(z.object({ days: StakeDays, multiplier: z.number(), minimumTrm: Trm })),
  }),
  pool: z.object({
    totalTrm: Trm,
    availableTrm: Trm,
    yourDepositTrm: Trm,
    maxBorrowTrm: Trm,
    offeredRatePerHour: z.number(),
    creditScore: z.number().min(0).max(1),
  }),
  loans: z.array(
    z.object({ loanId: z.string(), principalTrm: Trm, collateralTrm: Trm, dueAtMs: TimestampMs }),
  ),
  referrals: z.array(
    z.object({ referred: NodeId, earnedEnough: z.boolean(), repaid: z.boolean(), bonusTrm: Trm.nullable() }),
  ),
  supply: z.object({
    capTrm: Trm,
    mintedTrm: Trm,
    epoch: Count,
    yieldRatePerHour: z.number(),
    feeActive: z.boolean(),
  }),
  /** 0 to 1. */
  reputation: z.number(),
})
export type WalletView = z.infer<typeof WalletView>

export const StatementPeriod = z.enum(['24h', '7d', '30d', 'month'])
export type StatementPeriod = z.infer<typeof StatementPeriod>

/** What this node earned and spent within a period. Both ends belong to it. */
export const WalletStatement = z.object({
  startMs: TimestampMs,
  endMs: TimestampMs,
  trades: Count,
  fromOthersTrm: Trm,
  ownUseTrm: Trm,
  /** On the work of other nodes. */
  spentTrm: Trm,
  /** Of what others paid, at the owner's `prices.per_trm`; null without one. */
  value: z.object({ amount: z.number(), currency: z.string() }).nullable(),
  /** The settlement statement, as `GET /settlement` writes it. */
  json: z.string(),
  /** One row per trade. */
  tradesCsv: z.string(),
})
export type WalletStatement = z.infer<typeof WalletStatement>

const Amount = z.strictObject({ amountTrm: PositiveTrm })

/** Every answer but the statement is the whole view. */
export const walletProcedures = {
  'wallet.get': { input: z.strictObject({}), output: WalletView },
  'wallet.statement': { input: z.strictObject({ period: StatementPeriod }), output: WalletStatement },
  'wallet.stake': { input: z.strictObject({ amountTrm: PositiveTrm, days: StakeDays }), output: WalletView },
  /** Only after the term. */
  'wallet.unstake': { input: z.strictObject({}), output: WalletView },
  'wallet.claimWelcome': { input: z.strictObject({}), output: WalletView },
  'wallet.refer': { input: z.strictObject({ nodeId: NodeId }), output: WalletView },
  /** Into the pool that lends. */
  'wallet.deposit': { input: Amount, output: WalletView },
  'wallet.withdraw': { input: Amount, output: WalletView },
  'wallet.borrow': {
    input: z.strictObject({
      amountTrm: PositiveTrm,
      termHours: z.number().int().min(1).max(8760),
      collateralTrm: PositiveTrm,
    }),
    output: WalletView,
  },
  'wallet.repay': { input: z.strictObject({ loanId: z.string().max(128) }), output: WalletView },
} as const
