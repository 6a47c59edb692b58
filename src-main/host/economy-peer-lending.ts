import {
  canonicalLoanBytes,
  decidePeerDefault,
  decidePeerLoan,
  decidePeerRepay,
  defaultedBytes,
  isRepaidBy,
  type LoanTerms,
  loanIdOf,
  offeredRatePerHour,
  type PeerLoan,
  peerLoanDueTrm,
  peerLoans,
  repaidBytes,
  requireClock,
  requirePeerLoan,
  type SignedLoan,
} from '../economy/index.ts'
import { bytesFromHex, hexFromBytes, TiramiError, verifyStrict } from '../kernel/index.ts'
import type { EconomyCore } from './economy-core.ts'
import { creditOf } from './economy-lending.ts'

export interface LoanOffer {
  loanId: string
  terms: LoanTerms
  dueTrm: bigint
  /** When it was made here, or came. */
  atMs: number
}

/** Loans between this host and others, outside the pool. What travels is the market's business. */
export interface PeerLending {
  idOf(terms: LoanTerms): string
  /** All that are remembered, sorted by id. */
  loans(): { loanId: string; loan: PeerLoan }[]
  /** Offers of others to this host that its owner has not answered. */
  offers(): LoanOffer[]
  /** Offers of this host that were not answered yet. */
  offersMade(): LoanOffer[]
  /** What this host asks of a borrower by itself, for an hour. */
  ratePerHour(borrower: string): number
  /** An offer of this host, signed by it. The rate is that of the pool for this borrower where none is given. */
  propose(command: {
    borrower: string
    amountTrm: bigint
    termHours: number
    collateralTrm: bigint
    ratePerHour?: number | undefined
  }): { offer: LoanOffer; lenderSignature: string }
  /** Takes back an offer that could not be delivered. */
  withdraw(loanId: string): void
  /** An offer to this host, from its lender. Nothing is agreed. */
  hold(from: string, terms: LoanTerms, lenderSignature: string): void
  decline(loanId: string): void
  /** The owner agrees: signed by both, and not yet booked. */
  countersign(loanId: string): SignedLoan
  /** Books a loan that this host has offered, or accepted. One that is booked is left alone. */
  open(loan: SignedLoan): Promise<string>
  /** As lender: the borrower `from` has signed an offer of this host. */
  accepted(from: string, loan: SignedLoan): Promise<string>
  /** This host's signature under the repayment, if it can pay. */
  signRepayment(loanId: string): string
  /** As lender: books a repayment, and signs it. One that is booked is signed again. */
  repaid(from: string, loanId: string, borrowerSignature: string): Promise<string>
  /** As borrower: books what the lender has signed. */
  settle(loanId: string, lenderSignature: string): Promise<void>
  /** A loan that both have signed, and that its borrower may have lost on the way. */
  adopt(loan: SignedLoan): Promise<void>
  adoptRepaid(loanId: string): Promise<void>
  adoptDefault(loanId: string): Promise<void>
  /** As lender: that the loan was not repaid, signed. */
  defaultWord(loanId: string): string
}

const OFFERS_MAX = 64
const OFFERS_PER_LENDER = 4
const HOUR_MS = 3_600_000

