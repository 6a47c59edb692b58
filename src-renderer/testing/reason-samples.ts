import type { ThoughtView } from '../../src-preload/contract/index.ts'
import { hex32 } from './samples.ts'

const SOLUTION = [
  [1, 2, 3, 4, 5, 6],
  [4, 5, 6, 1, 2, 3],
  [2, 3, 1, 5, 6, 4],
  [5, 6, 4, 2, 3, 1],
  [3, 1, 2, 6, 4, 5],
  [6, 4, 5, 3, 1, 2],
].flat()

/** Hides two cells of three, other ones for each seed. */
const sudoku = (seed: number) => ({
  cells: SOLUTION.map((digit, cell) => ((cell * 7 + seed) % 3 === 0 ? digit : 0)),
})

const maze = {
  side: 7,
  cells: [
    [0, 0, 0, 0, 0, 0, 0],
    [0, 2, 1, 1, 0, 1, 0],
    [0, 0, 0, 1, 0, 1, 0],
    [0, 1, 1, 1, 1, 1, 0],
    [0, 1, 0, 0, 0, 1, 0],
    [0, 1, 1, 1, 0, 3, 0],
    [0, 0, 0, 0, 0, 0, 0],
  ].flat(),
}
const WAY = [8, 9, 10, 17, 24, 25, 26, 33, 40]

export const sampleTasks = ['funnel-choice', 'maze', 'op-sequence', 'sudoku-6x6']

export function sampleQuestion(task: string, seed: number): unknown {
  if (task === 'maze') return maze
  if (task === 'sudoku-6x6') return sudoku(seed)
  if (task === 'op-sequence') return { start: 7, operations: [{ operator: 'add', argument: 5 }] }
  const candidate = { impact: 0.5, cultureFit: -0.25, velocity: 0.1 }
  return { candidates: [candidate, { ...candidate, impact: -0.9 }, { ...candidate, velocity: 0.8 }] }
}

/** Fewer wrong cells with every step. */
const sudokuSteps = [9, 4, 1, 0, 0].map((wrong) => ({
  cells: SOLUTION.map((digit, cell) => (cell % 4 === 2 && cell / 4 < wrong ? (digit % 6) + 1 : digit)),
}))
const mazeSteps = [{ path: [8, 9, 10, 17, 24, 40, 32] }, { path: [...WAY, 19] }, { path: WAY }]
const certainties = [0.02, 0.21, 0.64, 0.97, 0.995]

/** Less of it moves with every step. */
function latentOf(task: string, step: number): number[] {
  const cells: Record<string, number> = { 'sudoku-6x6': 36, maze: 49, 'op-sequence': 9 }
  return Array.from({ length: cells[task] ?? 27 }, (_, cell) => (1 + (cell % 5)) / (5 * 2 ** step))
}

/** A made-up thought of some steps. */
export function sampleThought(task: string, change: Partial<ThoughtView> = {}): ThoughtView {
  const byTask: Record<string, unknown[]> = {
    'sudoku-6x6': sudokuSteps,
    maze: mazeSteps,
    'op-sequence': [{ value: 13 }, { value: 12 }],
  }
  const answers = byTask[task] ?? [{ choice: 2 }]
  return {
    answer: answers.at(-1),
    verified: task === 'maze' || task === 'sudoku-6x6' ? true : null,
    steps: answers.map((answer, step) => ({
      answer,
      haltProbability: certainties[step] ?? 1,
      latentChange: latentOf(task, step),
    })),
    councilSteps: 0,
    cycles: answers.length * 15,
    flop: String(answers.length * 1_200_000_000),
    amountTrm: String(Math.ceil(answers.length * 1.2)),
    latencyMs: 41,
    tradeId: hex32(`thought ${task}`),
    ...change,
  }
}
