import type { Example } from './task.ts'

/** A Sudoku of side boxHeight·boxWidth. */
export interface SudokuSize {
  readonly boxHeight: number
  readonly boxWidth: number
}

/** Cells row by row; 0 is blank. */
export type Cells = readonly number[]

export interface Puzzle {
  readonly givens: Cells
  readonly solution: Cells
}

export interface Difficulty {
  readonly givens: number
  /** Guesses a solver needs that fills in naked and hidden singles first; 0 means that logic of that kind suffices. */
  readonly guesses: number
}

export const sideOf = ({ boxHeight, boxWidth }: SudokuSize): number => boxHeight * boxWidth

/** Bits of the digits that the row, column and box of each cell still allow. */
interface Board {
  readonly cells: number[]
  readonly rows: number[]
  readonly columns: number[]
  readonly boxes: number[]
}

interface Geometry {
  readonly side: number
  readonly row: readonly number[]
  readonly column: readonly number[]
  readonly box: readonly number[]
}

function geometryOf({ boxHeight, boxWidth }: SudokuSize): Geometry {
  const side = boxHeight * boxWidth
  const cells = Array.from({ length: side * side }, (_, cell) => cell)
  const row = cells.map((cell) => Math.floor(cell / side))
  const column = cells.map((cell) => cell % side)
  const box = cells.map((_, cell) => {
    const band = Math.floor((row[cell] ?? 0) / boxHeight)
    return band * boxHeight + Math.floor((column[cell] ?? 0) / boxWidth)
  })
  return { side, row, column, box }
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [result[i] as T, result[j] as T]
    result[i] = b
    result[j] = a
  }
  return result
}

function bitCount(bits: number): number {
  let count = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++
  return count
}

/** A board with the givens placed, or nothing if two of them contradict each other. */
function boardOf(givens: Cells, geometry: Geometry): Board | undefined {
  const all = (1 << geometry.side) - 1
  const fill = (): number[] => new Array<number>(geometry.side).fill(all)
  const board = {
    cells: new Array<number>(givens.length).fill(0),
    rows: fill(),
    columns: fill(),
    boxes: fill(),
  }
  for (const [cell, digit] of givens.entries()) {
    if (digit === 0) continue
    if ((candidates(board, geometry, cell) & (1 << (digit - 1))) === 0) return undefined
    place(board, geometry, cell, digit)
  }
  return board
}

const at = (values: readonly number[], index: number): number => values[index] as number

function candidates(board: Board, { row, column, box }: Geometry, cell: number): number {
  return at(board.rows, at(row, cell)) & at(board.columns, at(column, cell)) & at(board.boxes, at(box, cell))
}

/** Places a digit, or takes it back: either flips its bit in row, column and box. */
function place(board: Board, { row, column, box }: Geometry, cell: number, digit: number): void {
  const bit = 1 << (digit - 1)
  board.cells[cell] = board.cells[cell] === 0 ? digit : 0
  board.rows[at(row, cell)] = at(board.rows, at(row, cell)) ^ bit
  board.columns[at(column, cell)] = at(board.columns, at(column, cell)) ^ bit
  board.boxes[at(box, cell)] = at(board.boxes, at(box, cell)) ^ bit
}

/** The blank cell with the fewest candidates; -1 when the board is full. */
function tightestCell(board: Board, geometry: Geometry): number {
  let [best, fewest] = [-1, geometry.side + 1]
  for (let cell = 0; cell < board.cells.length; cell++) {
    if (board.cells[cell] !== 0) continue
    const count = bitCount(candidates(board, geometry, cell))
    if (count < fewest) [best, fewest] = [cell, count]
    if (count <= 1) break
  }
  return best
}

/** Visits solutions in depth-first order until `visit` says it has seen enough. */
function search(board: Board, geometry: Geometry, order: readonly number[], visit: () => boolean): boolean {
  const cell = tightestCell(board, geometry)
  if (cell < 0) return visit()
  const allowed = candidates(board, geometry, cell)
  for (const digit of order) {
    if ((allowed & (1 << (digit - 1))) === 0) continue
    place(board, geometry, cell, digit)
    const enough = search(board, geometry, order, visit)
    place(board, geometry, cell, digit)
    if (enough) return true
  }
  return false
}

const digitsOf = (side: number): number[] => Array.from({ length: side }, (_, i) => i + 1)

/** Up to `limit` solutions of `givens`; none if the givens contradict each other. */
export function solveSudoku(size: SudokuSize, givens: Cells, limit: number): Cells[] {
  const geometry = geometryOf(size)
  const board = boardOf(givens, geometry)
  const solutions: Cells[] = []
  if (!board) return solutions
  search(board, geometry, digitsOf(geometry.side), () => solutions.push([...board.cells]) >= limit)
  return solutions
}

/** Whether `cells` holds every digit once in each row, column and box. */
export function isSolution(size: SudokuSize, cells: Cells): boolean {
  const geometry = geometryOf(size)
  if (cells.length !== geometry.side ** 2 || cells.some((digit) => digit < 1 || digit > geometry.side))
    return false
  return boardOf(cells, geometry) !== undefined
}

/** A full grid: the first found when every cell tries its digits in a random order of the whole board. */
function randomSolution(size: SudokuSize, random: () => number): Cells {
  const geometry = geometryOf(size)
  const { side } = geometry
  // The first row decides nothing up to relabelling; the rest follows by search.
  const first = shuffle(digitsOf(side), random)
  const board = boardOf([...first, ...new Array<number>(side * (side - 1)).fill(0)], geometry)
  if (!board) throw new Error('a single row cannot contradict itself')
  let found: Cells = []
  search(board, geometry, shuffle(digitsOf(side), random), () => {
    found = [...board.cells]
    return true
  })
  return found
}

