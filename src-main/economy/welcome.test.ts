import { describe, expect, it } from 'vitest'
import { hasFault } from './slashing.ts'
import { providerEligibility } from './stake-gate.ts'
import { at, type Bank, book, codeOf, nodeId, openBank } from './testing/bank.ts'
import {
  activeWelcomeLoan,
  bucketAllowance,
  decideWelcome,
  decideWelcomeSettlement,
  expiredWelcomeLoans,
  nodeIdEntropyBits,
} from './welcome.ts'

const HOUR = 3_600_000
const NODE = nodeId(1)
const blank = { node: NODE, bucket: 'as64500', contributedTrm: 0n, consumedTrm: 0n, unprovenNodes: 0 }
const grant = (bank: Bank, more: Partial<typeof blank> = {}, nowMs = 0) =>
  book(bank, decideWelcome(bank.state.welcome, { ...blank, ...more }, at(bank, nowMs)))
const settle = (bank: Bank, contributedTrm: bigint, nowMs = 72 * HOUR) =>
  book(bank, decideWelcomeSettlement(bank.state.welcome, { node: NODE, contributedTrm }, at(bank, nowMs)))

describe('entropy of node ids (vectors V4.17)', () => {
  const hex = (bytes: number[]) => Buffer.from(bytes).toString('hex')
  it('accepts keys and refuses patterns', () => {
    expect(nodeIdEntropyBits(hex(Array.from({ length: 32 }, (_, i) => i)))).toBe(5)
    expect(nodeIdEntropyBits(hex(Array.from({ length: 32 }, (_, i) => i >> 1)))).toBe(4)
    expect(nodeIdEntropyBits(hex(Array.from({ length: 32 }, (_, i) => i >> 2)))).toBe(3)
    for (const node of [
      '00'.repeat(32),
      'ff'.repeat(32),
      '7a'.repeat(32),
      hex(Array.from({ length: 32 }, (_, i) => i >> 2)),
    ]) {
      expect(codeOf(() => grant(openBank(), { node }))).toBe('LOW_ENTROPY_NODE_ID')
    }
    expect(
      codeOf(() => grant(openBank(), { node: hex(Array.from({ length: 32 }, (_, i) => i >> 1)) })),
    ).toBeNull()
  })
})

