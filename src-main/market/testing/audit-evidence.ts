import { keyPairFromSeed } from '../../kernel/index.ts'
import { sealEnvelope } from '../../mesh/index.ts'
import { type AuditEvidence, auditCommitment, auditSecret, probedTokens, revealAudit } from '../audit.ts'
import { TranscriptHash } from '../transcript.ts'
import { beginJson, plain, type TokenLogprobs } from '../work-messages.ts'

export const [challenger, provider, stranger] = [1, 2, 3].map((seed) =>
  keyPairFromSeed(new Uint8Array(32).fill(seed)),
) as [
  ReturnType<typeof keyPairFromSeed>,
  ReturnType<typeof keyPairFromSeed>,
  ReturnType<typeof keyPairFromSeed>,
]

export const WORDS = ['the', ' fox', ' sleeps', ' in', ' a', ' garden', '.']

/** An answer as a model gives it, every log-probability moved by `shift`. */
export const answer = (shift = 0): TokenLogprobs[] =>
  WORDS.map((token, place) => {
    const best = { token, bytes: [...Buffer.from(token)], logprob: -0.2 - shift }
    const rest = [1, 2, 3].map((rank) => ({
      token: `${place}${rank}`,
      bytes: [...Buffer.from(`${place}${rank}`)],
      logprob: -2 - rank + shift,
    }))
    return { ...best, top: [best, ...rest] }
  })

interface Case {
  asks?: typeof challenger
  answers?: typeof provider
  opens?: typeof challenger
  nonce?: number
  observed?: TokenLogprobs[]
  weights?: string | null
  jobId?: string
  /** When it was asked, and what. */
  atMs?: number
  question?: string
}

/** An audit with real signatures. */
export function evidence({
  asks = challenger,
  answers = provider,
  opens = asks,
  nonce = 7,
  observed = answer(),
  weights = 'ab'.repeat(32),
  jobId = '0'.repeat(32),
  atMs = 1_000,
  question = 'Once',
}: Case = {}): AuditEvidence {
  const secret = auditSecret(new Uint8Array(32).fill(nonce), probedTokens(answer()))
  const begin = sealEnvelope(
    asks,
    atMs,
    beginJson({
      kind: 'begin',
      jobId,
      provider: answers.publicKeyHex,
      model: 'fox-1',
      request: {
        prompt: { type: 'text', text: question },
        maxTokens: 7,
        stop: [],
        temperature: 0,
        topP: 1,
        topLogprobs: 4,
      },
      price: { multiplierMicro: 1_000_000n, feeMicro: 0n },
      weights,
      commitment: Buffer.from(auditCommitment(secret)).toString('hex'),
    }),
  )
  const hash = new TranscriptHash(begin)
  const pieces = observed.map((token, index) => {
    const bill = { tokens: index + 1, amountTrm: '1', signature: '0'.repeat(128) }
    return plain({ kind: 'piece', text: token.token, ...bill, logprobs: [token] })
  })
  for (const piece of pieces) hash.add(piece)
  return revealAudit(opens, atMs + 1_000, { begin, pieces, signature: hash.sign(answers) }, secret)
}
