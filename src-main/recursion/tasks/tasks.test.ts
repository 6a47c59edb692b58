import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TiramiError } from '../../kernel/index.ts'
import { seededRandom } from '../../tensor/index.ts'
import { conversionProbability, funnelChoiceTask } from './funnel-choice.ts'
import { TASKS } from './index.ts'
import {
  canonicalMaze,
  generateMaze,
  isShortestPath,
  MAZE_CELL,
  type Maze,
  solveMaze,
  turnMaze,
} from './maze.ts'
import { runningValues } from './op-sequence.ts'
import { patternStream } from './pattern-world.ts'
import { splitOf } from './split.ts'
import {
  type Cells,
  generatePuzzle,
  isSolution,
  type Puzzle,
  randomSymmetry,
  rateSudoku,
  type SudokuSize,
  sideOf,
  solveSudoku,
  transformCells,
} from './sudoku.ts'
import { canonicalSudoku } from './sudoku-canonical.ts'
import type { ReasoningStep } from './task.ts'

const sizes: readonly SudokuSize[] = [
  { boxHeight: 2, boxWidth: 2 },
  { boxHeight: 2, boxWidth: 3 },
  { boxHeight: 3, boxWidth: 3 },
]

const seeds = fc.integer({ min: 0, max: 1e9 })
const sizeAndSeed = fc.tuple(fc.constantFrom(...sizes), seeds)

/** All solutions by plain enumeration, cell after cell: shares nothing with the solver under test. */
function enumerate(size: SudokuSize, cells: readonly number[]): number {
  const blank = cells.indexOf(0)
  const side = sideOf(size)
  if (blank < 0) return 1
  let count = 0
  for (let digit = 1; digit <= side; digit++) {
    const clash = cells.some((other, cell) => {
      if (other !== digit) return false
      const [r, c, br, bc] = [Math.floor(cell / side), cell % side, Math.floor(blank / side), blank % side]
      const sameBox =
        Math.floor(r / size.boxHeight) === Math.floor(br / size.boxHeight) &&
        Math.floor(c / size.boxWidth) === Math.floor(bc / size.boxWidth)
      return r === br || c === bc || sameBox
    })
    if (!clash) count += enumerate(size, cells.with(blank, digit))
  }
  return count
}

function imageOf(size: SudokuSize, { givens, solution }: Puzzle, random: () => number): Puzzle {
  const symmetry = randomSymmetry(size, random)
  const image = (cells: Cells): Cells => transformCells(size, cells, symmetry)
  return { givens: image(givens), solution: image(solution) }
}

