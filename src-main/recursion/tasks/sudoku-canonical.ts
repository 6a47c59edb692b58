import { type Cells, isSolution, type Puzzle, type SudokuSize, sideOf } from './sudoku.ts'

// Two puzzles are the same up to symmetry (digits renamed, rows, columns, bands and stacks exchanged, transposed) if
// and only if their canonical forms are equal: the canonical form is the smallest image under all symmetries.

function permutations(count: number): number[][] {
  if (count === 0) return [[]]
  return permutations(count - 1).flatMap((shorter) =>
    Array.from({ length: count }, (_, i) => [...shorter.slice(0, i), count - 1, ...shorter.slice(i)]),
  )
}

/** Every order of `groups·length` lines that keeps groups of `length` together. */
function lineOrders(groups: number, length: number): number[][] {
  const within = permutations(length)
  let orders: number[][] = [[]]
  for (let position = 0; position < groups; position++) {
    orders = orders.flatMap((order) =>
      within.map((lines) => [...order, ...lines.map((line) => position * length + line)]),
    )
  }
  return permutations(groups).flatMap((exchange) =>
    orders.map((order) => exchange.flatMap((group) => order.slice(group * length, (group + 1) * length))),
  )
}

const at = (values: readonly number[], index: number): number => values[index] as number

/** The image's cells with digits renamed in order of appearance, if it is smaller than `best`. */
function smallerImage(cells: Cells, order: readonly number[], best: readonly number[] | undefined) {
  const names: number[] = [0]
  const image: number[] = []
  let known = 0
  let undecided = best !== undefined
  for (let i = 0; i < order.length; i++) {
    const digit = at(cells, at(order, i))
    let name = names[digit]
    if (name === undefined) {
      name = ++known
      names[digit] = name
    }
    if (undecided && best) {
      const other = at(best, i)
      if (name > other) return undefined
      if (name < other) undecided = false
    }
    image.push(name)
  }
  return undecided ? undefined : image
}

const cellOrders = new Map<string, readonly (readonly number[])[]>()

/** Every permutation of the cells that keeps rows, columns and boxes. */
function symmetriesOf(size: SudokuSize): readonly (readonly number[])[] {
  const { boxHeight, boxWidth } = size
  const key = `${boxHeight}x${boxWidth}`
  const known = cellOrders.get(key)
  if (known) return known
  const side = sideOf(size)
  const columns = lineOrders(boxHeight, boxWidth)
  const orders = lineOrders(boxWidth, boxHeight).flatMap((rows) =>
    columns.flatMap((columnOrder) => {
      const order = rows.flatMap((row) => columnOrder.map((column) => row * side + column))
      if (boxHeight !== boxWidth) return [order]
      return [order, rows.flatMap((row) => columnOrder.map((column) => column * side + row))]
    }),
  )
  cellOrders.set(key, orders)
  return orders
}

const columnOrders = new Map<string, readonly (readonly number[])[]>()

function columnOrdersOf({ boxHeight, boxWidth }: SudokuSize): readonly (readonly number[])[] {
  const key = `${boxHeight}x${boxWidth}`
  const known = columnOrders.get(key)
  if (known) return known
  const orders = lineOrders(boxHeight, boxWidth)
  columnOrders.set(key, orders)
  return orders
}

/** By trying every symmetry: fit for sides up to 6, which have at most 3456. */
function smallestByTrial(size: SudokuSize, cells: Cells): readonly number[] {
  let best: readonly number[] | undefined
  for (const order of symmetriesOf(size)) best = smallerImage(cells, order, best) ?? best
  return best ?? cells
}

/**
 * The smallest image of a full grid. Its first row is 1, 2, 3, …; once the row that becomes first and the order of
 * the columns are chosen (9·1296 ways, and as many transposed), the order of the other rows follows: within a band, and
 * of the bands, by the first column.
 */
function smallestOfFullGrid(size: SudokuSize, cells: Cells): readonly number[] {
  const side = sideOf(size)
  const { boxHeight, boxWidth } = size
  const transposed = cells.map((_, cell) => at(cells, (cell % side) * side + Math.floor(cell / side)))
  const views = boxHeight === boxWidth ? [cells, transposed] : [cells]
  const orders = columnOrdersOf(size)
  let best: number[] | undefined
  for (const view of views) {
    for (let first = 0; first < side; first++) {
      for (const columns of orders) {
        best = smallerFullImage(view, first, columns, { side, boxHeight, boxWidth }, best) ?? best
      }
    }
  }
  return best ?? cells
}

function smallerFullImage(
  cells: Cells,
  first: number,
  columns: readonly number[],
  { side, boxHeight, boxWidth }: { side: number; boxHeight: number; boxWidth: number },
  best: readonly number[] | undefined,
): number[] | undefined {
  const names = new Array<number>(side + 1)
  for (let i = 0; i < side; i++) names[at(cells, first * side + at(columns, i))] = i + 1
  const name = (row: number, i: number): number => at(names, at(cells, row * side + at(columns, i)))
  const firstBand = Math.floor(first / boxHeight)
  // Nearly all candidates fail in the second row, so it is compared before anything else is put together.
  if (best) {
    let second = -1
    for (let row = firstBand * boxHeight; row < (firstBand + 1) * boxHeight; row++) {
      if (row !== first && (second < 0 || name(row, 0) < name(second, 0))) second = row
    }
    for (let i = 0; i < side; i++) {
      const difference = name(second, i) - at(best, side + i)
      if (difference > 0) return undefined
      if (difference < 0) break
    }
  }
  const byFirstColumn = (a: number, b: number): number => name(a, 0) - name(b, 0)
  // The row that becomes first has name 1 in the first column, so sorting puts it first.
  const rowsOf = (band: number): number[] =>
    Array.from({ length: boxHeight }, (_, i) => band * boxHeight + i).sort(byFirstColumn)
  const others = Array.from({ length: boxWidth }, (_, band) => band).filter((band) => band !== firstBand)
  const rest = others.map(rowsOf).sort((a, b) => byFirstColumn(a[0] ?? 0, b[0] ?? 0))
  const image = [rowsOf(firstBand), ...rest]
    .flat()
    .flatMap((row) => Array.from({ length: side }, (_, i) => name(row, i)))
  if (!best) return image
  const different = image.findIndex((value, i) => value !== best[i])
  return different >= 0 && at(image, different) < at(best, different) ? image : undefined
}

/**
 * The canonical form as text. Of puzzles up to side 6 it is that of the givens; of larger ones that of the solution, as
 * puzzles with inequivalent solutions are inequivalent.
 */
export function canonicalSudoku(size: SudokuSize, { givens, solution }: Puzzle): string {
  if (sideOf(size) <= 6) return smallestByTrial(size, givens).join('')
  if (!isSolution(size, solution))
    throw new RangeError('the canonical form of a large puzzle needs its solution')
  return smallestOfFullGrid(size, solution).join('')
}
