import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src-main/tensor/index.ts'
import { mostLikely, trainForest, trainLogistic, trainMajority } from '../baselines/classifiers.ts'
import { markdownOf } from './document.ts'
import { FUNNELS } from './funnels.ts'
import { pairedDifference } from './statistics.ts'

const SEED = 20_261_129

describe('a difference over the same questions', () => {
  it('is covered by its interval as often as it says', () => {
    const random = seededRandom(SEED)
    // P(a) = 0.7; b agrees with a three times of four, else it is a coin of 0.5: P(b) = 0.65.
    const truth = 0.7 - (0.75 * 0.7 + 0.25 * 0.5)
    let covered = 0
    for (let study = 0; study < 1000; study += 1) {
      const pairs = Array.from({ length: 150 }, () => {
        const a = Number(random() < 0.7) as 0 | 1
        return [a, random() < 0.75 ? a : (Number(random() < 0.5) as 0 | 1)] as const
      })
      const { low, high } = pairedDifference(
        pairs.map(([a]) => a),
        pairs.map(([, b]) => b),
      )
      covered += Number(low <= truth && truth <= high)
    }
    expect(covered).toBeGreaterThan(930)
    expect(covered).toBeLessThan(975)
  })

  it('turns round with its two sides, and refuses other questions', () => {
    const [a, b] = [[1, 0, 1, 1, 0] as const, [0, 0, 1, 0, 1] as const]
    const [there, back] = [pairedDifference(a, b), pairedDifference(b, a)]
    expect(there.value).toBeCloseTo(0.2, 12)
    expect(back.low).toBeCloseTo(-there.high, 12)
    expect(() => pairedDifference(a, [1])).toThrow(RangeError)
  })
})

/** A cloud for each class, and a feature of noise that is far larger than the others. */
function clouds(seed: number, classes: number) {
  const random = seededRandom(seed)
  const labels = Array.from({ length: 240 }, (_, i) => i % classes)
  const noise = (): number => random() + random() + random() - 1.5
  const vectors = labels.map((label) => [
    4 * Number(label === 0) + noise(),
    100 * noise(),
    4 * Number(label === 1) + noise(),
  ])
  return { vectors, labels, classes }
}

describe('baselines', () => {
  it.each([2, 3])('tell %i classes apart that lie apart, in probabilities', (classes) => {
    const [train, test] = [clouds(SEED, classes), clouds(SEED + 1, classes)]
    for (const model of [trainLogistic(train), trainForest(train, { trees: 15, seed: 1 })]) {
      const rows = model.probabilities(test.vectors)
      for (const row of rows) expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9)
      const right = rows.filter((row, i) => mostLikely(row) === test.labels[i]).length
      expect(right).toBeGreaterThan(0.95 * test.labels.length)
    }
    expect(trainMajority({ ...train, labels: [0, 1, 1] }).probabilities([[]])[0]?.[1]).toBeCloseTo(2 / 3, 12)
  })

  it('find the slope that outcomes were drawn with', () => {
    const random = seededRandom(SEED)
    const vectors = Array.from({ length: 3000 }, () => [4 * random() - 2])
    const probability = (x: number): number => 1 / (1 + Math.exp(-(1.2 * x - 0.5)))
    const labels = vectors.map(([x = 0]) => Number(random() < probability(x)))
    const { probabilities } = trainLogistic({ vectors, labels, classes: 2 })
    for (const x of [-2, -0.5, 0, 1, 2]) {
      expect(Math.abs((probabilities([[x]])[0]?.[1] ?? 0) - probability(x))).toBeLessThan(0.05)
    }
  })
})

describe('the language model’s words', () => {
  const [classification, choice] = FUNNELS
  it('count only where they name an answer', () => {
    expect(classification?.readWords('Yes, it will.')).toEqual({ converts: true })
    expect(classification?.readWords('The answer: no')).toEqual({ converts: false })
    expect(classification?.readWords('I do not know yesterday')).toBeNull()
    expect(choice?.readWords('Candidate 3.')).toEqual({ choice: 2 })
    expect(choice?.readWords('The 12th')).toBeNull()
  })
})

it('what a report says is text, whatever it holds', () => {
  const text = markdownOf([{ kind: 'table', head: ['a'], rows: [['one | two\nthree']] }])
  expect(text).toContain('| one \\| two three |')
})
