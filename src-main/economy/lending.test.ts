import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexFromBytes, keyPairFromSeed } from '../kernel/index.ts'
import { creditScore, maxBorrowTrm, offeredRatePerHour } from './credit.ts'
import {
  activeLoans,
  type BorrowCommand,
  decideBorrow,
  decideDefault,
  decideRepay,
  overdueLoans,
} from './lending.ts'
import { canonicalLoanBytes, type LoanTerms, loanIdOf, loanInterestTrm } from './loan.ts'
import { defaultParameters, withParameter } from './parameters.ts'
import { decideDeposit, decideWithdrawal, depositValueTrm, poolView, withdrawableTrm } from './pool.ts'
import { localReputation } from './reputation.ts'
import { at, type Bank, book, codeOf, nodeId, openBank } from './testing/bank.ts'

const p = defaultParameters()
const HOUR = 3_600_000
const NOW = 1_700_000_000_000
const pool = keyPairFromSeed(new Uint8Array(32).fill(1))
const borrower = keyPairFromSeed(new Uint8Array(32).fill(2))
const LENDER = nodeId(3)
/** Credit 0.9 before any loan. */
const trusted = { known: true, volumeTrm: 1_000_000n, uptime: 1, ageDays: 365 }

function proposal(change: Partial<LoanTerms> = {}): BorrowCommand {
  const terms = {
    lender: pool.publicKeyHex,
    borrower: borrower.publicKeyHex,
    principalTrm: 1_000n,
    ratePerHour: 0.004,
    termHours: 100,
    collateralTrm: 3_000n,
    createdAtMs: NOW,
    ...change,
  }
  const complete = { dueAtMs: terms.createdAtMs + terms.termHours * HOUR, ...terms }
  return {
    terms: complete,
    lenderSignature: hexFromBytes(pool.sign(canonicalLoanBytes(complete))),
    borrowerSignature: hexFromBytes(borrower.sign(canonicalLoanBytes(complete))),
    poolOperator: pool.publicKeyHex,
    killSwitchActive: false,
    credit: trusted,
  }
}

const B = borrower.publicKeyHex
const opening = () => openBank({ [`available:${LENDER}`]: 1_000_000n, [`available:${B}`]: 50_000n })
const wishes = { maxTermHours: 168, minRatePerHour: 0 }
const deposit = (bank: Bank, amountTrm: bigint, lender = LENDER) =>
  book(bank, decideDeposit(bank.state.lending, { lender, amountTrm, ...wishes }, at(bank, NOW)))
const withdraw = (bank: Bank, amountTrm: bigint, lender = LENDER) =>
  book(bank, decideWithdrawal(bank.state.lending, { lender, amountTrm }, at(bank, NOW)))
const borrow = (bank: Bank, command = proposal(), nowMs = NOW) =>
  book(bank, decideBorrow(bank.state.lending, command, at(bank, nowMs)))
const repay = (bank: Bank, loanId: string, nowMs = NOW) =>
  book(bank, decideRepay(bank.state.lending, { loanId }, at(bank, nowMs)))
const declareDefault = (bank: Bank, loanId: string, nowMs: number) =>
  book(bank, decideDefault(bank.state.lending, { loanId }, at(bank, nowMs)))
const balance = (bank: Bank, account: string) => bank.balances.get(account) ?? 0n
const view = (bank: Bank) => poolView(bank.state.lending, at(bank, NOW))

function funded(amountTrm = 100_000n): Bank {
  const bank = opening()
  deposit(bank, amountTrm)
  return bank
}

