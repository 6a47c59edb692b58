import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareAnswers, type ProbedToken } from './audit-verdict.ts'

const TOLERANCE = { meanDeltaNats: 0.02, tieNats: 0.1, tokensMin: 4 }
const hex = (text: string) => Buffer.from(text).toString('hex')

/** `word` chosen, `rival` so many nats behind it. */
const token = (word: string, rival = 'rival', behindNats = 3): ProbedToken => ({
  bytes: hex(word),
  logprob: -0.3,
  top: [
    { bytes: hex(word), logprob: -0.3 },
    { bytes: hex(rival), logprob: -0.3 - behindNats },
    { bytes: hex(`${word}-other`), logprob: -8 },
  ],
})
const ANSWER = ['deep', ' in', ' the', ' garden', ' a', ' fox'].map((word) => token(word))
const compare = (expected: ProbedToken[], tokens: ProbedToken[]) =>
  compareAnswers(expected, { tokens }, TOLERANCE)
const read = (expected: ProbedToken[], text: string) =>
  compareAnswers(expected, { text: Buffer.from(text) }, TOLERANCE)
const moved = (tokens: ProbedToken[], by: (place: number) => number): ProbedToken[] =>
  tokens.map((own, place) => ({
    ...own,
    logprob: own.logprob + by(place),
    top: own.top.map(({ bytes, logprob }) => ({ bytes, logprob: logprob + by(place) })),
  }))

describe('two answers of the same weights', () => {
  it('may differ by the last bits everywhere', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -0.02, max: 0.02, noNaN: true }), { minLength: 6, maxLength: 6 }),
        (noise) => {
          expect(
            compare(
              ANSWER,
              moved(ANSWER, (place) => noise[place] ?? 0),
            ).verdict,
          ).toBe('passed')
        },
      ),
      { seed: 13 },
    )
  })

  it('may part at a tie, and nothing is compared after it', () => {
    const expected = ANSWER.with(4, token(' a', ' the', 0.05))
    const observed = ANSWER.slice(0, 4).concat(
      { bytes: hex(' the'), logprob: -0.34, top: token(' a', ' the', 0.05).top },
      token(' nothing like it'),
    )
    expect(compare(expected, observed)).toMatchObject({ verdict: 'passed', tokens: 5 })
  })
})

describe('an answer of other weights', () => {
  it('fails by its log-probabilities, however alike the words are', () => {
    expect(
      compare(
        ANSWER,
        moved(ANSWER, (place) => (place % 2 ? 0.05 : -0.05)),
      ).verdict,
    ).toBe('failed')
  })

  it('fails by one word that the model never says there', () => {
    for (let place = 0; place < ANSWER.length; place++) {
      expect(compare(ANSWER, ANSWER.with(place, token(' else')))).toMatchObject({ verdict: 'failed' })
      expect(compare(ANSWER, ANSWER.with(place, token('rival')))).toMatchObject({ verdict: 'failed' })
    }
  })

  it('fails when it is an echo of nothing: what was expected is not told', () => {
    const lazy = ANSWER.map(() => token('', '', 0))
    expect(compare(ANSWER, lazy).verdict).toBe('failed')
  })

  it('fails when alternatives are kept back', () => {
    const bare = ANSWER.map((own) => ({ ...own, top: own.top.slice(0, 1) }))
    expect(compare(ANSWER, bare).verdict).not.toBe('failed')
    const wrong = ANSWER.map((own) => ({ ...own, top: [{ bytes: hex('x'), logprob: -11 }] }))
    expect(compare(ANSWER, wrong).verdict).toBe('failed')
  })

  it('fails when it ends where the model goes on', () => {
    expect(compare(ANSWER, ANSWER.slice(0, 5)).verdict).toBe('failed')
    expect(compare(ANSWER, []).verdict).toBe('failed')
  })
})

describe('an answer too short to judge', () => {
  it('is neither passed nor failed', () => {
    expect(compare(ANSWER.slice(0, 3), ANSWER).verdict).toBe('inconclusive')
    expect(compare([], ANSWER).verdict).toBe('inconclusive')
  })
})

describe('an answer of which only the text is known', () => {
  it('passes as the same text, and at a tie', () => {
    expect(read(ANSWER, 'deep in the garden a fox')).toMatchObject({ verdict: 'passed', tokens: 6 })
    expect(read(ANSWER.with(4, token(' a', ' the', 0.05)), 'deep in the garden the').verdict).toBe('passed')
  })

  it('fails at a word that the model does not choose, and at an early end', () => {
    expect(read(ANSWER, 'deep in the house').verdict).toBe('failed')
    expect(read(ANSWER.with(4, token(' a', ' the', 1)), 'deep in the garden the').verdict).toBe('failed')
    expect(read(ANSWER, 'deep in the').verdict).toBe('failed')
    expect(read(ANSWER, '').verdict).toBe('failed')
  })
})
