import { z } from 'zod'
import { bytesFromHex, concatBytes, utf8, verifyStrict } from '../kernel/index.ts'
import type { EconomyEvent, EventOf } from './events.ts'
import {
  type LoanTerms,
  LoanTermsCodec,
  loanIdOf,
  loanInterestTrm,
  loanTermsIn,
  type SignedLoan,
  signedLoanProblem,
} from './loan.ts'
import type { Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'
import { Hex32, Millis, SignatureHex } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableDelete, tableEntries, tableGet, tableSet } from './table.ts'
import {
  availableAccount,
  collateralAccount,
  type Decision,
  type EconomyContext,
  floorShare,
  movement,
  requireAvailable,
  SYSTEM_BURN,
} from './types.ts'
import { u64be } from './wire.ts'

/**
 * Loans between two hosts, outside the pool. Both keep them in their own books, so a loan is what a trade is there: TRM
 * that pass from the one's account to the other's. Principal is a claim on the lender's work; collateral is what the
 * lender owes the borrower already, so that there is something to take.
 */
export interface PeerLoan extends SignedLoan {
  status: 'active' | 'repaid' | 'defaulted'
  /** Of the last change. */
  atMs: number
}

export interface PeerLoansState {
  /** By loan id; those that have ended for a while after their due time. */
  loans: Table<PeerLoan>
}

export const PeerLoansStateCodec = z.strictObject({
  loans: tableCodec(
    Hex32,
    z.strictObject({
      terms: LoanTermsCodec,
      lenderSignature: SignatureHex,
      borrowerSignature: SignatureHex,
      status: z.enum(['active', 'repaid', 'defaulted']),
      atMs: Millis,
    }),
  ),
})

export const INITIAL_PEER_LOANS: PeerLoansState = { loans: emptyTable() }

/** The lender waits so long for a repayment that was under way when the loan fell due. */
export const PEER_LOAN_GRACE_MS = 86_400_000
/** Afterwards its signatures open nothing, so it need not be remembered. */
const ENDED_KEPT_MS = 30 * 86_400_000

// The zero byte ends the domain: no other signed layout begins like these.
const REPAID_DOMAIN = utf8('tirami-loan-repaid-v1\0')
const DEFAULTED_DOMAIN = utf8('tirami-loan-defaulted-v1\0')

export const peerLoanDueTrm = (terms: LoanTerms): bigint => terms.principalTrm + loanInterestTrm(terms)

/** What both sign when a loan is repaid: domain ‖ loan id ‖ amount u64, big-endian. */
export function repaidBytes(terms: LoanTerms): Uint8Array {
  return concatBytes(REPAID_DOMAIN, bytesFromHex(loanIdOf(terms)), u64be(peerLoanDueTrm(terms)))
}

/** What the lender signs when a loan was not repaid: domain ‖ loan id ‖ time u64, big-endian. */
export function defaultedBytes(terms: LoanTerms, atMs: number): Uint8Array {
  return concatBytes(DEFAULTED_DOMAIN, bytesFromHex(loanIdOf(terms)), u64be(BigInt(atMs)))
}

const hasSigned = (node: string, bytes: Uint8Array, signature: string): boolean =>
  SignatureHex.safeParse(signature).success && verifyStrict(node, bytes, bytesFromHex(signature))

export const isRepaidBy = (node: string, terms: LoanTerms, signature: string): boolean =>
  hasSigned(node, repaidBytes(terms), signature)

/** What a third party can check: an overdue loan that both have signed, and the lender's word that it was not repaid. */
export function defaultProblem(
  loan: SignedLoan,
  atMs: number,
  lenderWord: string,
  nowMs: number,
): string | null {
  const problem = signedLoanProblem(loan)
  if (problem) return problem
  if (atMs <= loan.terms.dueAtMs + PEER_LOAN_GRACE_MS || nowMs < atMs) return 'it is not overdue'
  return hasSigned(loan.terms.lender, defaultedBytes(loan.terms, atMs), lenderWord)
    ? null
    : 'the lender has not signed it'
}

function requireTerms({ principalTrm, collateralTrm, termHours }: LoanTerms, p: Parameters): void {
  const refuse = (code: string, sentence: string, next: string) => refusal(code, sentence, next, 400)
  if (termHours < 1 || termHours > p.LOAN_MAX_TERM_HOURS) {
    throw refuse('LOAN_TERM', `A loan runs 1 to ${p.LOAN_MAX_TERM_HOURS} hours.`, 'Choose such a term.')
  }
  const lendable = floorShare(collateralTrm, p.MAX_LTV_RATIO)
  if (collateralTrm < 1n || principalTrm < 1n || principalTrm > lendable) {
    throw refuse('LOAN_COLLATERAL', `The collateral carries ${lendable} TRM.`, 'Ask for more collateral.')
  }
}

