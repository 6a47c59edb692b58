import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { hexFromBytes, type KeyPair, keyPairFromSeed, TiramiError } from '../kernel/index.ts'
import {
  ACTIVE_PER_PROPOSER_MAX,
  activeProposals,
  applyGovernanceEvent,
  decideClose,
  decideExecute,
  decidePropose,
  decideVote,
  dueProposals,
  epochsParticipated,
  GovernanceEvent,
  type GovernanceState,
  GovernanceStateCodec,
  INITIAL_GOVERNANCE,
  ProposalKind,
  type ProposeCommand,
  proposalBytes,
  proposalDigest,
  proposalId,
  tallyOf,
  type VoterStanding,
  voteBytes,
  voteWeightMilli,
} from './governance.ts'
import { defaultParameters, IMMUTABLE_PARAMETERS, MUTABLE_PARAMETERS } from './parameters.ts'
import { applySafetyEvent, initialSafetyState, SafetyEvent } from './safety.ts'

const DAY_MS = 86_400_000
const START_MS = 1_700_000_000_000
const pairOf = (byte: number): KeyPair => keyPairFromSeed(new Uint8Array(32).fill(byte))
const PROPOSER = pairOf(1)
const PAUSE: ProposalKind = { type: 'emergency_pause' }
const UPGRADE: ProposalKind = { type: 'protocol_upgrade', description: 'Speak v2 only' }
const change = (name: string, value: number): ProposalKind => ({ type: 'change_parameter', name, value })

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof TiramiError) return error.code
    throw error
  }
  return 'ok'
}

const member = (stakeTrm: bigint, epochs = 0, reputation = 0.9): VoterStanding => ({
  stakeTrm,
  reputation,
  epochsParticipated: epochs,
})

/** A host in small. Its ledger knows the standing of every node; the nodes are not asked. */
class Assembly {
  state: GovernanceState = INITIAL_GOVERNANCE
  safety = initialSafetyState()
  parameters = defaultParameters()
  nowMs = START_MS
  epoch = 0
  readonly journal: string[] = []
  readonly standings = new Map<string, VoterStanding>([[PROPOSER.publicKeyHex, member(1_000n)]])
  readonly lockedUntilMs = new Map<string, number>()
  #sequence = 0

  standing(nodeId: string, lockedUntilMs: number): VoterStanding | null {
    if ((this.lockedUntilMs.get(nodeId) ?? Number.POSITIVE_INFINITY) < lockedUntilMs) return null
    return this.standings.get(nodeId) ?? null
  }

  append(events: (GovernanceEvent | SafetyEvent)[]): void {
    for (const event of events) {
      this.journal.push(JSON.stringify(event))
      const governance = GovernanceEvent.safeParse(event)
      if (governance.success) this.state = applyGovernanceEvent(this.state, governance.data)
      else this.safety = applySafetyEvent(this.safety, SafetyEvent.parse(event))
    }
  }

  signed(kind: ProposalKind, changes: Partial<ProposeCommand> = {}, pair = PROPOSER): ProposeCommand {
    const terms = {
      proposer: pair.publicKeyHex,
      sequence: ++this.#sequence,
      kind,
      createdAtMs: this.nowMs,
      deadlineMs: this.nowMs + 2 * DAY_MS,
      ...changes,
    }
    return { ...terms, signature: hexFromBytes(pair.sign(proposalBytes(terms))), ...changes }
  }

  propose(kind: ProposalKind): string {
    const command = this.signed(kind)
    this.append(decidePropose(this.state, command, this))
    return proposalId(command)
  }

  /** The voter's standing is what the host's ledger says, set just before. */
  vote(id: string, pair: KeyPair, approve: boolean, standing: VoterStanding): string {
    this.standings.set(pair.publicKeyHex, standing)
    const digest = this.state.proposals.get(id.slice(0, 2))?.get(id)?.digest ?? '00'.repeat(32)
    const signature = hexFromBytes(pair.sign(voteBytes(pair.publicKeyHex, digest, approve)))
    const command = { proposalId: id, voter: pair.publicKeyHex, approve, signature }
    return codeOf(() => this.append(decideVote(this.state, command, this)))
  }

