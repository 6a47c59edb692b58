import { z } from 'zod'
import { Count, Fraction, Hex32, Millis, SignatureHex, Whole, WholeText } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableDelete, tableEntries, tableGet, tableSet } from './table.ts'

/** Spec section 3.5: a 64-bit id as decimal digits. */
export const ProposalId = z.string().regex(/^(0|[1-9]\d{0,19})$/)

export const ProposalKind = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('change_parameter'),
    name: z.string().regex(/^[A-Z0-9_]{1,64}$/),
    value: z.number(),
  }),
  z.strictObject({ type: z.literal('emergency_pause') }),
  z.strictObject({
    type: z.literal('protocol_upgrade'),
    description: z
      .string()
      .min(1)
      .max(1_000)
      .refine((text) => text.isWellFormed(), 'it is not well-formed text'),
  }),
])
export type ProposalKind = z.infer<typeof ProposalKind>

/** What executing a proposal does. The host applies it; nothing else has an effect. */
const ProposalEffect = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('parameter'), name: z.string(), value: z.number() }),
  /** A kill-switch event follows. */
  z.strictObject({ type: z.literal('pause') }),
  /** No host changes its program because of a vote: the decision is on record for its owner. */
  z.strictObject({ type: z.literal('recorded-only') }),
])
export type ProposalEffect = z.infer<typeof ProposalEffect>

const Tallied = { approveWeightMilli: WholeText, rejectWeightMilli: WholeText, voters: Count }

/** What the host journals. Weights are in thousandths of a TRM, so that a seniority of 1.5 is exact. */
export const GovernanceEvent = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('governance.proposed'),
    proposalId: ProposalId,
    digest: Hex32,
    proposer: Hex32,
    sequence: Count,
    proposal: ProposalKind,
    epoch: Count,
    createdAtMs: Millis,
    deadlineMs: Millis,
    signature: SignatureHex,
    atMs: Millis,
  }),
  z.strictObject({
    kind: z.literal('governance.voted'),
    proposalId: ProposalId,
    voter: Hex32,
    approve: z.boolean(),
    /** The voter's standing as this host knew it when the vote came in. */
    stakeTrm: WholeText,
    reputation: Fraction,
    epochsParticipated: Count,
    weightMilli: WholeText,
    epoch: Count,
    signature: SignatureHex,
    atMs: Millis,
  }),
  z.strictObject({
    kind: z.literal('governance.closed'),
    proposalId: ProposalId,
    outcome: z.enum(['passed', 'rejected']),
    ...Tallied,
    atMs: Millis,
  }),
  z.strictObject({
    kind: z.literal('governance.executed'),
    proposalId: ProposalId,
    effect: ProposalEffect,
    atMs: Millis,
  }),
])
export type GovernanceEvent = z.infer<typeof GovernanceEvent>
type EventOf<Kind extends GovernanceEvent['kind']> = Extract<GovernanceEvent, { kind: Kind }>

export interface Vote {
  approve: boolean
  weightMilli: bigint
}

export interface Proposal {
  /** SHA-256 of what the proposer signed: what votes refer to. */
  digest: string
  proposer: string
  proposal: ProposalKind
  epoch: number
  createdAtMs: number
  deadlineMs: number
  status: 'active' | 'passed' | 'rejected' | 'executed'
  votes: Table<Vote>
}

/** Follows from the events alone. */
export interface GovernanceState {
  /** The latest time of any event: a clock that goes back reopens no vote. */
  atMs: number
  proposals: Table<Proposal>
  /** The last sequence of every proposer: an old proposal cannot be replayed, however long ago it was forgotten. */
  sequences: Table<number>
  /** In how many epochs, and when last, a node has voted. */
  participation: Table<{ epochs: number; lastEpoch: number }>
}

export const INITIAL_GOVERNANCE: GovernanceState = {
  atMs: 0,
  proposals: emptyTable(),
  sequences: emptyTable(),
  participation: emptyTable(),
}

