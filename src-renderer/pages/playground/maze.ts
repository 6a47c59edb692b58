/** What a cell of a maze shows, in the host's own numbers. */
export const MAZE = { wall: 0, free: 1, start: 2, goal: 3 } as const

export interface Maze {
  readonly side: number
  /** Row by row. */
  readonly cells: readonly number[]
}

/** The cells that share an edge with `cell`. */
export function neighbours(side: number, cell: number): number[] {
  const column = cell % side
  return [
    cell - side,
    ...(column > 0 ? [cell - 1] : []),
    ...(column < side - 1 ? [cell + 1] : []),
    cell + side,
  ].filter((other) => other >= 0 && other < side * side)
}

export interface MazeSearch {
  /** A shortest way from start to goal, both included; null where there is none. */
  path: number[] | null
  /** Cells that were looked at. */
  visited: number
}

/** Breadth-first search. */
export function solveMaze({ side, cells }: Maze): MazeSearch {
  const [start, goal] = [cells.indexOf(MAZE.start), cells.indexOf(MAZE.goal)]
  const cameFrom = new Map([[start, start]])
  const queue = [start]
  for (const cell of queue) {
    if (cell === goal) return { path: wayBack(cameFrom, start, goal), visited: cameFrom.size }
    for (const next of neighbours(side, cell)) {
      if (cells[next] === MAZE.wall || cameFrom.has(next)) continue
      cameFrom.set(next, cell)
      queue.push(next)
    }
  }
  return { path: null, visited: cameFrom.size }
}

function wayBack(cameFrom: ReadonlyMap<number, number>, start: number, goal: number): number[] {
  const path = [goal]
  for (let cell = goal; cell !== start; ) {
    cell = cameFrom.get(cell) ?? start
    path.unshift(cell)
  }
  return path
}

/** Cells where a drawn way cannot be right: on a wall, at a loose end, at a fork, or an end that it misses. */
export function faults({ side, cells }: Maze, path: readonly number[]): Set<number> {
  const drawn = new Set(path)
  const isFault = (cell: number): boolean => {
    const isEnd = cells[cell] === MAZE.start || cells[cell] === MAZE.goal
    if (!drawn.has(cell)) return isEnd
    if (cells[cell] === MAZE.wall) return true
    const joined = neighbours(side, cell).filter((other) => drawn.has(other)).length
    return joined !== (isEnd ? 1 : 2)
  }
  return new Set(cells.map((_, cell) => cell).filter(isFault))
}

/** The maze with the one start or goal moved to `cell`. */
export function withEnd(cells: readonly number[], end: 'start' | 'goal', cell: number): number[] {
  if (cells[cell] === MAZE.start || cells[cell] === MAZE.goal) return [...cells]
  return cells.map((value, i) => (i === cell ? MAZE[end] : value === MAZE[end] ? MAZE.free : value))
}

/** The maze with a wall at `cell`, or none; start and goal stay. */
export function withWall(cells: readonly number[], cell: number, wall: boolean): number[] {
  if (cells[cell] === MAZE.start || cells[cell] === MAZE.goal) return [...cells]
  return cells.map((value, i) => (i === cell ? (wall ? MAZE.wall : MAZE.free) : value))
}
