import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexFromBytes, keyPairFromSeed, TiramiError } from '../kernel/index.ts'
import {
  applyEconomy,
  decodeEconomyState,
  type EconomyState,
  encodeEconomyState,
  INITIAL_ECONOMY,
} from './economy.ts'
import { type EconomyEvent, EconomyEventSchema } from './events.ts'
import { activeLoans, decideBorrow, decideDefault, decideRepay } from './lending.ts'
import { canonicalLoanBytes } from './loan.ts'
import { decidePeerDefault, decidePeerLoan, decidePeerRepay, peerLoans } from './peer-loans.ts'
import { decideDeposit, decideWithdrawal } from './pool.ts'
import { decideMarketUpdate } from './pricing.ts'
import { decideReferralProgress, decideSponsor } from './referral.ts'
import {
  canonicalObservationBytes,
  decideComplaint,
  decideObservation,
  decideReputationChange,
} from './reputation.ts'
import { decideSlashes } from './slashing.ts'
import { decideExtendStake, decideStake, decideUnstake } from './staking.ts'
import { at, type Bank, book, openBank } from './testing/bank.ts'
import { mintedTrm } from './tokenomics.ts'
import type { Decision } from './types.ts'
import { decideWelcome, decideWelcomeSettlement } from './welcome.ts'
import { decideYield } from './yield.ts'

const HOUR = 3_600_000
const keys = [1, 2, 3, 4, 5].map((seed) => keyPairFromSeed(new Uint8Array(32).fill(seed)))
const nodes = keys.map(({ publicKeyHex }) => publicKeyHex)

interface Step {
  kind: keyof typeof moves
  who: number
  other: number
  amountTrm: bigint
  days: 7 | 30 | 90 | 365
  /** May be negative: the clock runs backwards. */
  hours: number
  share: number
}

type Move = (bank: Bank, step: Step, nowMs: number) => Decision<EconomyEvent>[]

const keyOf = (index: number) => keys[index] ?? keyPairFromSeed(new Uint8Array(32).fill(9))
const nodeOf = (index: number) => nodes[index] ?? ''

/** Negative amounts have no canonical bytes, so nobody can sign them. */
const signable = (amountTrm: bigint) => (amountTrm < 0n ? 0n : amountTrm)

function borrowCommand(step: Step, nowMs: number) {
  const amountTrm = signable(step.amountTrm)
  const [pool, borrower] = [keyOf(0), keyOf(step.who)]
  const terms = {
    lender: pool.publicKeyHex,
    borrower: borrower.publicKeyHex,
    principalTrm: amountTrm,
    ratePerHour: 0.006,
    termHours: 10,
    collateralTrm: amountTrm,
    createdAtMs: nowMs,
    dueAtMs: nowMs + 10 * HOUR,
  }
  return {
    terms,
    lenderSignature: hexFromBytes(pool.sign(canonicalLoanBytes(terms))),
    borrowerSignature: hexFromBytes(borrower.sign(canonicalLoanBytes(terms))),
    poolOperator: pool.publicKeyHex,
    killSwitchActive: false,
    credit: { known: true, volumeTrm: step.amountTrm, uptime: step.share, ageDays: 10 },
  }
}

const anyLoan = ({ state }: Bank) => ({ loanId: activeLoans(state.lending)[0]?.loanId ?? '00'.repeat(32) })

const anyPeerLoan = ({ state }: Bank) =>
  peerLoans(state.peerLoans).find(({ loan }) => loan.status === 'active')?.loanId ?? '00'.repeat(32)

