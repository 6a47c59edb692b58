import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideReferralProgress, decideSponsor, referralsOf } from './referral.ts'
import { tableGet } from './table.ts'
import { at, type Bank, book, codeOf, nodeId, openBank } from './testing/bank.ts'

const DAY = 86_400_000
const SPONSOR = nodeId(1)
const NEWCOMER = nodeId(2)
const sponsor = (bank: Bank, referred: string, nowMs = 0, by = SPONSOR, contributed = 0n) => {
  const command = { sponsor: by, referred, referredContributedTrm: contributed }
  book(bank, decideSponsor(bank.state.referral, command, at(bank, nowMs)))
}
const report = (bank: Bank, loanRepaid: boolean, contributedTrm: bigint) =>
  book(
    bank,
    decideReferralProgress(
      bank.state.referral,
      { referred: NEWCOMER, loanRepaid, contributedTrm },
      at(bank, 1),
    ),
  )
const paid = (bank: Bank) => bank.balances.get(`available:${SPONSOR}`) ?? 0n

describe('referral (vectors V6)', () => {
  it('refuses oneself, a second sponsor, an established node, more than one a day, more than 50', () => {
    const bank = openBank()
    expect(codeOf(() => sponsor(bank, SPONSOR))).toBe('REFERRAL_SELF')
    sponsor(bank, NEWCOMER)
    expect(codeOf(() => sponsor(bank, NEWCOMER, DAY, nodeId(9)))).toBe('REFERRAL_ALREADY_SPONSORED')
    expect(codeOf(() => sponsor(bank, nodeId(8), DAY, SPONSOR, 1n))).toBe('REFERRAL_NOT_NEW')
    expect(codeOf(() => sponsor(bank, nodeId(3), DAY - 1))).toBe('REFERRAL_COOLDOWN')
    expect(codeOf(() => sponsor(bank, nodeId(3), -DAY))).toBe('REFERRAL_COOLDOWN')
    for (let i = 1; i < 50; i++) sponsor(bank, nodeId(100 + i), i * DAY)
    expect(codeOf(() => sponsor(bank, nodeId(99), 60 * DAY))).toBe('REFERRAL_LIMIT')
    expect(referralsOf(bank.state.referral, SPONSOR)).toHaveLength(50)
  })

  it('pays 100 TRM once when loan and threshold are met', () => {
    const bank = openBank()
    expect(codeOf(() => report(bank, true, 1_000n))).toBe('REFERRAL_UNKNOWN')
    sponsor(bank, NEWCOMER)
    report(bank, true, 999n)
    expect(paid(bank)).toBe(0n)
    report(bank, true, 1_000n)
    expect(paid(bank)).toBe(100n)
    expect(codeOf(() => report(bank, true, 5_000n))).toBe('REFERRAL_UNCHANGED')
    expect(tableGet(bank.state.referral.referrals, NEWCOMER)?.bonusTrm).toBe(100n)
  })

  it('does not depend on the order (corrected: threshold first paid nothing)', () => {
    const progress = fc.record({
      loanRepaid: fc.boolean(),
      contributedTrm: fc.bigInt({ min: 0n, max: 2_000n }),
    })
    fc.assert(
      fc.property(fc.array(progress, { maxLength: 8 }), fc.infiniteStream(fc.nat()), (reports, keys) => {
        const shuffled = reports
          .map((value) => ({ value, key: keys.next().value ?? 0 }))
          .sort((left, right) => left.key - right.key)
          .map(({ value }) => value)
        const play = (order: typeof reports) => {
          const bank = openBank()
          sponsor(bank, NEWCOMER)
          for (const { loanRepaid, contributedTrm } of order)
            codeOf(() => report(bank, loanRepaid, contributedTrm))
          return { paidTrm: paid(bank), state: bank.state.referral }
        }
        const both = reports.some((r) => r.loanRepaid) && reports.some((r) => r.contributedTrm >= 1_000n)
        expect(play(shuffled)).toEqual(play(reports))
        expect(play(reports).paidTrm).toBe(both ? 100n : 0n)
      }),
    )
  })

  it('pays what the cap leaves', () => {
    const bank = openBank({ 'system:mint': -20_999_999_970n })
    sponsor(bank, NEWCOMER)
    report(bank, true, 1_000n)
    expect(paid(bank)).toBe(30n)
  })
})
