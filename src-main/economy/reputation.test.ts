import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexFromBytes, keyPairFromSeed } from '../kernel/index.ts'
import { defaultParameters } from './parameters.ts'
import {
  adjustReputation,
  canonicalObservationBytes,
  consensusReputation,
  decideObservation,
  decideReputationChange,
  effectiveReputation,
  localReputation,
  type Observation,
  observationKey,
} from './reputation.ts'
import { tableGet } from './table.ts'
import { at, book, codeOf, nodeId, openBank } from './testing/bank.ts'

const p = defaultParameters()
const k1 = keyPairFromSeed(new Uint8Array(32).fill(1))
const k2 = keyPairFromSeed(new Uint8Array(32).fill(2))
const NOW = 1_700_000_000_000
const v33: Observation = {
  observer: k1.publicKeyHex,
  subject: k2.publicKeyHex,
  reputation: 0.75,
  tradeCount: 42n,
  volumeTrm: 12_345n,
  timestampMs: NOW,
}
const signed = (observation: Observation, key = k1) => ({
  ...observation,
  signature: hexFromBytes(key.sign(canonicalObservationBytes(observation))),
})
const said = (reputation: number, tradeCount: bigint, observer = nodeId(3)): Observation => ({
  ...v33,
  observer,
  reputation,
  tradeCount,
})

describe('observations (vectors V3.3)', () => {
  it('has Tirami bytes, key and signature', () => {
    const bytes = canonicalObservationBytes(v33)
    expect(bytes).toHaveLength(96)
    expect(hexFromBytes(bytes)).toBe(
      '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3943fe8000000000000000000000000002a00000000000030390000018bcfe56800',
    )
    expect(observationKey(v33)).toBe('fe74412f9bf10befa86cd9a722d1fa53f57587a8a4406bec9cc249de5e567b1e')
    expect(signed(v33).signature).toBe(
      'c67069f8fcce3837cf1afba457ed2c206b90e9466c8a0ea4d40840dff14769b6737a187c5e4c6b42c040071906344b6bd0dc93c6beb9be13cb0bf3023dcaec03',
    )
  })

  it('refuses what is forged, vain, from the future, or out of range', () => {
    const bank = openBank()
    const code = (observation: Observation, key = k1, nowMs = NOW) =>
      codeOf(() => decideObservation(bank.state.reputation, signed(observation, key), at(bank, nowMs)))
    expect(code(v33)).toBeNull()
    expect(code(v33, k2)).toBe('OBSERVATION_INVALID')
    expect(code({ ...v33, subject: v33.observer })).toBe('OBSERVATION_INVALID')
    expect(code(v33, k1, NOW - 3_600_001)).toBe('OBSERVATION_INVALID')
    for (const reputation of [-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY, -0]) {
      expect(code({ ...v33, reputation })).toBe('OBSERVATION_INVALID')
    }
    const tampered = { ...signed(v33), tradeCount: 43n }
    expect(codeOf(() => decideObservation(bank.state.reputation, tampered, at(bank, NOW)))).toBe(
      'OBSERVATION_INVALID',
    )
  })

  it('keeps one per observer, the newest, and at most 32 per subject (corrected: one node cannot fill all slots)', () => {
    const bank = openBank()
    const hear = (observation: Observation, key = k1) =>
      book(bank, decideObservation(bank.state.reputation, signed(observation, key), at(bank, NOW)))
    const kept = () => tableGet(bank.state.reputation.observations, k2.publicKeyHex) ?? []
    hear(v33)
    expect(codeOf(() => hear(v33))).toBe('OBSERVATION_STALE')
    hear({ ...v33, reputation: 0.1, timestampMs: NOW + 1 })
    expect(kept()).toHaveLength(1)
    expect(kept()[0]?.reputation).toBe(0.1)
    for (let seed = 10; seed < 45; seed++) {
      const key = keyPairFromSeed(new Uint8Array(32).fill(seed))
      hear({ ...v33, observer: key.publicKeyHex, timestampMs: NOW + seed }, key)
    }
    expect(kept()).toHaveLength(32)
    expect(kept().some(({ observer }) => observer === k1.publicKeyHex)).toBe(false)
  })
})

describe('consensus (vectors V4.7)', () => {
  const many = () => 1_000n
  it('is the weighted median', () => {
    expect(consensusReputation(0.5, [said(0.8, 50n), said(0, 6n)], many, p)).toBe(0.8)
    expect(consensusReputation(0.5, [said(0.9, 4n)], many, p)).toBe(0.5)
    expect(consensusReputation(0.5, [], many, p)).toBe(0.5)
  })

  it('weighs claims by the trades that can be verified (corrected: trade_count is self-declared)', () => {
    expect(consensusReputation(0.5, [said(1, 1n << 60n)], () => 0n, p)).toBe(0.5)
    const shown = ({ observer }: Observation) => (observer === nodeId(4) ? 50n : 6n)
    const liars = [said(0, 10_000n, nodeId(5)), said(0.8, 50n, nodeId(4))]
    expect(consensusReputation(0.5, liars, shown, p)).toBe(0.8)
  })

  it('lies between the extremes and never overwrites our own view', () => {
    const observation = fc
      .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }))
      .map(([reputation, count]) => said(reputation, count))
    fc.assert(
      fc.property(fc.array(observation), fc.double({ min: 0, max: 1, noNaN: true }), (observations, own) => {
        const values = [own, ...observations.map(({ reputation }) => reputation)]
        const consensus = consensusReputation(own, observations, () => 1n << 64n, p)
        expect(values).toContain(consensus)
      }),
    )
  })
})

describe('local reputation (vectors V4.9)', () => {
  it('starts at 0.5, rises by 0.01, falls by 0.1, and stays within 0..1', () => {
    const bank = openBank()
    const change = (cause: 'trade' | 'audit-failed') =>
      book(bank, decideReputationChange(bank.state.reputation, { node: nodeId(1), cause }, at(bank, 0)))
    const value = () => localReputation(bank.state.reputation, nodeId(1), p)
    expect(value()).toBe(0.5)
    change('trade')
    expect(value()).toBeCloseTo(0.51, 12)
    for (let i = 0; i < 100; i++) change('trade')
    expect(value()).toBe(1)
    for (let i = 0; i < 20; i++) change('audit-failed')
    expect(value()).toBe(0)
  })

  it('ignores deltas that are not numbers', () => {
    for (const delta of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(adjustReputation(0.5, delta)).toBe(0.5)
    }
    expect(adjustReputation(0.9, 5)).toBe(1)
    expect(effectiveReputation(0.3, 0.5)).toBe(0)
    expect(effectiveReputation(Number.NaN, 0)).toBe(0)
  })
})
