import { describe, expect, it } from 'vitest'
import {
  detectSchema,
  fitEncoding,
  labelledRows,
  readCsv,
  splitRows,
} from '../../src-main/recursion/datasets/index.ts'
import { seededRandom } from '../../src-main/tensor/index.ts'
import { classifyCsv } from './classify.ts'

const SEED = 7

/** The class is whether exactly one of two numbers is positive: no line parts the classes. */
function exclusiveOr(rows: number): Uint8Array {
  const random = seededRandom(SEED)
  const number = (): number => 2 * random() - 1
  const lines = Array.from({ length: rows }, () => {
    const [a, b, noise] = [number(), number(), random() < 0.5 ? 'left' : 'right']
    return `${a.toFixed(4)};${b.toFixed(4)};${noise};${a > 0 !== b > 0 ? 'one' : 'not one'}`
  })
  return new TextEncoder().encode(['a;b;side;class', ...lines].join('\r\n'))
}

describe('a classifier from a CSV file', () => {
  it('learns what a straight line cannot, and is judged on rows it never saw', async () => {
    const options = { seed: SEED, steps: 240, threads: 1, report: () => undefined }
    const file = exclusiveOr(400)
    const { judged, split, parameters } = await classifyCsv(file, options)
    const rates = Object.fromEntries(judged.map(({ name, accuracy }) => [name, accuracy]))
    const recursive = rates['recursive model']
    expect(recursive?.rate).toBeGreaterThan(0.85)
    expect(rates['logistic regression']?.rate).toBeLessThan(0.65)
    expect(rates['random forest']?.rate).toBeGreaterThan(rates['logistic regression']?.rate ?? 1)
    // The commonest class of the training rows, counted here again.
    const table = readCsv(file)
    const { train, test } = splitRows(labelledRows(table, detectSchema(table)), SEED)
    expect([split.train, split.test]).toEqual([train, test])
    const ones = train.filter((row) => row.class === 1).length
    const commonest = ones > train.length / 2 ? 1 : 0
    expect(rates['always the commonest class']).toMatchObject({
      successes: test.filter((row) => row.class === commonest).length,
      count: test.length,
    })
    expect(recursive?.low).toBeLessThan(recursive?.rate ?? 0)
    expect(fitEncoding(detectSchema(table), train).tokens).toBe(3)
    expect(parameters).toBeGreaterThan(1000)
  }, 240_000)
})
