import type { EconomyEvent, GovernanceEvent, SafetyEvent } from '../src-main/economy/index.ts'
import { law } from './broken.ts'
import { DAY, HOUR, type ShadowBook } from './shadow-book.ts'

/**
 * The laws as the specification states them, written down a second time: each journaled event is judged on what this
 * book knows, then booked here. Numbers of the rules are literals on purpose.
 */
export const CAP_TRM = 21_000_000_000n
const VIRTUAL_SHARES = 1_000_000n
const STAKE_MINIMUM: Record<number, bigint> = { 7: 100n, 30: 1_000n, 90: 10_000n, 365: 100_000n }

interface ShadowStake {
  days: number
  multiplier: number
  unlocksAtMs: number
}
interface ShadowLoan {
  borrower: string
  principalTrm: bigint
  collateralTrm: bigint
  ratePerHour: number
  termHours: number
  dueAtMs: number
}
interface ShadowVote {
  approve: boolean
  weightMilli: bigint
}
interface ShadowProposal {
  deadlineMs: number
  votes: Map<string, ShadowVote>
  status: 'active' | 'passed' | 'rejected' | 'executed'
}
interface ShadowBudget {
  heldTrm: bigint
  spent: { atMs: number; amountTrm: bigint }[]
  lifetimeTrm: bigint
}

/** Governed numbers that the laws need, as the votes have left them. */
interface Governed {
  WELCOME_LOAN_AMOUNT: number
  WELCOME_LOAN_PER_BUCKET_CAP: number
  WELCOME_LOAN_SYBIL_THRESHOLD: number
  MAX_LTV_RATIO: number
  MIN_RESERVE_RATIO: number
  STAKE_DURATION_7D_MULTIPLIER: number
  STAKE_DURATION_30D_MULTIPLIER: number
  STAKE_DURATION_90D_MULTIPLIER: number
  MIN_PROVIDER_STAKE_TRM: number
}

export interface ShadowFacts {
  hostId: string
  /** Keys that belong to the owner. Their budgets are his own affair. */
  ownKeys: ReadonlySet<string>
  /** Effective reputation now: an upper bound of what it may be worth is checked apart. */
  reputationOf(node: string): number
}

export class ShadowRules {
  readonly #book: ShadowBook
  readonly #facts: ShadowFacts
  readonly governed: Governed = {
    WELCOME_LOAN_AMOUNT: 1_000,
    WELCOME_LOAN_PER_BUCKET_CAP: 10,
    WELCOME_LOAN_SYBIL_THRESHOLD: 100,
    MAX_LTV_RATIO: 3,
    MIN_RESERVE_RATIO: 0.3,
    STAKE_DURATION_7D_MULTIPLIER: 1.2,
    STAKE_DURATION_30D_MULTIPLIER: 1.5,
    STAKE_DURATION_90D_MULTIPLIER: 2,
    MIN_PROVIDER_STAKE_TRM: 100,
  }
  readonly stakes = new Map<string, ShadowStake>()
  readonly loans = new Map<string, ShadowLoan>()
  readonly proposals = new Map<string, ShadowProposal>()
  readonly welcomes = new Map<string, { expiresAtMs: number; principalTrm: bigint; settled: boolean }>()
  readonly referrals = new Map<string, { loanRepaid: boolean; earned: boolean; bonusTrm: bigint | null }>()
  readonly #history = new Map<string, { repaid: number; defaulted: number }>()
  readonly #grants: { bucket: string; atMs: number }[] = []
  readonly #repaidWelcomes = new Set<string>()
  readonly #slashedAtMs = new Map<string, number>()
  readonly #shares = new Map<string, bigint>()
  readonly #budgets = new Map<string, ShadowBudget>()
  readonly #holds = new Map<string, { caller: string; amountTrm: bigint }>()
  #totalShares = 0n
  #lastReferralMs = Number.NEGATIVE_INFINITY
  #yieldPeriod = Number.NEGATIVE_INFINITY
  #yieldBaseTrm = 0n
  /** Hours in which a market sample was heard since the last yield. */
  #sampledHours = new Set<number>()
  #latestMs = 0
  killed = false
  /** What all loans have brought the pool, and cost it. */
  pool = { depositedTrm: 0n, withdrawnTrm: 0n, interestTrm: 0n, lostTrm: 0n, lentTrm: 0n }
  yieldTrm = 0n
  bonusTrm = 0n
  heard = 0
  /** How often each kind of event was heard. */
  readonly heardKinds = new Map<string, number>()