  close(id: string): void {
    this.nowMs = Math.max(this.nowMs, tallyOf(this.state, id).deadlineMs)
    this.append(decideClose(this.state, { proposalId: id }, this))
  }

  execute(id: string) {
    const execution = decideExecute(this.state, { proposalId: id }, this)
    this.append(execution.events)
    this.parameters = execution.parameters
    return execution
  }

  /** Proposed, approved by three, closed. */
  passed(kind: ProposalKind): string {
    const id = this.propose(kind)
    for (const byte of [11, 12, 13]) this.vote(id, pairOf(byte), true, member(5_000n))
    this.close(id)
    return id
  }
}

describe('vectors V6', () => {
  it('seniority 0→1.0, 1→1.5, 2→1.5, 3→2.0, 10→2.0; 5,000 × 1.5 = 7,500', () => {
    const weights = [0, 1, 2, 3, 10].map((epochs) => voteWeightMilli(member(1n, epochs)))
    expect(weights).toEqual([1_000n, 1_500n, 1_500n, 2_000n, 2_000n])
    expect(voteWeightMilli(member(5_000n, 1))).toBe(7_500_000n)
  })

  it.each([
    [
      '3 approvers of 5,000 at 3 epochs',
      [
        [true, 5_000n, 3],
        [true, 5_000n, 3],
        [true, 5_000n, 3],
      ],
      'passed',
    ],
    [
      '2 approvers of 100,000',
      [
        [true, 100_000n, 0],
        [true, 100_000n, 0],
      ],
      'rejected',
    ],
    [
      '3 × 1,000 at 0 epochs',
      [
        [true, 1_000n, 0],
        [true, 1_000n, 0],
        [true, 1_000n, 0],
      ],
      'rejected',
    ],
    [
      '10,000 × 2 + 5,000 against 5,000',
      [
        [true, 10_000n, 3],
        [true, 5_000n, 0],
        [false, 5_000n, 0],
      ],
      'passed',
    ],
    [
      '2,000 against 20,000',
      [
        [true, 1_000n, 0],
        [true, 1_000n, 0],
        [false, 20_000n, 0],
      ],
      'rejected',
    ],
    ['no votes', [], 'rejected'],
    [
      'exactly half',
      [
        [true, 10_000n, 0],
        [false, 5_000n, 0],
        [false, 5_000n, 0],
      ],
      'rejected',
    ],
  ] as [string, [boolean, bigint, number][], string][])('%s', (_, votes, outcome) => {
    const assembly = new Assembly()
    const id = assembly.propose(UPGRADE)
    for (const [index, [approve, stakeTrm, epochs]] of votes.entries()) {
      expect(assembly.vote(id, pairOf(20 + index), approve, member(stakeTrm, epochs))).toBe('ok')
    }
    expect(tallyOf(assembly.state, id).outcome).toBe(outcome)
    assembly.close(id)
    expect(tallyOf(assembly.state, id)).toMatchObject({ status: outcome, voters: votes.length })
  })

  it('reputation 0.7 and stake 1,000 are enough; below, or no number, is not', () => {
    const assembly = new Assembly()
    const id = assembly.propose(UPGRADE)
    const codes = [
      member(1_000n, 0, 0.7),
      member(999n, 9, 1),
      member(9_999n, 9, 0.699_999),
      member(9_999n, 9, Number.NaN),
    ].map((standing, index) => assembly.vote(id, pairOf(30 + index), true, standing))
    expect(codes).toEqual(['ok', 'NOT_ELIGIBLE', 'NOT_ELIGIBLE', 'NOT_ELIGIBLE'])
  })
})

