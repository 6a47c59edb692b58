import { z } from 'zod'
import {
  defaultProblem,
  isRepaidBy,
  loanIdOf,
  observationProblem,
  ProposalKind,
  proposalBytes,
  proposalDigest,
  signedLoanProblem,
  voteBytes,
} from '../economy/index.ts'
import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  sha256,
  u64le,
  utf8,
  verifyStrict,
} from '../kernel/index.ts'
import { canonicalTradeBytes } from '../ledger/index.ts'
import {
  evidenceFromWire,
  Hash,
  isSound as isSoundTrade,
  NodeId,
  PriceSignal,
  Signature,
  type Statement,
  tradeFromWire,
  U64,
  verifyAuditEvidence,
  WireAuditEvidence,
  WireLoan,
  WireTrade,
} from '../market/index.ts'
import { openEnvelope, readBody } from '../mesh/index.ts'

const Millis = z.number().int().nonnegative().max(8.64e15)
const DAY_MS = 86_400_000
const OBSERVATION_LIFE_MS = 30 * DAY_MS
const COMPLAINT_LIFE_MS = 30 * DAY_MS
const VOTING_MAX_MS = 30 * DAY_MS
const LOAN_LIFE_MS = 30 * DAY_MS
/** How far ahead of this host's clock anything may be dated. */
const AHEAD_MS = 3_600_000

/** One host's own view of another (spec section 2.8). */
const Observation = z.strictObject({
  kind: z.literal('observation'),
  observer: NodeId,
  subject: NodeId,
  reputation: z.number().min(0).max(1),
  tradeCount: U64,
  volumeTrm: U64,
  timestampMs: Millis,
  signature: Signature,
})
/** Two histories: price signals of one host with roots of the same size that differ. */
const Fork = z.strictObject({
  kind: z.literal('fork'),
  heads: z.tuple([z.base64().max(20_000), z.base64().max(20_000)]),
})
/** Both answers to one vote. */
const DoubleVote = z.strictObject({
  kind: z.literal('double-vote'),
  voter: NodeId,
  digest: Hash,
  approving: Signature,
  rejecting: Signature,
})
/** A provider's word that a consumer did not sign for all that it was sent, with the last trade that it did sign for. */
const Unsigned = z.strictObject({
  kind: z.literal('unsigned'),
  sent: WireTrade.omit({ consumerSignature: true }),
  paid: WireTrade,
  atMs: Millis,
  /** By the provider, over `unsignedBytes`. */
  signature: Signature,
})
const Audit = z.strictObject({ kind: z.literal('audit'), evidence: WireAuditEvidence })
const Loan = z.strictObject({ kind: z.literal('loan'), loan: WireLoan })
const LoanRepaid = z.strictObject({
  kind: z.literal('loan-repaid'),
  loan: WireLoan,
  lenderRepaid: Signature,
  borrowerRepaid: Signature,
})
const LoanDefaulted = z.strictObject({
  kind: z.literal('loan-defaulted'),
  loan: WireLoan,
  atMs: Millis,
  lenderWord: Signature,
})
const Proposed = z.strictObject({
  kind: z.literal('proposal'),
  proposer: NodeId,
  sequence: z.number().int().nonnegative(),
  proposal: ProposalKind,
  createdAtMs: Millis,
  deadlineMs: Millis,
  signature: Signature,
})
const Vote = z.strictObject({
  kind: z.literal('vote'),
  digest: Hash,
  voter: NodeId,
  approve: z.boolean(),
  signature: Signature,
  /** Of the proposal: afterwards nobody needs the vote. */
  deadlineMs: Millis,
})

const schemas = {
  observation: Observation,
  fork: Fork,
  'double-vote': DoubleVote,
  unsigned: Unsigned,
  audit: Audit,
  loan: Loan,
  'loan-repaid': LoanRepaid,
  'loan-defaulted': LoanDefaulted,
  proposal: Proposed,
  vote: Vote,
}
type Kind = keyof typeof schemas
export type Said = z.output<(typeof schemas)[Kind]>
export type SaidOf<K extends Kind> = Extract<Said, { kind: K }>