/**
 * Whether this node could make such a loan now: the lender must have the principal, and in the books of both the
 * borrower must have the collateral.
 * @throws TiramiError KILL_SWITCH_ACTIVE (503), LOAN_TERM, LOAN_COLLATERAL (400), INSUFFICIENT_BALANCE,
 *   COLLATERAL_NOT_COVERED (402)
 */
export function requirePeerLoan(
  terms: LoanTerms,
  self: string,
  killSwitchActive: boolean,
  context: EconomyContext,
): void {
  if (killSwitchActive) {
    throw refusal(
      'KILL_SWITCH_ACTIVE',
      'The owner has stopped all spending.',
      'Ask the owner to resume.',
      503,
    )
  }
  requireTerms(terms, context.parameters)
  if (self === terms.lender) requireAvailable(context, terms.lender, terms.principalTrm)
  const haveTrm = context.balanceTrm(availableAccount(terms.borrower))
  if (haveTrm >= terms.collateralTrm) return
  throw refusal(
    'COLLATERAL_NOT_COVERED',
    `In the books of ${self === terms.lender ? 'the lender' : 'this host'} the borrower has ${haveTrm > 0n ? haveTrm : 0n} TRM.`,
    'Choose less collateral and a smaller loan: only what the borrower has earned from the lender can be held.',
    402,
  )
}

/**
 * Books a loan that both have signed, in the books of one of them. A loan that comes late, because the process that
 * signed it has died, is booked until it is due.
 * @throws TiramiError LOAN_INVALID, LOAN_NOT_FRESH (400), LOAN_EXISTS (409), and those of `requirePeerLoan`
 */
export function decidePeerLoan(
  state: PeerLoansState,
  loan: SignedLoan,
  { self, killSwitchActive }: { self: string; killSwitchActive: boolean },
  context: EconomyContext,
): Decision<EventOf<'peerloan.opened'>> {
  const { terms, lenderSignature, borrowerSignature } = loan
  const { lender, borrower, principalTrm, collateralTrm } = terms
  const isParty = lender === self || borrower === self
  const problem = signedLoanProblem(loan) ?? (isParty ? null : 'it is between two others')
  if (problem) throw refusal('LOAN_INVALID', `The loan was refused: ${problem}.`, 'Propose it again.', 400)
  const loanId = loanIdOf(terms)
  if (tableGet(state.loans, loanId)) {
    throw refusal('LOAN_EXISTS', 'This loan was made already.', 'Sign a new proposal.')
  }
  const { nowMs, parameters: p } = context
  if (nowMs >= terms.dueAtMs || terms.createdAtMs - nowMs > p.LOAN_FRESHNESS_MS) {
    throw refusal('LOAN_NOT_FRESH', 'The loan is not of now.', 'Sign a new proposal.', 400)
  }
  requirePeerLoan(terms, self, killSwitchActive, context)
  const amounts = { principalTrm: principalTrm.toString(), collateralTrm: collateralTrm.toString() }
  const signatures = { lenderSignature, borrowerSignature }
  return {
    event: { kind: 'peerloan.opened', loanId, ...terms, ...amounts, ...signatures, atMs: nowMs },
    movements: [
      ...movement(availableAccount(borrower), collateralAccount(borrower), collateralTrm, 'collateral'),
      ...movement(availableAccount(lender), availableAccount(borrower), principalTrm, 'peer-loan'),
    ],
  }
}

function requireActive(state: PeerLoansState, loanId: string): LoanTerms {
  const loan = tableGet(state.loans, loanId)
  if (!loan)
    throw refusal('LOAN_UNKNOWN', 'There is no such loan.', 'Take the id from the list of loans.', 404)
  if (loan.status !== 'active')
    throw refusal('LOAN_CLOSED', `The loan was ${loan.status}.`, 'Nothing is owed.')
  return loan.terms
}

/**
 * Principal and interest back to the lender, the collateral back to the borrower. In whoever's books it is, the
 * borrower must have it there: a debt is not repaid with another one.
 * @throws TiramiError LOAN_UNKNOWN (404), LOAN_CLOSED (409), INSUFFICIENT_BALANCE (402)
 */