/** One way into every decision of the room. */
const moves = {
  market: (bank, { amountTrm, who }, t) => [
    decideMarketUpdate(
      bank.state.market,
      { activeProviders: who, pendingJobs: Number(amountTrm), knownNodes: 5 },
      at(bank, t),
    ),
  ],
  reputation: (bank, { who, share }, t) => {
    const cause = share > 0.5 ? 'trade' : 'audit-failed'
    return [decideReputationChange(bank.state.reputation, { node: nodeOf(who), cause }, at(bank, t))]
  },
  observe: (bank, { who, other, share, amountTrm }, t) => {
    const count = signable(amountTrm)
    const parties = { observer: nodeOf(who), subject: nodeOf(other) }
    const said = { ...parties, reputation: share, tradeCount: count, volumeTrm: count, timestampMs: t }
    const signature = hexFromBytes(keyOf(who).sign(canonicalObservationBytes(said)))
    return [decideObservation(bank.state.reputation, { ...said, signature }, at(bank, t))]
  },
  stake: (bank, { who, amountTrm, days }, t) => [
    decideStake(bank.state.staking, { node: nodeOf(who), amountTrm, days }, at(bank, t)),
  ],
  extend: (bank, { who, amountTrm, days }, t) => [
    decideExtendStake(bank.state.staking, { node: nodeOf(who), addTrm: amountTrm, days }, at(bank, t)),
  ],
  unstake: (bank, { who }, t) => [decideUnstake(bank.state.staking, { node: nodeOf(who) }, at(bank, t))],
  yield: (bank, { who, amountTrm, share }, t) => {
    const rates = { reputation: share, stakeMultiplier: 1 + 2 * share, hoursServed: 10_000 }
    const command = { node: nodeOf(who), contributedTrm: signable(amountTrm), ...rates }
    return [decideYield(bank.state.yield, command, at(bank, t))]
  },
  sponsor: (bank, { who, other }, t) => {
    const command = { sponsor: nodeOf(who), referred: nodeOf(other), referredContributedTrm: 0n }
    return [decideSponsor(bank.state.referral, command, at(bank, t))]
  },
  progress: (bank, { other, share, amountTrm }, t) => {
    const command = { referred: nodeOf(other), loanRepaid: share > 0.5, contributedTrm: amountTrm }
    return [decideReferralProgress(bank.state.referral, command, at(bank, t))]
  },
  welcome: (bank, { who, other }, t) => {
    const facts = { contributedTrm: 0n, consumedTrm: 0n, unprovenNodes: other }
    return [decideWelcome(bank.state.welcome, { node: nodeOf(who), bucket: 'as1', ...facts }, at(bank, t))]
  },
  settleWelcome: (bank, { who, amountTrm }, t) => [
    decideWelcomeSettlement(
      bank.state.welcome,
      { node: nodeOf(who), contributedTrm: amountTrm },
      at(bank, t),
    ),
  ],
  deposit: (bank, { who, amountTrm }, t) => {
    const terms = { maxTermHours: 168, minRatePerHour: 0 }
    return [decideDeposit(bank.state.lending, { lender: nodeOf(who), amountTrm, ...terms }, at(bank, t))]
  },
  withdraw: (bank, { who, amountTrm }, t) => [
    decideWithdrawal(bank.state.lending, { lender: nodeOf(who), amountTrm }, at(bank, t)),
  ],
  borrow: (bank, step, t) => [decideBorrow(bank.state.lending, borrowCommand(step, t), at(bank, t))],
  repay: (bank, _step, t) => [decideRepay(bank.state.lending, anyLoan(bank), at(bank, t))],
  fail: (bank, _step, t) => [decideDefault(bank.state.lending, anyLoan(bank), at(bank, t))],
  complain: (bank, { who, other }, t) => {
    const parties = { complainant: nodeOf(who), subject: nodeOf(other) }
    const complaint = { ...parties, cause: 'loan-default', evidence: `loan:${who}`, timestampMs: t } as const
    return [decideComplaint(bank.state.reputation, complaint, at(bank, t))]
  },
  clear: (_bank, { who, other }, t) => [
    {
      event: { kind: 'reputation.cleared', subject: nodeOf(other), evidence: `loan:${who}`, atMs: t },
      movements: [],
    },
  ],
  lendTo: (bank, step, t) => {
    const { poolOperator: _pool, killSwitchActive, credit: _credit, ...loan } = borrowCommand(step, t)
    const who = { self: loan.terms.lender, killSwitchActive }
    return [decidePeerLoan(bank.state.peerLoans, loan, who, at(bank, t))]
  },
  repayTo: (bank, _step, t) => [decidePeerRepay(bank.state.peerLoans, anyPeerLoan(bank), at(bank, t))],
  failTo: (bank, _step, t) => [decidePeerDefault(bank.state.peerLoans, anyPeerLoan(bank), at(bank, t))],
  slash: (bank, { who, other, share }, t) => {
    const candidates = [who, other].map((index) => {
      return { node: nodeOf(index), reason: 'collusion', evidence: `t${t}`, trustPenalty: share / 2 } as const
    })
    return decideSlashes(bank.state.slashing, { candidates, distinctProviders: 4 }, at(bank, t))
  },
} satisfies Record<string, Move>

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...(Object.keys(moves) as (keyof typeof moves)[])),
  who: fc.nat(4),
  other: fc.nat(4),
  amountTrm: fc.oneof(
    { weight: 6, arbitrary: fc.bigInt({ min: 0n, max: 20_000n }) },
    fc.bigInt({ min: -5n, max: (1n << 64n) - 1n }),
  ),
  days: fc.constantFrom(7, 30, 90, 365),
  hours: fc.integer({ min: -30, max: 200 }),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
})