/** A statement with what it says. */
export interface KnownStatement extends Statement {
  said: Said
}

const UNSIGNED_DOMAIN = utf8('tirami-unsigned-v1\0')

/** What a provider signs when a consumer did not: domain ‖ trade bytes of what was sent ‖ time u64 little-endian. */
export function unsignedBytes({ sent, atMs }: Pick<SaidOf<'unsigned'>, 'sent' | 'atMs'>): Uint8Array {
  return concatBytes(UNSIGNED_DOMAIN, canonicalTradeBytes(termsOf(sent)), u64le(BigInt(atMs)))
}

const termsOf = ({ providerSignature: _, nonce, ...terms }: SaidOf<'unsigned'>['sent']) => ({
  ...terms,
  nonce: bytesFromHex(nonce),
})

const envelopeOf = (text: string) => {
  const opened = openEnvelope(new Uint8Array(Buffer.from(text, 'base64')))
  const signal = opened.ok ? readBody(PriceSignal, opened.envelope.body) : null
  return opened.ok && signal ? { origin: opened.envelope.origin, head: signal.log } : null
}

/** Whose two histories they are; null when they show nothing of the kind. */
export function forkedNode({ heads }: Pick<SaidOf<'fork'>, 'heads'>): string | null {
  const [one, other] = heads.map(envelopeOf)
  if (!one || !other || one.origin !== other.origin) return null
  return one.head.size === other.head.size && one.head.rootHex !== other.head.rootHex ? one.origin : null
}

const audited = (evidence: WireAuditEvidence) => verifyAuditEvidence(evidenceFromWire(evidence))

/** Key, version, author and life of what is said, from its form alone. */
function placeOf(said: Said): Omit<Statement, 'kind' | 'json'> {
  switch (said.kind) {
    case 'observation': {
      const { observer, subject, timestampMs } = said
      const keptUntilMs = timestampMs + OBSERVATION_LIFE_MS
      return {
        key: `observation:${observer}:${subject}`,
        version: timestampMs,
        author: observer,
        keptUntilMs,
      }
    }
    case 'fork': {
      const origin = envelopeOf(said.heads[0])?.origin ?? ''
      return { key: `fork:${origin}`, version: 0, author: origin, keptUntilMs: Number.MAX_SAFE_INTEGER }
    }
    case 'double-vote': {
      const { voter, digest } = said
      return {
        key: `double-vote:${voter}:${digest}`,
        version: 0,
        author: voter,
        keptUntilMs: Number.MAX_SAFE_INTEGER,
      }
    }
    case 'unsigned': {
      const { provider, nonce } = said.sent
      const keptUntilMs = said.atMs + COMPLAINT_LIFE_MS
      return { key: `unsigned:${provider}:${nonce}`, version: 0, author: provider, keptUntilMs }
    }
    case 'audit': {
      const { begin } = said.evidence
      const opened = openEnvelope(new Uint8Array(Buffer.from(begin, 'base64')))
      const { origin, seq } = opened.ok ? opened.envelope : { origin: '', seq: 0 }
      const key = `audit:${hexFromBytes(sha256(utf8(begin)))}`
      return { key, version: 0, author: origin, keptUntilMs: seq + COMPLAINT_LIFE_MS }
    }
    case 'loan':
    case 'loan-repaid':
    case 'loan-defaulted': {
      const { terms } = said.loan
      const keptUntilMs = terms.dueAtMs + LOAN_LIFE_MS
      return { key: `${said.kind}:${loanIdOf(terms)}`, version: 0, author: terms.lender, keptUntilMs }
    }
    case 'proposal': {
      const digest = proposalDigest({ ...said, kind: said.proposal })
      return { key: `proposal:${digest}`, version: 0, author: said.proposer, keptUntilMs: said.deadlineMs }
    }
    case 'vote': {
      const { digest, voter, approve, deadlineMs } = said
      return { key: `vote:${digest}:${voter}:${approve}`, version: 0, author: voter, keptUntilMs: deadlineMs }
    }
  }
}

