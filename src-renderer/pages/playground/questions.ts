import { z } from 'zod'
import type { en } from '../../i18n/en/index.ts'
import { isSudokuSide } from './sudoku.ts'
import type { Words } from './words.ts'

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

/** Those with a board first. */
const known = [
  ...['sudoku-4x4', 'sudoku-6x6', 'sudoku-9x9', 'maze', 'op-sequence', 'pattern-world'],
  ...['funnel-classification', 'funnel-choice'],
] as readonly KnownTask[]
type KnownTask = keyof (typeof en)['playground']['task'] & `${string}${'-' | 'maze'}${string}`

const isKnown = (task: string): task is KnownTask => known.some((name) => name === task)

/** What a task is called, and what it asks for. */
export function wordsOf(t: Words, task: string): { label: string; says: string } {
  return isKnown(task)
    ? { label: t(`task.${task}.label`), says: t(`task.${task}.says`) }
    : { label: task, says: '' }
}

/** A task that this window does not know comes last, by its own name. */
export function inOrder(names: readonly string[]): string[] {
  const rank = (name: string): number => (isKnown(name) ? known.indexOf(name) : known.length)
  return [...names].sort((a, b) => rank(a) - rank(b))
}

/** Several questions are thought about side by side, so that the steps that are shown are not all. */
export const asksSeveral = (task: string): boolean => task === 'funnel-choice'

/** Null where the host's question is not of the form that this window knows. */
export function readQuestion(t: Words, task: string, input: unknown): Question | null {
  if (task.startsWith('sudoku-')) {
    const parsed = Sudoku.safeParse(input)
    const side = Math.sqrt(parsed.data?.cells.length ?? 0)
    return parsed.success && isSudokuSide(side) ? { kind: 'sudoku', side, cells: parsed.data.cells } : null
  }
  if (task === 'maze') {
    const parsed = Maze.safeParse(input)
    return parsed.success ? { kind: 'maze', ...parsed.data } : null
  }
  return {
    kind: 'facts',
    facts: factsOf(t, task, input) ?? [{ label: t('fact.question'), value: asText(t, input) }],
  }
}

/** The question in the form that the host takes. */
export function questionInput(question: Question, input: unknown): unknown {
  if (question.kind === 'sudoku') return { cells: question.cells }
  return question.kind === 'maze' ? { side: question.side, cells: question.cells } : input
}

export function readAnswer(t: Words, task: string, answer: unknown): Answer | null {
  if (task.startsWith('sudoku-')) {
    const parsed = Sudoku.safeParse(answer)
    return parsed.success ? { kind: 'cells', cells: parsed.data.cells } : null
  }
  if (task === 'maze') {
    const parsed = MazePath.safeParse(answer)
    return parsed.success ? { kind: 'path', path: parsed.data.path } : null
  }
  return { kind: 'said', sentence: sentenceOf(t, task, answer) ?? asText(t, answer) }
}

const signs: Record<string, string> = { add: '+', subtract: '−', multiply: '×' }

function factsOf(t: Words, task: string, input: unknown): Fact[] | null {
  switch (task) {
    case 'op-sequence': {
      const { data } = OpSequence.safeParse(input)
      if (data === undefined) return null
      const operations = data.operations.map(({ operator, argument }, i) => ({
        label: t('fact.operation', { number: i + 1 }),
        value: `${signs[operator] ?? operator} ${argument}`,
      }))
      return [{ label: t('fact.start'), value: String(data.start) }, ...operations]
    }
    case 'pattern-world': {
      const { data } = History.safeParse(input)
      return data === undefined ? null : [{ label: t('fact.soFar'), value: data.history.join(', ') }]
    }
    case 'funnel-classification': {
      const { data } = Lead.safeParse(input)
      return (
        data?.features.map((value, i) => ({
          label: t('fact.feature', { number: i + 1 }),
          value: decimal(value),
        })) ?? null
      )
    }
    case 'funnel-choice': {
      const { data } = Opportunity.safeParse(input)
      return (
        data?.candidates.map((candidate, i) => ({
          label: t('fact.candidate', { number: i + 1 }),
          value: CANDIDATE_FIGURES.flatMap((name) =>
            candidate[name] === undefined ? [] : [t(`fact.${name}`, { value: decimal(candidate[name]) })],
          ).join('\n'),
        })) ?? null
      )
    }
    default:
      return null
  }
}

/** What a candidate is described by, in the order of the host. */
export const CANDIDATE_FIGURES = [
  ...(['impact', 'cultureFit', 'velocity'] as const),
  ...(['complexity', 'learningRate', 'valueDensity'] as const),
]

const Said = z.union([
  z.object({ value: z.number() }).transform(
    ({ value }) =>
      (t: Words) =>
        t('said.result', { value }),
  ),
  z.object({ next: z.number() }).transform(
    ({ next }) =>
      (t: Words) =>
        t('said.next', { value: next }),
  ),
  z.object({ converts: z.boolean() }).transform(
    ({ converts }) =>
      (t: Words) =>
        t(converts ? 'said.converts' : 'said.convertsNot'),
  ),
  z.object({ choice: z.number() }).transform(
    ({ choice }) =>
      (t: Words) =>
        t('said.candidate', { number: choice + 1 }),
  ),
])

function sentenceOf(t: Words, task: string, answer: unknown): string | null {
  return isKnown(task) ? (Said.safeParse(answer).data?.(t) ?? null) : null
}

const asText = (t: Words, value: unknown): string => JSON.stringify(value) ?? t('said.nothing')
/** No −0.00: what rounds to nothing has no sign. */
const decimal = (value: number): string => (Math.round(value * 100) / 100 || 0).toFixed(2).replace('-', '−')