  constructor(book: ShadowBook, facts: ShadowFacts) {
    this.#book = book
    this.#facts = facts
  }

  /** Judges one event and books it. @throws BrokenLaw */
  hear(event: EconomyEvent | GovernanceEvent | SafetyEvent): void {
    this.heard++
    this.heardKinds.set(event.kind, (this.heardKinds.get(event.kind) ?? 0) + 1)
    switch (event.kind) {
      case 'market.updated':
        this.#sampledHours.add(Math.floor(event.atMs / HOUR))
        break
      case 'stake.opened':
      case 'stake.extended':
        this.#staked(event)
        break
      case 'stake.closed':
        this.#unstaked(event)
        break
      case 'stake.slashed':
        this.#slashed(event)
        break
      case 'yield.settled':
        this.#yielded(event)
        break
      case 'referral.sponsored':
        this.#sponsored(event)
        break
      case 'referral.progressed':
        this.#progressed(event)
        break
      case 'welcome.granted':
        this.#welcomed(event)
        break
      case 'welcome.settled':
        this.#welcomeEnded(event)
        break
      case 'pool.deposited':
      case 'pool.withdrawn':
        this.#pooled(event)
        break
      case 'loan.opened':
        this.#lent(event)
        break
      case 'loan.repaid':
        this.#repaid(event)
        break
      case 'loan.defaulted':
        this.#defaulted(event)
        break
      case 'governance.proposed':
        this.#proposed(event)
        break
      case 'governance.voted':
        this.#voted(event)
        break
      case 'governance.closed':
        this.#voteEnded(event)
        break
      case 'governance.executed':
        this.#executed(event)
        break
      case 'safety.held':
        this.#held(event)
        break
      case 'safety.spent':
      case 'safety.released':
        this.#unheld(event)
        break
      case 'safety.kill-switch':
        this.killed = event.active
        break
    }
    this.#latestMs = Math.max(this.#latestMs, event.atMs)
  }

  stakedTrm(node: string): bigint {
    return this.#book.balanceTrm(`staked:${node}`)
  }

  /** TRM that stay locked at least until `untilMs`. */
  lockedTrm(node: string, untilMs: number): bigint {
    return (this.stakes.get(node)?.unlocksAtMs ?? 0) >= untilMs ? this.stakedTrm(node) : 0n
  }

  /** How far a welcome loan lets the node go now. */
  welcomeCreditTrm(node: string, nowMs: number): bigint {
    const loan = this.welcomes.get(node)
    return loan && !loan.settled && nowMs < loan.expiresAtMs ? loan.principalTrm : 0n
  }

  sharesOf(node: string): bigint {
    return this.#shares.get(node) ?? 0n
  }

  poolTrm(): bigint {
    return this.#book.balanceTrm('system:pool') + this.pool.lentTrm
  }

  /** What the whole pool must hold, from what went in and out. */
  assertPool(): void {
    const { depositedTrm, withdrawnTrm, interestTrm, lostTrm } = this.pool
    const expected = depositedTrm - withdrawnTrm + interestTrm - lostTrm
    law(this.poolTrm() === expected, `the pool holds ${this.poolTrm()} TRM and its history says ${expected}`)
  }

  #staked(event: Extract<EconomyEvent, { kind: 'stake.opened' | 'stake.extended' }>): void {
    const { node, days, unlocksAtMs, kind } = event
    const amountTrm = BigInt(event.amountTrm)
    const old = this.stakes.get(node)
    const nowMs = Math.max(event.atMs, this.#latestMs)
    if (kind === 'stake.opened') {
      law(!old, `${node} opened a second stake`)
    } else {
      law(old !== undefined && event.atMs < old.unlocksAtMs, `${node} extended a stake that is not locked`)
      law(days >= old.days && unlocksAtMs >= old.unlocksAtMs, `${node} shortened its stake`)
    }
    law(unlocksAtMs >= nowMs + days * DAY, `${node} locked for less than ${days} days`)
    this.#book.spendOwn(node, `staked:${node}`, amountTrm, 'a stake')
    const minimumTrm = STAKE_MINIMUM[days] ?? 0n
    law(this.stakedTrm(node) >= minimumTrm, `${node} staked ${this.stakedTrm(node)} TRM for ${days} days`)
    const { governed } = this
    const promised = {
      7: governed.STAKE_DURATION_7D_MULTIPLIER,
      30: governed.STAKE_DURATION_30D_MULTIPLIER,
      90: governed.STAKE_DURATION_90D_MULTIPLIER,
      365: 3,
    }[days]
    law(event.multiplier === promised, `${node} was promised ${event.multiplier} for ${days} days`)
    this.stakes.set(node, { days, multiplier: event.multiplier, unlocksAtMs })
  }

