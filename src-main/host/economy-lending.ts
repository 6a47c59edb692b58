import {
  activeLoans,
  assertNotKilled,
  borrowerCredit,
  type CreditScore,
  canonicalLoanBytes,
  decideBorrow,
  decideDeposit,
  decideRepay,
  decideWithdrawal,
  depositValueTrm,
  type EventOf,
  type LoanTerms,
  loanInterestTrm,
  maxBorrowTrm,
  offeredRatePerHour,
  type PoolView,
  poolView,
  requireClock,
  tableGet,
} from '../economy/index.ts'
import { hexFromBytes, type KeyPair, keyPairFromSeed, sha256, utf8 } from '../kernel/index.ts'
import type { EconomyCore } from './economy-core.ts'

export interface LendingView extends PoolView {
  activeLoans: number
  /** Over the active loans; 0 when there are none. */
  averageRatePerHour: number
  contributionTrm: bigint
  maxBorrowTrm: bigint
  offeredRatePerHour: number
  /** The terms that every deposit accepts. */
  maxTermHours: number
  minRatePerHour: number
}

/** The pool and its loans, for this host's node (spec section 3.4). */
export interface Lending {
  deposit(command: {
    amountTrm: bigint
    maxTermHours: number
    minRatePerHour: number
  }): Promise<EventOf<'pool.deposited'>>
  withdraw(amountTrm: bigint): Promise<EventOf<'pool.withdrawn'>>
  /** At the rate that the pool offers for the node's credit. */
  borrow(command: {
    amountTrm: bigint
    termHours: number
    collateralTrm: bigint
  }): Promise<EventOf<'loan.opened'> & { dueTrm: bigint }>
  repay(loanId: string): Promise<EventOf<'loan.repaid'> & { principalTrm: bigint }>
  credit(): CreditScore
  pool(): LendingView
  loans(): { loanId: string; loan: LoanTerms }[]
}

/**
 * The pool's own key: a loan has two parties, so the node cannot sign for the pool with its own. It follows from the
 * node's key (Ed25519 signatures are deterministic), so there is no second secret to keep.
 */
function poolKeyOf(node: KeyPair): KeyPair {
  return keyPairFromSeed(sha256(node.sign(utf8('tirami-pool-key-v1\0'))))
}

const HOUR_MS = 3_600_000

export function createLending(core: EconomyCore): Lending {
  const poolKey = poolKeyOf(core.ports.node)
  const open = () => assertNotKilled(core.ports.safety())
  return {
    deposit: async (command) => {
      open()
      const deposit = { lender: core.nodeId, ...command }
      return core.post(decideDeposit(core.state.lending, deposit, core.context()))
    },
    withdraw: async (amountTrm) => {
      open()
      const command = { lender: core.nodeId, amountTrm }
      return core.post(decideWithdrawal(core.state.lending, command, core.context()))
    },
    borrow: async (command) => {
      const event = await borrow(core, poolKey, command)
      const principalTrm = BigInt(event.principalTrm)
      return { ...event, dueTrm: principalTrm + loanInterestTrm({ ...event, principalTrm }) }
    },
    repay: async (loanId) => {
      open()
      const principalTrm = tableGet(core.state.lending.loans, loanId)?.principalTrm ?? 0n
      const event = await core.post(decideRepay(core.state.lending, { loanId }, core.context()))
      return { ...event, principalTrm }
    },
    credit: () => creditOf(core, core.nodeId),
    pool: () => lendingView(core),
    loans: () => activeLoans(core.state.lending),
  }
}

function creditFacts(core: EconomyCore, node: string) {
  const nowMs = core.nowMs()
  const volumeTrm = core.trades.earnedTrm(node) + core.trades.spentTrm(node)
  const uptime = core.reputation(node, nowMs)
  return { known: volumeTrm > 0n, volumeTrm, uptime, ageDays: core.trades.ageDays(node, nowMs) }
}

export function creditOf(core: EconomyCore, node: string): CreditScore {
  return borrowerCredit(core.state.lending, node, creditFacts(core, node), core.parameters)
}

function borrow(
  core: EconomyCore,
  poolKey: KeyPair,
  { amountTrm, termHours, collateralTrm }: { amountTrm: bigint; termHours: number; collateralTrm: bigint },
): Promise<EventOf<'loan.opened'>> {
  const createdAtMs = core.nowMs()
  requireClock(core.state.staking, core.context(createdAtMs))
  const terms: LoanTerms = {
    lender: poolKey.publicKeyHex,
    borrower: core.nodeId,
    principalTrm: amountTrm,
    ratePerHour: offeredRatePerHour(creditOf(core, core.nodeId).score, core.parameters),
    termHours,
    collateralTrm,
    createdAtMs,
    dueAtMs: createdAtMs + termHours * HOUR_MS,
  }
  const bytes = canonicalLoanBytes(terms)
  const command = {
    terms,
    lenderSignature: hexFromBytes(poolKey.sign(bytes)),
    borrowerSignature: hexFromBytes(core.ports.node.sign(bytes)),
    poolOperator: poolKey.publicKeyHex,
    killSwitchActive: core.ports.safety().killSwitch.active,
    credit: creditFacts(core, core.nodeId),
  }
  return core.post(decideBorrow(core.state.lending, command, core.context(createdAtMs)))
}

function lendingView(core: EconomyCore): LendingView {
  const { lending } = core.state
  const p = core.parameters
  const pool = poolView(lending, core.context())
  const rates = activeLoans(lending).map(({ loan }) => loan.ratePerHour)
  const credit = creditOf(core, core.nodeId).score
  return {
    ...pool,
    activeLoans: rates.length,
    averageRatePerHour: rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length),
    contributionTrm: depositValueTrm(lending, core.nodeId, core.context()),
    maxBorrowTrm: maxBorrowTrm(credit, pool.availableTrm, p),
    offeredRatePerHour: offeredRatePerHour(credit, p),
    maxTermHours: p.LOAN_MAX_TERM_HOURS,
    minRatePerHour: p.LOAN_BASE_RATE,
  }
}