const Kinded = z.looseObject({ kind: z.string().max(32) })

/** By its shape alone. */
export function describeStatement(json: unknown): KnownStatement | 'unknown' | null {
  const kinded = Kinded.safeParse(json)
  if (!kinded.success) return null
  const { kind } = kinded.data
  // What a later version says is passed over; it is no fault.
  if (!Object.hasOwn(schemas, kind)) return 'unknown'
  const parsed = schemas[kind as Kind].safeParse(json)
  if (!parsed.success) return null
  return { kind, ...placeOf(parsed.data), json: kinded.data, said: parsed.data }
}

/** By its signatures and its own times: nothing of it is believed because of who handed it on. Never throws. */
export function isSoundStatement(said: Said, nowMs: number): boolean {
  const isSigned = (node: string, bytes: Uint8Array, signature: string) =>
    verifyStrict(node, bytes, bytesFromHex(signature))
  switch (said.kind) {
    case 'observation':
      return said.timestampMs <= nowMs + AHEAD_MS && observationProblem(said) === null
    case 'fork':
      return forkedNode(said) !== null
    case 'double-vote': {
      const { voter, digest, approving, rejecting } = said
      return (
        isSigned(voter, voteBytes(voter, digest, true), approving) &&
        isSigned(voter, voteBytes(voter, digest, false), rejecting)
      )
    }
    case 'unsigned':
      return isSoundComplaint(said, nowMs)
    case 'audit': {
      const verified = audited(said.evidence)
      return (
        verified.ok &&
        verified.finding.comparison.verdict === 'failed' &&
        verified.finding.atMs <= nowMs + AHEAD_MS
      )
    }
    case 'loan':
      return signedLoanProblem(said.loan) === null
    case 'loan-repaid': {
      const { terms } = said.loan
      return (
        signedLoanProblem(said.loan) === null &&
        isRepaidBy(terms.lender, terms, said.lenderRepaid) &&
        isRepaidBy(terms.borrower, terms, said.borrowerRepaid)
      )
    }
    case 'loan-defaulted':
      return defaultProblem(said.loan, said.atMs, said.lenderWord, nowMs + AHEAD_MS) === null
    case 'proposal':
      return (
        said.createdAtMs <= nowMs + AHEAD_MS &&
        said.deadlineMs - said.createdAtMs <= VOTING_MAX_MS &&
        isSigned(said.proposer, proposalBytes({ ...said, kind: said.proposal }), said.signature)
      )
    case 'vote':
      return (
        said.deadlineMs <= nowMs + VOTING_MAX_MS + AHEAD_MS &&
        isSigned(said.voter, voteBytes(said.voter, said.digest, said.approve), said.signature)
      )
  }
}

/** The same job, more sent than signed for, and the consumer's own signature that it took part. */
function isSoundComplaint(said: SaidOf<'unsigned'>, nowMs: number): boolean {
  const { sent, paid, atMs, signature } = said
  const isSameJob = (['provider', 'consumer', 'nonce', 'modelId', 'timestampMs'] as const).every(
    (name) => sent[name] === paid[name],
  )
  const isMore = sent.amountTrm > paid.amountTrm && sent.tokensProcessed > paid.tokensProcessed
  if (!isSameJob || !isMore || atMs > nowMs + AHEAD_MS) return false
  const sentBytes = canonicalTradeBytes(termsOf(sent))
  return (
    verifyStrict(sent.provider, sentBytes, bytesFromHex(sent.providerSignature)) &&
    verifyStrict(sent.provider, unsignedBytes(said), bytesFromHex(signature)) &&
    isSoundTrade(tradeFromWire(paid))
  )
}
