import { z } from 'zod'
import { seededRandom } from '../../tensor/index.ts'
import { parseInput } from './parse.ts'
import { drawFrom } from './split.ts'
import {
  type Cells,
  generatePuzzle,
  isSolution,
  type Puzzle,
  randomSymmetry,
  type SudokuSize,
  sideOf,
  sudokuExample,
  transformCells,
} from './sudoku.ts'
import { canonicalSudoku } from './sudoku-canonical.ts'
import type { Task, TestItem } from './task.ts'
import { trainingSetOf } from './training-set.ts'

/** A Sudoku to solve: cells row by row, 0 for blank. */
export interface SudokuQuestion {
  readonly cells: readonly number[]
}

interface SudokuTaskOptions {
  readonly size: SudokuSize
  /** Fewest and most givens that puzzles are dug down to. */
  readonly givens: readonly [number, number]
  /** Puzzles of a training set; each is seen in its symmetric images. */
  readonly trainingPuzzles: number
}

function sudokuTask({
  size,
  givens,
  trainingPuzzles,
}: SudokuTaskOptions): Task<SudokuQuestion, SudokuQuestion> {
  const side = sideOf(size)
  const [fewest, most] = givens
  const schema = z.strictObject({ cells: z.array(z.int().min(0).max(side)).length(side * side) })
  const draw = (random: () => number): Puzzle =>
    generatePuzzle(size, fewest + Math.floor(random() * (most - fewest + 1)), random)
  const canonical = (puzzle: Puzzle): string => canonicalSudoku(size, puzzle)
  return {
    name: `sudoku-${side}x${side}`,
    deliberates: true,
    trainingSet(seed) {
      const make = (random: () => number): Puzzle => drawFrom('train', () => draw(random), canonical)
      return trainingSetOf(trainingPuzzles, seed, make, (puzzle, random) => {
        const symmetry = randomSymmetry(size, random)
        const image = (cells: Cells): Cells => transformCells(size, cells, symmetry)
        return sudokuExample(size, { givens: image(puzzle.givens), solution: image(puzzle.solution) })
      })
    },
    testItems(count, seed) {
      const random = seededRandom(seed)
      return Array.from({ length: count }, (): TestItem<SudokuQuestion, SudokuQuestion> => {
        const puzzle = drawFrom('test', () => draw(random), canonical)
        const score = ({ cells }: SudokuQuestion): 0 | 1 =>
          cells.every((digit, i) => digit === puzzle.solution[i]) ? 1 : 0
        return { input: { cells: [...puzzle.givens] }, score }
      })
    },
    parse: (input) => parseInput(schema, input),
    encode: ({ cells }) => [{ height: side, width: side, tokens: Int32Array.from(cells) }],
    decode: (_input, [reading]) => ({ cells: Array.from(reading?.answer ?? [], (digit) => digit + 1) }),
    verify: (question, { cells }) =>
      isSolution(size, cells) && question.cells.every((digit, i) => digit === 0 || digit === cells[i]),
  }
}

export const sudoku4Task = sudokuTask({
  size: { boxHeight: 2, boxWidth: 2 },
  givens: [4, 8],
  trainingPuzzles: 2000,
})

export const sudoku6Task = sudokuTask({
  size: { boxHeight: 2, boxWidth: 3 },
  givens: [10, 20],
  trainingPuzzles: 2000,
})

export const sudoku9Task = sudokuTask({
  size: { boxHeight: 3, boxWidth: 3 },
  givens: [24, 36],
  trainingPuzzles: 2000,
})
