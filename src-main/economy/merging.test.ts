import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexFromBytes, keyPairFromSeed } from '../kernel/index.ts'
import { defaultParameters } from './parameters.ts'
import {
  applyReputation,
  type Complaint,
  canonicalObservationBytes,
  complaintPenalty,
  complaintsOf,
  consensusReputation,
  decayed,
  decideComplaint,
  decideObservation,
  freshness,
  INITIAL_REPUTATION,
  type Observation,
  observationsOf,
  type ReputationState,
  type SignedObservation,
  verifiableTrades,
} from './reputation.ts'
import { codeOf, nodeId } from './testing/bank.ts'
import { smaller } from './types.ts'

const p = defaultParameters()
const NOW = 1_700_000_000_000
const DAY = 86_400_000
const SUBJECT = nodeId(200)
const context = { nowMs: NOW, parameters: p, balanceTrm: () => 0n }
const keys = Array.from({ length: 6 }, (_, index) => keyPairFromSeed(new Uint8Array(32).fill(index + 1)))

function signed(key: (typeof keys)[number], reputation: number, timestampMs: number): SignedObservation {
  const observation: Observation = {
    observer: key.publicKeyHex,
    subject: SUBJECT,
    reputation,
    tradeCount: 50n,
    volumeTrm: 9n,
    timestampMs,
  }
  return { ...observation, signature: hexFromBytes(key.sign(canonicalObservationBytes(observation))) }
}

type Message = { observation: SignedObservation } | { complaint: Complaint }

function hear(state: ReputationState, message: Message): ReputationState {
  let next = state
  const code = codeOf(() => {
    const { event } =
      'observation' in message
        ? decideObservation(state, message.observation, context)
        : decideComplaint(state, message.complaint, context)
    next = applyReputation(state, event)
  })
  expect([null, 'OBSERVATION_STALE', 'COMPLAINT_STALE']).toContain(code)
  return next
}

const arbitraryMessage: fc.Arbitrary<Message> = fc
  .tuple(fc.nat(keys.length - 1), fc.integer({ min: 0, max: 10 }), fc.nat(5), fc.boolean())
  .map(([index, tenth, day, complains]) => {
    const key = keys[index] ?? keys[0]
    if (!key) throw new Error('no key')
    const timestampMs = NOW - day * DAY
    if (!complains) return { observation: signed(key, tenth / 10, timestampMs) }
    const cause = 'not-countersigned' as const
    return {
      complaint: {
        complainant: key.publicKeyHex,
        subject: SUBJECT,
        cause,
        evidence: `job:${day}`,
        timestampMs,
      },
    }
  })

describe('what others say', () => {
  it('merges to the same, in whatever order and however often it is heard', () => {
    const orders = fc
      .array(arbitraryMessage, { maxLength: 14 })
      .chain((messages) =>
        fc.tuple(
          fc.constant(messages),
          fc.shuffledSubarray(messages, { minLength: messages.length }),
          fc.array(fc.constantFrom(...(messages.length > 0 ? messages : [null])), { maxLength: 6 }),
        ),
      )
    fc.assert(
      fc.property(orders, ([messages, shuffled, again]) => {
        const merged = (list: readonly (Message | null)[]) =>
          list.reduce<ReputationState>((state, one) => (one ? hear(state, one) : state), INITIAL_REPUTATION)
        const [one, other] = [merged(messages), merged([...shuffled, ...again])]
        // Of one observer's words of the same moment the first counts: their content is the same kind of thing.
        const seen = (state: ReputationState) => [
          observationsOf(state, SUBJECT).map(({ observer, timestampMs }) => [observer, timestampMs]),
          complaintsOf(state, SUBJECT).map(({ complainant, timestampMs }) => [complainant, timestampMs]),
        ]
        expect(seen(other)).toEqual(seen(one))
      }),
      { seed: 20_260_711, numRuns: 60 },
    )
  })

  it('of a crowd of keys weighs no more than the work that they have done for this host', () => {
    const crowd = fc.array(
      fc.record({
        reputation: fc.double({ min: 0, max: 1, noNaN: true }),
        claimed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        heard: fc.bigInt({ min: 0n, max: 1_000_000n }),
        served: fc.bigInt({ min: 0n, max: 9n }),
      }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(crowd, (sybils) => {
        const weights = sybils.map(({ claimed, heard, served }) => {
          const shown = verifiableTrades({ booked: 0n, heard, served })
          return smaller(claimed, shown)
        })
        const servedByAll = sybils.reduce((sum, { served }) => sum + served, 0n)
        expect(weights.reduce((sum, weight) => sum + weight, 0n) <= servedByAll).toBe(true)
      }),
      { seed: 20_260_712 },
    )
  })

  it('of strangers changes nothing, however many and however loud they are', () => {
    const strangers = Array.from({ length: 500 }, (_, index) => ({
      ...signed(keys[0] ?? keyPairFromSeed(new Uint8Array(32)), 0, NOW),
      observer: nodeId(index),
    }))
    const shown = () => verifiableTrades({ booked: 0n, heard: 1_000_000n, served: 0n })
    expect(consensusReputation(0.6, strangers, shown, p)).toBe(0.6)
    const complaints = strangers.map(({ observer }) => ({
      complainant: observer,
      subject: SUBJECT,
      cause: 'loan-default' as const,
      evidence: 'x',
      timestampMs: NOW,
    }))
    expect(complaintPenalty(complaints, () => 0n, NOW, p)).toBe(0)
    expect(complaintPenalty(complaints, () => 5n, NOW, p)).toBe(p.COMPLAINT_MAX_PENALTY)
    expect(complaintPenalty(complaints.slice(0, 1), () => 5n, NOW, p)).toBeCloseTo(p.COMPLAINT_PENALTY, 12)
  })

  it('fades: half of it after a week, nothing after a month', () => {
    expect(freshness(0, p)).toBe(1)
    expect(freshness(-DAY, p)).toBe(1)
    expect(freshness(7 * DAY, p)).toBeCloseTo(0.5, 12)
    expect(freshness(30 * DAY, p)).toBe(0)
    expect(decayed(1n << 64n, 14 * DAY, p)).toBe(1n << 62n)
    fc.assert(
      fc.property(fc.nat(40 * DAY), fc.nat(40 * DAY), (one, other) => {
        const [sooner, later] = one < other ? [one, other] : [other, one]
        expect(freshness(later, p)).toBeLessThanOrEqual(freshness(sooner, p))
      }),
      { seed: 20_260_713 },
    )
  })
})
