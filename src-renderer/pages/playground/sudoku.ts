/** Height and width of a box, by the side of the grid. */
const BOXES: Record<number, readonly [number, number]> = { 4: [2, 2], 6: [2, 3], 9: [3, 3] }

/** Cells row by row; 0 is blank. */
export type Cells = readonly number[]

interface Place {
  readonly row: number
  readonly column: number
  readonly box: number
}

export const isSudokuSide = (side: number): boolean => BOXES[side] !== undefined

/** Row, column and box of every cell. */
export function placesOf(side: number): Place[] {
  const [height, width] = BOXES[side] ?? [1, side]
  return Array.from({ length: side * side }, (_, cell) => {
    const [row, column] = [Math.floor(cell / side), cell % side]
    return { row, column, box: Math.floor(row / height) * height + Math.floor(column / width) }
  })
}

/** The cells whose digit stands twice in a row, a column or a box. */
export function conflicts(side: number, cells: Cells): Set<number> {
  const seen = new Map<string, number[]>()
  placesOf(side).forEach(({ row, column, box }, cell) => {
    const digit = cells[cell] ?? 0
    if (digit === 0) return
    for (const group of [`row ${row}`, `column ${column}`, `box ${box}`]) {
      const key = `${group} ${digit}`
      seen.set(key, [...(seen.get(key) ?? []), cell])
    }
  })
  return new Set([...seen.values()].filter((same) => same.length > 1).flat())
}

export interface SudokuSearch {
  outcome: 'solved' | 'none' | 'given-up'
  solution: Cells | null
  /** Digits that were tried where more than one was possible. */
  guesses: number
  /** Boards that were looked at. */
  nodes: number
}

/** Keeps a puzzle with next to no digits from holding the window. */
const GUESSES_MAX = 100_000

/** Backtracking: always the cell with the fewest digits left, and those in turn. */
export function solveSudoku(side: number, givens: Cells, guessesMax = GUESSES_MAX): SudokuSearch {
  if (conflicts(side, givens).size > 0) return { outcome: 'none', solution: null, guesses: 0, nodes: 0 }
  const places = placesOf(side)
  const cells = [...givens]
  const used = { row: masks(side), column: masks(side), box: masks(side) }
  const flip = (cell: number, digit: number): void => {
    const place = places[cell] as Place
    for (const group of ['row', 'column', 'box'] as const) {
      used[group][place[group]] = (used[group][place[group]] ?? 0) ^ (1 << digit)
    }
  }
  const possible = (cell: number): number[] => {
    const { row, column, box } = places[cell] as Place
    const taken = (used.row[row] ?? 0) | (used.column[column] ?? 0) | (used.box[box] ?? 0)
    return Array.from({ length: side }, (_, i) => i + 1).filter((digit) => ((taken >> digit) & 1) === 0)
  }
  let [guesses, nodes] = [0, 0]
  cells.forEach((digit, cell) => {
    if (digit > 0) flip(cell, digit)
  })

  function narrowest(): { cell: number; digits: number[] } | null {
    let best: { cell: number; digits: number[] } | null = null
    for (const [cell, digit] of cells.entries()) {
      if (digit > 0) continue
      const digits = possible(cell)
      if (best === null || digits.length < best.digits.length) best = { cell, digits }
      if (digits.length < 2) break
    }
    return best
  }

  function search(): boolean {
    nodes += 1
    const next = narrowest()
    if (next === null) return true
    for (const digit of next.digits) {
      if (next.digits.length > 1) guesses += 1
      if (guesses > guessesMax) return false
      cells[next.cell] = digit
      flip(next.cell, digit)
      if (search()) return true
      flip(next.cell, digit)
      cells[next.cell] = 0
    }
    return false
  }

  if (search()) return { outcome: 'solved', solution: cells, guesses, nodes }
  return { outcome: guesses > guessesMax ? 'given-up' : 'none', solution: null, guesses, nodes }
}

const masks = (side: number): number[] => new Array<number>(side).fill(0)
