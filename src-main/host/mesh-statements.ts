import type { UncountedStatement } from '../../src-preload/contract/index.ts'
import { type ProposalTerms, proposalId } from '../economy/index.ts'
import {
  bytesFromHex,
  hexFromBytes,
  type KeyPair,
  type SentenceParams,
  TiramiError,
} from '../kernel/index.ts'
import {
  type AuditEvidence,
  type Dispute,
  evidenceFromWire,
  isShareable,
  type MarketNode,
  type Statement,
  type StatementRules,
  wireEvidence,
  wireLoan,
  wireTrade,
} from '../market/index.ts'
import type { Audits } from './audits.ts'
import type { EconomyService } from './economy-service.ts'
import {
  describeStatement,
  forkedNode,
  isSoundStatement,
  type KnownStatement,
  type Said,
  type SaidOf,
  unsignedBytes,
} from './statement-kinds.ts'

interface StatementPorts {
  key: KeyPair
  economy: EconomyService
  nowMs(): number
  /** Other hosts that this one has traded with, most recently first. */
  partners(): string[]
  /** Absent: what others show cannot be computed again here. */
  audits?: Pick<Audits, 'hear'>
  market(): Pick<MarketNode, 'gossip' | 'ban' | 'tradeOfJob'> | null
}

/** Why a statement does not count here now. */
interface Reason {
  /** Of an error (`PROPOSAL_REPLAYED`), or one of `NOT_YET`. */
  code: string
  sentence: string
  params?: SentenceParams
}

/** What this host does not know, or cannot do, yet. */
export const NOT_YET = {
  'few-trades': 'The trades of its observer, with the subject or with this host, are too few.',
  'not-trusted': 'Whoever complains has not served this host enough to be believed.',
  'not-computed': 'This host cannot compute the answer again now.',
  'no-proposal': 'Its proposal is not open here.',
  defect: 'It could not be put into force.',
} as const

const notYet = (code: keyof typeof NOT_YET): Reason => ({ code, sentence: NOT_YET[code] })

/** What hosts say about each other, put into force here as far as it can be checked. */
export interface MeshStatements extends StatementRules {
  /** Says what is due: at every beat of the market. */
  beat(): void
  /** After a start: what this host has in its books. */
  recall(): void
  forked(heads: [Uint8Array, Uint8Array]): void
  unsigned(dispute: Dispute): void
  /** A host has failed an audit of this one: the evidence of both probes. */
  auditFailed(evidence: readonly AuditEvidence[]): void
  loanOpened(loanId: string): void
  /** Signed by both. */
  loanRepaid(loanId: string, lenderRepaid: string, borrowerRepaid: string): void
  proposed(terms: ProposalTerms, signature: string): void
  voted(vote: { proposalId: string; voter: string; approve: boolean; signature: string }): void
  /** What was heard and does not count here, newest first. */
  uncounted(): UncountedStatement[]
  /** The proposals and votes among them. */
  uncountedVotes(): {
    proposals: { id: string; terms: ProposalTerms; reason: string }[]
    votes: { digest: string; voter: string; approve: boolean; reason: string }[]
  }
}

/** A view that has not changed is said again after this long, a changed one after that. */
const SAY_AGAIN_MS = 6 * 3_600_000
const SAY_CHANGED_MS = 600_000
const CHANGE_MIN = 0.02
const SAID_PER_BEAT = 8
const SUBJECTS_MAX = 10_000
const WAITING_MAX = 2_048

