import { describe, expect, it } from 'vitest'
import { candidateFeatures, loggedOutcomes, TASKS, trainingLeads } from '../../src-main/recursion/index.ts'
import fitted from '../../src-renderer/pages/playground/funnel-baselines.json' with { type: 'json' }
import { funnelBaselines } from '../../src-renderer/pages/playground/funnel-baselines.ts'

const SEED = 1

/** Mean gradient of the log-likelihood over the training set: nothing at its highest point. */
function steepest(
  { intercept, weights }: { intercept: number; weights: number[] },
  vectors: readonly (readonly number[])[],
  outcomes: readonly boolean[],
): number {
  const gradient = new Array<number>(weights.length + 1).fill(0)
  for (const [i, vector] of vectors.entries()) {
    const score = vector.reduce((sum, value, j) => sum + value * (weights[j] ?? 0), intercept)
    const error = Number(outcomes[i]) - 1 / (1 + Math.exp(-score))
    for (const [j, value] of [1, ...vector].entries())
      gradient[j] = (gradient[j] ?? 0) + (error * value) / vectors.length
  }
  return Math.hypot(...gradient)
}

describe('the regressions that the window shows', () => {
  it('are those of the training sets: no other weights make the outcomes likelier', () => {
    const [leads, log] = [trainingLeads(SEED), loggedOutcomes(SEED)]
    expect(
      steepest(
        fitted.classification,
        leads.map(({ features }) => features),
        leads.map(({ converts }) => converts),
      ),
    ).toBeLessThan(0.01)
    expect(
      steepest(
        fitted.choice,
        log.map(({ candidate }) => candidateFeatures(candidate)),
        log.map(({ converted }) => converted),
      ),
    ).toBeLessThan(0.01)
  })

  it.each([
    ['funnel-classification', 0.78],
    ['funnel-choice', 0.62],
  ])('answer questions of %s better than the greedy rule', (task, least) => {
    const items = TASKS.get(task)?.testItems(2000, 31) ?? []
    const rate = (name: string): number => {
      const right = items.filter(({ input, score }) => {
        const answer = funnelBaselines(task, input).find((one) => one.name === name)?.answer
        return score(answer) === 1
      })
      return right.length / items.length
    }
    expect(rate('logistic')).toBeGreaterThan(least)
    expect(rate('logistic')).toBeGreaterThan(rate('greedy'))
    expect(funnelBaselines(task, { nonsense: 1 })).toEqual([])
  })
})