describe('canonical bytes', () => {
  const terms = {
    proposer: PROPOSER.publicKeyHex,
    sequence: 7,
    kind: change('WELCOME_LOAN_AMOUNT', 500),
    createdAtMs: START_MS,
    deadlineMs: START_MS + DAY_MS,
  }
  const u64 = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return bytes
  }
  const json = '{"ChangeParameter":{"name":"WELCOME_LOAN_AMOUNT","new_value":500.0}}'
  const fields = [Buffer.from(PROPOSER.publicKeyHex, 'hex'), u64(7), u64(START_MS)]

  it('the id follows spec section 3.5 and is a decimal string', () => {
    const preimage = Buffer.concat([Buffer.from('tirami-proposal-id-v1'), ...fields, Buffer.from(json)])
    const digest = createHash('sha256').update(preimage).digest()
    expect(proposalId(terms)).toBe(digest.readBigUInt64LE(0).toString())
  })

  it('proposals and votes are signed under domains of their own', () => {
    const bytes = Buffer.concat([
      Buffer.from('tirami-governance-proposal-v1\0'),
      ...fields,
      u64(START_MS + DAY_MS),
      Buffer.from(json),
    ])
    expect(Buffer.from(proposalBytes(terms))).toEqual(bytes)
    const digest = createHash('sha256').update(bytes).digest()
    expect(proposalDigest(terms)).toBe(digest.toString('hex'))
    expect(Buffer.from(voteBytes(PROPOSER.publicKeyHex, proposalDigest(terms), true))).toEqual(
      Buffer.concat([
        Buffer.from('tirami-governance-vote-v1\0'),
        Buffer.from(PROPOSER.publicKeyHex, 'hex'),
        digest,
        Buffer.from([1]),
      ]),
    )
  })

  it('different terms give different bytes', () => {
    const kinds = fc.oneof(
      fc.record({
        type: fc.constant('change_parameter' as const),
        name: fc.constantFrom(...Object.keys(MUTABLE_PARAMETERS)),
        value: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
      }),
      fc.constant(PAUSE),
      fc.record({ type: fc.constant('protocol_upgrade' as const), description: fc.string({ minLength: 1 }) }),
    )
    const arbitrary = fc.record({
      proposer: fc.constantFrom(PROPOSER.publicKeyHex, pairOf(2).publicKeyHex),
      sequence: fc.nat(),
      kind: kinds,
      createdAtMs: fc.nat(),
      deadlineMs: fc.nat(),
    })
    const text = (value: object) => JSON.stringify(value, (_, field) => (Object.is(field, -0) ? '-0' : field))
    fc.assert(
      fc.property(arbitrary, arbitrary, (a, b) => {
        expect(proposalDigest(a) === proposalDigest(b)).toBe(text(a) === text(b))
      }),
    )
  })
})

