import { type CreditFacts, creditScore, maxBorrowTrm, offeredRatePerHour } from './credit.ts'
import type { EconomyEvent, EventOf } from './events.ts'
import {
  type LoanTerms,
  loanIdOf,
  loanInterestTrm,
  loanTermsIn,
  type SignedLoan,
  signedLoanProblem,
} from './loan.ts'
import { type Parameters, RULE_PARAMETERS } from './parameters.ts'
import { applyPool, type LendingState, type PoolView, poolView } from './pool.ts'
import { refusal } from './refusal.ts'
import { tableDelete, tableEntries, tableGet, tableSet } from './table.ts'
import {
  availableAccount,
  collateralAccount,
  type Decision,
  type EconomyContext,
  floorShare,
  limiterMs,
  MICRO,
  type Movement,
  micro,
  movement,
  requireAvailable,
  SYSTEM_BURN,
  SYSTEM_POOL,
} from './types.ts'

export interface BorrowCommand extends SignedLoan {
  /** The node that answers for the pool; it must be the lender who signed. */
  poolOperator: string
  /** The owner's kill switch (safety room). */
  killSwitchActive: boolean
  credit: Omit<CreditFacts, 'repaidLoans' | 'defaultedLoans'>
}

/** Defaults over all closures within the window, 0 when there were none. */
function recentDefaultRate(closures: LendingState['recentClosures'], nowMs: number, p: Parameters): number {
  const recent = closures.filter(({ atMs }) => nowMs - atMs < p.LENDING_DEFAULT_WINDOW_MS)
  return recent.length > 0 ? recent.filter(({ defaulted }) => defaulted).length / recent.length : 0
}

/** @throws TiramiError KILL_SWITCH_ACTIVE, LENDING_PAUSED (503), LENDING_VELOCITY (429) */
export function requireLendingOpen(
  state: LendingState,
  killSwitchActive: boolean,
  context: EconomyContext,
): void {
  const { nowMs, parameters: p } = context
  if (killSwitchActive) {
    throw refusal(
      'KILL_SWITCH_ACTIVE',
      'The owner has stopped all spending.',
      'Ask the owner to resume.',
      503,
    )
  }
  const tripped = state.trippedAtMs !== null && nowMs - state.trippedAtMs < p.LENDING_BREAKER_RESET_MS
  if (tripped || recentDefaultRate(state.recentClosures, nowMs, p) > p.DEFAULT_RATE_THRESHOLD) {
    throw refusal('LENDING_PAUSED', 'Too many loans have defaulted.', 'Try again in an hour.', 503)
  }
  const limitMs = limiterMs(state.recentOpeningsMs, nowMs)
  const opened = state.recentOpeningsMs.filter((atMs) => limitMs - atMs < p.LENDING_VELOCITY_WINDOW_MS).length
  if (opened >= p.VELOCITY_LIMIT_LOANS_PER_MINUTE) {
    throw refusal('LENDING_VELOCITY', 'Too many loans in one minute.', 'Try again in a minute.', 429)
  }
}

/** Credit with the pool's own record of this borrower. */
export function borrowerCredit(
  state: LendingState,
  borrower: string,
  facts: BorrowCommand['credit'],
  p: Parameters,
) {
  const history = tableGet(state.borrowers, borrower) ?? { repaid: 0, defaulted: 0 }
  return creditScore({ ...facts, repaidLoans: history.repaid, defaultedLoans: history.defaulted }, p)
}

function requireLoanTerms(terms: LoanTerms, credit: number, p: Parameters): void {
  const refuse = (code: string, sentence: string, next: string) => refusal(code, sentence, next, 400)
  if (terms.termHours < 1 || terms.termHours > p.LOAN_MAX_TERM_HOURS) {
    throw refuse('LOAN_TERM', `A loan runs 1 to ${p.LOAN_MAX_TERM_HOURS} hours.`, 'Choose such a term.')
  }
  const lendable = floorShare(terms.collateralTrm, p.MAX_LTV_RATIO)
  if (terms.collateralTrm < 1n || terms.principalTrm > lendable) {
    throw refuse('LOAN_COLLATERAL', `The collateral carries ${lendable} TRM.`, 'Offer more collateral.')
  }
  if (credit < p.MIN_CREDIT_FOR_BORROWING) {
    throw refuse('LOAN_CREDIT', 'The credit score is too low to borrow.', 'Serve and repay to raise it.')
  }
  const rate = offeredRatePerHour(credit, p)
  // Offers travel as decimals: a last digit lost on the way is not an attempt to pay less.
  if (terms.ratePerHour < rate - 1e-9) {
    throw refuse('LOAN_RATE', `The pool asks for ${rate} per hour.`, 'Propose that rate.')
  }
}

