import { z } from 'zod'
import { isSudokuSide } from './sudoku.ts'

/** One named figure of a question that has no board. */
export interface Fact {
  label: string
  value: string
}

export type Question =
  | { kind: 'sudoku'; side: number; cells: number[] }
  | { kind: 'maze'; side: number; cells: number[] }
  | { kind: 'facts'; facts: Fact[] }

export type Answer =
  | { kind: 'cells'; cells: number[] }
  | { kind: 'path'; path: number[] }
  | { kind: 'said'; sentence: string }

const Sudoku = z.object({ cells: z.array(z.int().min(0).max(9)) })
const Maze = z
  .object({ side: z.int().min(3).max(41), cells: z.array(z.int().min(0).max(3)) })
  .refine(({ side, cells }) => cells.length === side * side)
const MazePath = z.object({ path: z.array(z.int().nonnegative()) })
const OpSequence = z.object({
  start: z.number(),
  operations: z.array(z.object({ operator: z.string(), argument: z.number() })),
})
const History = z.object({ history: z.array(z.number()) })
const Lead = z.object({ features: z.array(z.number()) })
const Opportunity = z.object({ candidates: z.array(z.record(z.string(), z.number())) })

interface TaskWords {
  label: string
  says: string
}

const tasks: Record<string, TaskWords> = {
  'sudoku-4x4': { label: 'Sudoku 4×4', says: 'Every digit once in each row, column and box.' },
  'sudoku-6x6': { label: 'Sudoku 6×6', says: 'Every digit once in each row, column and box.' },
  'sudoku-9x9': { label: 'Sudoku 9×9', says: 'Every digit once in each row, column and box.' },
  maze: { label: 'Maze', says: 'The shortest way from start to goal.' },
  'op-sequence': { label: 'Arithmetic', says: 'One operation after the other; no value leaves 0 to 199.' },
  'pattern-world': { label: 'Next number', says: 'The rule behind the numbers changes now and then.' },
  'funnel-classification': { label: 'Lead', says: 'Will this lead convert? Made-up data.' },
  'funnel-choice': {
    label: 'Three candidates',
    says: 'Which of the three is most likely to convert? Made-up data.',
  },
}

export const wordsOf = (task: string): TaskWords => tasks[task] ?? { label: task, says: '' }

/** Those with a board first; a task that this window does not know comes last, by its own name. */
export function inOrder(names: readonly string[]): string[] {
  const known = Object.keys(tasks)
  const rank = (name: string): number => (known.includes(name) ? known.indexOf(name) : known.length)
  return [...names].sort((a, b) => rank(a) - rank(b))
}

/** Several questions are thought about side by side, so that the steps that are shown are not all. */
export const asksSeveral = (task: string): boolean => task === 'funnel-choice'

/** Null where the host's question is not of the form that this window knows. */
export function readQuestion(task: string, input: unknown): Question | null {
  if (task.startsWith('sudoku-')) {
    const parsed = Sudoku.safeParse(input)
    const side = Math.sqrt(parsed.data?.cells.length ?? 0)
    return parsed.success && isSudokuSide(side) ? { kind: 'sudoku', side, cells: parsed.data.cells } : null
  }
  if (task === 'maze') {
    const parsed = Maze.safeParse(input)
    return parsed.success ? { kind: 'maze', ...parsed.data } : null
  }
  return { kind: 'facts', facts: factsOf(task, input) ?? [{ label: 'Question', value: asText(input) }] }
}

/** The question in the form that the host takes. */
export function questionInput(question: Question, input: unknown): unknown {
  if (question.kind === 'sudoku') return { cells: question.cells }
  return question.kind === 'maze' ? { side: question.side, cells: question.cells } : input
}

export function readAnswer(task: string, answer: unknown): Answer | null {
  if (task.startsWith('sudoku-')) {
    const parsed = Sudoku.safeParse(answer)
    return parsed.success ? { kind: 'cells', cells: parsed.data.cells } : null
  }
  if (task === 'maze') {
    const parsed = MazePath.safeParse(answer)
    return parsed.success ? { kind: 'path', path: parsed.data.path } : null
  }
  return { kind: 'said', sentence: sentenceOf(task, answer) ?? asText(answer) }
}

const signs: Record<string, string> = { add: '+', subtract: '−', multiply: '×' }

function factsOf(task: string, input: unknown): Fact[] | null {
  switch (task) {
    case 'op-sequence': {
      const { data } = OpSequence.safeParse(input)
      if (data === undefined) return null
      const operations = data.operations.map(({ operator, argument }, i) => ({
        label: `Operation ${i + 1}`,
        value: `${signs[operator] ?? operator} ${argument}`,
      }))
      return [{ label: 'Start', value: String(data.start) }, ...operations]
    }
    case 'pattern-world': {
      const { data } = History.safeParse(input)
      return data === undefined ? null : [{ label: 'So far', value: data.history.join(', ') }]
    }
    case 'funnel-classification': {
      const { data } = Lead.safeParse(input)
      return data?.features.map((value, i) => ({ label: `Feature ${i + 1}`, value: decimal(value) })) ?? null
    }
    case 'funnel-choice': {
      const { data } = Opportunity.safeParse(input)
      return (
        data?.candidates.map((candidate, i) => ({
          label: `Candidate ${i + 1}`,
          value: Object.entries(candidate)
            .map(([name, value]) => `${spaced(name)} ${decimal(value)}`)
            .join('\n'),
        })) ?? null
      )
    }
    default:
      return null
  }
}

const Said = z.union([
  z.object({ value: z.number() }).transform(({ value }) => `The result is ${value}.`),
  z.object({ next: z.number() }).transform(({ next }) => `The next number is ${next}.`),
  z
    .object({ converts: z.boolean() })
    .transform(({ converts }) => (converts ? 'It will convert.' : 'It will not convert.')),
  z.object({ choice: z.number() }).transform(({ choice }) => `Candidate ${choice + 1}.`),
])

function sentenceOf(task: string, answer: unknown): string | null {
  return tasks[task] === undefined ? null : (Said.safeParse(answer).data ?? null)
}

const asText = (value: unknown): string => JSON.stringify(value) ?? 'nothing'
const decimal = (value: number): string => value.toFixed(2).replace('-', '−')
const spaced = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