/** Plays the steps; refusals are allowed, defects are not. */
function play(bank: Bank, steps: Step[], check: (nowMs: number) => void): void {
  let nowMs = 1_000 * HOUR
  for (const step of steps) {
    nowMs = Math.max(0, nowMs + step.hours * HOUR)
    let decisions: Decision<EconomyEvent>[]
    try {
      decisions = moves[step.kind](bank, step, nowMs)
    } catch (error) {
      if (!(error instanceof TiramiError)) throw error
      continue
    }
    for (const decision of decisions) book(bank, decision)
    check(nowMs)
  }
}

const wealthy = () =>
  openBank(
    Object.fromEntries(nodes.slice(0, 4).map((node, i) => [`available:${node}`, 40_000n * BigInt(i + 1)])),
  )

const replay = (events: EconomyEvent[]): EconomyState =>
  events.reduce((state, event) => applyEconomy(state, EconomyEventSchema.parse(event)), INITIAL_ECONOMY)

describe('the economy over random histories', () => {
  it('conserves TRM, never goes below zero where it must not, and never mints above the cap', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { minLength: 40, maxLength: 80 }), (steps) => {
        const bank = wealthy()
        play(bank, steps, (nowMs) => {
          const balances = [...bank.balances]
          expect(balances.reduce((sum, [, balance]) => sum + balance, 0n)).toBe(0n)
          for (const [account, balance] of balances) {
            const mayBeNegative = account === 'system:mint' || account === 'available:outside'
            if (balance < 0n && !mayBeNegative) throw new Error(`${account} is at ${balance}`)
          }
          expect(mintedTrm(at(bank, nowMs)) <= bank.parameters.TOTAL_TRM_SUPPLY).toBe(true)
        })
      }),
      { numRuns: 200 },
    )
  })

  it('replays to the same state from JSON, and the state survives its codec', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { minLength: 40, maxLength: 80 }), (steps) => {
        const bank = wealthy()
        play(bank, steps, () => {})
        const events = JSON.parse(JSON.stringify(bank.events)) as EconomyEvent[]
        expect(events).toEqual(bank.events)
        expect(replay(events)).toEqual(bank.state)
        const saved = JSON.stringify(encodeEconomyState(bank.state))
        expect(decodeEconomyState(JSON.parse(saved))).toEqual(bank.state)
        expect(JSON.stringify(encodeEconomyState(replay(events)))).toBe(saved)
      }),
      { numRuns: 200 },
    )
  })

  it('reaches every kind of event', () => {
    const seen = new Set<string>()
    for (const steps of fc.sample(fc.array(stepArbitrary, { minLength: 80, maxLength: 80 }), {
      numRuns: 150,
      seed: 7,
    })) {
      const bank = wealthy()
      play(bank, steps, () => {})
      for (const { kind } of bank.events) seen.add(kind)
    }
    const all = EconomyEventSchema.options.map((option) => option.shape.kind.value)
    expect(all.filter((kind) => !seen.has(kind))).toEqual([])
  })
})

describe('replay', () => {
  it('is total: events that fit no state change nothing that matters and never throw', () => {
    const stray: EconomyEvent[] = [
      { kind: 'loan.repaid', loanId: '00'.repeat(32), interestTrm: '5', atMs: 1 },
      { kind: 'stake.closed', node: nodeOf(0), amountTrm: '5', atMs: 1 },
      { kind: 'welcome.settled', node: nodeOf(0), outcome: 'unused', atMs: 1 },
      {
        kind: 'referral.progressed',
        referred: nodeOf(0),
        loanRepaid: true,
        thresholdMet: true,
        bonusTrm: '1',
        atMs: 1,
      },
    ]
    const { staking, ...rest } = replay(stray)
    const { staking: initial, ...others } = INITIAL_ECONOMY
    expect(rest).toEqual(others)
    expect(staking).toEqual({ ...initial, latestMs: 1 })
  })

  it('refuses events that were never written', () => {
    const parse = (event: object) => EconomyEventSchema.safeParse(event).success
    const closed = { kind: 'stake.closed', node: nodeOf(0), amountTrm: '5', atMs: 1 }
    expect(parse(closed)).toBe(true)
    expect(parse({ ...closed, amountTrm: '-5' })).toBe(false)
    expect(parse({ ...closed, amountTrm: '05' })).toBe(false)
    expect(parse({ ...closed, amountTrm: 5 })).toBe(false)
    expect(parse({ ...closed, node: nodeOf(0).toUpperCase() })).toBe(false)
    expect(parse({ ...closed, extra: 1 })).toBe(false)
    expect(parse({ ...closed, kind: 'stake.stolen' })).toBe(false)
  })
})