describe('loan bytes (vectors V3.2)', () => {
  const terms: LoanTerms = {
    lender: pool.publicKeyHex,
    borrower: B,
    principalTrm: 10_000n,
    ratePerHour: 0.001,
    termHours: 100,
    collateralTrm: 4_000n,
    createdAtMs: NOW,
    dueAtMs: NOW + 100 * HOUR,
  }
  it('are those of Tirami', () => {
    const bytes = canonicalLoanBytes(terms)
    expect(bytes).toHaveLength(112)
    expect(hexFromBytes(bytes)).toBe(
      '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39400000000000027103f50624dd2f1a9fc00000000000000640000000000000fa00000018bcfe568000000018be55a9200',
    )
    expect(loanIdOf(terms)).toBe('9d5265726ae5cb58b03bf46a4c0dfabdf05f89a962456bd717ce885322615529')
    expect(hexFromBytes(pool.sign(bytes))).toBe(
      '70008f84673d935285ca9045c3a671de3d965d4bf3c7387ba0a6dc3cecb43ca707d39f2bde8e775f48b5e782ae404202339d6093a2299f6fe42bc06239972d05',
    )
    expect(hexFromBytes(borrower.sign(bytes))).toBe(
      'a95e29d773c5470bb5880b5af82197f7342efaad6c21f34f0826a1f74e5b3b19b31292bf8494c2cedfdb4c4451f4036fe189af064b47225dce0dd77ea7de180b',
    )
  })

  it('owe 1,000 TRM of interest (V7), and stay exact far above 2^53', () => {
    expect(loanInterestTrm(terms)).toBe(1_000n)
    expect(loanInterestTrm({ ...terms, principalTrm: 10n ** 19n, termHours: 168 })).toBe(168n * 10n ** 16n)
  })
})

describe('credit (vectors V7)', () => {
  const facts = { known: true, volumeTrm: 0n, repaidLoans: 0, defaultedLoans: 0, uptime: 0.5, ageDays: 0 }
  const score = (change: Partial<typeof facts>) => creditScore({ ...facts, ...change }, p).score
  it('is 1.0 at best, 0.3 for strangers, and the published sums between', () => {
    expect(score({ volumeTrm: 100_000n, repaidLoans: 3, uptime: 1, ageDays: 90 })).toBeCloseTo(1, 12)
    expect(score({ known: false, volumeTrm: 10n ** 9n })).toBe(0.3)
    expect(score({})).toBeCloseTo(0.3, 12)
    expect(score({ volumeTrm: 50_000n, uptime: 1, ageDays: 90 })).toBeCloseTo(0.65, 12)
    const halfAndHalf = { repaidLoans: 1, defaultedLoans: 1 }
    expect(score({ volumeTrm: 100_000n, ...halfAndHalf, uptime: 0.8, ageDays: 45 })).toBeCloseTo(0.71, 12)
  })

  it('shows real components (corrected: they were constant zeros)', () => {
    const { components } = creditScore({ ...facts, volumeTrm: 50_000n, ageDays: 45 }, p)
    expect(components).toEqual({ trade: 0.5, repayment: 0.5, uptime: 0.5, age: 0.5 })
  })

  it('sets rate and limit', () => {
    expect([1, 0, 0.2, 0.3, 0.5, 0.65].map((c) => Number(offeredRatePerHour(c, p).toFixed(9)))).toEqual([
      0.001, 0.006, 0.005, 0.0045, 0.0035, 0.00275,
    ])
    expect([0.2, 0.3, 0.5, 0.65, 1].map((c) => maxBorrowTrm(c, 1_000_000n, p))).toEqual([
      8_000n,
      18_000n,
      50_000n,
      84_500n,
      200_000n,
    ])
  })
})

