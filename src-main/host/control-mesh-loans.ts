import type { MeshLoan, MeshLoansView, meshLoanProcedures } from '../../src-preload/contract/index.ts'
import { availableAccount, type PeerLoan, peerLoanDueTrm } from '../economy/index.ts'
import { type Clock, readClockMs } from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { LoanOffer } from './economy-peer-lending.ts'
import type { EconomyService } from './economy-service.ts'
import type { Handlers } from './handlers.ts'
import type { MarketLoans } from './market-loans.ts'
import { meshOff } from './mesh-off.ts'

interface MeshLoanPorts {
  economy: Pick<EconomyService, 'peerLending' | 'parameters' | 'availableTrm'>
  ledger: Pick<Ledger, 'accountTrm'>
  nodeId: string
  clock: Clock
  /** Null while the mesh is off. */
  loans(): MarketLoans | null
  /** Other hosts that this one has traded with. */
  partners(): string[]
}

const BORROWERS_SHOWN = 50
const LOANS_SHOWN = 200

/** Loans between this host and others, for the window. */
export function meshLoanHandlers(ports: MeshLoanPorts): Pick<Handlers, keyof typeof meshLoanProcedures> {
  const { peerLending } = ports.economy
  const joined = (): MarketLoans => {
    const loans = ports.loans()
    if (!loans) throw meshOff()
    return loans
  }
  const after =
    <Input>(action: (input: Input) => unknown) =>
    async (input: Input) => {
      await action(input)
      return viewOf(ports)
    }
  return {
    'mesh.loans': async () => viewOf(ports),
    'mesh.lend': after(({ borrower, amountTrm, collateralTrm, termHours }) =>
      joined().lend({
        borrower,
        amountTrm: BigInt(amountTrm),
        collateralTrm: BigInt(collateralTrm),
        termHours,
      }),
    ),
    'mesh.answerLoan': after(({ loanId, accept }) =>
      accept ? joined().accept(loanId) : peerLending.decline(loanId),
    ),
    'mesh.repayLoan': after(({ loanId }) => joined().repay(loanId)),
  }
}

function viewOf({ economy, ledger, nodeId, clock, loans, partners }: MeshLoanPorts): MeshLoansView {
  const { peerLending } = economy
  const { MAX_LTV_RATIO, LOAN_MAX_TERM_HOURS, LOAN_FRESHNESS_MS } = economy.parameters()
  const nowMs = readClockMs(clock)
  const borrowers = partners()
    .map((node) => ({ nodeId: node, earnedTrm: ledger.accountTrm(availableAccount(node)) }))
    .filter(({ earnedTrm }) => earnedTrm > 0n)
    .sort((a, b) => (a.earnedTrm < b.earnedTrm ? 1 : -1))
    .slice(0, BORROWERS_SHOWN)
  const offers = [...peerLending.offers(), ...peerLending.offersMade()]
  const known = peerLending.loans().map((entry) => loanView(entry, nodeId, nowMs))
  const isOpen = ({ state }: MeshLoan) => Number(state === 'active' || state === 'overdue')
  return {
    enabled: loans() !== null,
    availableTrm: String(economy.availableTrm()),
    borrowers: borrowers.map(({ nodeId: borrower, earnedTrm }) => ({
      nodeId: borrower,
      earnedTrm: String(earnedTrm),
      ratePerHour: peerLending.ratePerHour(borrower),
    })),
    loanToValue: MAX_LTV_RATIO,
    termHoursMax: LOAN_MAX_TERM_HOURS,
    offers: offers.map(({ loanId, terms, dueTrm, atMs }) => ({
      ...termsView({ loanId, terms, dueTrm }, nodeId),
      expiresAtMs: atMs + LOAN_FRESHNESS_MS,
    })),
    loans: known.sort((a, b) => isOpen(b) - isOpen(a) || b.dueAtMs - a.dueAtMs).slice(0, LOANS_SHOWN),
  }
}

function loanView(
  { loanId, loan: { terms, status } }: { loanId: string; loan: PeerLoan },
  nodeId: string,
  nowMs: number,
): MeshLoan {
  const state = status === 'active' && nowMs > terms.dueAtMs ? 'overdue' : status
  return { ...termsView({ loanId, terms, dueTrm: peerLoanDueTrm(terms) }, nodeId), state }
}

function termsView(
  { loanId, terms, dueTrm }: Pick<LoanOffer, 'loanId' | 'terms' | 'dueTrm'>,
  nodeId: string,
) {
  const { lender, borrower, principalTrm, ratePerHour, collateralTrm, dueAtMs } = terms
  const lent = lender === nodeId
  return {
    loanId,
    role: lent ? ('lent' as const) : ('borrowed' as const),
    other: lent ? borrower : lender,
    principalTrm: String(principalTrm),
    dueTrm: String(dueTrm),
    ratePerHour,
    collateralTrm: String(collateralTrm),
    dueAtMs,
  }
}
