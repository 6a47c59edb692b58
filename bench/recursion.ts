// What the recursive networks can do, into docs/recursion: Markdown, JSON and the picture of accuracy by step.
//
// npm run bench:recursion [-- kernels | TASK | TITLE …]         the weights that ship, and the kernels against plain C
// npm run bench:recursion -- --train [--seeds 1,2,3] [TASK …]   trains anew, but for the seed that ships; hours
//
// A run of some tasks replaces their figures and keeps the others'.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { RESOURCES, readCheckpoint } from '../training/recursion/evaluate.ts'
import { measureKernels } from './recursion-kernels.ts'
import { markdownOf, pictureOf, type Results } from './recursion-report.ts'
import {
  measureTask,
  QUESTIONS,
  type TaskFigures,
  type TrainingFigures,
  trainAnew,
} from './recursion-tasks.ts'

const FOLDER = join(import.meta.dirname, '../docs/recursion')
const RESULTS = join(FOLDER, 'results.json')

const titles = QUESTIONS.map(({ title }) => title)

function readResults(): Results {
  const nothing = { machine: '', tasks: [], trainings: [], kernels: [] }
  return existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Results) : nothing
}

function machine(): string {
  const all = cpus()
  return `${all.length} × ${all[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`
}

/** Written after every figure, so that a run that is broken off loses nothing. */
function record(change: (known: Results) => Partial<Results>): void {
  const known = readResults()
  const changed = { ...known, machine: machine(), ...change(known) }
  // Figures of weights that ship no more are nobody's.
  const results = { ...changed, tasks: changed.tasks.filter(isOfShippedWeights) }
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 1)}\n`)
  const missing = titles.filter((title) => results.tasks.every((figures) => figures.title !== title))
  writeFileSync(join(FOLDER, 'README.md'), markdownOf(results, missing))
  const deliberating = results.tasks.filter(({ byStep }) => byStep.length >= 16)
  writeFileSync(join(FOLDER, 'accuracy-by-step.svg'), pictureOf(deliberating))
}

const isOfShippedWeights = ({ task, sha256 }: TaskFigures): boolean =>
  readCheckpoint(task).manifest.sha256 === sha256

const withTask = (tasks: readonly TaskFigures[], figures: TaskFigures): TaskFigures[] =>
  [...tasks.filter(({ title }) => title !== figures.title), figures].sort(
    (a, b) => titles.indexOf(a.title) - titles.indexOf(b.title),
  )

const withTraining = (trainings: readonly TrainingFigures[], figures: TrainingFigures): TrainingFigures[] =>
  [...trainings.filter(({ task, seed }) => task !== figures.task || seed !== figures.seed), figures].sort(
    (a, b) => a.task.localeCompare(b.task) || a.seed - b.seed,
  )

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { train: { type: 'boolean', default: false }, seeds: { type: 'string', default: '1,2,3' } },
  })
  const shipped = new Set(QUESTIONS.map(({ task }) => task).filter(ships))
  const chosen = positionals.length > 0 ? new Set(positionals) : shipped
  if (values.train) {
    for (const task of chosen) {
      for (const seed of values.seeds.split(',').map(Number)) {
        const figures = await trainAnew(task, seed, ships(task), readResults().tasks)
        record(({ trainings }) => ({ trainings: withTraining(trainings, figures) }))
      }
    }
    return
  }
  if (positionals.length === 0 || chosen.has('kernels')) {
    const kernels = measureKernels()
    record(() => ({ kernels }))
  }
  for (const question of QUESTIONS) {
    if (!chosen.has(question.task) && !chosen.has(question.title)) continue
    const figures = measureTask(question, readCheckpoint(question.task))
    record(({ tasks }) => ({ tasks: withTask(tasks, figures) }))
  }
}

const ships = (task: string): boolean => existsSync(join(RESOURCES, `${task}.safetensors`))

await main()