function requirePoolRoom(principalTrm: bigint, credit: number, pool: PoolView, p: Parameters): void {
  const refuse = (code: string, sentence: string) =>
    refusal(code, sentence, 'Borrow less, or wait for deposits.')
  const reserveTrm = pool.availableTrm - principalTrm
  if (reserveTrm < 0n || reserveTrm * MICRO < pool.totalTrm * micro(p.MIN_RESERVE_RATIO)) {
    throw refuse('POOL_RESERVE_EXHAUSTED', 'The pool must keep its reserve.')
  }
  if (principalTrm > floorShare(pool.totalTrm, p.LOAN_MAX_POOL_SHARE)) {
    throw refuse('LOAN_POOL_SHARE', 'One loan may not take so much of the pool.')
  }
  const limitTrm = maxBorrowTrm(credit, pool.availableTrm, p)
  if (principalTrm > limitTrm) {
    throw refuse('LOAN_ABOVE_LIMIT', `This borrower may borrow ${limitTrm} TRM.`)
  }
}

/**
 * Opens a loan from the pool in one record: collateral out of the borrower's account, principal into it.
 * @throws TiramiError, in this order: those of `requireLendingOpen`; LOAN_INVALID, LOAN_NOT_FRESH, LOAN_TERM,
 *   LOAN_COLLATERAL, LOAN_CREDIT, LOAN_RATE (400); POOL_RESERVE_EXHAUSTED, LOAN_POOL_SHARE, LOAN_ABOVE_LIMIT,
 *   LOAN_EXISTS (409); INSUFFICIENT_BALANCE (402)
 */
export function decideBorrow(
  state: LendingState,
  command: BorrowCommand,
  context: EconomyContext,
): Decision<EventOf<'loan.opened'>> {
  const { terms, lenderSignature, borrowerSignature } = command
  const { nowMs, parameters: p } = context
  requireLendingOpen(state, command.killSwitchActive, context)
  const problem =
    signedLoanProblem(command) ??
    (terms.lender === command.poolOperator ? null : 'the pool is not the lender')
  if (problem) throw refusal('LOAN_INVALID', `The loan was refused: ${problem}.`, 'Propose it again.', 400)
  if (Math.abs(nowMs - terms.createdAtMs) > p.LOAN_FRESHNESS_MS) {
    throw refusal('LOAN_NOT_FRESH', 'The proposal is not from this hour.', 'Sign a new proposal.', 400)
  }
  const { borrower, principalTrm, collateralTrm } = terms
  const credit = borrowerCredit(state, borrower, command.credit, p).score
  requireLoanTerms(terms, credit, p)
  requirePoolRoom(principalTrm, credit, poolView(state, context), p)
  const loanId = loanIdOf(terms)
  if (tableGet(state.loans, loanId) || tableGet(state.closedLoans, loanId)) {
    throw refusal('LOAN_EXISTS', 'This loan was made already.', 'Sign a new proposal.')
  }
  requireAvailable(context, borrower, collateralTrm)
  const amounts = { principalTrm: principalTrm.toString(), collateralTrm: collateralTrm.toString() }
  return {
    event: {
      kind: 'loan.opened',
      loanId,
      ...terms,
      ...amounts,
      lenderSignature,
      borrowerSignature,
      atMs: nowMs,
    },
    movements: [
      ...movement(availableAccount(borrower), collateralAccount(borrower), collateralTrm, 'collateral'),
      ...movement(SYSTEM_POOL, availableAccount(borrower), principalTrm, 'loan'),
    ],
  }
}

function requireActiveLoan(state: LendingState, loanId: string): LoanTerms {
  const loan = tableGet(state.loans, loanId)
  if (loan) return loan
  const closed = tableGet(state.closedLoans, loanId)
  if (closed) throw refusal('LOAN_CLOSED', `The loan was ${closed}.`, 'Nothing is owed.')
  throw refusal('LOAN_UNKNOWN', 'There is no such loan.', 'Take the id from the list of loans.', 404)
}

/**
 * Repays principal and interest to the pool and releases the collateral, which may be used to pay. Also after the due
 * time, until the default is declared.
 * @throws TiramiError LOAN_UNKNOWN (404), LOAN_CLOSED (409), INSUFFICIENT_BALANCE (402)
 */
export function decideRepay(
  state: LendingState,
  command: { loanId: string },
  context: EconomyContext,
): Decision<EventOf<'loan.repaid'>> {
  const { loanId } = command
  const loan = requireActiveLoan(state, loanId)
  const { borrower, principalTrm, collateralTrm } = loan
  const interestTrm = loanInterestTrm(loan)
  const dueTrm = principalTrm + interestTrm
  requireAvailable(context, borrower, dueTrm - collateralTrm)
  return {
    event: { kind: 'loan.repaid', loanId, interestTrm: interestTrm.toString(), atMs: context.nowMs },
    movements: [
      ...movement(
        collateralAccount(borrower),
        availableAccount(borrower),
        collateralTrm,
        'collateral-release',
      ),
      ...movement(availableAccount(borrower), SYSTEM_POOL, dueTrm, 'loan-repay'),
    ],
  }
}

