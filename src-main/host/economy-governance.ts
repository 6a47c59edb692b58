import {
  activeProposals,
  availableAccount,
  decideClose,
  decideExecute,
  decidePropose,
  decideVote,
  epochsParticipated,
  type GovernanceContext,
  halvingEpoch,
  mintedTrm,
  type Proposal,
  type ProposalEffect,
  type ProposalKind,
  type ProposalTerms,
  proposalBytes,
  stakedAccount,
  stakeOf,
  type Tally,
  tableGet,
  tallyOf,
  voteBytes,
} from '../economy/index.ts'
import { hexFromBytes } from '../kernel/index.ts'
import type { EconomyCore } from './economy-core.ts'

export interface ExecutedProposal {
  effect: ProposalEffect
  previousProofPolicy: number
  proofPolicy: number
}

/** Proposals and votes, each signed by the node that makes it (spec section 3.5). */
export interface Governance {
  /** A proposal that its proposer has signed. @returns its id, decimal digits */
  propose(terms: ProposalTerms, signature: string, how?: 'made-now' | 'heard'): Promise<string>
  /** A proposal of this host's node, signed here. */
  proposeOwn(kind: ProposalKind, deadlineMs: number): Promise<string>
  vote(command: { voter: string; proposalId: string; approve: boolean; signature: string }): Promise<void>
  /** The vote of this host's node, signed here. */
  voteOwn(proposalId: string, approve: boolean): Promise<void>
  /** Those still open. */
  proposals(): [id: string, proposal: Proposal][]
  tally(proposalId: string): Tally
  /** Ends the vote if its deadline has passed, then carries it out. */
  execute(proposalId: string): Promise<ExecutedProposal>
  /** Hears of what was taken here. @returns a function that ends it */
  onAct(listener: GovernanceListener): () => void
  /** 0 disabled to 3 required. */
  proofPolicy(): number
}

export interface GovernanceListener {
  proposed(terms: ProposalTerms, signature: string): void
  voted(vote: { voter: string; proposalId: string; approve: boolean; signature: string }): void
}

/**
 * Standing comes from this ledger, never from the voter. What another host has staked is in its own books, where nobody
 * else can see it; what can be seen here is what it has earned by serving this host and not spent. Only work moves
 * that, so the same TRM cannot vote again under another name.
 */
function governanceContext(core: EconomyCore, nowMs: number): GovernanceContext {
  return {
    nowMs,
    epoch: halvingEpoch(mintedTrm(core.context(nowMs)), core.parameters),
    parameters: core.parameters,
    standing: (node, lockedUntilMs) => {
      const unlocksAtMs = stakeOf(core.state.staking, node)?.unlocksAtMs ?? 0
      const lockedTrm = unlocksAtMs >= lockedUntilMs ? core.balanceTrm(stakedAccount(node)) : 0n
      const isOtherHost = node !== core.nodeId && core.trades.servedBy(node) > 0n
      const earnedTrm = isOtherHost ? core.balanceTrm(availableAccount(node)) : 0n
      return {
        stakeTrm: lockedTrm + (earnedTrm > 0n ? earnedTrm : 0n),
        reputation: core.reputation(node, nowMs),
        epochsParticipated: epochsParticipated(core.governance, node),
      }
    },
  }
}

export function closePosting(core: EconomyCore, proposalId: string, nowMs: number) {
  return { events: decideClose(core.governance, { proposalId }, { nowMs }), movements: [] }
}

export function executePosting(core: EconomyCore, proposalId: string, nowMs: number) {
  const context = { nowMs, parameters: core.parameters, safety: core.ports.safety() }
  const { events, effect } = decideExecute(core.governance, { proposalId }, context)
  return { events, effect, movements: [] }
}

export function createGovernance(core: EconomyCore): Governance {
  const listeners = new Set<GovernanceListener>()
  const propose: Governance['propose'] = async (terms, signature, how = 'made-now') => {
    const context = governanceContext(core, core.nowMs())
    const events = decidePropose(core.governance, { ...terms, signature }, context, how)
    await core.write(events)
    const [event] = events
    for (const listener of listeners) listener.proposed(terms, signature)
    return event?.kind === 'governance.proposed' ? event.proposalId : ''
  }
  const vote: Governance['vote'] = async (command) => {
    const context = governanceContext(core, core.nowMs())
    await core.write(decideVote(core.governance, command, context))
    for (const listener of listeners) listener.voted(command)
  }
  return {
    propose,
    proposeOwn: async (kind, deadlineMs) => {
      const sequence = (tableGet(core.governance.sequences, core.nodeId) ?? 0) + 1
      const terms = { proposer: core.nodeId, sequence, kind, createdAtMs: core.nowMs(), deadlineMs }
      return propose(terms, hexFromBytes(core.ports.node.sign(proposalBytes(terms))))
    },
    vote,
    voteOwn: async (proposalId, approve) => {
      tallyOf(core.governance, proposalId)
      const digest = tableGet(core.governance.proposals, proposalId)?.digest ?? ''
      const signature = hexFromBytes(core.ports.node.sign(voteBytes(core.nodeId, digest, approve)))
      await vote({ voter: core.nodeId, proposalId, approve, signature })
    },
    proposals: () => activeProposals(core.governance),
    tally: (proposalId) => tallyOf(core.governance, proposalId),
    execute: (proposalId) => execute(core, proposalId),
    onAct: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    proofPolicy: () => core.parameters.PROOF_POLICY,
  }
}

async function execute(core: EconomyCore, proposalId: string): Promise<ExecutedProposal> {
  const nowMs = core.nowMs()
  const previousProofPolicy = core.parameters.PROOF_POLICY
  if (tallyOf(core.governance, proposalId).status === 'active') {
    await core.write(closePosting(core, proposalId, nowMs).events)
  }
  const { events, effect } = executePosting(core, proposalId, nowMs)
  await core.write(events)
  return { effect, previousProofPolicy, proofPolicy: core.parameters.PROOF_POLICY }
}