describe('pool', () => {
  it('takes real deposits and gives them back (corrected: an offer only reserved, and the pool stayed empty)', () => {
    const bank = opening()
    expect(view(bank)).toEqual({ totalTrm: 0n, lentTrm: 0n, availableTrm: 0n, reserveRatio: 1 })
    deposit(bank, 100_000n)
    expect(balance(bank, 'system:pool')).toBe(100_000n)
    expect(codeOf(() => withdraw(bank, 100_001n))).toBe('DEPOSIT_TOO_SMALL')
    withdraw(bank, 100_000n)
    expect(balance(bank, `available:${LENDER}`)).toBe(1_000_000n)
    expect(bank.state.lending.totalShares).toBe(0n)
    expect(codeOf(() => deposit(bank, 1_000_001n))).toBe('INSUFFICIENT_BALANCE')
  })

  it('refuses terms that it would not keep (corrected: they were accepted and ignored)', () => {
    const bank = opening()
    const wish = (maxTermHours: number, minRatePerHour: number) =>
      codeOf(() =>
        decideDeposit(
          bank.state.lending,
          { lender: LENDER, amountTrm: 5n, maxTermHours, minRatePerHour },
          at(bank, NOW),
        ),
      )
    expect(wish(24, 0)).toBe('POOL_TERMS_FIXED')
    expect(wish(168, 0.01)).toBe('POOL_TERMS_FIXED')
    expect(wish(Number.NaN, 0)).toBe('POOL_TERMS_FIXED')
    expect(wish(168, 0.001)).toBeNull()
  })

  it('does not stall after a loan (corrected: principal counted into the total)', () => {
    const bank = funded()
    borrow(bank)
    expect(view(bank)).toMatchObject({ totalTrm: 100_000n, lentTrm: 1_000n, availableTrm: 99_000n })
    borrow(bank, proposal({ principalTrm: 2_000n }))
    borrow(bank, proposal({ principalTrm: 3_000n }))
    expect(activeLoans(bank.state.lending)).toHaveLength(3)
    expect(view(bank).reserveRatio).toBeCloseTo(0.94, 12)
  })

  it('shares interest and losses in proportion to deposits', () => {
    const bank = openBank({
      [`available:${LENDER}`]: 1_000_000n,
      [`available:${nodeId(4)}`]: 1_000_000n,
      [`available:${B}`]: 50_000n,
    })
    deposit(bank, 300_000n)
    deposit(bank, 100_000n, nodeId(4))
    const earned = (lender: string) => depositValueTrm(bank.state.lending, lender, at(bank, NOW))
    borrow(bank, proposal({ principalTrm: 10_000n, collateralTrm: 4_000n }))
    repay(bank, activeLoans(bank.state.lending)[0]?.loanId ?? '')
    expect(earned(LENDER)).toBe(302_999n)
    expect(earned(nodeId(4))).toBe(100_999n)
    expect(codeOf(() => withdraw(bank, 101_000n, nodeId(4)))).toBe('DEPOSIT_TOO_SMALL')
  })

  it('rounds shares in favour of the pool', () => {
    const bank = funded()
    borrow(bank)
    repay(bank, loanIdOf(proposal().terms))
    const { totalShares } = bank.state.lending
    const { totalTrm } = view(bank)
    for (const amountTrm of [1n, 3n, 7n, 1_001n]) {
      const command = { lender: LENDER, amountTrm }
      const { event } = decideWithdrawal(bank.state.lending, command, at(bank, NOW))
      expect(BigInt(event.shares) * (totalTrm + 1n) >= amountTrm * (totalShares + 1_000_000n)).toBe(true)
      const bought = decideDeposit(bank.state.lending, { ...command, ...wishes }, at(bank, NOW)).event
      expect(BigInt(bought.shares) <= BigInt(event.shares)).toBe(true)
    }
  })

  it('pays out no more than is at hand', () => {
    const bank = funded()
    borrow(bank, proposal({ principalTrm: 10_000n, collateralTrm: 4_000n }))
    expect(withdrawableTrm(bank.state.lending, LENDER, at(bank, NOW))).toBe(90_000n)
    expect(codeOf(() => withdraw(bank, 95_000n))).toBe('POOL_ILLIQUID')
  })

  it('does not let the first lender inflate the price of shares', () => {
    const bank = opening()
    deposit(bank, 1n)
    bank.balances.set('system:pool', 100_001n)
    deposit(bank, 50_000n)
    const worth = depositValueTrm(bank.state.lending, LENDER, at(bank, NOW))
    expect(worth).toBeGreaterThan(99_900n)
  })
})

