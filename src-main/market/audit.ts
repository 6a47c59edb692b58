import { z } from 'zod'
import { bytesFromHex, hexFromBytes, type KeyPair, sha256, utf8 } from '../kernel/index.ts'
import { openEnvelope, readBody, sealEnvelope } from '../mesh/index.ts'
import { type Comparison, compareAnswers, type ProbedToken } from './audit-verdict.ts'
import { Hash, Signature } from './offer.ts'
import { isSignedTranscript, type Transcript } from './transcript.ts'
import { Begin, Piece, type RemoteRequest, type TokenLogprobs } from './work-messages.ts'

/**
 * An audit is an ordinary job, bought and paid for, whose answer the buyer has computed before with the same weights.
 * Its request commits to that answer without showing it; what the seller says is signed; then the buyer opens the
 * commitment. So neither can fit its answer to the other's.
 */

const DOMAIN = utf8('tirami-audit-v1\0')
/** Evidence is small enough to be told to everybody. */
export const AUDIT_EVIDENCE_BYTES_MAX = 24 * 1024
const TOKENS_MAX = 64
/** Two failing probes count together when this much time lies between their questions at most. */
export const SUSPICION_MS = 7 * 86_400_000
/** Thousandths of a nat: finer differences mean nothing. */
const LOGPROB_STEPS = 1_000

const Logprob = z.number().min(-9_999).max(1)
const TokenBytes = z.string().regex(/^([0-9a-f]{2}){0,256}$/)
const Listed = z.strictObject({ bytes: TokenBytes, logprob: Logprob })
const Expected = z.array(z.strictObject({ ...Listed.shape, top: z.array(Listed).max(20) })).max(TOKENS_MAX)

/** What the challenger expects, and the salt that hides it. */
export interface AuditSecret {
  /** 32 bytes. */
  nonce: Uint8Array
  /** JSON as it was committed to, byte by byte. */
  expectedJson: string
}

/** What anybody can check who was not there. Bytes are as they were sent. */
export interface AuditEvidence {
  transcript: Transcript
  /** The challenger's signed opening of its commitment. */
  reveal: Uint8Array
}

const Reveal = z.strictObject({
  kind: z.literal('audit-reveal'),
  /** SHA-256 of the signed request. */
  audit: Hash,
  nonce: z.string().regex(/^[0-9a-f]{64}$/),
  expected: z.string().max(AUDIT_EVIDENCE_BYTES_MAX),
})

const Base64 = z.base64().max(2 * AUDIT_EVIDENCE_BYTES_MAX)
/** Evidence as it travels, in JSON. */
export const WireAuditEvidence = z.strictObject({
  begin: Base64,
  pieces: z.array(Base64).min(1).max(TOKENS_MAX),
  signature: Signature,
  reveal: Base64,
})
export type WireAuditEvidence = z.output<typeof WireAuditEvidence>

/** What evidence says, once its signatures and its commitment have been checked. */
export interface AuditFinding {
  /** SHA-256 of the signed request: the same evidence counts once. */
  auditId: string
  challenger: string
  provider: string
  model: string
  /** SHA-256 of the model file that the provider stood by. */
  weights: string
  /** When the challenger signed the request, by its clock. */
  atMs: number
  request: RemoteRequest
  expected: ProbedToken[]
  comparison: Comparison
}

export type VerifiedEvidence =
  | { ok: true; finding: AuditFinding }
  | { ok: false; reason: 'malformed' | 'signature' | 'commitment' }

/** Rounds as it will be sent and compared. */
export function probedTokens(tokens: readonly TokenLogprobs[]): ProbedToken[] {
  const round = (logprob: number) => Math.round(logprob * LOGPROB_STEPS) / LOGPROB_STEPS
  const listed = ({ bytes, logprob }: { bytes: number[]; logprob: number }) => ({
    bytes: hexFromBytes(Uint8Array.from(bytes)),
    logprob: round(logprob),
  })
  return tokens.map((token) => ({ ...listed(token), top: token.top.map(listed) }))
}

export function auditSecret(nonce: Uint8Array, expected: readonly ProbedToken[]): AuditSecret {
  return { nonce, expectedJson: JSON.stringify(expected) }
}

/** SHA-256 over "tirami-audit-v1\0" ‖ nonce ‖ expected: 32 bytes, as random as any. */
export const auditCommitment = ({ nonce, expectedJson }: AuditSecret): Uint8Array =>
  sha256(DOMAIN, nonce, utf8(expectedJson))

/** Opens the commitment, once the answer is here. @param seq as of every signed message of this host */
export function revealAudit(
  key: KeyPair,
  seq: number,
  transcript: Transcript,
  { nonce, expectedJson }: AuditSecret,
): AuditEvidence {
  const audit = hexFromBytes(sha256(transcript.begin))
  const reveal = { kind: 'audit-reveal', audit, nonce: hexFromBytes(nonce), expected: expectedJson }
  return { transcript, reveal: sealEnvelope(key, seq, reveal) }
}

