import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Tariff } from './offer.ts'
import type { Peer } from './registry.ts'
import { rankProviders } from './select.ts'

const FILE = 'ab'.repeat(32)

/** A host that offers the one model. */
const peer = (index: number, latencyEmaMs: number, running: number, costTrm: number): Peer =>
  ({
    nodeId: String(index).padStart(64, '0'),
    latencyEmaMs,
    verifiedTrades: index,
    signal: {
      expiresAtMs: 1_000,
      models: [{ id: 'fox-1', weights: FILE, contextTokens: 4_096, cost: BigInt(costTrm) }],
      load: { slots: 4, running, queued: 0 },
    },
  }) as unknown as Peer

describe('the order in which hosts are asked', () => {
  it('has the suspected ones after all others, however good they look, and those that failed not at all', () => {
    const state = fc.constantFrom('clear', 'suspected', 'failed', 'suspected of another file')
    const host = fc.record({
      state,
      latencyMs: fc.nat(5_000),
      running: fc.nat(8),
      costTrm: fc.integer({ min: 1, max: 99 }),
    })
    fc.assert(
      fc.property(fc.array(host, { maxLength: 12 }), (hosts) => {
        const stateOf = (nodeId: string) => hosts[Number(nodeId)]?.state ?? 'clear'
        const ranked = rankProviders(
          hosts.map(({ latencyMs, running, costTrm }, index) => peer(index, latencyMs, running, costTrm)),
          {
            model: 'fox-1',
            promptTokens: 9,
            maxTokens: 16,
            mode: 'balanced',
            nowMs: 0,
            reputationOf: () => 0.5,
            auditsOf: (nodeId) => ({
              steps: 0,
              failedWeights: stateOf(nodeId) === 'failed' ? [FILE] : [],
              suspectedWeights:
                stateOf(nodeId) === 'suspected'
                  ? [FILE]
                  : stateOf(nodeId) === 'clear'
                    ? []
                    : ['cd'.repeat(32)],
            }),
            tariff: { costTrm: (cost: unknown) => cost as bigint } as unknown as Tariff,
          },
        )
        const states = ranked.map(({ peer: { nodeId } }) => stateOf(nodeId))
        expect(states).toHaveLength(hosts.filter(({ state }) => state !== 'failed').length)
        expect(states).not.toContain('failed')
        const isSuspected = states.map((state) => state === 'suspected')
        expect(isSuspected).toEqual([...isSuspected].sort())
        const scores = ranked
          .filter(({ peer: { nodeId } }) => stateOf(nodeId) !== 'suspected')
          .map(({ score }) => score)
        expect(scores).toEqual([...scores].sort((a, b) => b - a))
      }),
      { seed: 41 },
    )
  })
})