describe('welcome loan (vectors V4.15)', () => {
  it('is 1,000 TRM of credit for 72 hours and mints nothing', () => {
    const bank = openBank()
    grant(bank)
    expect(activeWelcomeLoan(bank.state.welcome, NODE, 72 * HOUR - 1)).toMatchObject({ principalTrm: 1_000n })
    expect(activeWelcomeLoan(bank.state.welcome, NODE, 72 * HOUR)).toBeNull()
    expect(bank.balances.get('system:mint')).toBeUndefined()
  })

  it('is also for a node that cannot pay a stake from its first earnings (corrected: with real stakes it could never serve again)', () => {
    const earned = (amountTrm: bigint) => openBank({ [`available:${NODE}`]: amountTrm })
    expect(codeOf(() => grant(earned(99n), { contributedTrm: 99n }))).toBeNull()
    expect(codeOf(() => grant(earned(100n), { contributedTrm: 99n }))).toBe('WELCOME_ALREADY_KNOWN')
    expect(codeOf(() => grant(earned(0n), { contributedTrm: 100n }))).toBe('WELCOME_ALREADY_KNOWN')
    expect(codeOf(() => grant(earned(-1n)))).toBe('WELCOME_ALREADY_KNOWN')
  })

  it('refuses known nodes, a sunset economy, too many newcomers and bad buckets', () => {
    const bank = openBank()
    grant(bank)
    expect(codeOf(() => grant(bank))).toBe('WELCOME_ALREADY_KNOWN')
    expect(codeOf(() => grant(openBank(), { consumedTrm: 1n }))).toBe('WELCOME_ALREADY_KNOWN')
    expect(codeOf(() => grant(openBank({ 'system:mint': -15_750_000_000n })))).toBe('WELCOME_CLOSED')
    expect(codeOf(() => grant(openBank({ 'system:mint': -15_749_999_999n })))).toBeNull()
    expect(codeOf(() => grant(openBank(), { unprovenNodes: 101 }))).toBe('SYBIL_CEILING')
    expect(codeOf(() => grant(openBank(), { bucket: '__proto__' }))).toBe('BUCKET_INVALID')
  })

  it('settles once: repaid with earnings, and no ban for an unused loan (corrected: 0 earned was a permanent ban)', () => {
    const bank = openBank()
    grant(bank)
    expect(codeOf(() => settle(bank, 5n, 72 * HOUR - 1))).toBe('WELCOME_NOT_EXPIRED')
    expect(expiredWelcomeLoans(bank.state.welcome, 72 * HOUR)).toEqual([NODE])
    settle(bank, 5n)
    expect(codeOf(() => settle(bank, 5n))).toBe('WELCOME_NOT_ACTIVE')
    expect(expiredWelcomeLoans(bank.state.welcome, 73 * HOUR)).toEqual([])
    expect(codeOf(() => grant(bank, {}, 74 * HOUR))).toBe('WELCOME_ALREADY_KNOWN')

    const idle = openBank()
    grant(idle)
    settle(idle, 0n)
    expect(idle.events.at(-1)).toMatchObject({ outcome: 'unused' })
    const facts = {
      lockedStakeTrm: 0n,
      hasFault: hasFault(idle.state.slashing, NODE),
      hasActiveWelcomeLoan: false,
      contributedTrm: 0n,
    }
    expect(providerEligibility(facts, idle.parameters)).toBe('bootstrap-window')
  })

  it('is not repaid while the node is in debt', () => {
    const bank = openBank()
    grant(bank)
    bank.balances.set(`available:${NODE}`, -900n)
    settle(bank, 100n)
    expect(bank.events.at(-1)).toMatchObject({ outcome: 'in-debt' })
    expect(hasFault(bank.state.slashing, NODE)).toBe(false)
  })
})

describe('loans per network (vectors V6; corrected: the limiter is applied)', () => {
  it('grants 10 a day per network', () => {
    const bank = openBank()
    for (let i = 0; i < 10; i++) grant(bank, { node: nodeId(i) }, i)
    expect(codeOf(() => grant(bank, { node: nodeId(50) }, 11))).toBe('WELCOME_BUCKET_FULL')
    expect(codeOf(() => grant(bank, { node: nodeId(50) }, -24 * HOUR))).toBe('WELCOME_BUCKET_FULL')
    grant(bank, { node: nodeId(50), bucket: 'as64501' }, 11)
    grant(bank, { node: nodeId(51) }, 24 * HOUR)
    expect(codeOf(() => grant(bank, { node: nodeId(52) }, 24 * HOUR))).toBe('WELCOME_BUCKET_FULL')
  })

  it('grants ten times as many where a real stake stands behind the node', () => {
    const bank = openBank({ [`staked:${nodeId(60)}`]: 100n, [`staked:${nodeId(61)}`]: 99n })
    for (let i = 0; i < 10; i++) grant(bank, { node: nodeId(i) }, i)
    expect(codeOf(() => grant(bank, { node: nodeId(61) }, 11))).toBe('WELCOME_BUCKET_FULL')
    grant(bank, { node: nodeId(60) }, 11)
    const custom = {
      WELCOME_LOAN_PER_BUCKET_CAP: 2,
      WELCOME_STAKE_PROVEN_FACTOR: 10,
      WELCOME_BUCKET_WINDOW_MS: 1_000,
    }
    expect(bucketAllowance([0, 1], false, 2, custom)).toBe(0)
    expect(bucketAllowance([0, 1], false, 1_000, custom)).toBe(1)
    expect(bucketAllowance([0, 1], true, 2, custom)).toBe(18)
  })
})
