import { FUNNEL_CHOICE_SIZES, funnelChoiceTask } from './funnel-choice.ts'
import { FUNNEL_CLASSIFICATION_SIZES, funnelClassificationTask } from './funnel-classification.ts'
import { mazeTask } from './maze-task.ts'
import { OP_SEQUENCE_SIZES, opSequenceTask } from './op-sequence.ts'
import { PATTERN_WORLD_SIZES, patternWorldTask } from './pattern-world.ts'
import { sudoku4Task, sudoku6Task, sudoku9Task } from './sudoku-task.ts'
import type { Task } from './task.ts'

const tasks = [
  sudoku4Task,
  sudoku6Task,
  sudoku9Task,
  mazeTask,
  opSequenceTask,
  patternWorldTask,
  funnelClassificationTask,
  funnelChoiceTask,
]

/** A task whose questions and answers are known only by its own functions. */
export type AnyTask = Task<unknown, unknown>

/** Every task by its name. */
export const TASKS: ReadonlyMap<string, AnyTask> = new Map(
  tasks.map((task) => [task.name, task as unknown as AnyTask]),
)

/** Vocabulary, classes and tokens of the tasks whose instances have one size. */
export const SIZES = {
  opSequence: OP_SEQUENCE_SIZES,
  patternWorld: PATTERN_WORLD_SIZES,
  funnelClassification: FUNNEL_CLASSIFICATION_SIZES,
  funnelChoice: FUNNEL_CHOICE_SIZES,
}
