import { z } from 'zod'
import {
  type EconomyEvent,
  type EventOf,
  type FaultReason,
  FaultReasonSchema,
  SlashEvidenceSchema,
} from './events.ts'
import type { Parameters } from './parameters.ts'
import { Fraction, Hex32, Millis, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableEntries, tableGet, tableSet } from './table.ts'
import {
  type Decision,
  type EconomyContext,
  floorShare,
  movement,
  SYSTEM_BURN,
  stakedAccount,
} from './types.ts'

export interface Slash {
  reason: FaultReason
  evidence: string
  trustPenalty: number
  burnedTrm: bigint
  atMs: number
}

export interface SlashingState {
  /** By node, oldest first. */
  slashes: Table<readonly Slash[]>
}

const SlashCodec = z.strictObject({
  reason: FaultReasonSchema,
  evidence: SlashEvidenceSchema,
  trustPenalty: Fraction,
  burnedTrm: Whole,
  atMs: Millis,
})

export const SlashingStateCodec = z.strictObject({
  slashes: tableCodec(Hex32, z.array(SlashCodec).readonly()),
})

export const INITIAL_SLASHING: SlashingState = { slashes: emptyTable() }

export interface SlashCandidate {
  node: string
  reason: FaultReason
  /** Id of the failed audit or of the report: the same evidence is punished once. */
  evidence: string
  /** From the collusion report, or AUDIT_FAIL_TRUST_PENALTY. */
  trustPenalty: number
}

/** Share of the stake that is burned (spec section 2.14, vectors V6). */
export function slashRate(trustPenalty: number, p: Parameters): number {
  if (trustPenalty >= p.SLASH_CRITICAL_FROM) return p.SLASH_RATE_CRITICAL
  if (trustPenalty >= p.SLASH_MAJOR_FROM) return p.SLASH_RATE_MAJOR
  return trustPenalty >= p.SLASH_MINOR_FROM ? p.SLASH_RATE_MINOR : 0
}

export function hasFault(state: SlashingState, node: string): boolean {
  return tableGet(state.slashes, node) !== undefined
}

/** Newest first; ties by node. */
export function slashEvents(state: SlashingState): ({ node: string } & Slash)[] {
  const all = tableEntries(state.slashes).flatMap(([node, slashes]) =>
    slashes.map((slash) => ({ node, ...slash })),
  )
  return all.sort((left, right) => right.atMs - left.atMs)
}

/** Collusion reports look back a day: another report within a day may rest on the same trades. */
function punishedAlready(
  state: SlashingState,
  candidate: SlashCandidate,
  nowMs: number,
  p: Parameters,
): boolean {
  const { node, reason, evidence } = candidate
  return (tableGet(state.slashes, node) ?? []).some((slash) => {
    if (slash.reason !== reason) return false
    const overlaps = reason === 'collusion' && nowMs - slash.atMs < p.SLASH_SAME_EVIDENCE_MS
    return overlaps || slash.evidence === evidence
  })
}

function slashDecision(
  { node, reason, evidence, trustPenalty }: SlashCandidate,
  burnedTrm: bigint,
  nowMs: number,
) {
  const event: EventOf<'stake.slashed'> = {
    kind: 'stake.slashed',
    node,
    reason,
    evidence,
    trustPenalty,
    burnedTrm: burnedTrm.toString(),
    atMs: nowMs,
  }
  return { event, movements: movement(stakedAccount(node), SYSTEM_BURN, burnedTrm, 'slash') }
}

/**
 * One tick: at most SLASH_MAX_PER_TICK records, gravest first, one per node. A fault is recorded even when the node
 * has no stake to burn: it closes the stakeless path.
 * @param command `distinctProviders`: in the trade log. Below four a graph proves nothing, so collusion is not judged.
 */
export function decideSlashes(
  state: SlashingState,
  command: { candidates: readonly SlashCandidate[]; distinctProviders: number },
  context: EconomyContext,
): Decision<EventOf<'stake.slashed'>>[] {
  const { nowMs, parameters: p } = context
  const gravestFirst = [...command.candidates].sort(
    (left, right) => right.trustPenalty - left.trustPenalty || (left.node < right.node ? -1 : 1),
  )
  const decisions = new Map<string, Decision<EventOf<'stake.slashed'>>>()
  for (const candidate of gravestFirst) {
    if (decisions.size >= p.SLASH_MAX_PER_TICK) break
    const rate = slashRate(candidate.trustPenalty, p)
    const judged = candidate.reason !== 'collusion' || command.distinctProviders >= p.SLASH_MIN_PROVIDERS
    if (rate === 0 || !judged || decisions.has(candidate.node)) continue
    if (punishedAlready(state, candidate, nowMs, p)) continue
    const burnedTrm = floorShare(context.balanceTrm(stakedAccount(candidate.node)), rate)
    decisions.set(candidate.node, slashDecision(candidate, burnedTrm, nowMs))
  }
  return [...decisions.values()]
}

/** Trust that slashes for collusion took from the node and that evidence of the same hours must not take again. */
export function penaltySince(state: SlashingState, node: string, sinceMs: number): number {
  const recent = (tableGet(state.slashes, node) ?? []).filter(
    ({ reason, atMs }) => reason === 'collusion' && atMs >= sinceMs,
  )
  return recent.reduce((sum, { trustPenalty }) => sum + trustPenalty, 0)
}

export function applySlashing(state: SlashingState, event: EconomyEvent): SlashingState {
  if (event.kind !== 'stake.slashed') return state
  const { node, reason, evidence, trustPenalty, atMs } = event
  const slash: Slash = { reason, evidence, trustPenalty, burnedTrm: BigInt(event.burnedTrm), atMs }
  return { slashes: tableSet(state.slashes, node, [...(tableGet(state.slashes, node) ?? []), slash]) }
}