export function createPeerLending(core: EconomyCore): PeerLending {
  const { node } = core.ports
  const self = node.publicKeyHex
  /** Made by this host, by id. */
  const made = new Map<string, LoanOffer>()
  /** Made to this host. */
  const received = new Map<string, LoanOffer & { lenderSignature: string }>()
  const killed = () => core.ports.safety().killSwitch.active
  const sign = (bytes: Uint8Array) => hexFromBytes(node.sign(bytes))
  const loanOf = (loanId: string) =>
    peerLoans(core.state.peerLoans).find((loan) => loan.loanId === loanId)?.loan
  const known = (loanId: string): PeerLoan => {
    const loan = loanOf(loanId)
    if (!loan)
      throw refused('LOAN_UNKNOWN', 'There is no such loan.', 'Take the id from the list of loans.', 404)
    return loan
  }
  const forgetOld = <Offer extends LoanOffer>(offers: Map<string, Offer>) => {
    const nowMs = core.nowMs()
    for (const [id, { terms }] of offers) {
      if (nowMs - terms.createdAtMs > core.parameters.LOAN_FRESHNESS_MS) offers.delete(id)
    }
  }
  const open = async (loan: SignedLoan): Promise<string> => {
    const loanId = loanIdOf(loan.terms)
    if (!loanOf(loanId)) {
      const who = { self, killSwitchActive: killed() }
      await core.post(decidePeerLoan(core.state.peerLoans, loan, who, core.context()))
    }
    made.delete(loanId)
    received.delete(loanId)
    return loanId
  }
  const ratePerHour = (borrower: string): number =>
    offeredRatePerHour(creditOf(core, borrower).score, core.parameters)
  const close = async (loanId: string): Promise<void> => {
    if (known(loanId).status === 'active') {
      await core.post(decidePeerRepay(core.state.peerLoans, loanId, core.context()))
    }
  }
  return {
    idOf: loanIdOf,
    loans: () => peerLoans(core.state.peerLoans),
    offers: () => {
      forgetOld(received)
      return [...received.values()].map(({ lenderSignature: _, ...offer }) => offer)
    },
    offersMade: () => {
      forgetOld(made)
      return [...made.values()]
    },
    ratePerHour,
    propose: ({ borrower, amountTrm, termHours, collateralTrm, ratePerHour: given }) => {
      forgetOld(made)
      if (made.size >= OFFERS_MAX) {
        throw refused(
          'LOAN_OFFERS_FULL',
          'Too many offers are open.',
          'Wait until one is answered, or an hour.',
          429,
        )
      }
      const atMs = core.nowMs()
      requireClock(core.state.staking, core.context(atMs))
      const terms: LoanTerms = {
        lender: self,
        borrower,
        principalTrm: amountTrm,
        ratePerHour: given ?? ratePerHour(borrower),
        termHours,
        collateralTrm,
        createdAtMs: atMs,
        dueAtMs: atMs + termHours * HOUR_MS,
      }
      if (borrower === self)
        throw refused('LOAN_INVALID', 'A host lends to others.', 'Name another host.', 400)
      requirePeerLoan(terms, self, killed(), core.context(atMs))
      const offer = offerOf(terms, atMs)
      made.set(offer.loanId, offer)
      return { offer, lenderSignature: sign(canonicalLoanBytes(terms)) }
    },
    withdraw: (loanId) => void made.delete(loanId),
    hold: (from, terms, lenderSignature) => {
      forgetOld(received)
      const offer = checkedOffer(core, from, terms, lenderSignature)
      const ofLender = [...received.values()].filter((held) => held.terms.lender === from)
      if (received.size >= OFFERS_MAX || ofLender.length >= OFFERS_PER_LENDER) {
        throw refused(
          'LOAN_OFFERS_FULL',
          'The host holds too many offers already.',
          'Offer again later.',
          429,
        )
      }
      received.set(offer.loanId, { ...offer, lenderSignature })
    },
    decline: (loanId) => {
      if (!received.delete(loanId)) throw noOffer()
    },
    countersign: (loanId) => {
      forgetOld(received)
      const offer = received.get(loanId)
      if (!offer) throw noOffer()
      requirePeerLoan(offer.terms, self, killed(), core.context())
      const { terms, lenderSignature } = offer
      return { terms, lenderSignature, borrowerSignature: sign(canonicalLoanBytes(terms)) }
    },
    open,
    accepted: async (from, loan) => {
      const loanId = loanIdOf(loan.terms)
      const isKnown = made.has(loanId) || loanOf(loanId) !== undefined
      if (loan.terms.borrower !== from || !isKnown) {
        throw refused(
          'LOAN_UNKNOWN',
          'This host has made no such offer, or it is too old.',
          'Ask for a new one.',
          404,
        )
      }
      return open(loan)
    },
    signRepayment: (loanId) => {
      const { terms } = known(loanId)
      if (terms.borrower !== self) {
        throw refused(
          'LOAN_UNKNOWN',
          'This host is not the borrower.',
          'Take the id from the list of loans.',
          404,
        )
      }
      if (killed())
        throw refused('KILL_SWITCH_ACTIVE', 'The owner has stopped all spending.', 'Resume first.', 503)
      decidePeerRepay(core.state.peerLoans, loanId, core.context())
      return sign(repaidBytes(terms))
    },
    repaid: async (from, loanId, borrowerSignature) => {
      const { terms, status } = known(loanId)
      if (terms.lender !== self || terms.borrower !== from || !isRepaidBy(from, terms, borrowerSignature)) {
        throw refused(
          'LOAN_INVALID',
          'The repayment was refused: it is not signed by the borrower.',
          'Sign it.',
          400,
        )
      }
      if (status === 'defaulted') throw refused('LOAN_CLOSED', 'The loan was defaulted.', 'Nothing is owed.')
      await close(loanId)
      return sign(repaidBytes(terms))
    },
    settle: async (loanId, lenderSignature) => {
      const { terms } = known(loanId)
      if (!isRepaidBy(terms.lender, terms, lenderSignature)) {
        throw refused('LOAN_INVALID', 'The lender has not signed the repayment.', 'Ask again.', 502)
      }
      await close(loanId)
    },
    adopt: async (loan) => {
      // A lender books first: what it has not booked it has not agreed to.
      if (loan.terms.borrower === self) await open(loan)
    },
    adoptRepaid: async (loanId) => {
      if (loanOf(loanId)) await close(loanId)
    },
    adoptDefault: async (loanId) => {
      if (loanOf(loanId)?.status !== 'active') return
      await core.post(decidePeerDefault(core.state.peerLoans, loanId, core.context()))
    },
    defaultWord: (loanId) => {
      const { terms, atMs } = known(loanId)
      return sign(defaultedBytes(terms, atMs))
    },
  }
}

