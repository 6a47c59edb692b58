// Accuracy of the recursive networks on unseen questions: by step, stopping when sure, and under the gated policy.

import { type Checkpoint, decodeWeights, EFFORT_POLICIES, type Effort } from '../src-main/recursion/index.ts'
import {
  ask,
  evaluateGated,
  formatProportion,
  type GatedEvaluation,
  type HaltingResult,
  type Proportion,
  readCheckpoint,
  taskNamed,
} from '../training/recursion/evaluate.ts'
import { trainTask } from '../training/recursion/train.ts'

/** One row of the report: a task, and how much of it is asked. */
interface Question {
  readonly title: string
  readonly task: string
  readonly side?: number
  readonly count: number
  /** Steps that are looked at. */
  readonly steps: number
  /** Steps that stopping when sure is compared with. */
  readonly fullSteps: number
  /** Questions that the gated policy is asked; none where thinking wider does not help. */
  readonly gatedCount: number
  /** Which of the policies that the host sells; medium where absent. */
  readonly effort?: Effort
  /** What the figures are measured for. */
  readonly goal: string
}

const deep = { steps: 32, fullSteps: 16 }

export const QUESTIONS: readonly Question[] = [
  { title: 'Sudoku 4×4', task: 'sudoku-4x4', count: 512, ...deep, gatedCount: 512, goal: '98' },
  { title: 'Sudoku 6×6', task: 'sudoku-6x6', count: 512, ...deep, gatedCount: 512, goal: '99' },
  {
    title: 'Sudoku 9×9',
    task: 'sudoku-9x9',
    count: 512,
    ...deep,
    gatedCount: 512,
    goal: '97 at 16; gated 99 in 14 steps',
  },
  { title: 'Maze 11×11', task: 'maze', count: 512, ...deep, gatedCount: 512, goal: '99' },
  { title: 'Maze 21×21', task: 'maze', side: 21, count: 512, ...deep, gatedCount: 512, goal: '96' },
  {
    title: 'Maze 31×31',
    task: 'maze',
    side: 31,
    count: 200,
    steps: 32,
    fullSteps: 32,
    gatedCount: 200,
    effort: 'high',
    goal: '85',
  },
  { title: 'Op-sequence', task: 'op-sequence', count: 2000, ...deep, gatedCount: 0, goal: '99' },
  {
    title: 'PatternWorld',
    task: 'pattern-world',
    count: 2000,
    steps: 4,
    fullSteps: 4,
    gatedCount: 0,
    goal: '93',
  },
  {
    title: 'Funnel: classification',
    task: 'funnel-classification',
    count: 5000,
    steps: 4,
    fullSteps: 4,
    gatedCount: 0,
    goal: '92',
  },
  {
    title: 'Funnel: choice',
    task: 'funnel-choice',
    count: 10_000,
    steps: 4,
    fullSteps: 4,
    gatedCount: 0,
    goal: '65.5, the best possible is 66.2',
  },
]

export interface TaskFigures {
  readonly title: string
  readonly task: string
  readonly side: number | null
  readonly count: number
  readonly goal: string
  readonly sha256: string
  readonly byStep: readonly Proportion[]
  /** After all steps that halting is compared with. */
  readonly full: Proportion
  readonly halting: HaltingResult
  readonly savedShare: number
  /** Accuracy given up by stopping early, in percentage points. */
  readonly costPoints: number
  readonly gated: (GatedEvaluation & { readonly effort: Effort }) | null
}

/** Chosen beforehand, the same for every task (one step alone is too rash early in training). */
const HALTING = { haltProbability: 0.5, patience: 2 }

