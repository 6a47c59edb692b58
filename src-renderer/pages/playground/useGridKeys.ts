import { type KeyboardEvent, useRef, useState } from 'react'

/** One cell of the grid is in the tab order; the arrow keys, Home and End go on from there. */
export function useGridKeys(side: number) {
  const [current, setCurrent] = useState(0)
  const table = useRef<HTMLTableElement>(null)
  const last = side * side - 1

  function goTo(cell: number): void {
    setCurrent(cell)
    table.current?.querySelectorAll('button')[cell]?.focus()
  }

  /** @returns whether the key was one that moves. */
  function move(event: KeyboardEvent): boolean {
    const next = nextCell(event.key, Math.min(current, last), side)
    if (next === null) return false
    event.preventDefault()
    goTo(next)
    return true
  }

  return { table, current: Math.min(current, last), setCurrent, goTo, move }
}

/** The cell that a key leads to, which stays on the board; null for a key that does not move. */
export function nextCell(key: string, cell: number, side: number): number | null {
  const [row, column] = [Math.floor(cell / side), cell % side]
  switch (key) {
    case 'ArrowUp':
      return row > 0 ? cell - side : cell
    case 'ArrowDown':
      return row < side - 1 ? cell + side : cell
    case 'ArrowLeft':
      return column > 0 ? cell - 1 : cell
    case 'ArrowRight':
      return column < side - 1 ? cell + 1 : cell
    case 'Home':
      return cell - column
    case 'End':
      return cell - column + side - 1
    default:
      return null
  }
}

export const rowsOf = (side: number): number[][] =>
  Array.from({ length: side }, (_, row) => Array.from({ length: side }, (_, column) => row * side + column))

/** Row and column of a cell, counted from one. */
export const placeOf = (cell: number, side: number): { row: number; column: number } => ({
  row: Math.floor(cell / side) + 1,
  column: (cell % side) + 1,
})
