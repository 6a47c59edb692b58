import type { Example } from './task.ts'

/** What a cell of a maze shows; also its token. */
export const MAZE_CELL = { wall: 0, free: 1, start: 2, goal: 3 } as const

/** A square maze of odd side with one start and one goal. */
export interface Maze {
  readonly side: number
  /** Row by row. */
  readonly cells: readonly number[]
}

const at = (values: readonly number[], index: number): number => values[index] as number

/** The cells that share an edge with `cell`. */
function neighbours(side: number, cell: number): number[] {
  const [row, column] = [Math.floor(cell / side), cell % side]
  const result: number[] = []
  if (row > 0) result.push(cell - side)
  if (column > 0) result.push(cell - 1)
  if (column < side - 1) result.push(cell + 1)
  if (row < side - 1) result.push(cell + side)
  return result
}

/**
 * A perfect maze: the rooms at odd coordinates are joined by a random depth-first search, whose corridors are long and
 * winding; start and goal are two different rooms. Between any two cells there is exactly one path.
 */
export function generateMaze(side: number, random: () => number): Maze {
  if (side % 2 === 0 || side < 5) throw new RangeError('a maze has an odd side of at least 5')
  const rooms = (side - 1) / 2
  const cells = new Array<number>(side * side).fill(MAZE_CELL.wall)
  const cellOf = (room: number): number => (2 * Math.floor(room / rooms) + 1) * side + 2 * (room % rooms) + 1
  const pick = (count: number): number => Math.floor(random() * count)
  const trail = [pick(rooms * rooms)]
  cells[cellOf(at(trail, 0))] = MAZE_CELL.free
  while (trail.length > 0) {
    const room = at(trail, trail.length - 1)
    const unseen = neighbours(rooms, room).filter((next) => cells[cellOf(next)] === MAZE_CELL.wall)
    if (unseen.length === 0) {
      trail.pop()
      continue
    }
    const next = at(unseen, pick(unseen.length))
    cells[cellOf(next)] = MAZE_CELL.free
    cells[(cellOf(room) + cellOf(next)) / 2] = MAZE_CELL.free
    trail.push(next)
  }
  const start = pick(rooms * rooms)
  const goal = (start + 1 + pick(rooms * rooms - 1)) % (rooms * rooms)
  cells[cellOf(start)] = MAZE_CELL.start
  cells[cellOf(goal)] = MAZE_CELL.goal
  return { side, cells }
}

/** Cells of a shortest path from start to goal, both included (breadth-first search); empty if there is none. */
export function solveMaze({ side, cells }: Maze): number[] {
  const [start, goal] = [cells.indexOf(MAZE_CELL.start), cells.indexOf(MAZE_CELL.goal)]
  const previous = new Map([[start, start]])
  const queue = [start]
  for (let head = 0; head < queue.length && !previous.has(goal); head++) {
    const cell = at(queue, head)
    for (const neighbour of neighbours(side, cell)) {
      if (cells[neighbour] === MAZE_CELL.wall || previous.has(neighbour)) continue
      previous.set(neighbour, cell)
      queue.push(neighbour)
    }
  }
  if (!previous.has(goal)) return []
  const path = [goal]
  for (let cell = goal; cell !== start; ) {
    cell = previous.get(cell) ?? start
    path.unshift(cell)
  }
  return path
}

/** Whether the marked cells are a path from start to goal through free cells, as short as any, and nothing else. */
export function isShortestPath(maze: Maze, marked: readonly boolean[]): boolean {
  const { side, cells } = maze
  const [start, goal] = [cells.indexOf(MAZE_CELL.start), cells.indexOf(MAZE_CELL.goal)]
  const count = marked.filter(Boolean).length
  if (!marked[start] || !marked[goal] || count !== solveMaze(maze).length) return false
  const visited = new Set([start])
  const queue = [start]
  for (const cell of queue) {
    for (const neighbour of neighbours(side, cell)) {
      if (!marked[neighbour] || visited.has(neighbour) || cells[neighbour] === MAZE_CELL.wall) continue
      visited.add(neighbour)
      queue.push(neighbour)
    }
  }
  return visited.size === count
}

/** The same maze turned or mirrored; `image` is 0..7. */
export function turnMaze({ side, cells }: Maze, image: number): Maze {
  const turned = cells.map((_, cell) => {
    let [row, column] = [Math.floor(cell / side), cell % side]
    if (image & 1) row = side - 1 - row
    if (image & 2) column = side - 1 - column
    if (image & 4) [row, column] = [column, row]
    return at(cells, row * side + column)
  })
  return { side, cells: turned }
}

/** The same maze with its upper left corner at (row, column) of a larger square that is wall otherwise. */
export function walledIn(maze: Maze, side: number, row: number, column: number): Maze {
  const cells = new Array<number>(side * side).fill(MAZE_CELL.wall)
  for (const [cell, value] of maze.cells.entries()) {
    cells[(row + Math.floor(cell / maze.side)) * side + column + (cell % maze.side)] = value
  }
  return { side, cells }
}

/** The smallest of the 16 images under turning, mirroring and exchanging start and goal. */
export function canonicalMaze(maze: Maze): string {
  const exchanged = {
    side: maze.side,
    cells: maze.cells.map((cell) =>
      cell >= MAZE_CELL.start ? MAZE_CELL.start + MAZE_CELL.goal - cell : cell,
    ),
  }
  const images = [maze, exchanged].flatMap((one) =>
    Array.from({ length: 8 }, (_, image) => turnMaze(one, image).cells.join('')),
  )
  return images.sort()[0] ?? ''
}

/** Class 1 marks the path; of walls nothing is asked. */
export function mazeExample(maze: Maze): Example {
  const targets = Int32Array.from(maze.cells, (cell) => (cell === MAZE_CELL.wall ? -1 : 0))
  for (const cell of solveMaze(maze)) targets[cell] = 1
  const { side, cells } = maze
  return { instance: { height: side, width: side, tokens: Int32Array.from(cells) }, targets }
}