export function createMeshStatements(ports: StatementPorts): MeshStatements {
  const { key, economy, nowMs } = ports
  const self = key.publicKeyHex
  /** Taken, and not in force yet: what they rest on may still come. By key, with the reason. */
  const waiting = new Map<string, Reason>()
  const lastSaid = new Map<string, { reputation: number; atMs: number }>()
  const tell = (said: object) => ports.market()?.gossip.tell(said)
  const held = (statementKey: string) => said(ports.market()?.gossip.statements.get(statementKey))

  const enforce = async ({ key: name, said: what }: KnownStatement): Promise<void> => {
    try {
      const reason = await force(ports, what, { held, tell })
      if (reason === null) waiting.delete(name)
      else wait(name, reason)
    } catch (error) {
      wait(name, error instanceof TiramiError ? reasonOf(error) : notYet('defect'))
    }
  }
  const wait = (name: string, reason: Reason) => {
    waiting.set(name, reason)
    const [oldest] = waiting.keys()
    if (waiting.size > WAITING_MAX && oldest !== undefined) waiting.delete(oldest)
  }
  const retry = () => {
    for (const name of [...waiting.keys()]) {
      const statement = ports.market()?.gossip.statements.get(name)
      if (statement) void enforce(statement as KnownStatement)
      else waiting.delete(name)
    }
  }
  const sayViews = () => {
    let left = SAID_PER_BEAT
    for (const subject of ports.partners()) {
      if (left === 0) return
      const view = isDue(lastSaid.get(subject), nowMs()) ? economy.reputation.statement(subject) : null
      const before = lastSaid.get(subject)
      if (!view) continue
      const aged = !before || view.timestampMs - before.atMs >= SAY_AGAIN_MS
      if (!aged && Math.abs(view.reputation - before.reputation) < CHANGE_MIN) continue
      lastSaid.set(subject, { reputation: view.reputation, atMs: view.timestampMs })
      const [oldest] = lastSaid.keys()
      if (lastSaid.size > SUBJECTS_MAX && oldest !== undefined) lastSaid.delete(oldest)
      const { tradeCount, volumeTrm, ...rest } = view
      tell({ kind: 'observation', ...rest, tradeCount: String(tradeCount), volumeTrm: String(volumeTrm) })
      left--
    }
  }
  const loanOf = (loanId: string) => economy.peerLending.loans().find((loan) => loan.loanId === loanId)?.loan
  const sayLoan = (loanId: string) => {
    const loan = loanOf(loanId)
    if (loan) tell({ kind: 'loan', loan: wireLoan(loan) })
  }
  const sayDefaults = () => {
    for (const { loanId, loan } of economy.peerLending.loans()) {
      if (loan.status !== 'defaulted' || loan.terms.lender !== self || held(`loan-defaulted:${loanId}`))
        continue
      const lenderWord = economy.peerLending.defaultWord(loanId)
      tell({ kind: 'loan-defaulted', loan: wireLoan(loan), atMs: loan.atMs, lenderWord })
    }
  }
  return {
    describe: describeStatement,
    isSound: (statement) => isSoundStatement((statement as KnownStatement).said, nowMs()),
    take: (statement) => void enforce(statement as KnownStatement),
    beat: () => {
      sayViews()
      sayDefaults()
      retry()
    },
    recall: () => {
      for (const { loanId, loan } of economy.peerLending.loans())
        if (loan.status === 'active') sayLoan(loanId)
    },
    forked: (heads) => {
      const base64 = heads.map((bytes) => Buffer.from(bytes).toString('base64'))
      tell({ kind: 'fork', heads: base64 })
    },
    unsigned: ({ reason, unsigned }) => {
      if (reason !== 'not-countersigned' || !unsigned?.paid) return
      const { sent, paid } = unsigned
      const { consumerSignature: _, ...wireSent } = wireTrade({
        ...sent,
        consumerSignature: new Uint8Array(64),
      })
      const atMs = nowMs()
      const terms = { ...sent.terms, nonce: hexFromBytes(sent.terms.nonce) }
      const said = { sent: { ...terms, providerSignature: wireSent.providerSignature }, atMs }
      const signature = hexFromBytes(key.sign(unsignedBytes(said)))
      tell({ kind: 'unsigned', sent: wireSent, paid: wireTrade(paid), atMs, signature })
    },
    auditFailed: (evidence) => {
      // One alone is a suspicion, and nobody's business.
      if (!evidence.every(isShareable)) return
      for (const probe of evidence) tell({ kind: 'audit', evidence: wireEvidence(probe) })
    },
    loanOpened: sayLoan,
    loanRepaid: (loanId, lenderRepaid, borrowerRepaid) => {
      const loan = loanOf(loanId)
      if (loan) tell({ kind: 'loan-repaid', loan: wireLoan(loan), lenderRepaid, borrowerRepaid })
    },
    proposed: ({ kind: proposal, ...terms }, signature) =>
      tell({ kind: 'proposal', proposal, ...terms, signature }),
    voted: ({ proposalId: id, ...vote }) => {
      const found = economy.governance.proposals().find(([known]) => known === id)
      if (!found) return
      const [, { digest, deadlineMs }] = found
      tell({ kind: 'vote', digest, deadlineMs, ...vote })
    },
    uncounted: () => uncounted(waiting, (name) => ports.market()?.gossip.statements.get(name)),
    uncountedVotes: () => uncountedVotes(waiting, held),
  }
}

