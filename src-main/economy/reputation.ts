import { z } from 'zod'
import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  MAX_AMOUNT_TRM,
  sha256,
  utf8,
  verifyStrict,
} from '../kernel/index.ts'
import {
  type ComplaintCause,
  ComplaintCauseSchema,
  type EconomyEvent,
  type EventOf,
  type ReputationCause,
} from './events.ts'
import { IMMUTABLE_PARAMETERS, type Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'
import { Fraction, Hex32, Millis, SignatureHex, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableEntries, tableGet, tableSet } from './table.ts'
import { clamp, type Decision, type EconomyContext, MICRO, micro, smaller } from './types.ts'
import { f64be, u64be } from './wire.ts'

/** What one node says about another (spec section 2.8). */
export interface Observation {
  observer: string
  subject: string
  /** 0 to 1. */
  reputation: number
  tradeCount: bigint
  volumeTrm: bigint
  timestampMs: number
}

export interface SignedObservation extends Observation {
  /** 64 bytes as hex, by the observer over `canonicalObservationBytes`. */
  signature: string
}

/** What one node says another has done to it. */
export interface Complaint {
  complainant: string
  subject: string
  cause: ComplaintCause
  /** Of what it is about. */
  evidence: string
  timestampMs: number
}

export interface ReputationState {
  /** Our own view. Nodes that are missing stand at DEFAULT_REPUTATION. */
  local: Table<number>
  /** By subject, oldest first, at most one per observer. */
  observations: Table<readonly SignedObservation[]>
  /** By subject, oldest first, at most one per complainant. */
  complaints: Table<readonly Complaint[]>
}

const ObservationCodec = z.strictObject({
  observer: Hex32,
  subject: Hex32,
  reputation: Fraction,
  tradeCount: Whole,
  volumeTrm: Whole,
  timestampMs: Millis,
  signature: SignatureHex,
})

const ComplaintCodec = z.strictObject({
  complainant: Hex32,
  subject: Hex32,
  cause: ComplaintCauseSchema,
  evidence: z.string(),
  timestampMs: Millis,
})

export const ReputationStateCodec = z.strictObject({
  local: tableCodec(Hex32, Fraction),
  observations: tableCodec(Hex32, z.array(ObservationCodec).readonly()),
  complaints: tableCodec(Hex32, z.array(ComplaintCodec).readonly()),
})

export const INITIAL_REPUTATION: ReputationState = {
  local: emptyTable(),
  observations: emptyTable(),
  complaints: emptyTable(),
}

/** @returns a value in 0..1; a delta that is not finite changes nothing (vectors V4.9). */
export function adjustReputation(value: number, delta: number): number {
  return Number.isFinite(delta) ? clamp(value + delta, 0, 1) : value
}

export function localReputation(state: ReputationState, node: string, p: Parameters): number {
  return tableGet(state.local, node) ?? p.DEFAULT_REPUTATION
}

/** Mean of our own view over all the nodes that the ledger knows, each counting alike; 0 when it knows none. */
export function averageReputation(state: ReputationState, knownNodes: number, p: Parameters): number {
  const local = tableEntries(state.local).map(([, reputation]) => reputation)
  const unjudged = Math.max(0, knownNodes - local.length)
  const sum = local.reduce((total, reputation) => total + reputation, unjudged * p.DEFAULT_REPUTATION)
  return knownNodes === 0 ? 0 : sum / (local.length + unjudged)
}

/** Oldest first. */
export function observationsOf(state: ReputationState, subject: string): readonly SignedObservation[] {
  return tableGet(state.observations, subject) ?? []
}

/** A dual-signed trade raises the provider, a failed audit lowers it (spec section 2.8), and so do broken words. */
export function decideReputationChange(
  _state: ReputationState,
  command: { node: string; cause: ReputationCause },
  { nowMs, parameters: p }: EconomyContext,
): Decision<EventOf<'reputation.changed'>> {
  const { node, cause } = command
  const delta = {
    trade: p.REPUTATION_TRADE_DELTA,
    'audit-failed': p.REPUTATION_AUDIT_DELTA,
    'not-countersigned': p.REPUTATION_UNSIGNED_DELTA,
    'word-broken': p.REPUTATION_BROKEN_WORD_DELTA,
  }[cause]
  return { event: { kind: 'reputation.changed', node, cause, delta, atMs: nowMs }, movements: [] }
}

/** observer ‖ subject ‖ reputation f64 ‖ trade count u64 ‖ volume u64 ‖ timestamp u64, big-endian: 96 bytes. */
export function canonicalObservationBytes(observation: Observation): Uint8Array {
  return concatBytes(
    bytesFromHex(observation.observer),
    bytesFromHex(observation.subject),
    f64be(observation.reputation),
    u64be(observation.tradeCount),
    u64be(observation.volumeTrm),
    u64be(BigInt(observation.timestampMs)),
  )
}

/** For gossip: two copies of one observation have the same key (vectors V3.3). */
export function observationKey(observation: Observation): string {
  return hexFromBytes(sha256(utf8('rep:'), canonicalObservationBytes(observation)))
}

/** @returns what is wrong with the fields or the signature, or null. Never throws. */
export function observationProblem(observation: SignedObservation): string | null {
  const problem = fieldProblem(observation)
  if (problem) return problem
  const isSigned =
    SignatureHex.safeParse(observation.signature).success &&
    verifyStrict(
      observation.observer,
      canonicalObservationBytes(observation),
      bytesFromHex(observation.signature),
    )
  return isSigned ? null : 'the signature does not match'
}

/** @returns what is wrong with the fields, or null. Negative zero would not survive the journal's JSON. */
function fieldProblem(observation: Observation): string | null {
  const { observer, subject, reputation, tradeCount, volumeTrm, timestampMs } = observation
  if (!Hex32.safeParse(observer).success || !Hex32.safeParse(subject).success)
    return 'a party is not a node id'
  if (observer === subject) return 'a node cannot vouch for itself'
  if (!(reputation >= 0 && reputation <= 1) || Object.is(reputation, -0))
    return 'the reputation is not in 0..1'
  const fits = (value: bigint) => value >= 0n && value <= MAX_AMOUNT_TRM
  if (!fits(tradeCount) || !fits(volumeTrm)) return 'a count does not fit 64 bits'
  return Millis.safeParse(timestampMs).success ? null : 'the time is not valid'
}

/**
 * Accepts a gossiped observation: one per observer and subject, newest wins.
 * @throws TiramiError OBSERVATION_INVALID (400) or OBSERVATION_STALE (409)
 */
export function decideObservation(
  state: ReputationState,
  observation: SignedObservation,
  { nowMs, parameters: p }: EconomyContext,
): Decision<EventOf<'reputation.observed'>> {
  const nextStep = 'Send a newer observation, signed by the observer.'
  const invalid = (problem: string) =>
    refusal('OBSERVATION_INVALID', `The observation was refused: ${problem}.`, nextStep, 400)
  const problem = observationProblem(observation)
  if (problem) throw invalid(problem)
  if (observation.timestampMs > nowMs + p.OBSERVATION_MAX_AHEAD_MS) throw invalid('it is dated in the future')
  const kept = observationsOf(state, observation.subject)
  const previous = kept.find(({ observer }) => observer === observation.observer)
  if (previous && previous.timestampMs >= observation.timestampMs) {
    throw refusal('OBSERVATION_STALE', 'A newer observation of this observer is known.', nextStep)
  }
  const { observer, subject, reputation, tradeCount, volumeTrm, timestampMs, signature } = observation
  return {
    event: {
      kind: 'reputation.observed',
      observer,
      subject,
      reputation,
      tradeCount: tradeCount.toString(),
      volumeTrm: volumeTrm.toString(),
      timestampMs,
      signature,
      keepMax: p.OBSERVATION_MAX_PER_SUBJECT,
      atMs: nowMs,
    },
    movements: [],
  }
}

function applyObserved(state: ReputationState, event: EventOf<'reputation.observed'>): ReputationState {
  const { observer, subject, reputation, timestampMs, signature } = event
  const added: SignedObservation = {
    observer,
    subject,
    reputation,
    tradeCount: BigInt(event.tradeCount),
    volumeTrm: BigInt(event.volumeTrm),
    timestampMs,
    signature,
  }
  const others = observationsOf(state, subject).filter((kept) => kept.observer !== observer)
  const kept = [...others, added]
    .sort((left, right) => left.timestampMs - right.timestampMs || (left.observer < right.observer ? -1 : 1))
    .slice(-event.keepMax)
  return { ...state, observations: tableSet(state.observations, subject, kept) }
}

/** Oldest first. */
export function complaintsOf(state: ReputationState, subject: string): readonly Complaint[] {
  return tableGet(state.complaints, subject) ?? []
}

/**
 * Takes a complaint whose evidence has been checked: one per complainant and subject, newest wins.
 * @throws TiramiError COMPLAINT_INVALID (400), COMPLAINT_STALE (409)
 */
export function decideComplaint(
  state: ReputationState,
  complaint: Complaint,
  { nowMs, parameters: p }: EconomyContext,
): Decision<EventOf<'reputation.complained'>> {
  const { complainant, subject, cause, evidence, timestampMs } = complaint
  if (complainant === subject || timestampMs > nowMs + p.OBSERVATION_MAX_AHEAD_MS) {
    throw refusal('COMPLAINT_INVALID', 'The complaint makes no sense.', 'Check who signed it, and when.', 400)
  }
  const previous = complaintsOf(state, subject).find((kept) => kept.complainant === complainant)
  if (previous && previous.timestampMs >= timestampMs) {
    throw refusal('COMPLAINT_STALE', 'A newer complaint of this node is known.', 'Nothing is to be done.')
  }
  const event = {
    kind: 'reputation.complained',
    complainant,
    subject,
    cause,
    evidence,
    timestampMs,
    keepMax: p.OBSERVATION_MAX_PER_SUBJECT,
    atMs: nowMs,
  } as const
  return { event, movements: [] }
}

function applyComplained(
  state: ReputationState,
  { complainant, subject, cause, evidence, timestampMs, keepMax }: EventOf<'reputation.complained'>,
): ReputationState {
  const others = complaintsOf(state, subject).filter((kept) => kept.complainant !== complainant)
  const kept = [...others, { complainant, subject, cause, evidence, timestampMs }]
    .sort(
      (left, right) =>
        left.timestampMs - right.timestampMs || (left.complainant < right.complainant ? -1 : 1),
    )
    .slice(-keepMax)
  return { ...state, complaints: tableSet(state.complaints, subject, kept) }
}

function applyCleared(
  state: ReputationState,
  { subject, evidence }: EventOf<'reputation.cleared'>,
): ReputationState {
  const kept = complaintsOf(state, subject).filter((complaint) => complaint.evidence !== evidence)
  return { ...state, complaints: tableSet(state.complaints, subject, kept) }
}

/** What is left of 1 after `ageMs`: half of it after each half-life, nothing after its life. */
export function freshness(ageMs: number, p: Parameters): number {
  if (ageMs >= p.OBSERVATION_LIFE_MS) return 0
  return 0.5 ** (Math.max(0, ageMs) / p.OBSERVATION_HALF_LIFE_MS)
}

/**
 * What complaints take from a reputation. Each complainant counts once, and only one that this host has reason to
 * believe: keys are free, so a crowd of strangers weighs nothing.
 */
export function complaintPenalty(
  complaints: readonly Complaint[],
  trustIn: (complainant: string) => bigint,
  nowMs: number,
  p: Parameters,
): number {
  const counted = complaints.filter(({ complainant }) => trustIn(complainant) >= p.OBSERVATION_MIN_TRADES)
  const sum = counted.reduce((total, { timestampMs }) => total + freshness(nowMs - timestampMs, p), 0)
  return Math.min(p.COMPLAINT_MAX_PENALTY, sum * p.COMPLAINT_PENALTY)
}

function applyDelta(state: ReputationState, node: string, delta: number): ReputationState {
  // Constitutional, so that replay does not depend on what was voted since.
  const before = tableGet(state.local, node) ?? IMMUTABLE_PARAMETERS.DEFAULT_REPUTATION
  return { ...state, local: tableSet(state.local, node, adjustReputation(before, delta)) }
}

/** A loan default lowers the borrower and a slash the offender: the deltas travel in the events. */
export function applyReputation(state: ReputationState, event: EconomyEvent): ReputationState {
  switch (event.kind) {
    case 'reputation.changed':
      return applyDelta(state, event.node, event.delta)
    case 'loan.defaulted':
    case 'peerloan.defaulted':
      return applyDelta(state, event.borrower, event.reputationDelta)
    // The evidence leaves the collusion window after a day; what was judged stays.
    case 'stake.slashed':
      return applyDelta(state, event.node, -event.trustPenalty)
    case 'reputation.observed':
      return applyObserved(state, event)
    case 'reputation.complained':
      return applyComplained(state, event)
    case 'reputation.cleared':
      return applyCleared(state, event)
    default:
      return state
  }
}

/** What this host can see of the trades between an observer and its subject. */
export interface ShownTrades {
  /** In this host's own books. */
  booked: bigint
  /** Heard of, with both signatures. Two nodes of one owner can make as many as they like. */
  heard: bigint
  /** Trades in which the observer has served this host: what it had to give to be heard. */
  served: bigint
}

/**
 * How many trades stand behind an observation. What was only heard counts up to what the observer has done for this
 * host: so all observers together weigh no more than the work that this host has had from them, however many keys they
 * are and however much they trade with each other.
 */
export function verifiableTrades({ booked, heard, served }: ShownTrades): bigint {
  const heardOf = smaller(heard, served)
  return booked > heardOf ? booked : heardOf
}

/** A weight after `ageMs`. */
export function decayed(weight: bigint, ageMs: number, p: Parameters): bigint {
  return (weight * micro(freshness(ageMs, p))) / MICRO
}

/**
 * Weighted median of our own view and of what others report (spec section 2.8, vectors V4.7). An observer weighs as
 * many trades as it claims, but no more than `shown` finds between it and the subject: claims are free.
 */
export function consensusReputation(
  own: number,
  observations: readonly Observation[],
  shown: (observation: Observation) => bigint,
  p: Parameters,
): number {
  const votes = observations
    .map((observation) => {
      const { reputation, tradeCount } = observation
      return { reputation, weight: smaller(tradeCount, shown(observation)) }
    })
    .filter(({ weight }) => weight >= p.OBSERVATION_MIN_TRADES)
  votes.push({ reputation: own, weight: p.OWN_VIEW_WEIGHT })
  votes.sort((left, right) => left.reputation - right.reputation)
  const half = votes.reduce((total, { weight }) => total + weight, 0n) / 2n
  let cumulative = 0n
  for (const { reputation, weight } of votes) {
    cumulative += weight
    if (cumulative >= half) return reputation
  }
  return own
}

export function effectiveReputation(consensus: number, collusionPenalty: number): number {
  return clamp(consensus - collusionPenalty, 0, 1)
}