const offerOf = (terms: LoanTerms, atMs: number): LoanOffer => ({
  loanId: loanIdOf(terms),
  terms,
  dueTrm: peerLoanDueTrm(terms),
  atMs,
})

/** @throws TiramiError LOAN_INVALID, LOAN_NOT_FRESH, and those of `requirePeerLoan` */
function checkedOffer(core: EconomyCore, from: string, terms: LoanTerms, lenderSignature: string): LoanOffer {
  const nowMs = core.nowMs()
  const { lender, borrower, termHours, createdAtMs, dueAtMs } = terms
  const invalid = (problem: string) =>
    refused('LOAN_INVALID', `The loan was refused: ${problem}.`, 'Propose it again.', 400)
  if (lender !== from || borrower !== core.nodeId) throw invalid('it is between two others')
  if (dueAtMs !== createdAtMs + termHours * HOUR_MS)
    throw invalid('the due time does not follow from the term')
  if (Object.is(terms.ratePerHour, -0)) throw invalid('the rate is not in 0..1')
  if (!verifyStrict(lender, canonicalLoanBytes(terms), bytesFromHex(lenderSignature))) {
    throw invalid('the lender has not signed it')
  }
  if (Math.abs(nowMs - createdAtMs) > core.parameters.LOAN_FRESHNESS_MS) {
    throw refused('LOAN_NOT_FRESH', 'The offer is not from this hour.', 'Sign a new one.', 400)
  }
  requirePeerLoan(terms, core.nodeId, core.ports.safety().killSwitch.active, core.context(nowMs))
  return offerOf(terms, nowMs)
}

const noOffer = () =>
  refused('LOAN_UNKNOWN', 'There is no such offer, or it is older than an hour.', 'Ask for a new one.', 404)

function refused(code: string, message: string, nextStep: string, httpStatus = 409): TiramiError {
  return new TiramiError(code, message, { nextStep, httpStatus })
}
