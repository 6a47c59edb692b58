import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  collusionReports,
  steadinessScore,
  stronglyConnectedComponents,
  type TradeEdge,
  tightClusterScore,
  volumeSpikeScore,
} from './collusion.ts'
import { defaultParameters } from './parameters.ts'

const p = defaultParameters()
const HOUR = 3_600_000
const NOW = 1_700_000_000_000
const trade = (provider: string, consumer: string, hoursAgo = 1, amountTrm = 10n): TradeEdge => ({
  provider,
  consumer,
  amountTrm,
  atMs: NOW - hoursAgo * HOUR,
})
const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i))
const judge = (trades: TradeEdge[], subject = 's') => collusionReports(trades, NOW, p)(subject)

describe('collusion (vectors V8)', () => {
  it('scores nothing below ten trades, and only trades of the last day', () => {
    const nine = times(9, () => trade('s', 'a'))
    expect(judge(nine)).toMatchObject({ tradesInWindow: 9, tightClusterScore: 0, trustPenalty: 0, flags: [] })
    expect(judge([...nine, trade('s', 'a', 24.1), trade('s', 'a', -0.1)]).trustPenalty).toBe(0)
    expect(judge([...nine, trade('s', 'a', 24)]).trustPenalty).toBe(0.5)
  })

  it('flags trades with one counterparty', () => {
    const trades = [...times(18, () => trade('s', 'a')), trade('s', 'b'), trade('c', 's')]
    expect(judge(trades)).toMatchObject({ tradesInWindow: 20, uniqueCounterparties: 3 })
    expect(judge(trades).tightClusterScore).toBeCloseTo(0.875, 12)
    expect(judge(trades).trustPenalty).toBeCloseTo(0.4375, 12)
    expect(judge(times(20, (i) => trade('s', `n${i}`))).tightClusterScore).toBe(0)
  })

  it.each([
    [0.2, 0],
    [0.3, 0.0625],
    [0.5, 0.1875],
    [0.9, 0.4375],
    [1, 0.5],
  ])('a share of %d costs %d', (share, penalty) => {
    expect(0.5 * tightClusterScore(share, p)).toBeCloseTo(penalty, 12)
  })

  it('scores even volume as steadiness (corrected: it was called a spike)', () => {
    expect(steadinessScore([10, 10, 10], p)).toBe(1)
    expect(steadinessScore([10, 20, 30], p)).toBeCloseTo(0.183503, 6)
    expect(steadinessScore([1, 100], p)).toBe(0)
    expect(steadinessScore([10], p)).toBe(0)
    const even = times(24, (i) => trade('s', 'a', i + 0.5))
    expect(judge(even)).toMatchObject({ steadinessScore: 1, volumeSpikeScore: 0 })
  })

  it('flags real spikes (corrected: only steady volume was)', () => {
    expect(volumeSpikeScore([10, 10, 10, 50], p)).toBe(0)
    expect(volumeSpikeScore([10, 10, 10, 125], p)).toBe(0.5)
    expect(volumeSpikeScore([10, 11, 9, 5_000], p)).toBe(1)
    expect(volumeSpikeScore([1, 5_000], p)).toBe(0)
    const burst = [...times(12, (i) => trade('s', `n${i}`, i + 1.5)), trade('s', 'x', 0.5, 5_000n)]
    expect(judge(burst).volumeSpikeScore).toBe(1)
    expect(judge(burst).flags).toContain('one hour stands far above the others')
  })

  it('does not punish a busy machine with many customers (corrected: steady service cost all reputation)', () => {
    const busy = times(240, (i) => trade('s', `n${i % 40}`, (i % 24) + 0.5))
    expect(judge(busy).steadinessScore).toBe(1)
    expect(judge(busy).trustPenalty).toBeLessThan(0.02)
    const puppets = times(240, (i) => trade('s', `n${i % 2}`, (i % 24) + 0.5))
    expect(judge(puppets).trustPenalty).toBe(0.25)
  })

  it('flags a closed circle', () => {
    const circle = times(12, (i) => trade(['s', 'a', 'b'][i % 3] ?? '', ['a', 'b', 's'][i % 3] ?? ''))
    // Eight of these twelve trades are the subject's own; ten are needed to be judged.
    const twice = [...circle, ...circle]
    expect(judge(twice)).toMatchObject({ roundRobinScore: 1, trustPenalty: 0.5 })
  })

  it('sees the circle inside a market, but not the market as a circle', () => {
    const market = times(60, (i) =>
      trade(`m${i % 10}`, `m${(i + 1 + Math.floor(i / 10)) % 10}`, (i % 20) + 1),
    )
    const ring = times(12, (i) => trade(['x', 'y', 's'][i % 3] ?? '', ['y', 's', 'x'][i % 3] ?? ''))
    const both = [...market, ...ring, ...ring]
    expect(judge(both).roundRobinScore).toBe(1)
    expect(judge(both, 'm0').roundRobinScore).toBe(0)
    const outside = times(20, (i) => trade('s', `m${i % 10}`))
    expect(judge([...both, ...outside]).roundRobinScore).toBe(0)
  })

  it('is between 0 and a half, whatever was traded', () => {
    const name = fc.constantFrom('s', 'a', 'b', 'c', 'd')
    const edge = fc.record({
      provider: name,
      consumer: name,
      amountTrm: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      atMs: fc.integer({ min: NOW - 25 * HOUR, max: NOW + HOUR }),
    })
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 60 }), (trades) => {
        const { trustPenalty } = judge(trades)
        expect(trustPenalty).toBeGreaterThanOrEqual(0)
        expect(trustPenalty).toBeLessThanOrEqual(0.5)
      }),
    )
  })
})

describe('strongly connected components', () => {
  const canonical = (components: number[][]) =>
    components.map((members) => [...members].sort((a, b) => a - b).join()).sort()

  function naive(graph: number[][]): number[][] {
    const reach = graph.map((_, start) => {
      const seen = new Set([start])
      for (const node of seen) for (const next of graph[node] ?? []) seen.add(next)
      return seen
    })
    const groups = new Map<string, number[]>()
    graph.forEach((_, node) => {
      const members = graph.flatMap((_, other) =>
        reach[node]?.has(other) && reach[other]?.has(node) ? [other] : [],
      )
      groups.set(members.join(), members)
    })
    return [...groups.values()]
  }

  it('agree with mutual reachability on multigraphs', () => {
    const graphs = fc
      .integer({ min: 1, max: 12 })
      .chain((size) =>
        fc.array(fc.array(fc.nat(size - 1), { maxLength: 5 }), { minLength: size, maxLength: size }),
      )
    fc.assert(
      fc.property(graphs, (graph) => {
        expect(canonical(stronglyConnectedComponents(graph))).toEqual(canonical(naive(graph)))
      }),
      { numRuns: 500 },
    )
  })

  it('survive parallel edges, loops and a chain of 200,000 nodes', () => {
    expect(canonical(stronglyConnectedComponents([[1, 1, 0], [0, 0, 2], [2]]))).toEqual(['0,1', '2'])
    const chain = times(200_000, (i) => (i < 199_999 ? [i + 1] : []))
    expect(stronglyConnectedComponents(chain)).toHaveLength(200_000)
    const ring = times(200_000, (i) => [(i + 1) % 200_000])
    expect(stronglyConnectedComponents(ring)).toHaveLength(1)
  })
})
