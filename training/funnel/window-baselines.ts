// Fits the logistic regressions that the window's playground sets beside the recursive model, on the training sets of
// seed 1, and writes them where the page finds them.
// Usage: node training/funnel/window-baselines.ts

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { candidateFeatures, loggedOutcomes, trainingLeads } from '../../src-main/recursion/index.ts'
import { type Coefficients, trainLogistic } from '../baselines/classifiers.ts'

const FILE = join(import.meta.dirname, '../../src-renderer/pages/playground/funnel-baselines.json')
const SEED = 1

function fitted(vectors: readonly (readonly number[])[], labels: readonly boolean[]): Coefficients {
  const { coefficients } = trainLogistic({ vectors, labels: labels.map(Number), classes: 2 })
  const [, positive] = coefficients
  if (!positive) throw new RangeError('two classes were to be told apart')
  const short = (value: number): number => Number(value.toPrecision(6))
  return { intercept: short(positive.intercept), weights: positive.weights.map(short) }
}

const [leads, log] = [trainingLeads(SEED), loggedOutcomes(SEED)]
const baselines = {
  classification: fitted(
    leads.map(({ features }) => features),
    leads.map(({ converts }) => converts),
  ),
  choice: fitted(
    log.map(({ candidate }) => candidateFeatures(candidate)),
    log.map(({ converted }) => converted),
  ),
}
writeFileSync(FILE, `${JSON.stringify(baselines, null, 2)}\n`)
