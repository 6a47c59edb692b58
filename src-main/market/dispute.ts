import type { SignedTrade } from '../ledger/index.ts'

/** Two hosts do not agree about a job. Kept in the journal, with what each had signed. */
export interface Dispute {
  provider: string
  consumer: string
  /** 32 hex digits: the job. */
  nonce: string
  model: string
  reason: DisputeReason
  /** One sentence for a person. */
  sentence: string
  /** Signed messages and terms, as hex of the bytes that were signed or sent. */
  evidence: { what: string; hex: string }[]
  /** `not-countersigned`: what third parties can check. `paid` null: the consumer has signed nothing of this job. */
  unsigned?: { sent: Omit<SignedTrade, 'consumerSignature'>; paid: SignedTrade | null }
}

export type DisputeReason =
  /** The provider quoted a price above the one it had signed to everybody. */
  | 'price-above-signed'
  /** The provider's bill does not follow from the quote and from what came. */
  | 'bill-wrong'
  /** The consumer did not sign for all that it was sent. */
  | 'not-countersigned'
  /** The consumer signed for more than the provider had booked when it waited no longer, or came too late. */
  | 'settled-late'
  /** The provider showed two histories of its trades. */
  | 'two-histories'
