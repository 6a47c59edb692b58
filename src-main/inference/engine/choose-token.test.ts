import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseToken, type SamplingOptions } from './choose-token.ts'

const none: SamplingOptions = { temperature: 1, topK: 0, topP: 1, biases: new Map(), counts: new Map() }
const logits = (...values: number[]) => values.map((logit, token) => ({ token, logit }))
const every = 1000

/** How often each token comes, over evenly spread draws. */
function shares(candidates: { token: number; logit: number }[], options: Partial<SamplingOptions>): number[] {
  const counts = candidates.map(() => 0)
  for (let draw = 0; draw < every; draw++) {
    const token = chooseToken(candidates, { ...none, ...options }, () => (draw + 0.5) / every)
    counts[token] = (counts[token] ?? 0) + 1
  }
  return counts.map((count) => count / every)
}

describe('chooseToken', () => {
  test('draws by probability', () => {
    const [a, b, c] = shares(logits(Math.log(6), Math.log(3), Math.log(1)), {})
    expect([a, b, c]).toEqual([0.6, 0.3, 0.1])
  })

  test('temperature flattens, and 0 takes the best', () => {
    const [a, b] = shares(logits(Math.log(9), 0), { temperature: 2 })
    expect([a, b]).toEqual([0.75, 0.25])
    expect(shares(logits(1, 1.001), { temperature: 0 })).toEqual([0, 1])
  })

  test('top-k, top-p and min-p cut the tail', () => {
    const candidates = logits(Math.log(5), Math.log(3), Math.log(2))
    expect(shares(candidates, { topK: 1 })).toEqual([1, 0, 0])
    expect(shares(candidates, { topP: 0.7 })).toEqual([0.625, 0.375, 0])
    expect(shares(candidates, { minP: 0.5 })).toEqual([0.625, 0.375, 0])
    expect(shares(candidates, { topP: 0 })).toEqual([1, 0, 0])
  })

  test('penalties take off what OpenAI documents: once per time and once at all', () => {
    const counts = new Map([[0, 2]])
    const even = [0.5, 0.5]
    expect(shares(logits(1.5, 0), { counts, frequencyPenalty: 0.5, presencePenalty: 0.5 })).toEqual(even)
    expect(shares(logits(2, 1), { counts, repeatPenalty: 2 })).toEqual(even)
    expect(shares(logits(-1, -2), { counts, repeatPenalty: 2 })).toEqual(even)
  })

  test('a bias is added; −100 forbids', () => {
    expect(shares(logits(0, 3), { biases: new Map([[0, 3]]) })).toEqual([0.5, 0.5])
    expect(shares(logits(500, 0), { biases: new Map([[0, -100]]) })).toEqual([0, 1])
  })

  test('gives one of the candidates, whatever is asked', () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 20 }),
        fc.record({
          temperature: fc.double({ min: 0, max: 100, noNaN: true }),
          topK: fc.nat(30),
          topP: unit,
          minP: unit,
        }),
        unit,
        (values, options, draw) => {
          const token = chooseToken(logits(...values), { ...none, ...options }, () => draw)
          expect(values[token]).toBeDefined()
        },
      ),
    )
  })
})
