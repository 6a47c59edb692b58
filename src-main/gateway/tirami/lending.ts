import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { loanInterestTrm } from '../../economy/index.ts'
import type { LoanOffer } from '../../host/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import { parseBody, WholeTrm } from '../requests.ts'
import { type EconomyRoutes, NodeIdHex } from './economy-http.ts'

const Rate = z.number().min(0).max(1)
const Hours = z.number().int().min(1).max(8_760)

const LendBody = z.strictObject({
  amount: WholeTrm,
  max_term_hours: Hours.default(168),
  min_interest_rate: Rate.default(0),
})
const LendToBody = z.strictObject({
  borrower: NodeIdHex,
  amount: WholeTrm,
  term_hours: Hours,
  collateral: WholeTrm,
  interest_rate_per_hour: Rate.optional(),
})
const WithdrawBody = z.strictObject({ amount: WholeTrm })
/** `lender` is read and has no effect, as in the original: the pool lends. */
const BorrowBody = z.strictObject({
  amount: WholeTrm,
  term_hours: Hours,
  collateral: WholeTrm,
  lender: NodeIdHex.optional(),
})
const AnswerBody = z.strictObject({ loan_id: NodeIdHex, accept: z.boolean() })
const STATUS = { active: 'Active', repaid: 'Repaid', defaulted: 'Defaulted' }
const RepayBody = z.strictObject({ loan_id: NodeIdHex })

/** The lending pool and this node's loans (spec sections 1.6, 3.4). */
export function registerLending(app: FastifyInstance, routes: EconomyRoutes): void {
  registerPool(app, routes)
  registerPeerLoans(app, routes)
  registerLoans(app, routes)
}

function registerPool(app: FastifyInstance, { economy, authorise }: EconomyRoutes): void {
  const { lending } = economy

  app.post('/v1/tirami/lend', async (request) => {
    authorise(request, 'economy.write')
    const body = parseBody(LendBody, request.body)
    await lending.deposit({
      amountTrm: body.amount,
      maxTermHours: body.max_term_hours,
      minRatePerHour: body.min_interest_rate,
    })
    const pool = lending.pool()
    return {
      pool_total_trm: Number(pool.totalTrm),
      pool_available_cu: Number(pool.availableTrm),
      your_contribution_cu: Number(pool.contributionTrm),
      accepted_max_term_hours: pool.maxTermHours,
      accepted_min_interest_rate: pool.minRatePerHour,
    }
  })

  app.post('/v1/tirami/withdraw', async (request) => {
    authorise(request, 'economy.write')
    const { amountTrm } = await lending.withdraw(parseBody(WithdrawBody, request.body).amount)
    return {
      ok: true,
      returned: Number(amountTrm),
      your_contribution_cu: Number(lending.pool().contributionTrm),
    }
  })

  app.get('/v1/tirami/pool', async (request) => {
    authorise(request, 'ledger.read')
    const pool = lending.pool()
    return {
      total_trm: Number(pool.totalTrm),
      lent_cu: Number(pool.lentTrm),
      available_cu: Number(pool.availableTrm),
      reserve_ratio: pool.reserveRatio,
      active_loan_count: pool.activeLoans,
      avg_interest_rate: pool.averageRatePerHour,
      your_max_borrow_cu: Number(pool.maxBorrowTrm),
      your_offered_rate: pool.offeredRatePerHour,
      your_contribution_cu: Number(pool.contributionTrm),
    }
  })
}

/** Without a mesh nobody can be asked for his signature. @throws TiramiError MESH_OFF (503) */
function loansOf({ mesh }: EconomyRoutes) {
  const joined = mesh?.()
  if (joined) return joined.loans
  throw new TiramiError(
    'MESH_OFF',
    'A loan to one borrower needs his own signature, and this host has no mesh.',
    {
      nextStep: 'Start it with --mesh-port, or lend to the pool.',
      httpStatus: 503,
    },
  )
}

function offerJson({ loanId, terms, dueTrm }: LoanOffer) {
  return {
    loan_id: loanId,
    lender: terms.lender,
    borrower: terms.borrower,
    principal_trm: Number(terms.principalTrm),
    interest_rate_per_hour: terms.ratePerHour,
    term_hours: terms.termHours,
    collateral_trm: Number(terms.collateralTrm),
    total_due_cu: Number(dueTrm),
    created_at: terms.createdAtMs,
    due_at: terms.dueAtMs,
  }
}