  #unstaked({ node, amountTrm, atMs }: Extract<EconomyEvent, { kind: 'stake.closed' }>): void {
    const stake = this.stakes.get(node)
    law(stake !== undefined, `${node} took back a stake that it does not have`)
    law(atMs >= stake.unlocksAtMs, `${node} took back its stake before its date`)
    law(
      BigInt(amountTrm) === this.stakedTrm(node),
      `${node} took back ${amountTrm} of ${this.stakedTrm(node)}`,
    )
    this.#book.move(`staked:${node}`, `available:${node}`, BigInt(amountTrm))
    this.stakes.delete(node)
  }

  #slashed(event: Extract<EconomyEvent, { kind: 'stake.slashed' }>): void {
    const { node, trustPenalty, atMs } = event
    const percent = trustPenalty >= 0.4 ? 50n : trustPenalty >= 0.2 ? 20n : trustPenalty >= 0.1 ? 5n : 0n
    law(percent > 0n, `${node} was slashed for a penalty of ${trustPenalty}`)
    const burnedTrm = (this.stakedTrm(node) * percent) / 100n
    law(BigInt(event.burnedTrm) === burnedTrm, `${node} lost ${event.burnedTrm} TRM instead of ${burnedTrm}`)
    const lastMs = this.#slashedAtMs.get(node) ?? Number.NEGATIVE_INFINITY
    law(atMs - lastMs >= DAY, `${node} was slashed twice within a day`)
    this.#slashedAtMs.set(node, atMs)
    this.#book.burn(`staked:${node}`, burnedTrm)
  }

  slashed(node: string): boolean {
    return this.#slashedAtMs.has(node)
  }

  #yielded(event: Extract<EconomyEvent, { kind: 'yield.settled' }>): void {
    const { node, period } = event
    const amountTrm = BigInt(event.amountTrm)
    law(node === this.#facts.hostId, `${node} was paid a yield`)
    law(period > this.#yieldPeriod, `the yield of period ${period} was paid twice`)
    const first = this.#yieldPeriod === Number.NEGATIVE_INFINITY
    const elapsedHours = first ? 0 : (period - this.#yieldPeriod) * 24
    const served = [...this.#sampledHours].filter((hour) => hour < period * 24)
    const hours = Math.min(elapsedHours, served.length)
    law(event.hours <= hours, `a yield was paid for ${event.hours} hours of which ${hours} were served`)
    const stake = this.stakes.get(node)
    const locked = stake && event.atMs < stake.unlocksAtMs ? stake.multiplier : 1
    // A thousandth per hour at reputation 1 is the most; halvings only lower it.
    const bound = (this.#yieldBaseTrm * BigInt(hours) * BigInt(Math.round(locked * 1e6))) / 1_000_000_000n
    const halved = bound >> BigInt(epochOf(this.#book.mintedTrm))
    law(amountTrm <= halved, `a yield of ${amountTrm} TRM was paid where ${halved} is the most`)
    this.#yieldPeriod = period
    this.#yieldBaseTrm = this.#book.dealings(node).earnedTrm
    for (const hour of served) this.#sampledHours.delete(hour)
    this.yieldTrm += amountTrm
    this.#book.mint(node, amountTrm, CAP_TRM)
  }

  #sponsored(event: Extract<EconomyEvent, { kind: 'referral.sponsored' }>): void {
    const { sponsor, referred, atMs } = event
    law(sponsor !== referred, `${sponsor} referred itself`)
    law(!this.referrals.has(referred), `${referred} was referred twice`)
    law(this.#book.dealings(referred).earnedTrm === 0n, `${referred} was referred and is no newcomer`)
    law(atMs - this.#lastReferralMs >= DAY, `${sponsor} referred twice within a day`)
    law(this.referrals.size < 50, `${sponsor} referred more than 50 nodes`)
    this.#lastReferralMs = atMs
    this.referrals.set(referred, { loanRepaid: false, earned: false, bonusTrm: null })
  }

  #progressed(event: Extract<EconomyEvent, { kind: 'referral.progressed' }>): void {
    const referral = this.referrals.get(event.referred)
    law(
      referral !== undefined && referral.bonusTrm === null,
      `${event.referred} was paid for twice or never referred`,
    )
    const loanRepaid = this.#repaidWelcomes.has(event.referred)
    const earned = this.#book.dealings(event.referred).earnedTrm >= 1_000n
    law(!event.loanRepaid || loanRepaid, `${event.referred} counts as having repaid and has not`)
    law(!event.thresholdMet || earned, `${event.referred} counts as having earned 1000 TRM and has not`)
    referral.loanRepaid = event.loanRepaid
    referral.earned = event.thresholdMet
    if (event.bonusTrm === null) return
    law(event.loanRepaid && event.thresholdMet, `a bonus was paid for ${event.referred} too early`)
    const bonusTrm = BigInt(event.bonusTrm)
    const leftTrm = CAP_TRM - this.#book.mintedTrm
    law(bonusTrm === (leftTrm < 100n ? leftTrm : 100n), `a bonus of ${bonusTrm} TRM was paid`)
    referral.bonusTrm = bonusTrm
    this.bonusTrm += bonusTrm
    this.#book.mint(this.#facts.hostId, bonusTrm, CAP_TRM)
  }

  #welcomed(event: Extract<EconomyEvent, { kind: 'welcome.granted' }>): void {
    const { node, bucket, expiresAtMs, atMs } = event
    const principalTrm = BigInt(event.principalTrm)
    const { earnedTrm, spentTrm } = this.#book.dealings(node)
    const stakeTrm = BigInt(this.governed.MIN_PROVIDER_STAKE_TRM)
    const ownTrm = this.#book.ownTrm(node)
    const isNew = spentTrm === 0n && earnedTrm < stakeTrm && ownTrm >= 0n && ownTrm < stakeTrm
    law(isNew && !this.welcomes.has(node), `${node} got a welcome loan and is not new`)
    law(
      principalTrm === BigInt(this.governed.WELCOME_LOAN_AMOUNT),
      `${node} got ${principalTrm} TRM of credit`,
    )
    law(expiresAtMs === atMs + 72 * HOUR, `${node} got a welcome loan that does not end after 72 hours`)
    law(epochOf(this.#book.mintedTrm) < 2, `${node} got a welcome loan after their end`)
    const unproven = this.#book.unprovenNodes()
    law(
      unproven <= this.governed.WELCOME_LOAN_SYBIL_THRESHOLD,
      `${node} got a welcome loan while ${unproven} newcomers have not earned`,
    )
    const proven = this.stakedTrm(node) >= stakeTrm
    const today = this.#grants.filter((grant) => grant.bucket === bucket && atMs - grant.atMs < DAY).length
    const limit = this.governed.WELCOME_LOAN_PER_BUCKET_CAP * (proven ? 10 : 1)
    law(today < limit, `network ${bucket} got more than ${limit} welcome loans within a day`)
    this.#grants.push({ bucket, atMs })
    this.welcomes.set(node, { expiresAtMs, principalTrm, settled: false })
  }

  #welcomeEnded({ node, outcome, atMs }: Extract<EconomyEvent, { kind: 'welcome.settled' }>): void {
    const loan = this.welcomes.get(node)
    law(loan !== undefined && !loan.settled, `${node} ended a welcome loan that it does not have`)
    law(atMs >= loan.expiresAtMs, `${node}'s welcome loan ended early`)
    const inDebt = this.#book.ownTrm(node) < 0n
    const expected = inDebt ? 'in-debt' : this.#book.dealings(node).earnedTrm > 0n ? 'repaid' : 'unused'
    law(outcome === expected, `${node}'s welcome loan ended as ${outcome} instead of ${expected}`)
    loan.settled = true
    if (outcome === 'repaid') this.#repaidWelcomes.add(node)
  }

  /** What one share is worth may never fall because of a deposit or withdrawal: (total + 1) / (shares + virtual). */
  #pooled(event: Extract<EconomyEvent, { kind: 'pool.deposited' | 'pool.withdrawn' }>): void {
    const { lender, kind } = event
    const [amountTrm, shares] = [BigInt(event.amountTrm), BigInt(event.shares)]
    law(amountTrm > 0n && shares > 0n, `${lender} moved ${amountTrm} TRM for ${shares} shares`)
    const before = { totalTrm: this.poolTrm() + 1n, shares: this.#totalShares + VIRTUAL_SHARES }
    const owned = this.sharesOf(lender)
    if (kind === 'pool.deposited') {
      this.#book.spendOwn(lender, 'system:pool', amountTrm, 'the pool')
      this.pool.depositedTrm += amountTrm
      this.#shares.set(lender, owned + shares)
      this.#totalShares += shares
    } else {
      law(shares <= owned, `${lender} sold ${shares} shares of the pool and had ${owned}`)
      this.#book.move('system:pool', `available:${lender}`, amountTrm)
      this.pool.withdrawnTrm += amountTrm
      this.#shares.set(lender, owned - shares)
      this.#totalShares -= shares
    }
    const after = { totalTrm: this.poolTrm() + 1n, shares: this.#totalShares + VIRTUAL_SHARES }
    law(
      after.totalTrm * before.shares >= before.totalTrm * after.shares,
      `${lender} took from the other lenders by ${kind} of ${amountTrm} TRM`,
    )
  }

  /** Trade 0.3, repayment 0.4, uptime 0.2, age 0.1. */
  creditOf(node: string, nowMs: number): number {
    const { earnedTrm, spentTrm, firstMs } = this.#book.dealings(node)
    const volume = Number(earnedTrm + spentTrm)
    if (volume === 0) return 0.3
    const { repaid, defaulted } = this.#history.get(node) ?? { repaid: 0, defaulted: 0 }
    const repayment = repaid + defaulted > 0 ? repaid / (repaid + defaulted) : 0.5
    const age = Math.max(0, Math.min(1, (nowMs - firstMs) / (90 * DAY)))
    const uptime = this.#facts.reputationOf(node)
    return 0.3 * Math.min(1, volume / 100_000) + 0.4 * repayment + 0.2 * uptime + 0.1 * age
  }

  #lent(event: Extract<EconomyEvent, { kind: 'loan.opened' }>): void {
    const { loanId, borrower, ratePerHour, termHours, dueAtMs, atMs } = event
    const [principalTrm, collateralTrm] = [BigInt(event.principalTrm), BigInt(event.collateralTrm)]
    law(!this.loans.has(loanId), `loan ${loanId} was made twice`)
    law(!this.killed, `${borrower} borrowed while the kill switch was on`)
    const cashTrm = this.#book.balanceTrm('system:pool')
    const totalTrm = this.poolTrm()
    const credit = this.creditOf(borrower, atMs)
    const { MAX_LTV_RATIO, MIN_RESERVE_RATIO } = this.governed
    const within = (limit: number, what: string) =>
      law(
        Number(principalTrm) <= limit + 1e-6,
        `${borrower} borrowed ${principalTrm} TRM: ${what} allows ${limit}`,
      )
    within(Number(collateralTrm) * MAX_LTV_RATIO, 'its collateral')
    within(Number(cashTrm) - Number(totalTrm) * MIN_RESERVE_RATIO, 'the reserve')
    within(Number(totalTrm) * 0.2, 'the share of one loan')
    within(credit * credit * Number(cashTrm) * 0.2 * (1 + 1e-5), 'its credit')
    law(ratePerHour >= 0.001 + (1 - credit) * 0.005 - 1e-8, `${borrower} borrows at ${ratePerHour} per hour`)
    law(termHours >= 1 && termHours <= 168, `${borrower} borrowed for ${termHours} hours`)
    this.#book.spendOwn(borrower, `collateral:${borrower}`, collateralTrm, 'collateral')
    this.#book.move('system:pool', `available:${borrower}`, principalTrm)
    this.pool.lentTrm += principalTrm
    this.loans.set(loanId, { borrower, principalTrm, collateralTrm, ratePerHour, termHours, dueAtMs })
  }

  #openLoan(loanId: string): ShadowLoan {
    const loan = this.loans.get(loanId)
    law(loan !== undefined, `loan ${loanId} was closed and is not open`)
    this.loans.delete(loanId)
    this.pool.lentTrm -= loan.principalTrm
    return loan
  }

  #closed(borrower: string, what: 'repaid' | 'defaulted'): void {
    const history = this.#history.get(borrower) ?? { repaid: 0, defaulted: 0 }
    this.#history.set(borrower, { ...history, [what]: history[what] + 1 })
  }

  #repaid(event: Extract<EconomyEvent, { kind: 'loan.repaid' }>): void {
    const { borrower, principalTrm, collateralTrm, ratePerHour, termHours } = this.#openLoan(event.loanId)
    const pico = BigInt(Math.round(ratePerHour * 1e12))
    const interestTrm = (principalTrm * pico * BigInt(termHours)) / 1_000_000_000_000n
    law(
      BigInt(event.interestTrm) === interestTrm,
      `${borrower} paid ${event.interestTrm} instead of ${interestTrm}`,
    )
    this.#book.move(`collateral:${borrower}`, `available:${borrower}`, collateralTrm)
    this.#book.spendOwn(borrower, 'system:pool', principalTrm + interestTrm, 'a repayment')
    this.pool.interestTrm += interestTrm
    this.#closed(borrower, 'repaid')
  }

  #defaulted(event: Extract<EconomyEvent, { kind: 'loan.defaulted' }>): void {
    const { borrower, principalTrm, collateralTrm, dueAtMs } = this.#openLoan(event.loanId)
    law(event.atMs > dueAtMs, `${borrower} defaulted before its loan was due`)
    const burnedTrm = collateralTrm / 10n
    const recoveredTrm = collateralTrm - burnedTrm
    law(BigInt(event.burnedTrm) === burnedTrm, `${event.burnedTrm} TRM of collateral were burned`)
    law(BigInt(event.recoveredTrm) === recoveredTrm, `${event.recoveredTrm} TRM of collateral were recovered`)
    law(
      event.reputationDelta === -0.2,
      `${borrower} lost ${event.reputationDelta} of reputation by its default`,
    )
    this.#book.burn(`collateral:${borrower}`, burnedTrm)
    this.#book.move(`collateral:${borrower}`, 'system:pool', recoveredTrm)
    this.pool.lostTrm += principalTrm - recoveredTrm
    this.#closed(borrower, 'defaulted')
  }

  #proposed(event: Extract<GovernanceEvent, { kind: 'governance.proposed' }>): void {
    const { proposalId, proposer, deadlineMs } = event
    law(!this.proposals.has(proposalId), `proposal ${proposalId} was made twice`)
    this.#requireStanding(proposer, deadlineMs)
    this.proposals.set(proposalId, { deadlineMs, votes: new Map(), status: 'active' })
  }

  #requireStanding(node: string, deadlineMs: number): bigint {
    const lockedTrm = this.lockedTrm(node, deadlineMs)
    law(lockedTrm >= 1_000n, `${node} took part in a vote with ${lockedTrm} TRM locked until its end`)
    const reputation = this.#facts.reputationOf(node)
    law(reputation >= 0.7, `${node} took part in a vote with a reputation of ${reputation}`)
    return lockedTrm
  }

  #voted(event: Extract<GovernanceEvent, { kind: 'governance.voted' }>): void {
    const { proposalId, voter, approve, atMs } = event
    const proposal = this.proposals.get(proposalId)
    law(proposal?.status === 'active', `${voter} voted on a proposal that is not open`)
    law(atMs < proposal.deadlineMs, `${voter} voted after the deadline`)
    law(!proposal.votes.has(voter), `${voter} voted twice`)
    const lockedTrm = this.#requireStanding(voter, proposal.deadlineMs)
    const weightMilli = BigInt(event.weightMilli)
    law(
      weightMilli >= lockedTrm * 1_000n && weightMilli <= lockedTrm * 2_000n,
      `${voter} voted with a weight of ${weightMilli} thousandths and has ${lockedTrm} TRM locked`,
    )
    proposal.votes.set(voter, { approve, weightMilli })
  }

  #voteEnded(event: Extract<GovernanceEvent, { kind: 'governance.closed' }>): void {
    const proposal = this.proposals.get(event.proposalId)
    law(proposal?.status === 'active', `vote ${event.proposalId} ended twice`)
    law(event.atMs >= proposal.deadlineMs, `vote ${event.proposalId} ended before its deadline`)
    const votes = [...proposal.votes.values()]
    const weigh = (approve: boolean) =>
      votes.filter((vote) => vote.approve === approve).reduce((sum, vote) => sum + vote.weightMilli, 0n)
    const [yes, no] = [weigh(true), weigh(false)]
    const outcome = votes.length >= 3 && yes >= 10_000_000n && yes > no ? 'passed' : 'rejected'
    law(event.outcome === outcome, `vote ${event.proposalId} was ${event.outcome}: ${yes} for, ${no} against`)
    proposal.status = outcome
  }

  #executed({ proposalId, effect }: Extract<GovernanceEvent, { kind: 'governance.executed' }>): void {
    const proposal = this.proposals.get(proposalId)
    law(proposal?.status === 'passed', `proposal ${proposalId} was carried out and had not passed`)
    proposal.status = 'executed'
    if (effect.type === 'parameter' && effect.name in this.governed) {
      this.governed[effect.name as keyof Governed] = effect.value
    }
  }

  /** Budgets of section 4: 1000 per request, 10000 per hour, for keys without a policy of their own. */
  #held(event: Extract<SafetyEvent, { kind: 'safety.held' }>): void {
    const { caller, holdId, atMs } = event
    const amountTrm = BigInt(event.amountTrm)
    law(!this.killed, `${caller} was granted a budget while the kill switch was on`)
    law(!this.#holds.has(holdId), `hold ${holdId} was given twice`)
    const budget = this.#budgets.get(caller) ?? { heldTrm: 0n, spent: [], lifetimeTrm: 0n }
    budget.heldTrm += amountTrm
    budget.spent = budget.spent.filter((spend) => atMs - spend.atMs <= HOUR)
    this.#budgets.set(caller, budget)
    this.#holds.set(holdId, { caller, amountTrm })
    if (this.#facts.ownKeys.has(caller)) return
    const hourTrm = budget.spent.reduce((sum, spend) => sum + spend.amountTrm, budget.heldTrm)
    law(amountTrm <= 1_000n, `${caller} was granted ${amountTrm} TRM for one request`)
    law(hourTrm <= 10_000n, `${caller} was granted ${hourTrm} TRM within an hour`)
    law(budget.lifetimeTrm + budget.heldTrm <= 1_000_000n, `${caller} spent beyond its lifetime limit`)
  }

  #unheld(event: Extract<SafetyEvent, { kind: 'safety.spent' | 'safety.released' }>): void {
    const hold = this.#holds.get(event.holdId)
    law(hold !== undefined, `hold ${event.holdId} was used twice`)
    this.#holds.delete(event.holdId)
    const budget = this.#budgets.get(hold.caller)
    law(budget !== undefined, `${hold.caller} has no budget`)
    budget.heldTrm -= hold.amountTrm
    if (event.kind === 'safety.released') return
    const amountTrm = BigInt(event.amountTrm)
    law(amountTrm <= hold.amountTrm, `${hold.caller} spent ${amountTrm} TRM of a hold of ${hold.amountTrm}`)
    budget.spent.push({ atMs: event.atMs, amountTrm })
    budget.lifetimeTrm += amountTrm
  }

  /** Supply that another age of the network has left: it lies still with a node that does nothing. */
  inherit(node: string, amountTrm: bigint): void {
    this.#book.mint(node, amountTrm, CAP_TRM)
  }
}

/** Each epoch begins when half of what was left is gone. */
export function epochOf(mintedTrm: bigint): number {
  let epoch = 0
  for (let left = CAP_TRM - mintedTrm; epoch < 32 && left > 0n && left * 2n ** BigInt(epoch + 1) <= CAP_TRM; )
    epoch++
  return mintedTrm >= CAP_TRM ? 32 : epoch
}