/**
 * Checks what can be checked without the model: that the challenger asked this and had committed to its answer before,
 * that the provider stood by these weights and answered this, and how the two compare. **That the challenger's answer
 * is the right one it does not show**: whoever is to act on it computes the answer with the same weights.
 */
export function verifyAuditEvidence({ transcript, reveal }: AuditEvidence): VerifiedEvidence {
  const asked = openEnvelope(transcript.begin)
  const opened = openEnvelope(reveal)
  if (!asked.ok || !opened.ok) return refused(asked, opened)
  const begin = readBody(Begin, asked.envelope.body)
  const secret = readBody(Reveal, opened.envelope.body)
  const expected = secret && parseExpected(secret.expected)
  if (!begin || begin.weights === null || !secret || !expected) return { ok: false, reason: 'malformed' }
  const { origin: challenger, seq: atMs } = asked.envelope
  const { provider, model, weights, request, commitment } = begin
  if (opened.envelope.origin !== challenger || challenger === provider)
    return { ok: false, reason: 'signature' }
  if (!isSignedTranscript(provider, transcript)) return { ok: false, reason: 'signature' }
  const auditId = hexFromBytes(sha256(transcript.begin))
  const committed = { nonce: bytesFromHex(secret.nonce), expectedJson: secret.expected }
  if (secret.audit !== auditId || hexFromBytes(auditCommitment(committed)) !== commitment) {
    return { ok: false, reason: 'commitment' }
  }
  const comparison = compareTranscript(expected, request, transcript)
  if (!comparison) return { ok: false, reason: 'malformed' }
  return {
    ok: true,
    finding: { auditId, challenger, provider, model, weights, atMs, request, expected, comparison },
  }
}

/** What tells one probe of a host from another one of the same file. */
export interface AskedProbe {
  auditId: string
  /** `questionOf` its request. */
  question: string
  /** When it was asked, by its challenger's clock. */
  askedAtMs: number
}

/** SHA-256 of what is asked, whatever the form of the answer. */
export const questionOf = ({ prompt }: Pick<RemoteRequest, 'prompt'>): string =>
  hexFromBytes(
    sha256(
      utf8(
        JSON.stringify(
          prompt.type === 'text' ? prompt.text : prompt.turns.map(({ role, content }) => [role, content]),
        ),
      ),
    ),
  )

/**
 * Whether a failing probe says anything that another one has not said: one alone moves no stake, since now and then an
 * honest host fails one (docs/audits.md has how often). Another question at another time, at most `SUSPICION_MS` apart.
 */
export function areIndependent(one: AskedProbe, other: AskedProbe): boolean {
  const apartMs = Math.abs(one.askedAtMs - other.askedAtMs)
  return (
    one.auditId !== other.auditId && one.question !== other.question && apartMs > 0 && apartMs <= SUSPICION_MS
  )
}

/** @returns null when the answer is not of the form that was asked for */
export function compareTranscript(
  expected: readonly ProbedToken[],
  { topLogprobs }: Pick<RemoteRequest, 'topLogprobs'>,
  { pieces }: Transcript,
): Comparison | null {
  const read = pieces.map((bytes) => readBody(Piece, bytes))
  if (read.includes(null)) return null
  const all = read.filter((piece) => piece !== null)
  const text = utf8(all.map((piece) => piece.text).join(''))
  if (topLogprobs === undefined) return compareAnswers(expected, { text })
  const tokens = all.flatMap(({ logprobs = [] }) => logprobs)
  // A host that was asked for them and gives none has not answered.
  return tokens.length === 0 ? null : compareAnswers(expected, { tokens: probedTokens(tokens) })
}

export function wireEvidence({ transcript, reveal }: AuditEvidence): WireAuditEvidence {
  return {
    begin: base64(transcript.begin),
    pieces: transcript.pieces.map(base64),
    signature: transcript.signature,
    reveal: base64(reveal),
  }
}

export function evidenceFromWire({ begin, pieces, signature, reveal }: WireAuditEvidence): AuditEvidence {
  return {
    transcript: { begin: fromBase64(begin), pieces: pieces.map(fromBase64), signature },
    reveal: fromBase64(reveal),
  }
}

/** Whether it may be told to everybody: a provider that answers at great length keeps it from that, not from counting. */
export const isShareable = (evidence: AuditEvidence): boolean =>
  JSON.stringify(wireEvidence(evidence)).length <= AUDIT_EVIDENCE_BYTES_MAX

function refused(...opened: ReturnType<typeof openEnvelope>[]): VerifiedEvidence {
  const forged = opened.some((message) => !message.ok && message.reason === 'signature')
  return { ok: false, reason: forged ? 'signature' : 'malformed' }
}

function parseExpected(json: string): ProbedToken[] | null {
  try {
    return Expected.parse(JSON.parse(json))
  } catch {
    return null
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