describe('borrowing', () => {
  it('moves collateral and principal in one record (V7)', () => {
    const bank = funded()
    borrow(bank)
    expect(balance(bank, `collateral:${B}`)).toBe(3_000n)
    expect(balance(bank, `available:${B}`)).toBe(48_000n)
    expect(balance(bank, `available:${LENDER}`)).toBe(900_000n)
  })

  it.each<[string, Partial<LoanTerms>]>([
    ['LOAN_INVALID', { lender: LENDER }],
    ['LOAN_INVALID', { dueAtMs: NOW }],
    ['LOAN_INVALID', { principalTrm: 0n }],
    ['LOAN_INVALID', { ratePerHour: 2 }],
    ['LOAN_INVALID', { termHours: 1.5 }],
    ['LOAN_NOT_FRESH', { createdAtMs: NOW - HOUR - 1 }],
    ['LOAN_NOT_FRESH', { createdAtMs: NOW + HOUR + 1 }],
    ['LOAN_TERM', { termHours: 169 }],
    ['LOAN_TERM', { termHours: 0 }],
    ['LOAN_COLLATERAL', { collateralTrm: 0n }],
    ['LOAN_COLLATERAL', { principalTrm: 9_001n }],
    ['LOAN_RATE', { ratePerHour: 0.001 }],
    ['POOL_RESERVE_EXHAUSTED', { principalTrm: 70_001n, collateralTrm: 40_000n }],
    ['LOAN_POOL_SHARE', { principalTrm: 20_001n, collateralTrm: 40_000n }],
    ['LOAN_ABOVE_LIMIT', { principalTrm: 15_000n, collateralTrm: 40_000n }],
    ['INSUFFICIENT_BALANCE', { collateralTrm: 50_001n }],
  ])('refuses %s: %o', (code, change) => {
    const bank = funded()
    const command = (() => {
      try {
        return proposal(change)
      } catch {
        // Fields that have no canonical bytes cannot be signed at all.
        return { ...proposal(), terms: { ...proposal().terms, ...change } }
      }
    })()
    expect(codeOf(() => borrow(bank, command))).toBe(code)
  })

  it('refuses poor credit, one fifth of the pool (V7), an empty pool, forged and repeated loans, the kill switch', () => {
    const bank = funded()
    const withCredit = (credit: BorrowCommand['credit']) => ({ ...proposal({ ratePerHour: 0.006 }), credit })
    const poor = { known: true, volumeTrm: 0n, uptime: 0, ageDays: 0 }
    bank.parameters = withParameter(p, 'MIN_CREDIT_FOR_BORROWING', 0.25)
    expect(codeOf(() => borrow(bank, withCredit(poor)))).toBe('LOAN_CREDIT')
    bank.parameters = p
    expect(codeOf(() => borrow(funded(10_000n), proposal({ principalTrm: 3_000n })))).toBe('LOAN_POOL_SHARE')
    expect(codeOf(() => borrow(opening()))).toBe('POOL_RESERVE_EXHAUSTED')
    const forged = { ...proposal(), borrowerSignature: proposal().lenderSignature }
    expect(codeOf(() => borrow(bank, forged))).toBe('LOAN_INVALID')
    expect(codeOf(() => borrow(bank, { ...proposal(), poolOperator: LENDER }))).toBe('LOAN_INVALID')
    expect(codeOf(() => borrow(bank, { ...proposal(), killSwitchActive: true }))).toBe('KILL_SWITCH_ACTIVE')
    borrow(bank)
    expect(codeOf(() => borrow(bank))).toBe('LOAN_EXISTS')
    repay(bank, loanIdOf(proposal().terms))
    expect(codeOf(() => borrow(bank))).toBe('LOAN_EXISTS')
  })
})

describe('repaying', () => {
  it('gives principal and interest to the pool once and releases the collateral (corrected: lender credited twice)', () => {
    const bank = funded()
    borrow(bank)
    const loanId = loanIdOf(proposal().terms)
    repay(bank, loanId)
    expect(balance(bank, `collateral:${B}`)).toBe(0n)
    expect(balance(bank, `available:${B}`)).toBe(50_000n - 400n)
    expect(balance(bank, 'system:pool')).toBe(100_400n)
    expect(balance(bank, `available:${LENDER}`)).toBe(900_000n)
    expect(view(bank).lentTrm).toBe(0n)
    expect(codeOf(() => repay(bank, loanId))).toBe('LOAN_CLOSED')
    expect(codeOf(() => repay(bank, '00'.repeat(32)))).toBe('LOAN_UNKNOWN')
  })

  it('may use the collateral (corrected: it was still locked), but never credit', () => {
    const bank = funded()
    borrow(bank)
    bank.balances.set(`available:${B}`, -1_600n)
    const loanId = loanIdOf(proposal().terms)
    repay(bank, loanId)
    expect(balance(bank, `available:${B}`)).toBe(0n)
    const poorer = funded()
    borrow(poorer)
    poorer.balances.set(`available:${B}`, -1_601n)
    expect(codeOf(() => repay(poorer, loanId))).toBe('INSUFFICIENT_BALANCE')
  })
})

