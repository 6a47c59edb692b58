import { z } from 'zod'
import { seededRandom } from '../../tensor/index.ts'
import {
  canonicalMaze,
  generateMaze,
  isShortestPath,
  MAZE_CELL,
  type Maze,
  mazeExample,
  solveMaze,
  turnMaze,
  walledIn,
} from './maze.ts'
import { parseInput } from './parse.ts'
import { drawFrom } from './split.ts'
import type { Task, TestItem } from './task.ts'
import { trainingSetOf } from './training-set.ts'

const TRAINING_SIDE = 11
/** Every second training maze is smaller, somewhere in a block of wall: short paths are where the rule is learned. */
const SMALLER_SIDES = [5, 7, 9] as const
const TRAINING_MAZES = 4000
const LARGEST_SIDE = 41

const schema = z
  .strictObject({
    side: z.int().min(5).max(LARGEST_SIDE),
    cells: z.array(z.int().min(MAZE_CELL.wall).max(MAZE_CELL.goal)).max(LARGEST_SIDE ** 2),
  })
  .refine(({ side, cells }) => cells.length === side * side, 'cells must be side × side')
  .refine(({ cells }) => count(cells, MAZE_CELL.start) === 1, 'a maze has one start')
  .refine(({ cells }) => count(cells, MAZE_CELL.goal) === 1, 'a maze has one goal')

function count(cells: readonly number[], wanted: number): number {
  return cells.filter((cell) => cell === wanted).length
}

/** Cells of the path from start to goal, in ascending order. */
export interface MazePath {
  readonly path: readonly number[]
}

function trainingMaze(random: () => number): Maze {
  const pick = (count: number): number => Math.floor(random() * count)
  const side = pick(2) === 0 ? TRAINING_SIDE : (SMALLER_SIDES[pick(SMALLER_SIDES.length)] ?? TRAINING_SIDE)
  const maze = drawFrom('train', () => generateMaze(side, random), canonicalMaze)
  const places = (TRAINING_SIDE - side) / 2 + 1
  return walledIn(maze, TRAINING_SIDE, 2 * pick(places), 2 * pick(places))
}

export const mazeTask: Task<Maze, MazePath> = {
  name: 'maze',
  deliberates: true,
  trainingSet(seed) {
    return trainingSetOf(TRAINING_MAZES, seed, trainingMaze, (maze, random) =>
      mazeExample(turnMaze(maze, Math.floor(random() * 8))),
    )
  },
  testItems(count, seed, { side = TRAINING_SIDE } = {}) {
    const random = seededRandom(seed)
    return Array.from({ length: count }, (): TestItem<Maze, MazePath> => {
      const maze = drawFrom('test', () => generateMaze(side, random), canonicalMaze)
      const wanted = [...solveMaze(maze)].sort((a, b) => a - b).join()
      return { input: maze, score: ({ path }) => (path.join() === wanted ? 1 : 0) }
    })
  },
  parse: (input) => parseInput(schema, input),
  encode({ side, cells }) {
    const asked = Uint8Array.from(cells, (cell) => Number(cell !== MAZE_CELL.wall))
    return [{ height: side, width: side, tokens: Int32Array.from(cells), asked }]
  },
  decode({ cells }, [reading]) {
    const isMarked = (cell: number): boolean => reading?.answer[cell] === 1 && cells[cell] !== MAZE_CELL.wall
    return { path: [...cells.keys()].filter(isMarked) }
  },
  verify: (maze, { path }) => {
    const marked = new Set(path)
    return isShortestPath(
      maze,
      maze.cells.map((_, cell) => marked.has(cell)),
    )
  },
}
