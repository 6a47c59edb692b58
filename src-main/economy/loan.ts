import { z } from 'zod'
import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  MAX_AMOUNT_TRM,
  sha256,
  verifyStrict,
} from '../kernel/index.ts'
import type { EventOf } from './events.ts'
import { Count, Hex32, Millis, SignatureHex, Whole } from './schema.ts'
import { HOUR_MS } from './types.ts'
import { f64be, u64be } from './wire.ts'

/** What lender and borrower sign (spec section 3.4). */
export interface LoanTerms {
  lender: string
  borrower: string
  principalTrm: bigint
  /** Simple interest as a share per hour. */
  ratePerHour: number
  termHours: number
  collateralTrm: bigint
  createdAtMs: number
  dueAtMs: number
}

/** The terms that a record of an opened loan carries. */
export function loanTermsIn(event: EventOf<'loan.opened' | 'peerloan.opened'>): LoanTerms {
  const { lender, borrower, ratePerHour, termHours, createdAtMs, dueAtMs } = event
  const principalTrm = BigInt(event.principalTrm)
  const collateralTrm = BigInt(event.collateralTrm)
  return { lender, borrower, principalTrm, ratePerHour, termHours, collateralTrm, createdAtMs, dueAtMs }
}

export const LoanTermsCodec = z.strictObject({
  lender: Hex32,
  borrower: Hex32,
  principalTrm: Whole,
  ratePerHour: z.number().nonnegative(),
  termHours: Count,
  collateralTrm: Whole,
  createdAtMs: Millis,
  dueAtMs: Millis,
})

export interface SignedLoan {
  terms: LoanTerms
  /** 64 bytes as hex over `canonicalLoanBytes`. */
  lenderSignature: string
  borrowerSignature: string
}

/** lender ‖ borrower ‖ principal ‖ rate ‖ term ‖ collateral ‖ created ‖ due, big-endian: 112 bytes (vectors V3.2). */
export function canonicalLoanBytes(terms: LoanTerms): Uint8Array {
  return concatBytes(
    bytesFromHex(terms.lender),
    bytesFromHex(terms.borrower),
    u64be(terms.principalTrm),
    f64be(terms.ratePerHour),
    u64be(BigInt(terms.termHours)),
    u64be(terms.collateralTrm),
    u64be(BigInt(terms.createdAtMs)),
    u64be(BigInt(terms.dueAtMs)),
  )
}

export function loanIdOf(terms: LoanTerms): string {
  return hexFromBytes(sha256(canonicalLoanBytes(terms)))
}

const PICO = 1_000_000_000_000n

/** floor(principal × rate × hours); the rate counts to 10⁻¹². Owed in full, however early the loan is repaid. */
export function loanInterestTrm(
  terms: Pick<LoanTerms, 'principalTrm' | 'ratePerHour' | 'termHours'>,
): bigint {
  return (terms.principalTrm * BigInt(Math.round(terms.ratePerHour * 1e12)) * BigInt(terms.termHours)) / PICO
}

/** @returns what is wrong with the fields or signatures, or null. Never throws. */
export function signedLoanProblem(loan: SignedLoan): string | null {
  const { terms, lenderSignature, borrowerSignature } = loan
  const { lender, borrower, principalTrm, ratePerHour, termHours, collateralTrm, createdAtMs, dueAtMs } =
    terms
  if (!Hex32.safeParse(lender).success || !Hex32.safeParse(borrower).success)
    return 'a party is not a node id'
  if (lender === borrower) return 'lender and borrower are the same node'
  if (principalTrm < 1n || principalTrm > MAX_AMOUNT_TRM) return 'the principal is not a valid amount'
  if (collateralTrm < 0n || collateralTrm > MAX_AMOUNT_TRM) return 'the collateral is not a valid amount'
  if (!(ratePerHour >= 0 && ratePerHour <= 1) || Object.is(ratePerHour, -0)) return 'the rate is not in 0..1'
  if (![termHours, createdAtMs, dueAtMs].every((value) => Number.isSafeInteger(value) && value >= 0)) {
    return 'a time is not valid'
  }
  if (dueAtMs !== createdAtMs + termHours * HOUR_MS) return 'the due time does not follow from the term'
  const bytes = canonicalLoanBytes(terms)
  const signed = (party: string, signature: string) =>
    SignatureHex.safeParse(signature).success && verifyStrict(party, bytes, bytesFromHex(signature))
  if (!signed(lender, lenderSignature)) return 'the lender has not signed it'
  return signed(borrower, borrowerSignature) ? null : 'the borrower has not signed it'
}
