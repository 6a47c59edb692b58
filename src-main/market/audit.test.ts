import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AuditEvidence,
  auditCommitment,
  auditSecret,
  evidenceFromWire,
  isShareable,
  probedTokens,
  verifyAuditEvidence,
  WireAuditEvidence,
  wireEvidence,
} from './audit.ts'
import { answer, challenger, evidence, provider, stranger, WORDS } from './testing/audit-evidence.ts'

const verdict = (made: AuditEvidence) => {
  const checked = verifyAuditEvidence(made)
  return checked.ok ? checked.finding.comparison.verdict : checked.reason
}

describe('evidence of an audit', () => {
  it('says who answered what for which weights, and how that compares', () => {
    const checked = verifyAuditEvidence(evidence({ observed: answer(0.5) }))
    expect(checked).toMatchObject({
      ok: true,
      finding: {
        challenger: challenger.publicKeyHex,
        provider: provider.publicKeyHex,
        model: 'fox-1',
        weights: 'ab'.repeat(32),
        atMs: 1_000,
        comparison: { verdict: 'failed', tokens: WORDS.length, meanDeltaNats: 0.5, partedNats: null },
      },
    })
    expect(verdict(evidence())).toBe('passed')
  })

  it('has an id that another job does not have: told twice it counts once', () => {
    const idOf = (made: AuditEvidence) => {
      const checked = verifyAuditEvidence(made)
      return checked.ok ? checked.finding.auditId : null
    }
    const made = evidence()
    expect(idOf(made)).toBe(idOf(evidenceFromWire(wireEvidence(made))))
    expect(idOf(made)).not.toBe(idOf(evidence({ jobId: '1'.repeat(32) })))
  })

  it('travels as JSON, small enough for everybody', () => {
    const made = evidence({ observed: answer(0.5) })
    const heard = WireAuditEvidence.parse(JSON.parse(JSON.stringify(wireEvidence(made))))
    expect(evidenceFromWire(heard)).toEqual(made)
    expect(isShareable(made)).toBe(true)
    const long = answer().map((token) => ({
      ...token,
      token: 'x'.repeat(1_000),
      top: Array(20).fill(token.top[0]),
    }))
    expect(isShareable(evidence({ observed: long.concat(long, long) }))).toBe(false)
  })

  it('is refused when any of its bytes is another', () => {
    const made = wireEvidence(evidence({ observed: answer(0.5) }))
    const flip = (bytes: Buffer, at: number, bit: number) => {
      const index = at % bytes.length
      bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
      return bytes.toString('base64')
    }
    const part = fc.constantFrom('begin', 'reveal', 'piece', 'signature')
    fc.assert(
      fc.property(part, fc.nat(100_000), fc.nat(7), (which, at, bit) => {
        const forged = structuredClone(made)
        const [first = ''] = made.pieces
        if (which === 'piece') forged.pieces[0] = flip(Buffer.from(first, 'base64'), at, bit)
        else if (which === 'signature') {
          forged.signature = Buffer.from(
            flip(Buffer.from(made.signature, 'hex'), at, bit),
            'base64',
          ).toString('hex')
        } else forged[which] = flip(Buffer.from(made[which], 'base64'), at, bit)
        expect(verifyAuditEvidence(evidenceFromWire(forged)).ok).toBe(false)
      }),
      { seed: 11, numRuns: 200 },
    )
  })

  it('is refused when pieces are left out, turned round or taken from another job', () => {
    const made = evidence({ observed: answer(0.5) })
    const other = evidence({ jobId: '1'.repeat(32), observed: answer(0.9) })
    const withPieces = (pieces: readonly Uint8Array[]) => ({
      ...made,
      transcript: { ...made.transcript, pieces },
    })
    const { pieces } = made.transcript
    for (const forged of [pieces.slice(1), pieces.toReversed(), other.transcript.pieces]) {
      expect(verdict(withPieces(forged))).toBe('signature')
    }
  })

  it('is refused when the commitment is opened to another answer, by another host or of another audit', () => {
    const made = evidence()
    const other = evidence({ nonce: 8, jobId: '1'.repeat(32) })
    expect(verdict({ ...made, reveal: other.reveal })).toBe('commitment')
    expect(verdict({ ...made, reveal: evidence({ nonce: 8 }).reveal })).toBe('commitment')
    expect(verdict(evidence({ opens: stranger }))).toBe('signature')
    expect(verdict(evidence({ asks: provider }))).toBe('signature')
  })

  it('binds nobody who named no weights', () => {
    expect(verdict(evidence({ weights: null }))).toBe('malformed')
  })

  it('bytes that are no evidence never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 400 }), (begin, reveal) => {
        const transcript = { begin, pieces: [reveal], signature: '0'.repeat(128) }
        expect(verifyAuditEvidence({ transcript, reveal }).ok).toBe(false)
      }),
      { seed: 12 },
    )
  })
})

describe('a commitment', () => {
  it('hides the answer: without the nonce nothing of it can be tried', () => {
    const expected = probedTokens(answer())
    const seen = new Set(
      [...Array(50).keys()].map((index) =>
        Buffer.from(auditCommitment(auditSecret(new Uint8Array(32).fill(index), expected))).toString('hex'),
      ),
    )
    expect(seen.size).toBe(50)
  })
})
