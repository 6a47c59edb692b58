// Trains one task from its recipe and writes resources/recursion/TASK.safetensors and TASK.json. The same task, seed and
// code give the same file, byte for byte, with one thread or two.
// Usage: node training/recursion/train.ts TASK [--seed S] [--threads N] [--out FOLDER]

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type AnyTask,
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

/** What training cost; the minutes are the only thing here that differs from run to run. */
interface TrainingCost {
  readonly teraflop: number
  /** Processor time of all threads, divided by two: what two cores need that do nothing else. */
  readonly minutesOfTwoCores: number
}

function metricsOf({ byStep, halting, haltingSteps }: Evaluation, cost: TrainingCost): Manifest['metrics'] {
  const of = ({ rate, low, high, count }: Proportion) => ({ rate, low, high, count })
  const marks = byStep.map((accuracy, i) => [`step${i + 1}`, of(accuracy)] as const)
  const shown = marks.filter((_, i) => ((i + 1) & i) === 0)
  const { teraflop, minutesOfTwoCores } = cost
  return {
    ...Object.fromEntries(shown),
    halting: of(halting),
    haltingSteps,
    trainingTeraflop: teraflop,
    trainingMinutesOfTwoCores: minutesOfTwoCores,
  }
}

export interface TrainingOptions {
  readonly seed: number
  readonly threads: number
  readonly log: (line: string) => void
}

export interface Training {
  readonly file: Uint8Array
  readonly manifest: Manifest
  readonly cost: TrainingCost
  /** Of the weights as rounded for the file. */
  readonly evaluation: Evaluation
}

/** Trains one task from its recipe. Everything but the minutes follows from task, seed and code. */
export async function trainTask(task: AnyTask, { seed, threads, log }: TrainingOptions): Promise<Training> {
  const recipe = RECIPES.get(task.name)
  if (!recipe) throw new Error(`no recipe for ${task.name}`)
  const trainingSet = task.trainingSet(seed)
  const trainer = new RecursionTrainer({ ...recipe, seed }, trainingSet.draw, threads)
  const progressInterval = Math.max(REPORT_INTERVAL_STEPS, Math.round(recipe.steps / 500) * 100)
  let [flop, processorMs] = [0, 0]
  let started = process.cpuUsage()
  const model = await trainer.train(REPORT_INTERVAL_STEPS, (report, current) => {
    processorMs += millisecondsSince(started)
    flop += report.flop
    log(describe(report))
    if (report.step % progressInterval === 0) {
      const { byStep } = evaluate(task, current(), recipe.cycles, PROGRESS)
      const accuracy = byStep.at(-1)
      if (accuracy) log(`  unseen: ${formatProportion(accuracy)} after ${PROGRESS.steps} steps`)
    }
    // Looking at unseen questions is not training.
    started = process.cpuUsage()
  })
  await trainer.close()
  const cost = { teraflop: flop / 1e12, minutesOfTwoCores: processorMs / 2 / 60_000 }
  const file = encodeWeights(model, 'F16')
  const evaluation = evaluate(
    task,
    decodeWeights(file, recipe.shape),
    recipe.cycles,
    EVALUATIONS[task.name] ?? DEFAULT_EVALUATION,
  )
  const manifest = describeWeights(file, recipe.shape, {
    task: task.name,
    file: `${task.name}.safetensors`,
    cycles: recipe.cycles,
    seed,
    trainingSteps: recipe.steps,
    trainingSetSha256: trainingSet.sha256(),
    metrics: metricsOf(evaluation, cost),
    license: 'MIT',
  })
  return { file, manifest, cost, evaluation }
}

function millisecondsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1000
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
  const options = { seed: Number(values.seed), threads: Number(values.threads), log: console.log }
  const { file, manifest, cost, evaluation } = await trainTask(task, options)
  console.log(`${cost.teraflop.toFixed(1)} TFLOP, ${cost.minutesOfTwoCores.toFixed(1)} minutes of two cores`)
  printEvaluation(evaluation)
  mkdirSync(values.out, { recursive: true })
  writeFileSync(join(values.out, manifest.file), file)
  writeFileSync(join(values.out, `${task.name}.json`), `${JSON.stringify(manifest, null, 2)}\n`)
  console.log(`sha256 ${manifest.sha256}, ${manifest.sizeBytes} bytes`)
}

if (import.meta.main) await main()