describe('Sudoku', () => {
  it('counts solutions as plain enumeration does', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2, max: 8 }), (seed, blanksLeft) => {
        const size = sizes[0] as SudokuSize
        const { solution } = generatePuzzle(size, 16, seededRandom(seed))
        const random = seededRandom(seed + 1)
        const cells = solution.map((digit) => (random() < blanksLeft / 9 ? 0 : digit))
        expect(solveSudoku(size, cells, 1e6).length).toBe(enumerate(size, cells))
      }),
      { numRuns: 60 },
    )
  })

  it('makes puzzles with exactly one solution, which is the one it names', () => {
    fc.assert(
      fc.property(sizeAndSeed, fc.double({ min: 0.3, max: 0.6, noNaN: true }), ([size, seed], share) => {
        const wanted = Math.round(share * sideOf(size) ** 2)
        const { givens, solution } = generatePuzzle(size, wanted, seededRandom(seed))
        expect(isSolution(size, solution)).toBe(true)
        expect(solveSudoku(size, givens, 2)).toEqual([solution])
        expect(rateSudoku(size, givens).givens).toBeGreaterThanOrEqual(wanted)
      }),
      { numRuns: 30 },
    )
  })

  it('finds no solution of givens that contradict each other, and no grid of wrong digits right', () => {
    const size = sizes[0] as SudokuSize
    const cells = new Array<number>(16).fill(0)
    expect(solveSudoku(size, cells.with(0, 1).with(1, 1), 1)).toEqual([])
    expect(isSolution(size, cells)).toBe(false)
    expect(isSolution(size, cells.fill(1))).toBe(false)
    expect(isSolution(size, [1, 2, 3])).toBe(false)
  })

  it('knows the number of 4×4 grids and that they are of two kinds', () => {
    const size = sizes[0] as SudokuSize
    const grids = solveSudoku(size, new Array<number>(16).fill(0), 1000)
    expect(grids.length).toBe(288)
    expect(new Set(grids.map((solution) => canonicalSudoku(size, { givens: solution, solution }))).size).toBe(
      2,
    )
  })

  it('rates a published puzzle that needs search harder than a nearly full grid', () => {
    const size = sizes[2] as SudokuSize
    // Inkala 2010.
    const hard = '005300000800000020070010500400005300010070006003200080060500009004000030000009700'
    const cells = [...hard].map(Number)
    const [solution] = solveSudoku(size, cells, 2)
    expect(solveSudoku(size, cells, 2).length).toBe(1)
    expect(rateSudoku(size, cells).guesses).toBeGreaterThan(0)
    expect(rateSudoku(size, (solution ?? []).with(0, 0)).guesses).toBe(0)
  })

  it('has canonical forms that symmetries keep', () => {
    fc.assert(
      fc.property(sizeAndSeed, ([size, seed]) => {
        const random = seededRandom(seed)
        const puzzle = generatePuzzle(size, Math.round(0.4 * sideOf(size) ** 2), random)
        const image = imageOf(size, puzzle, random)
        expect(isSolution(size, image.solution)).toBe(true)
        expect(canonicalSudoku(size, image)).toBe(canonicalSudoku(size, puzzle))
      }),
      { numRuns: 25 },
    )
  }, 120_000)

  it('has canonical forms that tell inequivalent puzzles apart', () => {
    const size = sizes[0] as SudokuSize
    const random = seededRandom(1)
    for (let i = 0; i < 40; i++) {
      const puzzle = generatePuzzle(size, 16 - (i % 10), random)
      const count = (cells: Cells): number => cells.filter((digit) => digit > 0).length
      const other = generatePuzzle(size, 6, random)
      if (count(other.givens) === count(puzzle.givens)) continue
      expect(canonicalSudoku(size, puzzle)).not.toBe(canonicalSudoku(size, other))
    }
    const large = sizes[2] as SudokuSize
    const forms = Array.from({ length: 6 }, () => canonicalSudoku(large, generatePuzzle(large, 81, random)))
    expect(new Set(forms).size).toBe(6)
  })
})

describe('maze', () => {
  const mazes = fc
    .tuple(fc.constantFrom(5, 7, 11, 21), seeds)
    .map(([side, seed]) => generateMaze(side, seededRandom(seed)))

  it('is perfect: the free cells are a tree', () => {
    fc.assert(
      fc.property(mazes, ({ side, cells }) => {
        const free = cells.filter((cell) => cell !== MAZE_CELL.wall).length
        let joints = 0
        for (const [cell, value] of cells.entries()) {
          if (value === MAZE_CELL.wall) continue
          if (cell % side < side - 1 && cells[cell + 1] !== MAZE_CELL.wall) joints++
          if (cell + side < cells.length && cells[cell + side] !== MAZE_CELL.wall) joints++
        }
        expect(joints).toBe(free - 1)
        expect(free).toBe(2 * ((side - 1) / 2) ** 2 - 1)
        const edge = cells.filter((_, cell) => {
          const [row, column] = [Math.floor(cell / side), cell % side]
          return row === 0 || column === 0 || row === side - 1 || column === side - 1
        })
        expect(edge.every((value) => value === MAZE_CELL.wall)).toBe(true)
        expect(solveMaze({ side, cells }).length).toBeGreaterThan(1)
      }),
      { numRuns: 60 },
    )
  })

  it('accepts the shortest path and nothing else', () => {
    fc.assert(
      fc.property(mazes, seeds, (maze, seed) => {
        const path = new Set(solveMaze(maze))
        const marked = maze.cells.map((_, cell) => path.has(cell))
        expect(isShortestPath(maze, marked)).toBe(true)
        const flipped = seed % maze.cells.length
        expect(isShortestPath(maze, marked.with(flipped, !marked[flipped]))).toBe(false)
      }),
      { numRuns: 60 },
    )
  })

  it('finds the shorter of two ways, and none where there is none', () => {
    const cells = [2, 1, 1, 1, 0, 1, 3, 1, 1]
    expect(solveMaze({ side: 3, cells })).toEqual([0, 3, 6])
    expect(isShortestPath({ side: 3, cells }, [true, true, true, false, false, true, true, true, true])).toBe(
      false,
    )
    expect(solveMaze({ side: 3, cells: [2, 0, 1, 0, 0, 0, 1, 0, 3] })).toEqual([])
  })

  it('has a canonical form that turning, mirroring and exchanging the ends keep', () => {
    fc.assert(
      fc.property(mazes, fc.nat(7), (maze, image) => {
        const swap = (cell: number): number => (cell >= MAZE_CELL.start ? 5 - cell : cell)
        const exchanged: Maze = { side: maze.side, cells: maze.cells.map(swap) }
        expect(canonicalMaze(turnMaze(maze, image))).toBe(canonicalMaze(maze))
        expect(canonicalMaze(exchanged)).toBe(canonicalMaze(maze))
      }),
      { numRuns: 30 },
    )
  })
})

