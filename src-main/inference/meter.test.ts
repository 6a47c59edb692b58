import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { trmFromFlop } from '../kernel/index.ts'
import { chooseThreads, type FlopCost, generationFlop, jobFlop, maxJobFlop, prefillFlop } from './index.ts'

const QWEN_0_5B: FlopCost = {
  // Tied: 151,936 × 896 for the output; per block 2 × 896² + 2 × 896 × 128 + 3 × 896 × 4864.
  activeMatmulParameters: 151_936n * 896n + 24n * (2n * 896n * 896n + 2n * 896n * 128n + 3n * 896n * 4864n),
  layers: Array.from({ length: 24 }, () => ({
    headCount: 14,
    keyLength: 64,
    valueLength: 64,
    windowTokens: null,
  })),
}

const costs = fc.record({
  activeMatmulParameters: fc.bigInt({ min: 1n, max: 10n ** 12n }),
  layers: fc.array(
    fc.record({
      headCount: fc.integer({ min: 0, max: 128 }),
      keyLength: fc.integer({ min: 1, max: 512 }),
      valueLength: fc.integer({ min: 1, max: 512 }),
      windowTokens: fc.option(fc.integer({ min: 1, max: 400 })),
    }),
    { maxLength: 8 },
  ),
})
const counts = fc.integer({ min: 0, max: 300 })

function naive(cost: FlopCost, from: number, to: number): bigint {
  let flop = 0n
  for (let position = from; position < to; position++) {
    flop += 2n * cost.activeMatmulParameters
    for (const { headCount, keyLength, valueLength, windowTokens } of cost.layers) {
      const attended = Math.min(position + 1, windowTokens ?? Number.POSITIVE_INFINITY)
      flop += 2n * BigInt(headCount * (keyLength + valueLength)) * BigInt(attended)
    }
  }
  return flop
}

describe('metering', () => {
  test('the closed form is the sum over all positions', () => {
    fc.assert(
      fc.property(costs, counts, counts, (cost, prompt, completion) => {
        expect(prefillFlop(cost, prompt)).toBe(naive(cost, 0, prompt))
        expect(generationFlop(cost, prompt, completion)).toBe(naive(cost, prompt, prompt + completion))
        expect(jobFlop(cost, prompt, completion)).toBe(naive(cost, 0, prompt + completion))
      }),
    )
  })

  test('more tokens cost more, and the reserve covers any answer', () => {
    fc.assert(
      fc.property(costs, counts, counts, fc.nat(100), (cost, prompt, completion, more) => {
        expect(generationFlop(cost, prompt, completion + 1)).toBeGreaterThan(
          generationFlop(cost, prompt, completion),
        )
        expect(prefillFlop(cost, prompt + 1)).toBeGreaterThan(prefillFlop(cost, prompt))
        expect(maxJobFlop(cost, prompt, completion + more)).toBeGreaterThanOrEqual(
          jobFlop(cost, prompt, completion),
        )
      }),
    )
  })

  test('9 tokens of Qwen2.5-0.5B cost 9 TRM', () => {
    expect(QWEN_0_5B.activeMatmulParameters).toBe(493_961_216n)
    expect(trmFromFlop(generationFlop(QWEN_0_5B, 0, 9))).toBe(9n)
    expect(trmFromFlop(generationFlop(QWEN_0_5B, 100, 9))).toBe(9n)
  })

  test('impossible counts are refused', () => {
    for (const count of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(() => prefillFlop(QWEN_0_5B, count)).toThrow(RangeError)
      expect(() => generationFlop(QWEN_0_5B, 1, count)).toThrow(RangeError)
    }
  })
})

test('small models take one thread, large ones leave one core free', () => {
  expect(chooseThreads(136_000_000n, 8)).toBe(1)
  expect(chooseThreads(1_500_000_000, 8)).toBe(7)
  expect(chooseThreads(1_500_000_000n, 1)).toBe(1)
})
