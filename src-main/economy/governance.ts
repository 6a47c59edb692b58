import { bytesFromHex, TiramiError, verifyStrict } from '../kernel/index.ts'
import {
  type ProposalTerms,
  proposalBytes,
  proposalDigest,
  proposalId,
  voteBytes,
} from './governance-bytes.ts'
import {
  GovernanceEvent,
  type GovernanceState,
  type Proposal,
  type ProposalEffect,
  type ProposalKind,
} from './governance-state.ts'
import { type Parameters, withParameter } from './parameters.ts'
import type { SafetyState } from './safety.ts'
import { decideKillSwitch } from './safety.ts'
import { checkedEvent, commandInvalid } from './safety-errors.ts'
import type { SafetyEvent } from './safety-events.ts'
import { effectiveNowMs } from './safety-window.ts'
import { Hex32, SignatureHex } from './schema.ts'
import { tableEntries, tableGet } from './table.ts'
import { DAY_MS, HOUR_MS } from './types.ts'

export {
  type ProposalTerms,
  proposalBytes,
  proposalDigest,
  proposalId,
  voteBytes,
} from './governance-bytes.ts'
export {
  applyGovernanceEvent,
  GovernanceEvent,
  type GovernanceState,
  GovernanceStateCodec,
  INITIAL_GOVERNANCE,
  type Proposal,
  type ProposalEffect,
  ProposalKind,
} from './governance-state.ts'

/** Spec section 3.5. */
const VOTERS_MIN = 3
/** Approving weight that a proposal needs, in thousandths of a TRM. */
const APPROVING_WEIGHT_MIN_MILLI = 10_000_000n
/** Long enough for everybody to hear of it; an emergency cannot wait a day. */
const VOTING_MIN_MS = DAY_MS
const EMERGENCY_VOTING_MIN_MS = 600_000
const VOTING_MAX_MS = 30 * DAY_MS
/** How far a proposal's signed time may be from now, either way. */
const FRESHNESS_MS = HOUR_MS
const ACTIVE_PROPOSALS_MAX = 64
export const ACTIVE_PER_PROPOSER_MAX = 3

/** What this host knows of a node, from its own ledger. Never what the node says of itself. */
export interface VoterStanding {
  stakeTrm: bigint
  reputation: number
  epochsParticipated: number
}

export interface GovernanceContext {
  /** Milliseconds since the Unix epoch. */
  nowMs: number
  epoch: number
  parameters: Parameters
  /**
   * @param lockedUntilMs only stake that stays locked until then counts: the same TRM must not vote again under
   *   another name before the vote is over
   */
  standing(nodeId: string, lockedUntilMs: number): VoterStanding | null
}

const INVALID = 'GOVERNANCE_COMMAND_INVALID'
const checked = (event: GovernanceEvent): GovernanceEvent => checkedEvent(GovernanceEvent, event, INVALID)

function refused(code: string, message: string, nextStep: string, httpStatus = 409): TiramiError {
  return new TiramiError(code, message, { nextStep, httpStatus })
}

/** @throws TiramiError GOVERNANCE_COMMAND_INVALID, SIGNATURE_INVALID (401) */
function assertSigned(signer: string, signatureHex: string, bytes: () => Uint8Array): void {
  if (!Hex32.safeParse(signer).success) throw commandInvalid(INVALID, 'signer', 'it is not a node id')
  if (!SignatureHex.safeParse(signatureHex).success)
    throw commandInvalid(INVALID, 'signature', 'it is not 64 bytes')
  if (verifyStrict(signer, bytes(), bytesFromHex(signatureHex))) return
  throw refused(
    'SIGNATURE_INVALID',
    'The signature does not fit.',
    'Sign again with the key of this node.',
    401,
  )
}

