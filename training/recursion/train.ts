// Trains one task from its recipe and writes resources/recursion/TASK.safetensors and TASK.json. The same task, seed and
// code give the same file, byte for byte, with one thread or two.
// Usage: node training/recursion/train.ts TASK [--seed S] [--threads N] [--out FOLDER]

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  decodeWeights,
  describeWeights,
  encodeWeights,
  type Manifest,
  RecursionTrainer,
  type TrainingReport,
} from '../../src-main/recursion/index.ts'
import {
  type Evaluation,
  evaluate,
  formatProportion,
  type Proportion,
  printEvaluation,
  RESOURCES,
  taskNamed,
} from './evaluate.ts'
import { RECIPES } from './recipes.ts'

const DEFAULT_SEED = 1
const REPORT_INTERVAL_STEPS = 100
/** Questions of the progress line; other ones than figures are quoted for. */
const PROGRESS = { count: 100, steps: 8, seed: 77 }
/** Questions that figures are quoted for; small networks can be asked more. */
const DEFAULT_EVALUATION = { count: 512, steps: 16 }
const EVALUATIONS: Readonly<Record<string, { count: number; steps: number }>> = {
  'funnel-choice': { count: 10_000, steps: 4 },
  'funnel-classification': { count: 5000, steps: 4 },
  'op-sequence': { count: 2000, steps: 16 },
  'pattern-world': { count: 2000, steps: 4 },
}

function describe({
  step,
  loss,
  accuracy,
  exact,
  stepsPerSample,
  milliseconds,
  flop,
}: TrainingReport): string {
  const parts = [
    `step ${step}: loss ${loss.toFixed(3)}`,
    `tokens ${(100 * accuracy).toFixed(1)} %`,
    `whole ${(100 * exact).toFixed(1)} %`,
    `${stepsPerSample.toFixed(1)} steps a sample`,
    `${(flop / milliseconds / 1e6).toFixed(1)} GFLOP/s`,
  ]
  return parts.join(', ')
}

function metricsOf({ byStep, halting, haltingSteps }: Evaluation): Manifest['metrics'] {
  const of = ({ rate, low, high, count }: Proportion) => ({ rate, low, high, count })
  const marks = byStep.map((accuracy, i) => [`step${i + 1}`, of(accuracy)] as const)
  const shown = marks.filter((_, i) => ((i + 1) & i) === 0)
  return { ...Object.fromEntries(shown), halting: of(halting), haltingSteps }
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: String(DEFAULT_SEED) },
      threads: { type: 'string', default: '2' },
      out: { type: 'string', default: RESOURCES },
    },
  })
  const task = taskNamed(positionals[0])
  const recipe = RECIPES.get(task.name)
  if (!recipe) throw new Error(`no recipe for ${task.name}`)
  const seed = Number(values.seed)
  const trainingSet = task.trainingSet(seed)
  const trainer = new RecursionTrainer({ ...recipe, seed }, trainingSet.draw, Number(values.threads))
  const started = performance.now()
  const progressInterval = Math.max(REPORT_INTERVAL_STEPS, Math.round(recipe.steps / 500) * 100)
  const model = await trainer.train(REPORT_INTERVAL_STEPS, (report, current) => {
    console.log(describe(report))
    if (report.step % progressInterval !== 0) return
    const { byStep } = evaluate(task, current(), recipe.cycles, PROGRESS)
    const accuracy = byStep.at(-1)
    if (accuracy) console.log(`  unseen: ${formatProportion(accuracy)} after ${PROGRESS.steps} steps`)
  })
  await trainer.close()
  console.log(`trained in ${((performance.now() - started) / 60_000).toFixed(1)} minutes`)
  const file = encodeWeights(model, 'F16')
  // What ships is what is judged: the weights as rounded for the file.
  const evaluation = evaluate(
    task,
    decodeWeights(file, recipe.shape),
    recipe.cycles,
    EVALUATIONS[task.name] ?? DEFAULT_EVALUATION,
  )
  printEvaluation(evaluation)
  const facts = { task: task.name, file: `${task.name}.safetensors`, cycles: recipe.cycles, seed }
  const training = {
    trainingSteps: recipe.steps,
    trainingSetSha256: trainingSet.sha256(),
    metrics: metricsOf(evaluation),
    license: 'MIT',
  }
  const manifest = describeWeights(file, recipe.shape, { ...facts, ...training })
  mkdirSync(values.out, { recursive: true })
  writeFileSync(join(values.out, manifest.file), file)
  writeFileSync(join(values.out, `${task.name}.json`), `${JSON.stringify(manifest, null, 2)}\n`)
  console.log(manifest)
}

if (import.meta.main) await main()
