import { useMemo } from 'react'
import { groupDigits, plural } from '../../format/index.ts'
import { usePlayground } from '../../stores/context.tsx'
import type { Thought } from '../../stores/playground.ts'
import { Card } from '../../widgets/index.ts'
import { solveMaze } from './maze.ts'
import { readAnswer, readQuestion } from './questions.ts'
import { solveSudoku } from './sudoku.ts'
import { sameAnswer } from './thought.ts'

interface Baseline {
  name: string
  result: string
  effort: string
  elapsedMs: number
}

export function ComparePanel() {
  const thought = usePlayground((state) => state.thought)
  const baseline = useMemo(() => (thought === null ? null : baselineOf(thought)), [thought])
  if (thought === null || baseline === null) return null
  return (
    <Card id="compare" title="Beside an exact solver">
      <table className="compare figures">
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col">Result</th>
            <th scope="col">Search</th>
            <th scope="col">Time</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">Recursive model</th>
            <td>{thought.verified === true ? 'Right' : 'Not right'}</td>
            <td>{plural(thought.steps.length, 'step')} shown</td>
            <td>{groupDigits(Math.round(thought.latencyMs))} ms, on the host</td>
          </tr>
          <tr>
            <th scope="row">{baseline.name}</th>
            <td>{baseline.result}</td>
            <td>{baseline.effort}</td>
            <td>{milliseconds(baseline.elapsedMs)}, measured here once</td>
          </tr>
        </tbody>
      </table>
      <p className="playground__prose">
        For these puzzles an exact solver is better: it knows the rules and never errs. The network was given
        which cells belong together and solved examples, but no rule; what it shows is that it learned to
        improve an answer step by step.
      </p>
    </Card>
  )
}

/** An exact solver's answer to the same question; null where this window has none. */
export function baselineOf({ task, input, answer: thoughtAnswer }: Thought): Baseline | null {
  const question = readQuestion(task, input)
  const answer = readAnswer(task, thoughtAnswer)
  if (question?.kind === 'sudoku' && answer?.kind === 'cells') {
    const { value, elapsedMs } = timed(() => solveSudoku(question.side, question.cells))
    const { outcome, solution, guesses } = value
    const result = {
      none: 'Proved that there is no solution',
      'given-up': 'Gave up',
      solved: sameAnswer(solution, answer.cells) ? 'Right, the same answer' : 'Right, another answer',
    }[outcome]
    return { name: 'Backtracking', result, effort: plural(guesses, 'guess', 'guesses'), elapsedMs }
  }
  if (question?.kind === 'maze' && answer?.kind === 'path') {
    const { value, elapsedMs } = timed(() => solveMaze(question))
    const { path, visited } = value
    const same = path !== null && sameAnswer([...path].sort(byNumber), [...answer.path].sort(byNumber))
    const found = same ? 'Right, the same way' : `Right, another way of ${plural(path?.length ?? 0, 'cell')}`
    const result = path === null ? 'Proved that there is no way' : found
    return { name: 'Breadth-first search', result, effort: `${plural(visited, 'cell')} looked at`, elapsedMs }
  }
  return null
}

const byNumber = (a: number, b: number): number => a - b

function timed<T>(work: () => T): { value: T; elapsedMs: number } {
  const startMs = performance.now()
  const value = work()
  return { value, elapsedMs: performance.now() - startMs }
}

/** Browsers blur their clock: below a tenth there is nothing to read. */
const milliseconds = (elapsedMs: number): string =>
  elapsedMs < 0.1 ? 'under 0.1 ms' : `${elapsedMs.toFixed(1)} ms`
