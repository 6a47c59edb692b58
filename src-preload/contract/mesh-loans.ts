import { z } from 'zod'

const TimestampMs = z.number().int().nonnegative()
const Trm = z.string().regex(/^-?\d{1,40}$/)
const PositiveTrm = z.string().regex(/^[1-9]\d{0,19}$/)
const NodeId = z.string().regex(/^[0-9a-f]{64}$/)
const LoanId = z.string().regex(/^[0-9a-f]{64}$/)

const Terms = {
  loanId: LoanId,
  /** `lent`: by this host. */
  role: z.enum(['lent', 'borrowed']),
  other: NodeId,
  principalTrm: Trm,
  /** Principal and interest of the whole term. */
  dueTrm: Trm,
  /** Of the principal, for an hour. */
  ratePerHour: z.number().nonnegative(),
  collateralTrm: Trm,
  dueAtMs: TimestampMs,
}

/** A loan that two hosts have signed. */
export const MeshLoan = z.object({
  ...Terms,
  /** `overdue`: its lender waits a day for the repayment. */
  state: z.enum(['active', 'overdue', 'repaid', 'defaulted']),
})
export type MeshLoan = z.infer<typeof MeshLoan>

/** An offer that the borrower's owner has not answered. */
export const MeshLoanOffer = z.object({ ...Terms, expiresAtMs: TimestampMs })
export type MeshLoanOffer = z.infer<typeof MeshLoanOffer>

/** Loans between this host and others, outside the pool. */
export const MeshLoansView = z.object({
  /** False: the mesh is off, so nobody can be asked for a signature. */
  enabled: z.boolean(),
  /** What this host can lend. */
  availableTrm: Trm,
  /** Hosts that have earned something here: only that can be collateral. Those with the most first, at most 50. */
  borrowers: z.array(z.object({ nodeId: NodeId, earnedTrm: Trm, ratePerHour: z.number().nonnegative() })),
  /** Principal that one TRM of collateral carries at most. */
  loanToValue: z.number(),
  termHoursMax: z.number().int().positive(),
  offers: z.array(MeshLoanOffer),
  /** Active ones first, then the newest; at most 200. */
  loans: z.array(MeshLoan),
})
export type MeshLoansView = z.infer<typeof MeshLoansView>

export const meshLoanProcedures = {
  'mesh.loans': { input: z.strictObject({}), output: MeshLoansView },
  /** Offers a loan; it binds nobody before the borrower's owner has agreed. */
  'mesh.lend': {
    input: z.strictObject({
      borrower: NodeId,
      amountTrm: PositiveTrm,
      collateralTrm: PositiveTrm,
      termHours: z.number().int().min(1).max(8_760),
    }),
    output: MeshLoansView,
  },
  'mesh.answerLoan': {
    input: z.strictObject({ loanId: LoanId, accept: z.boolean() }),
    output: MeshLoansView,
  },
  'mesh.repayLoan': { input: z.strictObject({ loanId: LoanId }), output: MeshLoansView },
} as const