describe('op-sequence', () => {
  it('clamps every value and large factors', () => {
    const operations = [
      { operator: 'multiply', argument: 9 },
      { operator: 'multiply', argument: 5 },
      { operator: 'subtract', argument: 9 },
      { operator: 'min', argument: 3 },
    ] as const
    expect(runningValues({ start: 10, operations: [...operations] })).toEqual([10, 50, 199, 190, 3])
    expect(runningValues({ start: 2, operations: [{ operator: 'subtract', argument: 7 }] })).toEqual([2, 0])
  })
})

describe('PatternWorld', () => {
  it('follows the published trace', () => {
    const stream = patternStream({ start: 6, switchEvery: 30 }, 93)
    expect(stream.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, t) => t + 7))
    expect(stream.slice(30, 38)).toEqual([72, 44, 88, 76, 52, 4, 8, 16])
    expect(stream[59]).toBe(64)
    expect(stream.slice(60, 64)).toEqual([65, 64, 65, 64])
    expect(stream.slice(89)).toEqual([64, 65, 66, 67])
  })
})

describe('funnel choice', () => {
  it('has the published conversion of random, greedy and perfect choice', () => {
    const items = funnelChoiceTask.testItems(20_000, 5)
    const rate = (choose: (candidates: (typeof items)[number]['input']['candidates']) => number): number =>
      items.reduce((sum, item) => sum + item.score({ choice: choose(item.input.candidates) }), 0) /
      items.length
    const largest = (values: number[]): number => values.indexOf(Math.max(...values))
    expect(Math.abs(rate(() => 0) - 0.4345)).toBeLessThan(0.012)
    expect(Math.abs(rate((all) => largest(all.map(({ impact }) => impact))) - 0.571)).toBeLessThan(0.012)
    expect(Math.abs(rate((all) => largest(all.map(conversionProbability))) - 0.662)).toBeLessThan(0.012)
  })
})