/**
 * Closes an overdue loan: a tenth of the collateral is burned, the rest goes to the pool, and the borrower loses
 * reputation (spec section 3.4).
 * @throws TiramiError LOAN_UNKNOWN (404), LOAN_CLOSED, LOAN_NOT_DUE (409)
 */
export function decideDefault(
  state: LendingState,
  command: { loanId: string },
  context: EconomyContext,
): Decision<EventOf<'loan.defaulted'>> {
  const { loanId } = command
  const { nowMs, parameters: p } = context
  const { borrower, collateralTrm, dueAtMs } = requireActiveLoan(state, loanId)
  if (nowMs <= dueAtMs) {
    throw refusal('LOAN_NOT_DUE', 'The loan is not due yet.', 'Wait for its due time.')
  }
  const burnedTrm = floorShare(collateralTrm, p.COLLATERAL_BURN_ON_DEFAULT)
  const recoveredTrm = collateralTrm - burnedTrm
  const closures = [...state.recentClosures, { atMs: nowMs, defaulted: true }]
  const from = collateralAccount(borrower)
  const movements: Movement[] = [
    ...movement(from, SYSTEM_BURN, burnedTrm, 'collateral-burn'),
    ...movement(from, SYSTEM_POOL, recoveredTrm, 'collateral-seize'),
  ]
  return {
    event: {
      kind: 'loan.defaulted',
      loanId,
      borrower,
      burnedTrm: burnedTrm.toString(),
      recoveredTrm: recoveredTrm.toString(),
      reputationDelta: p.REPUTATION_DEFAULT_DELTA,
      tripsBreaker: recentDefaultRate(closures, nowMs, p) > p.DEFAULT_RATE_THRESHOLD,
      atMs: nowMs,
    },
    movements,
  }
}

/** Sorted by loan id. */
export function activeLoans(state: LendingState): { loanId: string; loan: LoanTerms }[] {
  return tableEntries(state.loans).map(([loanId, loan]) => ({ loanId, loan }))
}

/** Ids of the active loans that may be declared in default, sorted. */
export function overdueLoans(state: LendingState, nowMs: number): string[] {
  return activeLoans(state).flatMap(({ loanId, loan }) => (nowMs > loan.dueAtMs ? [loanId] : []))
}

function opened(state: LendingState, event: EventOf<'loan.opened'>): LendingState {
  const { loanId, atMs } = event
  const terms = loanTermsIn(event)
  const { LENDING_VELOCITY_WINDOW_MS: windowMs } = RULE_PARAMETERS
  const openedAtMs = limiterMs(state.recentOpeningsMs, atMs)
  return {
    ...state,
    lentTrm: state.lentTrm + terms.principalTrm,
    loans: tableSet(state.loans, loanId, terms),
    recentOpeningsMs: [...state.recentOpeningsMs.filter((then) => openedAtMs - then < windowMs), openedAtMs],
  }
}

function closed(
  state: LendingState,
  loanId: string,
  status: 'repaid' | 'defaulted',
  atMs: number,
): LendingState {
  const loan = tableGet(state.loans, loanId)
  if (!loan) return state
  const history = tableGet(state.borrowers, loan.borrower) ?? { repaid: 0, defaulted: 0 }
  const { LENDING_DEFAULT_WINDOW_MS: windowMs } = RULE_PARAMETERS
  const recent = state.recentClosures.filter((then) => atMs - then.atMs < windowMs)
  return {
    ...state,
    lentTrm: state.lentTrm - loan.principalTrm,
    loans: tableDelete(state.loans, loanId),
    closedLoans: tableSet(state.closedLoans, loanId, status),
    borrowers: tableSet(state.borrowers, loan.borrower, { ...history, [status]: history[status] + 1 }),
    recentClosures: [...recent, { atMs, defaulted: status === 'defaulted' }],
  }
}

export function applyLending(state: LendingState, event: EconomyEvent): LendingState {
  switch (event.kind) {
    case 'loan.opened':
      return opened(state, event)
    case 'loan.repaid':
      return closed(state, event.loanId, 'repaid', event.atMs)
    case 'loan.defaulted': {
      const next = closed(state, event.loanId, 'defaulted', event.atMs)
      return event.tripsBreaker ? { ...next, trippedAtMs: event.atMs } : next
    }
    default:
      return applyPool(state, event)
  }
}