/** @throws TiramiError NOT_ELIGIBLE (403); also for a reputation that is no number */
function requireStanding(context: GovernanceContext, nodeId: string, lockedUntilMs: number): VoterStanding {
  const { GOVERNANCE_MIN_REPUTATION: reputationMin, GOVERNANCE_MIN_STAKE: stakeMinTrm } = context.parameters
  const standing = context.standing(nodeId, lockedUntilMs)
  if (standing && standing.reputation >= reputationMin && standing.stakeTrm >= stakeMinTrm) return standing
  throw refused(
    'NOT_ELIGIBLE',
    `Taking part needs a reputation of ${reputationMin} and ${stakeMinTrm} TRM staked until the vote ends.`,
    'Stake for longer, or earn reputation by serving.',
    403,
  )
}

export interface ProposeCommand extends ProposalTerms {
  /** Ed25519 over `proposalBytes`, as hex. */
  signature: string
}

/**
 * @param how `heard`: it was made elsewhere, perhaps a while ago
 * @throws TiramiError GOVERNANCE_COMMAND_INVALID, SIGNATURE_INVALID, NOT_ELIGIBLE, PROPOSAL_REPLAYED, PROPOSALS_FULL,
 *   VOTING_CLOSED, DEADLINE_INVALID, and for a parameter PARAMETER_IMMUTABLE, PARAMETER_UNKNOWN, PARAMETER_OUT_OF_BOUNDS,
 *   PROOF_POLICY_RATCHET
 */
export function decidePropose(
  state: GovernanceState,
  command: ProposeCommand,
  context: GovernanceContext,
  how: 'made-now' | 'heard' = 'made-now',
): GovernanceEvent[] {
  const { proposer, sequence, kind, createdAtMs, deadlineMs, signature } = command
  const atMs = effectiveNowMs(state, context.nowMs)
  for (const [field, value] of Object.entries({ sequence, createdAtMs, deadlineMs })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw commandInvalid(INVALID, field, 'it is not a whole number')
  }
  assertSigned(proposer, signature, () => proposalBytes(command))
  // What others made has been under way, for as long as a partition lasts: its times count from when it was made.
  assertTimes(kind, createdAtMs, deadlineMs, how === 'heard' ? Math.min(atMs, createdAtMs) : atMs)
  if (how === 'heard' && atMs >= deadlineMs)
    throw refused('VOTING_CLOSED', 'The vote has ended.', 'Look at the outcome.')
  if (kind.type === 'change_parameter') withParameter(context.parameters, kind.name, kind.value)
  requireStanding(context, proposer, deadlineMs)
  assertRoom(state, proposer, sequence)
  const id = proposalId(command)
  if (tableGet(state.proposals, id)) throw replayed()
  return [
    checked({
      kind: 'governance.proposed',
      proposalId: id,
      digest: proposalDigest(command),
      proposer,
      sequence,
      proposal: kind,
      epoch: context.epoch,
      createdAtMs,
      deadlineMs,
      signature,
      atMs,
    }),
  ]
}

const replayed = () =>
  refused(
    'PROPOSAL_REPLAYED',
    'This proposal, or a later one, was made before.',
    'Use a higher sequence number.',
  )

function assertTimes(kind: ProposalKind, createdAtMs: number, deadlineMs: number, nowMs: number): void {
  if (Math.abs(nowMs - createdAtMs) > FRESHNESS_MS) {
    throw commandInvalid(INVALID, 'createdAtMs', 'it is more than an hour from now')
  }
  const minMs = kind.type === 'emergency_pause' ? EMERGENCY_VOTING_MIN_MS : VOTING_MIN_MS
  const votingMs = deadlineMs - nowMs
  if (votingMs >= minMs && votingMs <= VOTING_MAX_MS) return
  throw refused(
    'DEADLINE_INVALID',
    `Voting takes ${minMs / 60_000} minutes to ${VOTING_MAX_MS / DAY_MS} days.`,
    'Choose another deadline.',
    400,
  )
}