/** Plain JSON ⇄ `GovernanceState`. */
export const GovernanceStateCodec = z.strictObject({
  atMs: Millis,
  proposals: tableCodec(
    ProposalId,
    z.strictObject({
      digest: Hex32,
      proposer: Hex32,
      proposal: ProposalKind,
      epoch: Count,
      createdAtMs: Millis,
      deadlineMs: Millis,
      status: z.enum(['active', 'passed', 'rejected', 'executed']),
      votes: tableCodec(Hex32, z.strictObject({ approve: z.boolean(), weightMilli: Whole })),
    }),
  ),
  sequences: tableCodec(Hex32, Count),
  participation: tableCodec(Hex32, z.strictObject({ epochs: Count, lastEpoch: Count })),
})

/** Rejected and executed proposals that stay readable; the journal holds them all. */
const FINISHED_PROPOSALS_KEPT = 256

/** Pure: live events and replayed events go through here. @throws Error when the event contradicts the state */
export function applyGovernanceEvent(state: GovernanceState, event: GovernanceEvent): GovernanceState {
  const next = applied(state, event)
  return { ...next, atMs: Math.max(state.atMs, event.atMs) }
}

function applied(state: GovernanceState, event: GovernanceEvent): GovernanceState {
  switch (event.kind) {
    case 'governance.proposed':
      return withProposal(state, event)
    case 'governance.voted':
      return withVote(state, event)
    case 'governance.closed':
      return forgetting(withStatus(state, event.proposalId, 'active', event.outcome))
    case 'governance.executed':
      return forgetting(withStatus(state, event.proposalId, 'passed', 'executed'))
  }
}

function withProposal(state: GovernanceState, event: EventOf<'governance.proposed'>): GovernanceState {
  const { proposalId, digest, proposer, sequence, proposal, epoch, createdAtMs, deadlineMs } = event
  if (tableGet(state.proposals, proposalId)) throw new Error('the proposal exists already')
  const votes = emptyTable<Vote>()
  const entry: Proposal = {
    digest,
    proposer,
    proposal,
    epoch,
    createdAtMs,
    deadlineMs,
    status: 'active',
    votes,
  }
  return {
    ...state,
    proposals: tableSet(state.proposals, proposalId, entry),
    sequences: tableSet(state.sequences, proposer, sequence),
  }
}

function withVote(state: GovernanceState, event: EventOf<'governance.voted'>): GovernanceState {
  const { proposalId, voter, approve, epoch } = event
  const proposal = tableGet(state.proposals, proposalId)
  if (proposal?.status !== 'active' || tableGet(proposal.votes, voter)) {
    throw new Error('the vote is not open to this voter')
  }
  const votes = tableSet(proposal.votes, voter, { approve, weightMilli: BigInt(event.weightMilli) })
  const before = tableGet(state.participation, voter)
  const isNewEpoch = before === undefined || epoch > before.lastEpoch
  return {
    ...state,
    proposals: tableSet(state.proposals, proposalId, { ...proposal, votes }),
    participation: isNewEpoch
      ? tableSet(state.participation, voter, { epochs: (before?.epochs ?? 0) + 1, lastEpoch: epoch })
      : state.participation,
  }
}

function withStatus(
  state: GovernanceState,
  id: string,
  from: Proposal['status'],
  status: Proposal['status'],
): GovernanceState {
  const proposal = tableGet(state.proposals, id)
  if (proposal?.status !== from) throw new Error(`the proposal is not ${from}`)
  return { ...state, proposals: tableSet(state.proposals, id, { ...proposal, status }) }
}

function forgetting(state: GovernanceState): GovernanceState {
  const finished = tableEntries(state.proposals)
    .filter(([, { status }]) => status === 'rejected' || status === 'executed')
    .sort(([, a], [, b]) => a.deadlineMs - b.deadlineMs)
  const surplus = finished.slice(0, Math.max(0, finished.length - FINISHED_PROPOSALS_KEPT))
  const proposals = surplus.reduce((kept, [id]) => tableDelete(kept, id), state.proposals)
  return { ...state, proposals }
}
