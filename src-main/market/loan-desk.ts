import { z } from 'zod'
import { type Timers, TiramiError, toPublicError } from '../kernel/index.ts'
import { type Channel, type Fault, type Net, readBody } from '../mesh/index.ts'
import { Count, Hash, NodeId, Signature, U64 } from './offer.ts'
import { peerSilent, Reader } from './reader.ts'
import { plain } from './work-messages.ts'

const Millis = z.number().int().nonnegative().max(8.64e15)

/** Terms of a loan as they travel. */
export const WireLoanTerms = z.strictObject({
  lender: NodeId,
  borrower: NodeId,
  principalTrm: U64,
  ratePerHour: z.number().min(0).max(1),
  termHours: Count,
  collateralTrm: U64,
  createdAtMs: Millis,
  dueAtMs: Millis,
})
export type LoanOfferTerms = z.output<typeof WireLoanTerms>

/** With both signatures. */
export const WireLoan = z.strictObject({
  terms: WireLoanTerms,
  lenderSignature: Signature,
  borrowerSignature: Signature,
})
export type SignedLoanOffer = z.output<typeof WireLoan>

export const wireLoanTerms = ({ principalTrm, collateralTrm, ...terms }: LoanOfferTerms) => ({
  ...terms,
  principalTrm: String(principalTrm),
  collateralTrm: String(collateralTrm),
})

export const wireLoan = ({ terms, ...signatures }: SignedLoanOffer) => ({
  terms: wireLoanTerms(terms),
  lenderSignature: signatures.lenderSignature,
  borrowerSignature: signatures.borrowerSignature,
})

const Ask = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('offer'), terms: WireLoanTerms, lenderSignature: Signature }),
  z.strictObject({ kind: z.literal('accept'), loan: WireLoan }),
  z.strictObject({ kind: z.literal('repay'), loanId: Hash, borrowerSignature: Signature }),
])

const Answer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('held') }),
  z.strictObject({ kind: z.literal('booked') }),
  z.strictObject({ kind: z.literal('repaid'), lenderSignature: Signature }),
  z.strictObject({
    kind: z.literal('refuse'),
    code: z.string().regex(/^[A-Z0-9_]{1,64}$/),
    message: z.string().max(1_024),
    nextStep: z.string().max(1_024),
    httpStatus: z.number().int().min(400).max(599),
  }),
])
type Answer = z.output<typeof Answer>

/** What a host does when another one asks it about loans. Each may throw a TiramiError, which the other is told. */
export interface LoanBooks {
  /** Held for the owner, who has not agreed to anything yet. */
  offered(from: string, terms: LoanOfferTerms, lenderSignature: string): void
  /** Resolves when the loan is on the lender's disk; a loan that is there already is no error. */
  accepted(from: string, loan: SignedLoanOffer): Promise<void>
  /** Resolves when the repayment is on the lender's disk. @returns the lender's signature */
  repaid(from: string, loanId: string, borrowerSignature: string): Promise<string>
}

export interface LoanDeskPorts {
  net: Net
  timers: Timers
  books: LoanBooks
  admits(from: string, bytes: number): boolean
  fault(nodeId: string, fault: Fault): void
}

const PROTOCOL = 'loans/1'
const ANSWER_WITHIN_MS = 15_000

/**
 * Loans between two hosts: offered by the lender, accepted by the borrower's owner, booked by both with both signatures.
 * Every question can be asked again: what is booked already is answered the same.
 */
export class LoanDesk {
  readonly #ports: LoanDeskPorts

  constructor(ports: LoanDeskPorts) {
    this.#ports = ports
    ports.net.handle(PROTOCOL, (channel) => this.#serve(channel))
  }

  /** @throws TiramiError PEER_UNREACHABLE, PEER_SILENT, or why the other host refuses */
  async offer(terms: LoanOfferTerms, lenderSignature: string): Promise<void> {
    await this.#ask(terms.borrower, { kind: 'offer', terms: wireLoanTerms(terms), lenderSignature })
  }

  /** Resolves when the lender has booked it. Throws as `offer`. */
  async accept(loan: SignedLoanOffer): Promise<void> {
    await this.#ask(loan.terms.lender, { kind: 'accept', loan: wireLoan(loan) })
  }

  /** @returns the lender's signature under the repayment. Throws as `offer` */
  async repay(lender: string, loanId: string, borrowerSignature: string): Promise<string> {
    const answer = await this.#ask(lender, { kind: 'repay', loanId, borrowerSignature })
    if (answer.kind !== 'repaid') throw peerSilent()
    return answer.lenderSignature
  }

  async #ask(nodeId: string, message: object): Promise<Answer> {
    const { net, timers } = this.#ports
    const channel = await net.open(nodeId, PROTOCOL)
    try {
      await channel.send(plain(message))
      const bytes = await new Reader(channel, timers).next(ANSWER_WITHIN_MS)
      const answer = bytes && readBody(Answer, bytes)
      if (!answer) throw peerSilent()
      if (answer.kind === 'refuse') {
        const { code, message: sentence, nextStep, httpStatus } = answer
        throw new TiramiError(code, sentence, { nextStep, httpStatus })
      }
      return answer
    } finally {
      await channel.close().catch(() => undefined)
    }
  }

  async #serve(channel: Channel): Promise<void> {
    const bytes = await new Reader(channel, this.#ports.timers).next(ANSWER_WITHIN_MS).catch(() => null)
    if (bytes === null || !this.#ports.admits(channel.peer, bytes.length)) return channel.abort()
    const ask = readBody(Ask, bytes)
    if (!ask) {
      this.#ports.fault(channel.peer, 'malformed')
      return channel.abort()
    }
    await channel.send(plain(await this.#answer(channel.peer, ask).catch(refusalOf)))
    await channel.close()
  }

  async #answer(from: string, ask: z.output<typeof Ask>): Promise<object> {
    const { books } = this.#ports
    switch (ask.kind) {
      case 'offer':
        books.offered(from, ask.terms, ask.lenderSignature)
        return { kind: 'held' }
      case 'accept':
        await books.accepted(from, ask.loan)
        return { kind: 'booked' }
      case 'repay':
        return {
          kind: 'repaid',
          lenderSignature: await books.repaid(from, ask.loanId, ask.borrowerSignature),
        }
    }
  }
}

function refusalOf(error: unknown): object {
  const { code, message, nextStep } = toPublicError(error)
  const httpStatus = error instanceof TiramiError ? Math.max(400, error.httpStatus) : 500
  return {
    kind: 'refuse',
    code,
    message: message.slice(0, 1_024),
    nextStep: nextStep.slice(0, 1_024),
    httpStatus,
  }
}