/** Loans between two hosts: offered, accepted by the borrower's owner, and booked by both. */
function registerPeerLoans(app: FastifyInstance, routes: EconomyRoutes): void {
  const { economy, authorise } = routes

  app.post('/v1/tirami/lend-to', async (request) => {
    authorise(request, 'economy.write')
    const body = parseBody(LendToBody, request.body)
    const offer = await loansOf(routes).lend({
      borrower: body.borrower,
      amountTrm: body.amount,
      termHours: body.term_hours,
      collateralTrm: body.collateral,
      ratePerHour: body.interest_rate_per_hour,
    })
    return { status: 'Offered', ...offerJson(offer) }
  })

  app.get('/v1/tirami/loan-offers', async (request) => {
    authorise(request, 'ledger.read')
    const offers = economy.peerLending.offers().map(offerJson)
    return { count: offers.length, offers }
  })

  app.post('/v1/tirami/loan-offers/answer', async (request) => {
    authorise(request, 'economy.write')
    const { loan_id, accept } = parseBody(AnswerBody, request.body)
    if (accept) await loansOf(routes).accept(loan_id)
    else economy.peerLending.decline(loan_id)
    return { loan_id, status: accept ? 'Active' : 'Declined' }
  })
}

function registerLoans(app: FastifyInstance, routes: EconomyRoutes): void {
  const { economy, nodeId, authorise } = routes
  const { lending, peerLending } = economy
  const peerLoan = (loanId: string) => peerLending.loans().find((known) => known.loanId === loanId)?.loan

  app.post('/v1/tirami/borrow', async (request) => {
    authorise(request, 'economy.write')
    const body = parseBody(BorrowBody, request.body)
    const { amount: amountTrm, term_hours: termHours, collateral: collateralTrm } = body
    const loan = await lending.borrow({ amountTrm, termHours, collateralTrm })
    return {
      loan_id: loan.loanId,
      principal_trm: Number(loan.principalTrm),
      interest_rate_per_hour: loan.ratePerHour,
      term_hours: loan.termHours,
      due_at: loan.dueAtMs,
      total_due_cu: Number(loan.dueTrm),
    }
  })

  app.post('/v1/tirami/repay', async (request) => {
    authorise(request, 'economy.write')
    const { loan_id } = parseBody(RepayBody, request.body)
    const between = peerLoan(loan_id)
    if (between) {
      await loansOf(routes).repay(loan_id)
      const { principalTrm } = between.terms
      const interestTrm = loanInterestTrm(between.terms)
      return {
        loan_id,
        status: 'Repaid',
        principal_trm: Number(principalTrm),
        interest_paid_cu: Number(interestTrm),
      }
    }
    const loan = await lending.repay(loan_id)
    return {
      loan_id: loan.loanId,
      status: 'Repaid',
      principal_trm: Number(loan.principalTrm),
      interest_paid_cu: Number(loan.interestTrm),
    }
  })

  app.get('/v1/tirami/credit', async (request) => {
    authorise(request, 'ledger.read')
    return { node_id: nodeId, ...lending.credit() }
  })

  app.get('/v1/tirami/loans', async (request) => {
    authorise(request, 'ledger.read')
    const ofPool = lending.loans().map(({ loanId, loan }) => ({ loanId, loan, status: 'active' as const }))
    const between = peerLending.loans().map(({ loanId, loan: { terms, status } }) => {
      return { loanId, loan: terms, status }
    })
    const loans = [...ofPool, ...between]
    return {
      count: loans.length,
      loans: loans.map(({ loanId, loan, status }) => {
        const borrowing = loan.borrower === nodeId
        return {
          loan_id: loanId,
          role: borrowing ? 'borrower' : 'lender',
          counterparty: borrowing ? loan.lender : loan.borrower,
          principal_trm: Number(loan.principalTrm),
          interest_rate_per_hour: loan.ratePerHour,
          term_hours: loan.termHours,
          collateral_trm: Number(loan.collateralTrm),
          status: STATUS[status],
          created_at: loan.createdAtMs,
          due_at: loan.dueAtMs,
        }
      }),
    }
  })
}
