import { z } from 'zod'
import type { EconomyEvent, EventOf } from './events.ts'
import { type LoanTerms, LoanTermsCodec } from './loan.ts'
import type { Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'
import { Count, Hex32, Millis, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableDelete, tableGet, tableSet } from './table.ts'
import {
  availableAccount,
  type Decision,
  type EconomyContext,
  movement,
  requireAmount,
  requireAvailable,
  SYSTEM_POOL,
  smaller,
} from './types.ts'

interface BorrowerHistory {
  repaid: number
  defaulted: number
}

/**
 * The pool's cash is the balance of `system:pool` and is kept nowhere else. Lenders own shares of cash + lent, so
 * interest and losses reach them without touching their accounts.
 */
export interface LendingState {
  /** Principal of the active loans. */
  lentTrm: bigint
  totalShares: bigint
  shares: Table<bigint>
  /** Active loans by loan id. */
  loans: Table<LoanTerms>
  /** What became of the others: a loan is made once. */
  closedLoans: Table<'repaid' | 'defaulted'>
  borrowers: Table<BorrowerHistory>
  /** Within the breaker's windows only. */
  recentClosures: readonly { atMs: number; defaulted: boolean }[]
  recentOpeningsMs: readonly number[]
  trippedAtMs: number | null
}

export const LendingStateCodec = z.strictObject({
  lentTrm: Whole,
  totalShares: Whole,
  shares: tableCodec(Hex32, Whole),
  loans: tableCodec(Hex32, LoanTermsCodec),
  closedLoans: tableCodec(Hex32, z.enum(['repaid', 'defaulted'])),
  borrowers: tableCodec(Hex32, z.strictObject({ repaid: Count, defaulted: Count })),
  recentClosures: z.array(z.strictObject({ atMs: Millis, defaulted: z.boolean() })).readonly(),
  recentOpeningsMs: z.array(Millis).readonly(),
  trippedAtMs: Millis.nullable(),
})

export const INITIAL_LENDING: LendingState = {
  lentTrm: 0n,
  totalShares: 0n,
  shares: emptyTable(),
  loans: emptyTable(),
  closedLoans: emptyTable(),
  borrowers: emptyTable(),
  recentClosures: [],
  recentOpeningsMs: [],
  trippedAtMs: null,
}

export interface PoolView {
  /** Cash + lent: deposits − withdrawals + interest − losses. A loan does not change it. */
  totalTrm: bigint
  lentTrm: bigint
  availableTrm: bigint
  /** 1 for an empty pool. */
  reserveRatio: number
}

export function poolView(state: LendingState, context: Pick<EconomyContext, 'balanceTrm'>): PoolView {
  const availableTrm = context.balanceTrm(SYSTEM_POOL)
  const totalTrm = availableTrm + state.lentTrm
  const reserveRatio = totalTrm > 0n ? Number(availableTrm) / Number(totalTrm) : 1
  return { totalTrm, lentTrm: state.lentTrm, availableTrm, reserveRatio }
}

// Virtual shares and one virtual TRM: the price of a share is defined for an empty or ruined pool, and the first
// lender cannot inflate it (the usual defence of share vaults). Costs at most 1 TRM of rounding, kept by the pool.
const VIRTUAL_SHARES = 1_000_000n

function requirePoolTerms(maxTermHours: number, minRatePerHour: number, p: Parameters): void {
  if (maxTermHours >= p.LOAN_MAX_TERM_HOURS && minRatePerHour <= p.LOAN_BASE_RATE) return
  throw refusal(
    'POOL_TERMS_FIXED',
    `The pool lends for up to ${p.LOAN_MAX_TERM_HOURS} hours from ${p.LOAN_BASE_RATE} per hour.`,
    'Accept these terms, or keep the TRM.',
    400,
  )
}

/**
 * Lends to the pool: available → pool, against shares. Wishes that the pool would not keep are refused, not ignored.
 * @throws TiramiError AMOUNT_INVALID, POOL_TERMS_FIXED, AMOUNT_TOO_SMALL (400), INSUFFICIENT_BALANCE (402)
 */
export function decideDeposit(
  state: LendingState,
  command: { lender: string; amountTrm: bigint; maxTermHours: number; minRatePerHour: number },
  context: EconomyContext,
): Decision<EventOf<'pool.deposited'>> {
  const { lender, amountTrm } = command
  requireAmount(amountTrm)
  requirePoolTerms(command.maxTermHours, command.minRatePerHour, context.parameters)
  requireAvailable(context, lender, amountTrm)
  const { totalTrm } = poolView(state, context)
  const shares = (amountTrm * (state.totalShares + VIRTUAL_SHARES)) / (totalTrm + 1n)
  if (shares === 0n) {
    throw refusal('AMOUNT_TOO_SMALL', 'The amount does not buy a share of the pool.', 'Lend more.', 400)
  }
  return {
    event: {
      kind: 'pool.deposited',
      lender,
      amountTrm: amountTrm.toString(),
      shares: shares.toString(),
      atMs: context.nowMs,
    },
    movements: movement(availableAccount(lender), SYSTEM_POOL, amountTrm, 'pool-deposit'),
  }
}

/** What the lender's shares are worth now, lent principal included. */
export function depositValueTrm(state: LendingState, lender: string, context: EconomyContext): bigint {
  const owned = tableGet(state.shares, lender) ?? 0n
  return (owned * (poolView(state, context).totalTrm + 1n)) / (state.totalShares + VIRTUAL_SHARES)
}

/** What the lender could take out now: no more than the pool has at hand. */
export function withdrawableTrm(state: LendingState, lender: string, context: EconomyContext): bigint {
  return smaller(depositValueTrm(state, lender, context), poolView(state, context).availableTrm)
}

/** @throws TiramiError AMOUNT_INVALID (400), DEPOSIT_TOO_SMALL (402), POOL_ILLIQUID (409) */
export function decideWithdrawal(
  state: LendingState,
  command: { lender: string; amountTrm: bigint },
  context: EconomyContext,
): Decision<EventOf<'pool.withdrawn'>> {
  const { lender, amountTrm } = command
  requireAmount(amountTrm)
  const worth = depositValueTrm(state, lender, context)
  if (amountTrm > worth) {
    throw refusal('DEPOSIT_TOO_SMALL', `Your share is worth ${worth} TRM.`, 'Withdraw less.', 402)
  }
  const { totalTrm, availableTrm } = poolView(state, context)
  if (amountTrm > availableTrm) {
    throw refusal(
      'POOL_ILLIQUID',
      `${availableTrm} TRM are at hand; the rest is lent.`,
      'Wait for repayments.',
    )
  }
  const divisor = totalTrm + 1n
  const shares = (amountTrm * (state.totalShares + VIRTUAL_SHARES) + divisor - 1n) / divisor
  return {
    event: {
      kind: 'pool.withdrawn',
      lender,
      amountTrm: amountTrm.toString(),
      shares: shares.toString(),
      atMs: context.nowMs,
    },
    movements: movement(SYSTEM_POOL, availableAccount(lender), amountTrm, 'pool-withdraw'),
  }
}

function withShares(state: LendingState, lender: string, change: bigint): LendingState {
  const owned = (tableGet(state.shares, lender) ?? 0n) + change
  return {
    ...state,
    totalShares: state.totalShares + change,
    shares: owned > 0n ? tableSet(state.shares, lender, owned) : tableDelete(state.shares, lender),
  }
}

export function applyPool(state: LendingState, event: EconomyEvent): LendingState {
  switch (event.kind) {
    case 'pool.deposited':
      return withShares(state, event.lender, BigInt(event.shares))
    case 'pool.withdrawn':
      return withShares(state, event.lender, -BigInt(event.shares))
    default:
      return state
  }
}