const said = (statement: Statement | undefined): Said | undefined =>
  statement && (statement as KnownStatement).said

function isDue(before: { atMs: number } | undefined, nowMs: number): boolean {
  return !before || Math.abs(nowMs - before.atMs) >= SAY_CHANGED_MS
}

const reasonOf = ({ code, message: sentence, params }: TiramiError): Reason => ({
  code,
  sentence,
  ...(params ? { params } : {}),
})

/** What a kind of statement is to a person. */
const SHOWN_AS: Record<Said['kind'], UncountedStatement['kind']> = {
  observation: 'observation',
  fork: 'proof',
  'double-vote': 'proof',
  unsigned: 'complaint',
  audit: 'audit',
  loan: 'loan',
  'loan-repaid': 'loan',
  'loan-defaulted': 'complaint',
  proposal: 'proposal',
  vote: 'vote',
}

function uncounted(
  waiting: ReadonlyMap<string, Reason>,
  statementOf: (name: string) => Statement | undefined,
): UncountedStatement[] {
  const shown = [...waiting].flatMap(([name, { code, sentence: reason, params }]) => {
    const statement = statementOf(name)
    if (!statement) return []
    const { said: what, author } = statement as KnownStatement
    const given = params ? { params } : {}
    const subject = subjectOf(what)
    const approve = what.kind === 'vote' ? what.approve : null
    return [{ kind: SHOWN_AS[what.kind], author, subject, approve, code, reason, ...given }]
  })
  return shown.reverse()
}

function subjectOf(what: Said): string | null {
  if (what.kind === 'vote') return what.digest
  if (what.kind !== 'proposal') return null
  const { proposal } = what
  return proposal.type === 'change_parameter' ? `${proposal.name} = ${proposal.value}` : proposal.type
}

function uncountedVotes(
  waiting: ReadonlyMap<string, Reason>,
  held: (name: string) => Said | undefined,
): ReturnType<MeshStatements['uncountedVotes']> {
  const proposals = []
  const votes = []
  for (const [name, { sentence: reason }] of waiting) {
    const what = held(name)
    if (what?.kind === 'proposal') {
      const terms = termsOf(what)
      proposals.push({ id: proposalId(terms), terms, reason })
    }
    if (what?.kind === 'vote')
      votes.push({ digest: what.digest, voter: what.voter, approve: what.approve, reason })
  }
  return { proposals, votes }
}

const termsOf = ({
  proposal,
  proposer,
  sequence,
  createdAtMs,
  deadlineMs,
}: SaidOf<'proposal'>): ProposalTerms => ({
  proposer,
  sequence,
  kind: proposal,
  createdAtMs,
  deadlineMs,
})

interface Around {
  held(name: string): Said | undefined
  tell(said: object): void
}

/** @returns why it is not in force now; null when it is, or never can be. @throws TiramiError for the same */
async function force(ports: StatementPorts, what: Said, around: Around): Promise<Reason | null> {
  switch (what.kind) {
    case 'observation':
      return forceObservation(ports, what)
    case 'fork': {
      const node = forkedNode(what)
      return node === null ? null : convict(ports, node, `fork:${node}`, true)
    }
    case 'double-vote':
      return convict(ports, what.voter, `double-vote:${what.digest}`, false)
    case 'unsigned':
      return forceUnsigned(ports, what)
    case 'audit':
      return forceAudit(ports, what)
    case 'loan':
    case 'loan-repaid':
    case 'loan-defaulted':
      return forceLoan(ports, what, around)
    case 'proposal':
      return forceProposal(ports, what)
    case 'vote':
      return forceVote(ports, what, around)
  }
}

/** Written down only when it weighs something: what strangers say costs this host's disk nothing. */
async function forceObservation({ economy, key }: StatementPorts, what: SaidOf<'observation'>) {
  const { kind: _, ...observation } = what
  if (what.observer === key.publicKeyHex) return null
  const { OBSERVATION_MIN_TRADES: min } = economy.parameters()
  if (economy.reputation.shownTrades(what.observer, what.subject) < min) {
    return notYet('few-trades')
  }
  await unlessKnown(economy.reputation.observe(observation))
  return null
}

