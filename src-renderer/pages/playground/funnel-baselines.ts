import { z } from 'zod'
// Written by training/funnel/window-baselines.ts from the training sets of seed 1.
import fitted from './funnel-baselines.json' with { type: 'json' }

export interface FunnelBaseline {
  name: 'greedy' | 'logistic'
  /** In the task's own form. */
  answer: unknown
  /** Products, additions and comparisons. */
  operations: number
}

const Lead = z.object({ features: z.array(z.number()) })
const Opportunity = z.object({
  candidates: z.array(
    z.object({
      impact: z.number(),
      cultureFit: z.number(),
      velocity: z.number(),
      complexity: z.number(),
      learningRate: z.number(),
      valueDensity: z.number(),
    }),
  ),
})

function score({ intercept, weights }: { intercept: number; weights: number[] }, values: number[]): number {
  return weights.reduce((sum, weight, i) => sum + weight * (values[i] ?? 0), intercept)
}

/** What simple rules answer to a question of a funnel; nothing for other tasks. */
export function funnelBaselines(task: string, input: unknown): FunnelBaseline[] {
  if (task === 'funnel-classification') {
    const { data } = Lead.safeParse(input)
    if (data === undefined) return []
    const { features } = data
    const operations = 2 * features.length + 1
    return [
      { name: 'greedy', answer: { converts: (features[0] ?? 0) + (features[1] ?? 0) > 0 }, operations: 2 },
      { name: 'logistic', answer: { converts: score(fitted.classification, features) > 0 }, operations },
    ]
  }
  if (task !== 'funnel-choice') return []
  const { data } = Opportunity.safeParse(input)
  if (data === undefined) return []
  const { candidates } = data
  const scores = candidates.map((one) =>
    score(fitted.choice, [
      ...[one.impact, one.cultureFit, one.velocity, one.complexity, one.learningRate, one.valueDensity],
      ...[one.impact * one.cultureFit, one.velocity * one.learningRate, one.complexity * one.valueDensity],
    ]),
  )
  const best = (values: number[]): unknown => ({ choice: values.indexOf(Math.max(...values)) })
  const perCandidate = 2 * fitted.choice.weights.length + 3
  return [
    { name: 'greedy', answer: best(candidates.map(({ impact }) => impact)), operations: candidates.length },
    { name: 'logistic', answer: best(scores), operations: candidates.length * (perCandidate + 1) },
  ]
}
