import { describe, expect, it } from 'vitest'
import { defaultParameters } from './parameters.ts'
import { decideSlashes, hasFault, type SlashCandidate, slashEvents, slashRate } from './slashing.ts'
import { at, type Bank, book, nodeId, openBank } from './testing/bank.ts'

const DAY = 86_400_000
const NODE = nodeId(1)
const collusion = (trustPenalty: number, evidence = 'r1', node = NODE): SlashCandidate => ({
  node,
  reason: 'collusion',
  evidence,
  trustPenalty,
})
const tick = (bank: Bank, candidates: SlashCandidate[], nowMs = 0, distinctProviders = 4) => {
  const decisions = decideSlashes(bank.state.slashing, { candidates, distinctProviders }, at(bank, nowMs))
  for (const decision of decisions) book(bank, decision)
  return decisions.length
}
const staked = (bank: Bank) => bank.balances.get(`staked:${NODE}`)

describe('slashing (vectors V6)', () => {
  it.each([
    [0.05, 0, 10_000n],
    [0.1, 0.05, 9_500n],
    [0.15, 0.05, 9_500n],
    [0.2, 0.2, 8_000n],
    [0.3, 0.2, 8_000n],
    [0.4, 0.5, 5_000n],
    [0.45, 0.5, 5_000n],
    [Number.NaN, 0, 10_000n],
  ])('penalty %d burns the share %d', (penalty, rate, left) => {
    expect(slashRate(penalty, defaultParameters())).toBe(rate)
    const bank = openBank({ [`staked:${NODE}`]: 10_000n })
    tick(bank, [collusion(penalty)])
    expect(staked(bank)).toBe(left)
    expect(bank.balances.get('system:burn') ?? 0n).toBe(10_000n - left)
  })

  it('records a fault that found nothing to burn (corrected: it was forgotten)', () => {
    const bank = openBank()
    tick(bank, [collusion(0.5)])
    expect(hasFault(bank.state.slashing, NODE)).toBe(true)
    expect(slashEvents(bank.state.slashing)).toEqual([
      { node: NODE, reason: 'collusion', evidence: 'r1', trustPenalty: 0.5, burnedTrm: 0n, atMs: 0 },
    ])
    expect(tick(openBank(), [collusion(0.09)])).toBe(0)
  })

  it('punishes the same evidence once, and new faults again (corrected: one slash made immune for ever)', () => {
    const bank = openBank({ [`staked:${NODE}`]: 10_000n })
    expect(tick(bank, [collusion(0.3), collusion(0.2)])).toBe(1)
    expect(tick(bank, [collusion(0.3, 'r2')], DAY - 1)).toBe(0)
    expect(tick(bank, [collusion(0.3, 'r2')], -DAY)).toBe(0)
    expect(tick(bank, [collusion(0.3, 'r1')], 2 * DAY)).toBe(0)
    expect(tick(bank, [collusion(0.3, 'r3')], DAY)).toBe(1)
    const audit = { node: NODE, reason: 'audit-fail', evidence: 'c7', trustPenalty: 0.3 } as const
    expect(tick(bank, [audit], DAY)).toBe(1)
    expect(tick(bank, [audit], 9 * DAY)).toBe(0)
    expect(tick(bank, [{ ...audit, evidence: 'c8' }], DAY)).toBe(1)
    expect(staked(bank)).toBe(4_096n)
  })

  it('does not judge collusion among fewer than four providers', () => {
    const bank = openBank()
    expect(tick(bank, [collusion(0.5)], 0, 3)).toBe(0)
    expect(tick(bank, [{ ...collusion(0.3), reason: 'audit-fail' }], 0, 3)).toBe(1)
  })

  it('takes at most 100 a tick, the gravest first', () => {
    const bank = openBank()
    const many = Array.from({ length: 150 }, (_, i) => collusion(0.1 + i / 1_000, 'r1', nodeId(i)))
    expect(tick(bank, many)).toBe(100)
    expect(hasFault(bank.state.slashing, nodeId(149))).toBe(true)
    expect(hasFault(bank.state.slashing, nodeId(49))).toBe(false)
    expect(tick(bank, many)).toBe(50)
  })

  it('is exact for the largest stake', () => {
    const bank = openBank({ [`staked:${NODE}`]: (1n << 64n) - 1n })
    tick(bank, [collusion(0.1)])
    expect(bank.balances.get('system:burn')).toBe(((1n << 64n) - 1n) / 20n)
  })
})