export function measureTask(question: Question, checkpoint: Checkpoint): TaskFigures {
  const { model, cycles, manifest } = checkpoint
  const { title, count, steps, fullSteps, goal } = question
  const task = taskNamed(question.task)
  const side = question.side === undefined ? {} : { side: question.side }
  const traces = ask(task, model, cycles, { count, steps, ...side })
  const byStep = traces.byStep()
  const full = byStep[fullSteps - 1]
  if (!full) throw new RangeError(`${title} is not asked ${fullSteps} steps`)
  const halting = traces.halting({ ...HALTING, maximumSteps: fullSteps })
  const { gatedCount, effort = 'medium' } = question
  const gated =
    gatedCount > 0
      ? {
          ...evaluateGated(task, checkpoint, EFFORT_POLICIES[effort], { count: gatedCount, ...side }),
          effort,
        }
      : null
  const figures = {
    title,
    task: question.task,
    side: question.side ?? null,
    count,
    goal,
    sha256: manifest.sha256,
    byStep,
    full,
    halting,
    savedShare: 1 - halting.meanSteps / fullSteps,
    costPoints: 100 * (full.rate - halting.accuracy.rate),
    gated,
  }
  print(figures, fullSteps)
  return figures
}

function print({ title, full, halting, gated }: TaskFigures, fullSteps: number): void {
  console.log(`${title}: ${formatProportion(full)} after ${fullSteps} steps`)
  console.log(
    `  stopping when sure: ${formatProportion(halting.accuracy)}, ${halting.meanSteps.toFixed(2)} steps`,
  )
  if (gated) console.log(`  gated: ${formatProportion(gated.accuracy)}, ${gated.meanSteps.toFixed(2)} steps`)
}

export interface TrainingFigures {
  readonly task: string
  readonly seed: number
  readonly steps: number
  readonly teraflop: number
  /** Processor time of all threads, divided by two. */
  readonly minutes: number
  readonly sha256: string
  /** The same figures as of the weights that ship, of every question of the task. */
  readonly questions: readonly TrainedFigures[]
}

export type TrainedFigures = Pick<TaskFigures, 'title' | 'count' | 'full' | 'halting' | 'gated'> & {
  readonly fullSteps: number
}

interface TrainedCheckpoint extends Checkpoint {
  readonly minutes: number
  readonly teraflop: number
}

/** The weights that ship, where they are of this seed: they need not be trained again. */
function shipped(name: string, seed: number): TrainedCheckpoint | null {
  const checkpoint = readCheckpoint(name)
  if (checkpoint.manifest.seed !== seed) return null
  const { trainingMinutesOfTwoCores: minutes, trainingTeraflop: teraflop } = checkpoint.manifest.metrics
  if (typeof minutes !== 'number' || typeof teraflop !== 'number') throw new Error(`${name} says no cost`)
  return { ...checkpoint, minutes, teraflop }
}

async function trained(name: string, seed: number): Promise<TrainedCheckpoint> {
  const { file, manifest, cost } = await trainTask(taskNamed(name), { seed, threads: 2, log: () => {} })
  const model = decodeWeights(file, manifest.shape)
  return {
    manifest,
    model,
    cycles: manifest.cycles,
    minutes: cost.minutesOfTwoCores,
    teraflop: cost.teraflop,
  }
}

/** @param known figures of the weights that ship, which need not be measured twice */
export async function trainAnew(
  name: string,
  seed: number,
  ships: boolean,
  known: readonly TaskFigures[],
): Promise<TrainingFigures> {
  console.log(`${name}, seed ${seed}`)
  const checkpoint = (ships ? shipped(name, seed) : null) ?? (await trained(name, seed))
  const { minutes, teraflop } = checkpoint
  const { trainingSteps: steps, sha256 } = checkpoint.manifest
  console.log(`  trained in ${minutes.toFixed(1)} minutes of two cores, sha256 ${sha256}`)
  const questions = QUESTIONS.filter(({ task }) => task === name).map((question): TrainedFigures => {
    const { fullSteps } = question
    // High effort takes as long as everything else together, and is asked of the weights that ship.
    const gatedCount = question.effort === 'high' ? 0 : question.gatedCount
    const isSame = (figures: TaskFigures): boolean =>
      figures.title === question.title && figures.sha256 === sha256
    const { title, count, full, halting, gated } =
      known.find(isSame) ?? measureTask({ ...question, steps: fullSteps, gatedCount }, checkpoint)
    return { title, count, fullSteps, full, halting, gated }
  })
  return { task: name, seed, steps, teraflop, minutes, sha256, questions }
}