export function decidePeerRepay(
  state: PeerLoansState,
  loanId: string,
  context: EconomyContext,
): Decision<EventOf<'peerloan.repaid'>> {
  const terms = requireActive(state, loanId)
  const { lender, borrower, collateralTrm } = terms
  const dueTrm = peerLoanDueTrm(terms)
  requireAvailable(context, borrower, dueTrm - collateralTrm)
  return {
    event: { kind: 'peerloan.repaid', loanId, dueTrm: dueTrm.toString(), atMs: context.nowMs },
    movements: [
      ...movement(
        collateralAccount(borrower),
        availableAccount(borrower),
        collateralTrm,
        'collateral-release',
      ),
      ...movement(availableAccount(borrower), availableAccount(lender), dueTrm, 'peer-repay'),
    ],
  }
}

/**
 * A tenth of the collateral is burned, the rest goes to the lender, and the borrower loses reputation (spec section 3.4).
 * @throws TiramiError LOAN_UNKNOWN (404), LOAN_CLOSED, LOAN_NOT_DUE (409)
 */
export function decidePeerDefault(
  state: PeerLoansState,
  loanId: string,
  context: EconomyContext,
): Decision<EventOf<'peerloan.defaulted'>> {
  const { lender, borrower, collateralTrm, dueAtMs } = requireActive(state, loanId)
  const { nowMs, parameters: p } = context
  if (nowMs <= dueAtMs + PEER_LOAN_GRACE_MS) {
    throw refusal('LOAN_NOT_DUE', 'The loan is not overdue yet.', 'Wait until a day after its due time.')
  }
  const burnedTrm = floorShare(collateralTrm, p.COLLATERAL_BURN_ON_DEFAULT)
  const from = collateralAccount(borrower)
  return {
    event: {
      kind: 'peerloan.defaulted',
      loanId,
      borrower,
      burnedTrm: burnedTrm.toString(),
      recoveredTrm: (collateralTrm - burnedTrm).toString(),
      reputationDelta: p.REPUTATION_DEFAULT_DELTA,
      atMs: nowMs,
    },
    movements: [
      ...movement(from, SYSTEM_BURN, burnedTrm, 'collateral-burn'),
      ...movement(from, availableAccount(lender), collateralTrm - burnedTrm, 'collateral-seize'),
    ],
  }
}

/** Sorted by id. */
export function peerLoans(state: PeerLoansState): { loanId: string; loan: PeerLoan }[] {
  return tableEntries(state.loans).map(([loanId, loan]) => ({ loanId, loan }))
}

/** Active loans of this lender that may be declared in default, sorted. */
export function overduePeerLoans(state: PeerLoansState, lender: string, nowMs: number): string[] {
  return peerLoans(state).flatMap(({ loanId, loan: { status, terms } }) => {
    const isOverdue = status === 'active' && nowMs > terms.dueAtMs + PEER_LOAN_GRACE_MS
    return isOverdue && terms.lender === lender ? [loanId] : []
  })
}

export function applyPeerLoans(state: PeerLoansState, event: EconomyEvent): PeerLoansState {
  switch (event.kind) {
    case 'peerloan.opened':
      return forgetting(opened(state, event), event.atMs)
    case 'peerloan.repaid':
      return ended(state, event.loanId, 'repaid', event.atMs)
    case 'peerloan.defaulted':
      return ended(state, event.loanId, 'defaulted', event.atMs)
    default:
      return state
  }
}

function opened(state: PeerLoansState, event: EventOf<'peerloan.opened'>): PeerLoansState {
  const { loanId, lenderSignature, borrowerSignature, atMs } = event
  const terms = loanTermsIn(event)
  const loan: PeerLoan = { terms, lenderSignature, borrowerSignature, status: 'active', atMs }
  return { loans: tableSet(state.loans, loanId, loan) }
}

function ended(
  state: PeerLoansState,
  loanId: string,
  status: 'repaid' | 'defaulted',
  atMs: number,
): PeerLoansState {
  const loan = tableGet(state.loans, loanId)
  return loan ? { loans: tableSet(state.loans, loanId, { ...loan, status, atMs }) } : state
}

function forgetting(state: PeerLoansState, nowMs: number): PeerLoansState {
  const old = peerLoans(state).filter(
    ({ loan: { status, terms } }) => status !== 'active' && nowMs - terms.dueAtMs > ENDED_KEPT_MS,
  )
  return { loans: old.reduce((kept, { loanId }) => tableDelete(kept, loanId), state.loans) }
}