function assertRoom(state: GovernanceState, proposer: string, sequence: number): void {
  const last = tableGet(state.sequences, proposer)
  if (last !== undefined && sequence <= last) throw replayed()
  const active = activeProposals(state)
  const own = active.filter(([, proposal]) => proposal.proposer === proposer)
  if (active.length < ACTIVE_PROPOSALS_MAX && own.length < ACTIVE_PER_PROPOSER_MAX) return
  throw refused('PROPOSALS_FULL', 'Too many proposals are open.', 'Wait until a vote has ended.', 429)
}

export interface VoteCommand {
  proposalId: string
  voter: string
  approve: boolean
  /** Ed25519 over `voteBytes`, as hex. */
  signature: string
}

/**
 * @throws TiramiError PROPOSAL_NOT_FOUND, VOTING_CLOSED, ALREADY_VOTED, SIGNATURE_INVALID, NOT_ELIGIBLE,
 *   GOVERNANCE_COMMAND_INVALID
 */
export function decideVote(
  state: GovernanceState,
  command: VoteCommand,
  context: GovernanceContext,
): GovernanceEvent[] {
  const { voter, approve, signature } = command
  const atMs = effectiveNowMs(state, context.nowMs)
  const proposal = requireProposal(state, command.proposalId)
  if (proposal.status !== 'active' || atMs >= proposal.deadlineMs) {
    throw refused('VOTING_CLOSED', 'The vote has ended.', 'Look at the outcome.')
  }
  assertSigned(voter, signature, () => voteBytes(voter, proposal.digest, approve))
  if (tableGet(proposal.votes, voter)) {
    throw refused('ALREADY_VOTED', 'This node has voted already.', 'A vote cannot be changed.')
  }
  const standing = requireStanding(context, voter, proposal.deadlineMs)
  return [
    checked({
      kind: 'governance.voted',
      proposalId: command.proposalId,
      voter,
      approve,
      stakeTrm: standing.stakeTrm.toString(),
      reputation: standing.reputation,
      epochsParticipated: standing.epochsParticipated,
      weightMilli: voteWeightMilli(standing).toString(),
      epoch: context.epoch,
      signature,
      atMs,
    }),
  ]
}

/** Stake × seniority (1, 1.5 after one epoch, 2 after three), in thousandths of a TRM. */
export function voteWeightMilli({
  stakeTrm,
  epochsParticipated,
}: Pick<VoterStanding, 'stakeTrm' | 'epochsParticipated'>): bigint {
  if (epochsParticipated >= 3) return stakeTrm * 2_000n
  return epochsParticipated >= 1 ? stakeTrm * 1_500n : stakeTrm * 1_000n
}

export interface Tally {
  status: Proposal['status']
  deadlineMs: number
  approveWeightMilli: bigint
  rejectWeightMilli: bigint
  voters: number
  /** What the votes so far would decide. */
  outcome: 'passed' | 'rejected'
}

/** Reads only: looking at a vote never ends it. @throws TiramiError PROPOSAL_NOT_FOUND */
export function tallyOf(state: GovernanceState, id: string): Tally {
  const { votes, status, deadlineMs } = requireProposal(state, id)
  let [approveWeightMilli, rejectWeightMilli] = [0n, 0n]
  const cast = tableEntries(votes)
  for (const [, vote] of cast) {
    if (vote.approve) approveWeightMilli += vote.weightMilli
    else rejectWeightMilli += vote.weightMilli
  }
  const passes =
    cast.length >= VOTERS_MIN &&
    approveWeightMilli >= APPROVING_WEIGHT_MIN_MILLI &&
    approveWeightMilli > rejectWeightMilli
  const outcome = passes ? 'passed' : 'rejected'
  return { status, deadlineMs, approveWeightMilli, rejectWeightMilli, voters: cast.length, outcome }
}

