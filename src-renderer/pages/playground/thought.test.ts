import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { i18n } from '../../i18n/index.ts'
import { changedCells, HEAT_LEVELS, heatOf, movements, percent, savingOf, stopAt } from './thought.ts'

const probabilities = fc.double({ min: 0, max: 1, noNaN: true })
const stepsOf = (values: readonly number[]) =>
  values.map((haltProbability) => ({ haltProbability, answer: null }))

describe('where it would have stopped', () => {
  it('is the first step above the threshold, as the host decides it', () => {
    fc.assert(
      fc.property(fc.array(probabilities), probabilities, (values, threshold) => {
        const stop = stopAt(stepsOf(values), threshold)
        const before = values.slice(0, stop ?? values.length)
        expect(before.every((value) => value <= threshold)).toBe(true)
        if (stop !== null) expect(values[stop]).toBeGreaterThan(threshold)
      }),
    )
    expect(stopAt(stepsOf([0.5]), 0.5)).toBeNull()
  })

  it('never comes earlier with a higher threshold', () => {
    fc.assert(
      fc.property(fc.array(probabilities), probabilities, probabilities, (values, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)]
        const at = (threshold: number) => stopAt(stepsOf(values), threshold) ?? values.length
        expect(at(low)).toBeLessThanOrEqual(at(high))
      }),
    )
  })
})

describe('what an earlier stop saves', () => {
  const thought = { steps: stepsOf([0, 0, 0, 0]), flop: '4800000000', amountTrm: '5', councilSteps: 0 }

  it('is the work of the steps after it, and the difference of two whole charges', () => {
    expect(savingOf(thought, 1, { several: false })).toEqual({ flop: '2400000000', amountTrm: '2' })
    expect(savingOf(thought, 3, { several: false })).toEqual({ flop: '0', amountTrm: '0' })
  })

  it('is never more than what was paid', () => {
    const counts = fc.record({ count: fc.integer({ min: 1, max: 60 }), flop: fc.bigInt(1_000n, 10n ** 30n) })
    fc.assert(
      fc.property(counts, fc.nat(), ({ count, flop }, n) => {
        const amountTrm = String((flop + 999_999_999n) / 1_000_000_000n)
        const steps = stepsOf(new Array<number>(count).fill(0))
        const whole = { steps, flop: String(flop), amountTrm, councilSteps: 0 }
        const saving = savingOf(whole, n % count, { several: false })
        expect(BigInt(saving?.flop ?? -1)).toBeLessThan(flop)
        expect(BigInt(saving?.flop ?? -1)).toBeGreaterThanOrEqual(0n)
        expect(BigInt(saving?.amountTrm ?? -1)).toBeLessThan(BigInt(amountTrm))
      }),
    )
  })

  it('is not known where more was computed than the steps that are shown', () => {
    expect(savingOf({ ...thought, councilSteps: 12 }, 0, { several: false })).toBeNull()
    expect(savingOf(thought, 0, { several: true })).toBeNull()
  })
})

describe('what changed', () => {
  it('is found cell by cell, in grids and in ways', () => {
    const cells = (...values: number[]) => ({ kind: 'cells', cells: values }) as const
    const path = (...values: number[]) => ({ kind: 'path', path: values }) as const
    expect([...changedCells(cells(1, 2, 3), cells(1, 3, 3))]).toEqual([1])
    expect([...changedCells(path(1, 2), path(2, 5))]).toEqual([1, 5])
    expect(changedCells(cells(1), null).size).toBe(0)
  })
})

describe('how far the latent still moved', () => {
  const anySteps = fc.integer({ min: 1, max: 9 }).chain((cells) =>
    fc.array(
      fc
        .array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: cells, maxLength: cells })
        .map((latentChange) => ({ latentChange })),
      { minLength: 1, maxLength: 6 },
    ),
  )

  it('is shaded within its levels, more for what moved more, and measured against the first step', () => {
    fc.assert(
      fc.property(anySteps, fc.nat(), (steps, n) => {
        const step = n % steps.length
        const heat = heatOf(steps, step)
        const changes = steps[step]?.latentChange ?? []
        expect(heat).toHaveLength(changes.length)
        for (const [i, level] of heat.entries()) {
          expect(level).toBeGreaterThanOrEqual(0)
          expect(level).toBeLessThanOrEqual(HEAT_LEVELS)
          for (const [j, other] of heat.entries()) {
            if ((changes[i] ?? 0) > (changes[j] ?? 0)) expect(level).toBeGreaterThanOrEqual(other)
          }
        }
        for (const share of movements(steps)) {
          expect(share).toBeGreaterThanOrEqual(0)
          expect(share).toBeLessThanOrEqual(1)
        }
      }),
    )
    expect(movements([{ latentChange: [2, 4] }, { latentChange: [1, 2] }])).toEqual([1, 0.5])
    expect(heatOf([{ latentChange: [0, 0] }], 0)).toEqual([0, 0])
  })
})

describe('a probability in words', () => {
  it.each([
    [0, '0 %'],
    [0.001, 'under 1 %'],
    [0.034, '3 %'],
    [0.999, 'over 99 %'],
    [1, '100 %'],
  ])('%d is %s', (value, words) => expect(percent(i18n.getFixedT('en', 'playground'), value)).toBe(words))
})
