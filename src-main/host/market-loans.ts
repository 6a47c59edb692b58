import type { LoanBooks, LoanDesk } from '../market/index.ts'
import type { LoanOffer, PeerLending } from './economy-peer-lending.ts'
import type { MeshStatements } from './mesh-statements.ts'

/** Loans between this host and others, delivered and booked on both sides. */
export interface MarketLoans {
  /** Held by the borrower's host until its owner answers. @throws TiramiError of the rules, of the borrower, or of the way there */
  lend(command: Parameters<PeerLending['propose']>[0]): Promise<LoanOffer>
  /** The owner agrees: booked by the lender, then here. Throws as `lend` */
  accept(loanId: string): Promise<void>
  /** Booked by the lender, then here. Throws as `lend` */
  repay(loanId: string): Promise<void>
}

export function createMarketLoans(
  lending: PeerLending,
  desk: Pick<LoanDesk, 'offer' | 'accept' | 'repay'>,
  statements: Pick<MeshStatements, 'loanOpened' | 'loanRepaid'>,
): MarketLoans {
  return {
    lend: async (command) => {
      const { offer, lenderSignature } = lending.propose(command)
      try {
        await desk.offer(offer.terms, lenderSignature)
      } catch (error) {
        lending.withdraw(offer.loanId)
        throw error
      }
      return offer
    },
    accept: async (loanId) => {
      const loan = lending.countersign(loanId)
      // What the lender has booked when the connection breaks here, it tells everybody, and so this host.
      await desk.accept(loan)
      await lending.open(loan)
      statements.loanOpened(loanId)
    },
    repay: async (loanId) => {
      const signature = lending.signRepayment(loanId)
      const lender = lending.loans().find((known) => known.loanId === loanId)?.loan.terms.lender ?? ''
      const lenderSignature = await desk.repay(lender, loanId, signature)
      await lending.settle(loanId, lenderSignature)
      statements.loanRepaid(loanId, lenderSignature, signature)
    },
  }
}

/** What this host does when others ask it about loans. */
export function loanBooks(
  lending: PeerLending,
  statements: Pick<MeshStatements, 'loanOpened' | 'loanRepaid'>,
): LoanBooks {
  return {
    offered: (from, terms, lenderSignature) => lending.hold(from, terms, lenderSignature),
    accepted: async (from, loan) => {
      statements.loanOpened(await lending.accepted(from, loan))
    },
    repaid: async (from, loanId, borrowerSignature) => {
      const lenderSignature = await lending.repaid(from, loanId, borrowerSignature)
      statements.loanRepaid(loanId, lenderSignature, borrowerSignature)
      return lenderSignature
    },
  }
}