/** Ends a vote whose deadline has passed. @throws TiramiError PROPOSAL_NOT_FOUND, VOTING_OPEN, VOTING_CLOSED */
export function decideClose(
  state: GovernanceState,
  { proposalId: id }: { proposalId: string },
  context: Pick<GovernanceContext, 'nowMs'>,
): GovernanceEvent[] {
  const atMs = effectiveNowMs(state, context.nowMs)
  const tally = tallyOf(state, id)
  if (tally.status !== 'active') throw refused('VOTING_CLOSED', 'The vote has ended.', 'Look at the outcome.')
  if (atMs < tally.deadlineMs) {
    throw refused('VOTING_OPEN', 'The vote goes on until its deadline.', 'Wait until then.')
  }
  return [
    checked({
      kind: 'governance.closed',
      proposalId: id,
      outcome: tally.outcome,
      approveWeightMilli: tally.approveWeightMilli.toString(),
      rejectWeightMilli: tally.rejectWeightMilli.toString(),
      voters: tally.voters,
      atMs,
    }),
  ]
}

export interface Execution {
  /** To be journaled together. */
  events: (GovernanceEvent | SafetyEvent)[]
  effect: ProposalEffect
  /** The parameters afterwards: the very same unless the effect is a parameter. */
  parameters: Parameters
}

/**
 * Carries out a proposal that passed, once. Bounds and the ratchet of the proof policy are checked again, because
 * other votes may have been carried out since.
 * @throws TiramiError PROPOSAL_NOT_FOUND, PROPOSAL_NOT_PASSED, PARAMETER_…, PROOF_POLICY_RATCHET
 */
export function decideExecute(
  state: GovernanceState,
  { proposalId: id }: { proposalId: string },
  context: Pick<GovernanceContext, 'nowMs' | 'parameters'> & { safety: SafetyState },
): Execution {
  const atMs = effectiveNowMs(state, context.nowMs)
  const { status, proposal } = requireProposal(state, id)
  if (status !== 'passed') {
    throw refused(
      'PROPOSAL_NOT_PASSED',
      `The proposal is ${status}.`,
      'Only a proposal that passed is carried out.',
    )
  }
  const executed = (effect: ProposalEffect) =>
    checked({ kind: 'governance.executed', proposalId: id, effect, atMs })
  switch (proposal.type) {
    case 'change_parameter': {
      const { name, value } = proposal
      const parameters = withParameter(context.parameters, name, value)
      const effect: ProposalEffect = { type: 'parameter', name, value }
      return { events: [executed(effect)], effect, parameters }
    }
    case 'emergency_pause': {
      const effect: ProposalEffect = { type: 'pause' }
      const reason = `the network voted for an emergency pause (proposal ${id})`
      const pause = { active: true, reason, operator: `governance:${id}` }
      const killed = decideKillSwitch(context.safety, pause, context)
      return { events: [executed(effect), ...killed], effect, parameters: context.parameters }
    }
    case 'protocol_upgrade': {
      const effect: ProposalEffect = { type: 'recorded-only' }
      return { events: [executed(effect)], effect, parameters: context.parameters }
    }
  }
}

function requireProposal(state: GovernanceState, id: string): Proposal {
  const proposal = tableGet(state.proposals, id)
  if (proposal) return proposal
  throw refused(
    'PROPOSAL_NOT_FOUND',
    'There is no such proposal.',
    'Take the id from the list of proposals.',
    404,
  )
}

export function activeProposals(state: GovernanceState): [string, Proposal][] {
  return tableEntries(state.proposals).filter(([, { status }]) => status === 'active')
}

/** Proposals whose vote is over and must be closed. */
export function dueProposals(state: GovernanceState, nowMs: number): string[] {
  const atMs = effectiveNowMs(state, nowMs)
  return activeProposals(state).flatMap(([id, { deadlineMs }]) => (atMs >= deadlineMs ? [id] : []))
}

/** For a host's `standing`: in how many epochs the node has voted here. */
export function epochsParticipated(state: GovernanceState, nodeId: string): number {
  return tableGet(state.participation, nodeId)?.epochs ?? 0
}
