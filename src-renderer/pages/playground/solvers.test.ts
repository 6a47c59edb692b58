import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faults, MAZE, type Maze, neighbours, solveMaze, withEnd, withWall } from './maze.ts'
import { sudokuFaults } from './SudokuBoard.tsx'
import { conflicts, placesOf, solveSudoku } from './sudoku.ts'

const sides = fc.constantFrom(4, 6, 9)

/** A valid full grid, relabelled; `kept` says which digits stay. */
const puzzles = sides.chain((side) =>
  fc
    .tuple(
      fc.shuffledSubarray(
        Array.from({ length: side }, (_, i) => i + 1),
        { minLength: side },
      ),
      fc.array(fc.boolean(), { minLength: side * side, maxLength: side * side }),
    )
    .map(([labels, kept]) => {
      const { solution } = solveSudoku(side, new Array<number>(side * side).fill(0))
      const full = (solution ?? []).map((digit) => labels[digit - 1] ?? 0)
      return { side, full, givens: full.map((digit, cell) => (kept[cell] ? digit : 0)) }
    }),
)

describe('the exact Sudoku solver', () => {
  it('fills every puzzle that has a solution, by the rules and by what is given', () => {
    fc.assert(
      fc.property(puzzles, ({ side, givens }) => {
        const { outcome, solution } = solveSudoku(side, givens)
        expect(outcome).toBe('solved')
        expect(solution?.every((digit) => digit >= 1 && digit <= side)).toBe(true)
        expect(sudokuFaults(side, givens, solution ?? []).size).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  it('guesses nothing where one cell is left, and proves that a wrong digit has no solution', () => {
    fc.assert(
      fc.property(puzzles, fc.nat(), ({ side, full }, n) => {
        const cell = n % full.length
        expect(solveSudoku(side, full.with(cell, 0))).toEqual({
          outcome: 'solved',
          solution: full,
          guesses: 0,
          nodes: 2,
        })
        const wrong = ((full[cell] ?? 1) % side) + 1
        expect(solveSudoku(side, full.with(cell, wrong)).outcome).toBe('none')
      }),
      { numRuns: 40 },
    )
  })

  it('has to search in a published hard puzzle, and gives up when it may not', () => {
    // Inkala 2010.
    const hard = [...'005300000800000020070010500400005300010070006003200080060500009004000030000009700']
    const { outcome, guesses } = solveSudoku(9, hard.map(Number))
    expect(outcome).toBe('solved')
    expect(guesses).toBeGreaterThan(0)
    expect(solveSudoku(9, hard.map(Number), 1).outcome).toBe('given-up')
  })
})

describe('the rules of Sudoku', () => {
  it('finds a repeated digit in a row, a column or a box, and only there', () => {
    fc.assert(
      fc.property(sides, fc.nat(), fc.nat(), (side, m, n) => {
        const [a, b] = [m % (side * side), n % (side * side)]
        fc.pre(a !== b)
        const cells = new Array<number>(side * side).fill(0).with(a, 2).with(b, 2)
        const [here, there] = [placesOf(side)[a], placesOf(side)[b]]
        const meet = here?.row === there?.row || here?.column === there?.column || here?.box === there?.box
        expect([...conflicts(side, cells)].sort()).toEqual(meet ? [a, b].sort() : [])
      }),
    )
  })

  it('has as many cells in a box as in a row', () => {
    for (const side of [4, 6, 9]) {
      const boxes = Object.groupBy(placesOf(side), ({ box }) => String(box))
      expect(Object.values(boxes).map((cells) => cells?.length)).toEqual(new Array(side).fill(side))
    }
  })
})

const mazes = fc
  .tuple(
    fc.integer({ min: 3, max: 9 }),
    fc.array(fc.boolean(), { minLength: 81, maxLength: 81 }),
    fc.nat(),
    fc.nat(),
  )
  .filter(([side, , s, g]) => s % side ** 2 !== g % side ** 2)
  .map(([side, free, s, g]): Maze => {
    const cells: number[] = free.slice(0, side * side).map((open) => (open ? MAZE.free : MAZE.wall))
    return { side, cells: cells.with(s % side ** 2, MAZE.start).with(g % side ** 2, MAZE.goal) }
  })

/** Distances by relaxing every edge until nothing changes: slow, and another way than the solver's. */
function distanceByRelaxing({ side, cells }: Maze): number {
  const distances = cells.map((value) => (value === MAZE.start ? 0 : Number.POSITIVE_INFINITY))
  for (let round = 0; round < cells.length; round += 1) {
    cells.forEach((value, cell) => {
      if (value === MAZE.wall) return
      for (const next of neighbours(side, cell)) {
        distances[cell] = Math.min(distances[cell] ?? 0, (distances[next] ?? 0) + 1)
      }
    })
  }
  return distances[cells.indexOf(MAZE.goal)] ?? Number.POSITIVE_INFINITY
}

describe('the exact maze solver', () => {
  it('finds a shortest way that breaks no rule, or proves that there is none', () => {
    fc.assert(
      fc.property(mazes, (maze) => {
        const { path } = solveMaze(maze)
        const distance = distanceByRelaxing(maze)
        expect(path === null ? Number.POSITIVE_INFINITY : path.length - 1).toBe(distance)
        if (path !== null) expect(faults(maze, path).size).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('marks what cannot be right in a drawn way', () => {
    // S . .
    // # # .
    // G . .
    const maze = { side: 3, cells: [2, 1, 1, 0, 0, 1, 3, 1, 1] }
    const way = [0, 1, 2, 5, 8, 7, 6]
    expect(solveMaze(maze).path).toEqual(way)
    expect([...faults(maze, way)]).toEqual([])
    expect([...faults(maze, [0, 3, 6])]).toEqual([3])
    expect([...faults(maze, [0, 1, 2])].sort()).toEqual([2, 6])
    expect([...faults(maze, [])].sort()).toEqual([0, 6])
  })
})

describe('editing a maze', () => {
  it('keeps one start and one goal, whatever is drawn where', () => {
    const strokes = fc.array(fc.tuple(fc.constantFrom('wall', 'free', 'start', 'goal'), fc.nat()))
    fc.assert(
      fc.property(mazes, strokes, ({ side, cells }, drawn) => {
        let now: readonly number[] = cells
        for (const [tool, n] of drawn) {
          const cell = n % side ** 2
          now =
            tool === 'start' || tool === 'goal'
              ? withEnd(now, tool, cell)
              : withWall(now, cell, tool === 'wall')
        }
        expect(now.filter((value) => value === MAZE.start)).toHaveLength(1)
        expect(now.filter((value) => value === MAZE.goal)).toHaveLength(1)
      }),
    )
  })
})