describe('every task', () => {
  const reading = (answer: Int32Array): ReasoningStep => {
    return {
      answer,
      confidence: new Float32Array(answer.length).fill(1),
      haltProbability: 1,
      latentChange: new Float32Array(),
    }
  }

  for (const [name, task] of TASKS) {
    it(`${name} repeats with its seed and accepts its own questions`, () => {
      const draws = (seed: number): unknown[] => {
        const { draw } = task.trainingSet(seed)
        return Array.from({ length: 4 }, draw)
      }
      expect(draws(3)).toEqual(draws(3))
      expect(draws(4)).not.toEqual(draws(3))
      const inputs = task.testItems(5, 3).map(({ input }) => input)
      expect(task.testItems(5, 3).map(({ input }) => input)).toEqual(inputs)
      for (const input of inputs) {
        expect(task.parse(JSON.parse(JSON.stringify(input)))).toEqual(input)
        for (const { height, width, tokens, values } of task.encode(input)) {
          expect(tokens.length).toBe(height * width)
          expect(values?.length ?? tokens.length).toBe(tokens.length)
        }
      }
    }, 240_000)

    it(`${name} refuses what is no question`, () => {
      const wrong = [undefined, null, 7, 'x', [], {}, { cells: [1] }, { start: 1, operations: [], extra: 1 }]
      for (const input of wrong) expect(() => task.parse(input)).toThrow(TiramiError)
    })
  }

  it('takes the labels of a training example for a right answer', () => {
    for (const name of ['sudoku-4x4', 'maze']) {
      const task = TASKS.get(name)
      if (!task) throw new Error(`no task ${name}`)
      const { draw } = task.trainingSet(3)
      for (let i = 0; i < 5; i++) {
        const { instance, targets } = draw()
        const cells = [...instance.tokens]
        const input = task.parse(name === 'maze' ? { side: instance.width, cells } : { cells })
        const answer = task.decode(input, [reading(targets)])
        expect(task.verify(input, answer)).toBe(true)
        const shown = cells.findIndex((cell) => cell > 0)
        const spoiled = task.decode(input, [
          reading(targets.map((target, cell) => (cell === shown ? 1 - Math.min(target, 1) : target))),
        ])
        expect(task.verify(input, spoiled)).toBe(false)
      }
    }
  })
})

/** The maze itself, without the block of wall that a smaller one may stand in. */
function withoutBlock({ side, cells }: Maze): Maze {
  const open = [...cells.keys()].filter((cell) => cells[cell] !== MAZE_CELL.wall)
  const rows = open.map((cell) => Math.floor(cell / side))
  const columns = open.map((cell) => cell % side)
  const [top, left] = [Math.min(...rows) - 1, Math.min(...columns) - 1]
  const own = Math.max(...rows) - top + 2
  const inside = Array.from({ length: own * own }, (_, i) => {
    return cells[(top + Math.floor(i / own)) * side + left + (i % own)] ?? MAZE_CELL.wall
  })
  return { side: own, cells: inside }
}

describe('train and test sides', () => {
  it.each(['sudoku-4x4', 'sudoku-6x6', 'maze'])(
    'share no puzzle of %s, nor a symmetric image',
    (name) => {
      const task = TASKS.get(name)
      if (!task) throw new Error(`no task ${name}`)
      const canonical = (cells: readonly number[]): string => {
        const side = Math.sqrt(cells.length)
        if (name === 'maze') return canonicalMaze(withoutBlock({ side, cells }))
        return canonicalSudoku(sizes[side === 4 ? 0 : 1] as SudokuSize, { givens: cells, solution: cells })
      }
      const { draw } = task.trainingSet(8)
      const train = new Set(Array.from({ length: 400 }, () => canonical([...draw().instance.tokens])))
      const test = task.testItems(60, 9).map((item) => canonical((item.input as { cells: number[] }).cells))
      expect(test.filter((form) => train.has(form))).toEqual([])
      expect(test.every((form) => splitOf(form) === 'test')).toBe(true)
      expect([...train].every((form) => splitOf(form) === 'train')).toBe(true)
    },
    240_000,
  )

  it('share no 9×9 solution grid, nor a symmetric image', () => {
    const task = TASKS.get('sudoku-9x9')
    const size = sizes[2] as SudokuSize
    if (!task) throw new Error('no task')
    for (const { input } of task.testItems(4, 9)) {
      const givens = (input as { cells: number[] }).cells
      const [solution = []] = solveSudoku(size, givens, 1)
      expect(splitOf(canonicalSudoku(size, { givens, solution }))).toBe('test')
    }
    const { draw } = task.trainingSet(8)
    for (let i = 0; i < 10; i++) {
      const { instance, targets } = draw()
      const solution = [...targets].map((target) => target + 1)
      expect(splitOf(canonicalSudoku(size, { givens: [...instance.tokens], solution }))).toBe('train')
    }
  }, 240_000)
})