async function convict(ports: StatementPorts, node: string, evidence: string, bans: boolean) {
  // This host does not judge itself; others will.
  if (node === ports.key.publicKeyHex) return null
  await ports.economy.reputation.convict({ node, evidence })
  if (bans) ports.market()?.ban(node)
  return null
}

/** What cannot be proved counts as far as whoever says it has served this host. */
async function complain(
  { economy, key }: StatementPorts,
  complaint: Parameters<EconomyService['reputation']['complain']>[0],
): Promise<Reason | null> {
  if (complaint.complainant === key.publicKeyHex || complaint.subject === key.publicKeyHex) return null
  const { OBSERVATION_MIN_TRADES: min } = economy.parameters()
  if (economy.reputation.trustIn(complaint.complainant) < min) {
    return notYet('not-trusted')
  }
  await unlessKnown(economy.reputation.complain(complaint))
  return null
}

async function forceUnsigned(ports: StatementPorts, { sent, atMs }: SaidOf<'unsigned'>) {
  const { provider, consumer, nonce, amountTrm } = sent
  const settled = ports.market()?.tradeOfJob({ provider, nonce: bytesFromHex(nonce) })
  // The consumer has signed for all of it since.
  if (settled && settled.trade.terms.amountTrm >= amountTrm) return null
  return complain(ports, {
    complainant: provider,
    subject: consumer,
    cause: 'not-countersigned',
    evidence: `unsigned:${provider}:${nonce}`,
    timestampMs: atMs,
  })
}

/**
 * That the challenger's answer is the right one evidence does not show: a failing probe counts once it was computed here,
 * and two are needed as in an audit of one's own.
 */
async function forceAudit({ audits }: StatementPorts, { evidence }: SaidOf<'audit'>) {
  const heard = audits ? await audits.hear(evidenceFromWire(evidence)) : 'unproven'
  return heard === 'unproven' ? notYet('not-computed') : null
}

async function forceLoan(
  ports: StatementPorts,
  what: SaidOf<'loan'> | SaidOf<'loan-repaid'> | SaidOf<'loan-defaulted'>,
  { held }: Around,
): Promise<Reason | null> {
  const { peerLending, reputation } = ports.economy
  const { lender, borrower } = what.loan.terms
  const isOwn = lender === ports.key.publicKeyHex || borrower === ports.key.publicKeyHex
  if (what.kind === 'loan') {
    if (isOwn) await peerLending.adopt(what.loan)
    return null
  }
  const loanId = peerLending.idOf(what.loan.terms)
  if (what.kind === 'loan-repaid') {
    if (isOwn) await peerLending.adoptRepaid(loanId)
    await reputation.clear({ subject: borrower, evidence: `loan:${loanId}` })
    return null
  }
  // Both have signed that it was repaid, whatever the lender says now.
  if (held(`loan-repaid:${loanId}`)) return null
  if (borrower === ports.key.publicKeyHex) {
    await peerLending.adoptDefault(loanId)
    return null
  }
  return complain(ports, {
    complainant: lender,
    subject: borrower,
    cause: 'loan-default',
    evidence: `loan:${loanId}`,
    timestampMs: what.atMs,
  })
}

async function forceProposal({ economy }: StatementPorts, what: SaidOf<'proposal'>) {
  await unlessKnown(economy.governance.propose(termsOf(what), what.signature, 'heard'))
  return null
}

async function forceVote({ economy }: StatementPorts, what: SaidOf<'vote'>, { held, tell }: Around) {
  const { digest, voter, approve, signature } = what
  const opposite = held(`vote:${digest}:${voter}:${!approve}`)
  if (opposite?.kind === 'vote') {
    const [approving, rejecting] = approve ? [signature, opposite.signature] : [opposite.signature, signature]
    tell({ kind: 'double-vote', voter, digest, approving, rejecting })
  }
  const found = economy.governance.proposals().find(([, proposal]) => proposal.digest === digest)
  if (!found) return notYet('no-proposal')
  await unlessKnown(economy.governance.vote({ proposalId: found[0], voter, approve, signature }))
  return null
}

const KNOWN = new Set([
  'OBSERVATION_STALE',
  'COMPLAINT_STALE',
  'ALREADY_VOTED',
  'PROPOSAL_REPLAYED',
  'VOTING_CLOSED',
])

async function unlessKnown(done: Promise<unknown>): Promise<void> {
  try {
    await done
  } catch (error) {
    if (!(error instanceof TiramiError && KNOWN.has(error.code))) throw error
  }
}
