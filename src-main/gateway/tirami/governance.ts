import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { ProposalEffect, ProposalKind } from '../../economy/index.ts'
import { parseBody, RequestError } from '../requests.ts'
import { type EconomyRoutes, NoBody, NodeIdHex } from './economy-http.ts'

const SignatureHex = z.string().regex(/^[0-9a-f]{128}$/, 'expected 128 lower-case hex digits')
const Milliseconds = z.number().int().nonnegative()

const ProposalId = z.string().regex(/^(0|[1-9]\d{0,19})$/, 'expected the id as a string of decimal digits')
const IdPath = z.object({ id: ProposalId })

/** Signed by the proposer; all three or none of them. */
const Signed = z.strictObject({
  sequence: z.number().int().nonnegative(),
  created_at_ms: Milliseconds,
  signature: SignatureHex,
})
const common = { proposer: NodeIdHex, deadline_ms: Milliseconds, ...Signed.partial().shape }
const ProposeBody = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    kind: z.literal('change_parameter'),
    name: z.string().regex(/^[A-Z0-9_]{1,64}$/, 'expected the name of a parameter'),
    new_value: z.number(),
  }),
  z.strictObject({ ...common, kind: z.literal('emergency_pause') }),
  z.strictObject({
    ...common,
    kind: z.literal('protocol_upgrade'),
    description: z.string().min(1).max(1_000),
  }),
])

const VoteBody = z.strictObject({
  voter: NodeIdHex,
  proposal_id: ProposalId,
  approve: z.boolean(),
  signature: SignatureHex.optional(),
  // What the original lets a voter claim. Read so that its clients work; this ledger knows better.
  stake: z.number().optional(),
  reputation: z.number().optional(),
  epochs_participated: z.number().optional(),
})

const PROOF_POLICIES = ['disabled', 'optional', 'recommended', 'required']

/** Proposals and votes (spec sections 1.10, 3.5). Ids are strings: they do not fit a JSON number. */
export function registerGovernance(app: FastifyInstance, routes: EconomyRoutes): void {
  registerVoting(app, routes)
  const { economy, authorise, mesh } = routes
  const { governance } = economy

  app.get('/v1/tirami/governance/proposals', async (request) => {
    authorise(request, 'ledger.read')
    return {
      proposals: governance.proposals().map(([id, proposal]) => ({
        id,
        proposer: proposal.proposer,
        kind: proposal.proposal,
        epoch: proposal.epoch,
        created_at_ms: proposal.createdAtMs,
        deadline_ms: proposal.deadlineMs,
        status: proposal.status,
        digest: proposal.digest,
      })),
    }
  })

  // What a stranger has staked nobody else can see: what does not count here is shown with the reason.
  app.get('/v1/tirami/governance/heard', async (request) => {
    authorise(request, 'ledger.read')
    const { proposals, votes } = mesh?.()?.statements.uncountedVotes() ?? { proposals: [], votes: [] }
    return {
      proposals: proposals.map(({ id, terms, reason }) => ({
        id,
        proposer: terms.proposer,
        kind: terms.kind,
        created_at_ms: terms.createdAtMs,
        deadline_ms: terms.deadlineMs,
        reason,
      })),
      votes,
    }
  })

  app.get('/v1/tirami/governance/tally/:id', async (request) => {
    authorise(request, 'ledger.read')
    const { id } = parseBody(IdPath, request.params)
    const tally = governance.tally(id)
    return {
      proposal_id: id,
      status: tally.status,
      deadline_ms: tally.deadlineMs,
      voters: tally.voters,
      approve_weight: Number(tally.approveWeightMilli) / 1_000,
      reject_weight: Number(tally.rejectWeightMilli) / 1_000,
      would_be: tally.outcome,
    }
  })

  app.post('/v1/tirami/governance/execute/:id', async (request) => {
    authorise(request, 'economy.write')
    parseBody(NoBody, request.body)
    const { id } = parseBody(IdPath, request.params)
    const { effect, previousProofPolicy, proofPolicy } = await governance.execute(id)
    const policies = {
      previous_policy: PROOF_POLICIES[previousProofPolicy],
      new_policy: PROOF_POLICIES[proofPolicy],
      ratchet: true,
    }
    return { ok: true, proposal_id: id, effect, ...(isProofPolicy(effect) ? policies : {}) }
  })

  app.get('/v1/tirami/governance/proof-policy', async (request) => {
    authorise(request, 'ledger.read')
    const level = governance.proofPolicy()
    return { policy: PROOF_POLICIES[level], as_u8: level, ratchet: true }
  })
}

function isProofPolicy(effect: ProposalEffect): boolean {
  return effect.type === 'parameter' && effect.name === 'PROOF_POLICY'
}

function registerVoting(app: FastifyInstance, routes: EconomyRoutes): void {
  const { governance } = routes.economy

  app.post('/v1/tirami/governance/propose', async (request) => {
    routes.authorise(request, 'economy.write')
    const body = parseBody(ProposeBody, request.body)
    const { proposer, deadline_ms: deadlineMs, sequence, created_at_ms, signature } = body
    const kind = kindOf(body)
    const given = [sequence, created_at_ms, signature].filter((value) => value !== undefined).length
    if (given === 0) {
      requireOwner(routes, request, proposer, 'proposer')
      return { ok: true, proposal_id: await governance.proposeOwn(kind, deadlineMs) }
    }
    const signed = parseBody(Signed, { sequence, created_at_ms, signature })
    const terms = { proposer, sequence: signed.sequence, kind, createdAtMs: signed.created_at_ms, deadlineMs }
    return { ok: true, proposal_id: await governance.propose(terms, signed.signature) }
  })

  app.post('/v1/tirami/governance/vote', async (request) => {
    routes.authorise(request, 'economy.write')
    const { voter, proposal_id: proposalId, approve, signature } = parseBody(VoteBody, request.body)
    if (signature === undefined) {
      requireOwner(routes, request, voter, 'voter')
      await governance.voteOwn(proposalId, approve)
    } else {
      await governance.vote({ voter, proposalId, approve, signature })
    }
    return { ok: true }
  })
}

/** Without a signature this host signs, for its own node and on the owner's word only. */
function requireOwner(routes: EconomyRoutes, request: FastifyRequest, node: string, param: string): void {
  if (node !== routes.nodeId) {
    throw new RequestError('SIGNATURE_REQUIRED', 'Another node must sign this itself.', param)
  }
  routes.authorise(request, 'host.write')
}

function kindOf(body: z.infer<typeof ProposeBody>): ProposalKind {
  switch (body.kind) {
    case 'change_parameter':
      return { type: body.kind, name: body.name, value: body.new_value }
    case 'emergency_pause':
      return { type: body.kind }
    case 'protocol_upgrade':
      return { type: body.kind, description: body.description }
  }
}