/**
 * A puzzle with exactly one solution: cells of a random full grid are blanked in random order, each only if the
 * solution stays unique, until `givens` are left or no more cell can go.
 */
export function generatePuzzle(size: SudokuSize, givens: number, random: () => number): Puzzle {
  const solution = transformCells(size, randomSolution(size, random), randomSymmetry(size, random))
  const cells = [...solution]
  let left = cells.length
  for (const cell of shuffle([...cells.keys()], random)) {
    if (left <= givens) break
    const digit = at(cells, cell)
    cells[cell] = 0
    if (solveSudoku(size, cells, 2).length === 1) left--
    else cells[cell] = digit
  }
  return { givens: cells, solution }
}

/** A relabelling of the digits and a permutation of the cells that keeps rows, columns and boxes. */
export interface Symmetry {
  /** digits[d] is the new name of digit d; digits[0] is 0. */
  readonly digits: readonly number[]
  /** Cell i of the image is cell cells[i] of the original. */
  readonly cells: readonly number[]
}

/** Lines of one direction: groups in the given order, the lines of each group in theirs. */
function lineOrder(groups: readonly number[], within: readonly (readonly number[])[]): number[] {
  return groups.flatMap((group) =>
    (within[group] ?? []).map((line) => group * (within[group] ?? []).length + line),
  )
}

function cellOrder(rows: readonly number[], columns: readonly number[], transposed: boolean): number[] {
  const side = rows.length
  return rows.flatMap((row) =>
    columns.map((column) => (transposed ? column * side + row : row * side + column)),
  )
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

export function randomSymmetry({ boxHeight, boxWidth }: SudokuSize, random: () => number): Symmetry {
  const bands = upTo(boxWidth).map(() => shuffle(upTo(boxHeight), random))
  const stacks = upTo(boxHeight).map(() => shuffle(upTo(boxWidth), random))
  const rows = lineOrder(shuffle(upTo(boxWidth), random), bands)
  const columns = lineOrder(shuffle(upTo(boxHeight), random), stacks)
  const transposed = boxHeight === boxWidth && random() < 0.5
  const digits = [0, ...shuffle(digitsOf(boxHeight * boxWidth), random)]
  return { digits, cells: cellOrder(rows, columns, transposed) }
}

export function transformCells({ boxHeight, boxWidth }: SudokuSize, cells: Cells, symmetry: Symmetry): Cells {
  if (cells.length !== (boxHeight * boxWidth) ** 2) throw new RangeError('not a grid of this size')
  return symmetry.cells.map((cell) => at(symmetry.digits, at(cells, cell)))
}

/** How hard a puzzle is. */
export function rateSudoku(size: SudokuSize, givens: Cells): Difficulty {
  const geometry = geometryOf(size)
  const board = boardOf(givens, geometry)
  const count = givens.filter((digit) => digit !== 0).length
  return { givens: count, guesses: board ? countGuesses(board, geometry).guesses : 0 }
}

/** The cell and digit that a naked or hidden single forces, if any. */
function findSingle(board: Board, geometry: Geometry): readonly [number, number] | undefined {
  const blanks = [...board.cells.keys()].filter((cell) => board.cells[cell] === 0)
  for (const cell of blanks) {
    const allowed = candidates(board, geometry, cell)
    if (bitCount(allowed) === 1) return [cell, 32 - Math.clz32(allowed)]
  }
  for (const unit of [geometry.row, geometry.column, geometry.box]) {
    for (let index = 0; index < geometry.side; index++) {
      const cells = blanks.filter((cell) => unit[cell] === index)
      for (const digit of digitsOf(geometry.side)) {
        const fitting = cells.filter((cell) => (candidates(board, geometry, cell) & (1 << (digit - 1))) !== 0)
        if (fitting.length === 1) return [fitting[0] as number, digit]
      }
    }
  }
  return undefined
}

/** Depth-first search with singles; counts every digit that had to be tried without being forced. */
function countGuesses(board: Board, geometry: Geometry): { solved: boolean; guesses: number } {
  const forced: (readonly [number, number])[] = []
  for (let single = findSingle(board, geometry); single; single = findSingle(board, geometry)) {
    place(board, geometry, ...single)
    forced.push(single)
  }
  const cell = tightestCell(board, geometry)
  let result = { solved: cell < 0, guesses: 0 }
  for (const digit of cell < 0 ? [] : digitsOf(geometry.side)) {
    if ((candidates(board, geometry, cell) & (1 << (digit - 1))) === 0) continue
    place(board, geometry, cell, digit)
    const below = countGuesses(board, geometry)
    place(board, geometry, cell, digit)
    result = { solved: below.solved, guesses: result.guesses + 1 + below.guesses }
    if (below.solved) break
  }
  for (const [filled, digit] of forced.reverse()) place(board, geometry, filled, digit)
  return result
}

/** Digits as tokens, 0 the blank; digit d is class d - 1. */
export function sudokuExample(size: SudokuSize, { givens, solution }: Puzzle): Example {
  const side = sideOf(size)
  const instance = { height: side, width: side, tokens: Int32Array.from(givens) }
  return { instance, targets: Int32Array.from(solution, (digit) => digit - 1) }
}