describe('proposing', () => {
  it('needs a signature over exactly these terms', () => {
    const assembly = new Assembly()
    const command = assembly.signed(UPGRADE)
    const forged: Partial<ProposeCommand>[] = [
      { kind: PAUSE },
      { deadlineMs: command.deadlineMs + 1 },
      { createdAtMs: command.createdAtMs + 1 },
      { sequence: command.sequence + 1 },
      { proposer: pairOf(2).publicKeyHex },
      { signature: '00'.repeat(64) },
    ]
    for (const changes of forged) {
      expect(codeOf(() => decidePropose(assembly.state, { ...command, ...changes }, assembly))).toBe(
        'SIGNATURE_INVALID',
      )
    }
    expect(codeOf(() => decidePropose(assembly.state, command, assembly))).toBe('ok')
  })

  it('needs standing', () => {
    const assembly = new Assembly()
    const stranger = assembly.signed(UPGRADE, {}, pairOf(2))
    expect(codeOf(() => decidePropose(assembly.state, stranger, assembly))).toBe('NOT_ELIGIBLE')
    assembly.lockedUntilMs.set(PROPOSER.publicKeyHex, START_MS + DAY_MS)
    expect(codeOf(() => assembly.propose(UPGRADE))).toBe('NOT_ELIGIBLE')
  })

  it('cannot be replayed, not even after a restart', () => {
    const assembly = new Assembly()
    const command = assembly.signed(UPGRADE)
    assembly.append(decidePropose(assembly.state, command, assembly))
    expect(codeOf(() => decidePropose(assembly.state, command, assembly))).toBe('PROPOSAL_REPLAYED')
    const sameSequence = assembly.signed(PAUSE, { sequence: command.sequence })
    expect(codeOf(() => decidePropose(assembly.state, sameSequence, assembly))).toBe('PROPOSAL_REPLAYED')
    assembly.close(proposalId(command))
    assembly.nowMs = START_MS
    expect(codeOf(() => decidePropose(assembly.state, command, assembly))).not.toBe('ok')
  })

  it.each([
    [UPGRADE, START_MS + DAY_MS - 1],
    [UPGRADE, START_MS + 30 * DAY_MS + 1],
    [PAUSE, START_MS + 599_999],
    [PAUSE, 0],
  ])('%j until %i is too short or too long', (kind, deadlineMs) => {
    const assembly = new Assembly()
    const command = assembly.signed(kind, { deadlineMs })
    expect(codeOf(() => decidePropose(assembly.state, command, assembly))).toBe('DEADLINE_INVALID')
  })

  it.each([{ createdAtMs: START_MS - 3_600_001 }, { createdAtMs: START_MS + 3_600_001 }])(
    '%j is not fresh',
    (changes) => {
      const assembly = new Assembly()
      const command = assembly.signed(UPGRADE, changes)
      expect(codeOf(() => decidePropose(assembly.state, command, assembly))).toBe(
        'GOVERNANCE_COMMAND_INVALID',
      )
    },
  )

  it.each([
    { sequence: -1 },
    { sequence: 1.5 },
    { deadlineMs: Number.NaN },
    { proposer: 'x' },
    { signature: 'zz' },
  ])('%j is refused', (changes) => {
    const assembly = new Assembly()
    const command = { ...assembly.signed(UPGRADE), ...changes }
    expect(codeOf(() => decidePropose(assembly.state, command, assembly))).toBe('GOVERNANCE_COMMAND_INVALID')
  })

  it('the number of open proposals is bounded', () => {
    const assembly = new Assembly()
    const ids = Array.from({ length: ACTIVE_PER_PROPOSER_MAX }, () => assembly.propose(UPGRADE))
    expect(codeOf(() => assembly.propose(UPGRADE))).toBe('PROPOSALS_FULL')
    assembly.close(ids[0] ?? '')
    expect(activeProposals(assembly.state)).toHaveLength(ACTIVE_PER_PROPOSER_MAX - 1)
  })

  it('finished proposals are forgotten in the end, the oldest first', () => {
    const assembly = new Assembly()
    const ids = Array.from({ length: 260 }, () => {
      const id = assembly.propose(UPGRADE)
      assembly.close(id)
      return id
    })
    const known = ids.map((id) => codeOf(() => tallyOf(assembly.state, id)) === 'ok')
    expect(known.filter((is) => is)).toHaveLength(256)
    expect(known.slice(0, 5)).toEqual([false, false, false, false, true])
  })

  it.each(Object.keys(MUTABLE_PARAMETERS))('%s may be changed, within its bounds', (name) => {
    const { min, max } = MUTABLE_PARAMETERS[name as keyof typeof MUTABLE_PARAMETERS]
    const assembly = new Assembly()
    const code = (value: number) =>
      codeOf(() => decidePropose(assembly.state, assembly.signed(change(name, value)), assembly))
    expect(code(max)).toBe('ok')
    for (const bad of [min - 1, max + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(code(bad)).toBe('PARAMETER_OUT_OF_BOUNDS')
    }
  })

  it.each(Object.keys(IMMUTABLE_PARAMETERS))('%s may not be changed', (name) => {
    const assembly = new Assembly()
    expect(codeOf(() => assembly.propose(change(name, 1)))).toBe('PARAMETER_IMMUTABLE')
  })

  it('there are 26 mutable and 23 immutable names, and no others', () => {
    expect([Object.keys(MUTABLE_PARAMETERS).length, Object.keys(IMMUTABLE_PARAMETERS).length]).toEqual([
      26, 23,
    ])
    for (const name of ['constructor', '__proto__', 'KILL_SWITCH', '']) {
      expect(codeOf(() => new Assembly().propose(change(name, 1)))).toBe('PARAMETER_UNKNOWN')
    }
  })
})

describe('voting', () => {
  it('one vote per node, and none after the deadline', () => {
    const assembly = new Assembly()
    const id = assembly.propose(UPGRADE)
    expect(assembly.vote(id, pairOf(2), true, member(5_000n))).toBe('ok')
    expect(assembly.vote(id, pairOf(2), false, member(5_000n))).toBe('ALREADY_VOTED')
    assembly.nowMs = START_MS + 2 * DAY_MS
    expect(assembly.vote(id, pairOf(3), true, member(5_000n))).toBe('VOTING_CLOSED')
    expect(assembly.vote('12345', pairOf(3), true, member(5_000n))).toBe('PROPOSAL_NOT_FOUND')
  })

  it('counts what the ledger says, not what the voter says, and only stake locked until the end', () => {
    const assembly = new Assembly()
    const id = assembly.propose(UPGRADE)
    assembly.lockedUntilMs.set(pairOf(2).publicKeyHex, START_MS + DAY_MS)
    expect(assembly.vote(id, pairOf(2), true, member(1_000_000n))).toBe('NOT_ELIGIBLE')
    expect(assembly.vote(id, pairOf(3), true, member(1_001n, 1))).toBe('ok')
    expect(tallyOf(assembly.state, id).approveWeightMilli).toBe(1_501_500n)
  })

  it('a vote counts for one proposal, one voter and one opinion', () => {
    const assembly = new Assembly()
    const [first, second] = [assembly.propose(UPGRADE), assembly.propose(PAUSE)]
    const voter = pairOf(2)
    assembly.standings.set(voter.publicKeyHex, member(5_000n))
    assembly.standings.set(pairOf(3).publicKeyHex, member(5_000n))
    const digest = assembly.state.proposals.get(first.slice(0, 2))?.get(first)?.digest ?? ''
    const signature = hexFromBytes(voter.sign(voteBytes(voter.publicKeyHex, digest, true)))
    const vote = { proposalId: first, voter: voter.publicKeyHex, approve: true, signature }
    for (const changes of [{ proposalId: second }, { voter: pairOf(3).publicKeyHex }, { approve: false }]) {
      const command = { ...vote, ...changes }
      expect(codeOf(() => decideVote(assembly.state, command, assembly))).toBe('SIGNATURE_INVALID')
    }
    expect(codeOf(() => decideVote(assembly.state, vote, assembly))).toBe('ok')
  })

  it('looking at the tally ends nothing, and closing early is refused', () => {
    const assembly = new Assembly()
    const id = assembly.propose(UPGRADE)
    for (const byte of [2, 3, 4]) assembly.vote(id, pairOf(byte), true, member(5_000n))
    const before = assembly.state
    expect(tallyOf(assembly.state, id)).toMatchObject({ status: 'active', outcome: 'passed' })
    expect(assembly.state).toBe(before)
    expect(dueProposals(assembly.state, START_MS)).toEqual([])
    assembly.nowMs = START_MS + 2 * DAY_MS - 1
    expect(codeOf(() => decideClose(assembly.state, { proposalId: id }, assembly))).toBe('VOTING_OPEN')
    expect(dueProposals(assembly.state, START_MS + 2 * DAY_MS)).toEqual([id])
    assembly.close(id)
    expect(codeOf(() => assembly.close(id))).toBe('VOTING_CLOSED')
    assembly.nowMs = START_MS
    expect(assembly.vote(id, pairOf(5), false, member(99_000n))).toBe('VOTING_CLOSED')
  })

  it('remembers in how many epochs a node took part', () => {
    const assembly = new Assembly()
    for (const epoch of [0, 0, 1, 2]) {
      assembly.epoch = epoch
      const id = assembly.propose(UPGRADE)
      assembly.vote(id, pairOf(2), true, member(1_000n))
      assembly.close(id)
    }
    expect(epochsParticipated(assembly.state, pairOf(2).publicKeyHex)).toBe(3)
    expect(epochsParticipated(assembly.state, pairOf(3).publicKeyHex)).toBe(0)
  })
})

describe('carrying out', () => {
  it('a parameter change gives the new parameters, once', () => {
    const assembly = new Assembly()
    const id = assembly.passed(change('WELCOME_LOAN_AMOUNT', 500))
    const { effect, parameters } = assembly.execute(id)
    expect(effect).toEqual({ type: 'parameter', name: 'WELCOME_LOAN_AMOUNT', value: 500 })
    expect(parameters).toEqual({ ...defaultParameters(), WELCOME_LOAN_AMOUNT: 500 })
    expect(codeOf(() => assembly.execute(id))).toBe('PROPOSAL_NOT_PASSED')
  })

  it('an emergency pause turns the kill switch on', () => {
    const assembly = new Assembly()
    const id = assembly.passed(PAUSE)
    expect(assembly.execute(id).effect).toEqual({ type: 'pause' })
    expect(assembly.safety.killSwitch).toMatchObject({ active: true, operator: `governance:${id}` })
  })

  it('a protocol upgrade is only recorded, and says so', () => {
    const assembly = new Assembly()
    const id = assembly.passed(UPGRADE)
    const { effect, events, parameters } = assembly.execute(id)
    expect(effect).toEqual({ type: 'recorded-only' })
    expect(events).toHaveLength(1)
    expect(parameters).toEqual(defaultParameters())
  })

  it('the proof policy only rises, also when two votes overtake each other', () => {
    const assembly = new Assembly()
    expect(codeOf(() => assembly.propose(change('PROOF_POLICY', 0)))).toBe('PROOF_POLICY_RATCHET')
    const recommended = assembly.passed(change('PROOF_POLICY', 2))
    const required = assembly.passed(change('PROOF_POLICY', 3))
    expect(assembly.execute(required).parameters.PROOF_POLICY).toBe(3)
    expect(codeOf(() => assembly.execute(recommended))).toBe('PROOF_POLICY_RATCHET')
    expect(assembly.parameters.PROOF_POLICY).toBe(3)
  })

  it('what was rejected, or is still open, is not carried out', () => {
    const assembly = new Assembly()
    const id = assembly.propose(PAUSE)
    expect(codeOf(() => assembly.execute(id))).toBe('PROPOSAL_NOT_PASSED')
    assembly.close(id)
    expect(codeOf(() => assembly.execute(id))).toBe('PROPOSAL_NOT_PASSED')
    expect(assembly.safety.killSwitch.active).toBe(false)
  })
})

describe('replay', () => {
  const history = fc.array(
    fc.record({
      byte: fc.integer({ min: 40, max: 46 }),
      approve: fc.boolean(),
      stakeTrm: fc.bigInt(1_000n, 9_000n),
      epochs: fc.nat(4),
    }),
    { maxLength: 12 },
  )

  it('of any history gives the same state, and the state survives JSON', () => {
    fc.assert(
      fc.property(
        history,
        fc.constantFrom(PAUSE, UPGRADE, change('AUDIT_SAMPLE_RATE', 0.25)),
        (votes, kind) => {
          const assembly = new Assembly()
          const id = assembly.propose(kind)
          for (const { byte, approve, stakeTrm, epochs } of votes)
            assembly.vote(id, pairOf(byte), approve, member(stakeTrm, epochs))
          assembly.close(id)
          if (tallyOf(assembly.state, id).status === 'passed') assembly.execute(id)
          const replayed = assembly.journal
            .flatMap((line) => GovernanceEvent.safeParse(JSON.parse(line)).data ?? [])
            .reduce(applyGovernanceEvent, INITIAL_GOVERNANCE)
          expect(replayed).toEqual(assembly.state)
          const json = JSON.parse(JSON.stringify(z.encode(GovernanceStateCodec, assembly.state)))
          expect(z.decode(GovernanceStateCodec, json)).toEqual(assembly.state)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('stops at an event that contradicts the state', () => {
    const executed = {
      kind: 'governance.executed',
      proposalId: '1',
      effect: { type: 'pause' },
      atMs: 1,
    } as const
    expect(() => applyGovernanceEvent(INITIAL_GOVERNANCE, executed)).toThrow()
    expect(ProposalKind.safeParse({ type: 'protocol_upgrade', description: '\ud800' }).success).toBe(false)
  })
})