describe('defaulting', () => {
  it('burns 10 % of the collateral, gives the rest to the pool, costs 0.2 reputation (V7)', () => {
    const bank = funded()
    borrow(bank)
    const loanId = loanIdOf(proposal().terms)
    const dueAtMs = NOW + 100 * HOUR
    expect(overdueLoans(bank.state.lending, dueAtMs)).toEqual([])
    expect(codeOf(() => declareDefault(bank, loanId, dueAtMs))).toBe('LOAN_NOT_DUE')
    expect(overdueLoans(bank.state.lending, dueAtMs + 1)).toEqual([loanId])
    declareDefault(bank, loanId, dueAtMs + 1)
    expect(balance(bank, 'system:burn')).toBe(300n)
    expect(balance(bank, 'system:pool')).toBe(99_000n + 2_700n)
    expect(balance(bank, `collateral:${B}`)).toBe(0n)
    expect(localReputation(bank.state.reputation, B, p)).toBeCloseTo(0.3, 12)
    expect(codeOf(() => repay(bank, loanId))).toBe('LOAN_CLOSED')
    expect(codeOf(() => declareDefault(bank, loanId, dueAtMs + 2))).toBe('LOAN_CLOSED')
  })

  it('pauses lending: five minutes after the trip, and as long as the hour shows too many defaults (V9)', () => {
    const bank = funded()
    borrow(bank)
    const failedAtMs = NOW + 100 * HOUR + 1
    declareDefault(bank, loanIdOf(proposal().terms), failedAtMs)
    const attempt = (nowMs: number) => {
      const command = proposal({ createdAtMs: nowMs, ratePerHour: 0.006 })
      return codeOf(() => decideBorrow(bank.state.lending, command, at(bank, nowMs)))
    }
    expect(attempt(failedAtMs)).toBe('LENDING_PAUSED')
    expect(attempt(failedAtMs + HOUR - 1)).toBe('LENDING_PAUSED')
    expect(attempt(failedAtMs - HOUR)).toBe('LENDING_PAUSED')
    expect(attempt(failedAtMs + HOUR)).toBeNull()
    bank.parameters = withParameter(p, 'DEFAULT_RATE_THRESHOLD', 0.5)
    const many = Array.from({ length: 9 }, () => ({ atMs: failedAtMs, defaulted: false }))
    const lending = bank.state.lending
    bank.state = {
      ...bank.state,
      lending: { ...lending, recentClosures: [...lending.recentClosures, ...many] },
    }
    expect(attempt(failedAtMs + 299_999)).toBe('LENDING_PAUSED')
    expect(attempt(failedAtMs + 300_000)).toBeNull()
  })

  it('allows ten loans a minute', () => {
    const bank = funded(900_000n)
    for (let i = 0; i < 10; i++) borrow(bank, proposal({ principalTrm: BigInt(100 + i) }), NOW + i)
    const next = proposal({ principalTrm: 500n })
    expect(codeOf(() => borrow(bank, next, NOW + 59_999))).toBe('LENDING_VELOCITY')
    expect(codeOf(() => borrow(bank, next, NOW + 60_000))).toBeNull()
  })
})

describe('pool, over random histories', () => {
  it('never owes lenders more than it holds and has lent', () => {
    const step = fc.tuple(
      fc.constantFrom('deposit', 'withdraw', 'borrow', 'repay', 'default'),
      fc.nat(3),
      fc.nat(20_000),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const lenders = [1, 2, 3, 4].map((i) => nodeId(10 + i))
        const bank = openBank({
          ...Object.fromEntries(lenders.map((lender) => [`available:${lender}`, 100_000n])),
          [`available:${B}`]: 20_000n,
        })
        let nowMs = NOW
        for (const [kind, who, amount] of steps) {
          nowMs += 1_000_000
          const lender = lenders[who] ?? LENDER
          const loanId = activeLoans(bank.state.lending)[0]?.loanId ?? '00'.repeat(32)
          codeOf(() => {
            if (kind === 'deposit') deposit(bank, BigInt(amount), lender)
            else if (kind === 'withdraw') withdraw(bank, BigInt(amount), lender)
            else if (kind === 'repay') repay(bank, loanId)
            else if (kind === 'default') declareDefault(bank, loanId, nowMs + 200 * HOUR)
            else
              borrow(
                bank,
                proposal({ principalTrm: BigInt(amount), createdAtMs: nowMs, ratePerHour: 0.006 }),
                nowMs,
              )
          })
          const { totalTrm, availableTrm, lentTrm } = view(bank)
          const owed = lenders.reduce(
            (sum, l) => sum + depositValueTrm(bank.state.lending, l, at(bank, nowMs)),
            0n,
          )
          expect(owed <= totalTrm).toBe(true)
          expect(availableTrm >= 0n && lentTrm >= 0n && balance(bank, `collateral:${B}`) >= 0n).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })
})
