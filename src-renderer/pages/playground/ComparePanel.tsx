import { useMemo } from 'react'
import { formatFlop, formatNumber, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, usePlayground } from '../../stores/context.tsx'
import type { Thought } from '../../stores/playground.ts'
import { Button, Card } from '../../widgets/index.ts'
import { funnelBaselines } from './funnel-baselines.ts'
import { solveMaze } from './maze.ts'
import { readAnswer, readQuestion } from './questions.ts'
import { solveSudoku } from './sudoku.ts'
import { sameAnswer } from './thought.ts'
import type { Words } from './words.ts'

interface Row {
  name: string
  result: string
  effort: string
  time: string
}

export function ComparePanel() {
  const { t } = useTranslation('playground')
  const { thought, full, thinking, thinkFully } = usePlayground((state) => state)
  const offline = useConnection(({ phase }) => phase === 'offline')
  const baselines = useMemo(() => (thought === null ? [] : baselinesOf(t, thought)), [t, thought])
  if (thought === null) return null
  const rows = [
    ...(thought.effort === 'full' ? [] : [modelRow(t, t('compare.model'), thought)]),
    ...(thought.effort === 'full' ? [modelRow(t, t('compare.fullModel'), thought)] : []),
    ...(full === null ? [] : [modelRow(t, t('compare.fullModel'), full)]),
    ...baselines,
  ]
  return (
    <Card id="compare" title={t('compare.title')}>
      <div className="compare__scroll">
        <table className="compare figures">
          <thead>
            <tr>
              <th scope="col">{t('compare.who')}</th>
              <th scope="col">{t('compare.result')}</th>
              <th scope="col">{t('compare.effort')}</th>
              <th scope="col">{t('compare.time')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, result, effort, time }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{result}</td>
                <td>{effort}</td>
                <td>{time}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {thought.effort === 'full' || full !== null ? null : (
        <div className="playground__think">
          <Button busy={thinking} disabled={thinking || offline} onClick={() => void thinkFully()}>
            {t('compare.runFull')}
          </Button>
          <p className="muted playground__hint">{t('compare.runFullNote')}</p>
        </div>
      )}
      <p className="playground__prose">{noteOf(t, thought.task)}</p>
    </Card>
  )
}

function noteOf(t: Words, task: string): string {
  if (task === 'funnel-classification') return t('compare.leadNote')
  if (task === 'funnel-choice') return t('compare.choiceNote')
  return task === 'maze' || task.startsWith('sudoku-') ? t('compare.puzzleNote') : t('compare.otherNote')
}

function modelRow(t: Words, name: string, thought: Thought): Row {
  const { task, answer, verified, steps, flop, latencyMs } = thought
  const said = readAnswer(t, task, answer)
  const right = t(verified === true ? 'compare.right' : 'compare.notRight')
  return {
    name,
    result: verified === null && said?.kind === 'said' ? said.sentence : right,
    effort: t('compare.shown', { count: steps.length, flop: formatFlop(flop) }),
    time: t('compare.onHost', { value: groupDigits(Math.round(latencyMs)) }),
  }
}

/** What other ways make of the same question: exact solvers for puzzles, simple rules for the funnels. */
export function baselinesOf(t: Words, { task, input, answer: thoughtAnswer }: Thought): Row[] {
  const question = readQuestion(t, task, input)
  const answer = readAnswer(t, task, thoughtAnswer)
  if (question?.kind === 'sudoku' && answer?.kind === 'cells') {
    const { value, time } = timed(t, () => solveSudoku(question.side, question.cells))
    const { outcome, solution, guesses, nodes } = value
    const solved = sameAnswer(solution, answer.cells) ? 'compare.sameAnswer' : 'compare.otherAnswer'
    const result = t(({ none: 'compare.noSolution', 'given-up': 'compare.gaveUp', solved } as const)[outcome])
    const counts = { nodes: groupDigits(nodes), guesses: groupDigits(guesses) }
    return [{ name: t('compare.backtracking'), result, effort: t('compare.nodes', counts), time }]
  }
  if (question?.kind === 'maze' && answer?.kind === 'path') {
    const { value, time } = timed(t, () => solveMaze(question))
    const { path, visited } = value
    const same = path !== null && sameAnswer([...path].sort(byNumber), [...answer.path].sort(byNumber))
    const found = same ? t('compare.sameWay') : t('compare.otherWay', { count: path?.length ?? 0 })
    const result = path === null ? t('compare.noWay') : found
    const effort = t('compare.cells', { count: visited })
    return [{ name: t('compare.breadthFirst'), result, effort, time }]
  }
  const { value, time } = timed(t, () => funnelBaselines(task, input))
  return value.map(({ name, answer: other, operations }) => {
    const said = readAnswer(t, task, other)
    return {
      name: t(`compare.${name}`),
      result: said?.kind === 'said' ? said.sentence : '',
      effort: t('compare.operations', { count: operations }),
      time,
    }
  })
}

const byNumber = (a: number, b: number): number => a - b

function timed<T>(t: Words, work: () => T): { value: T; time: string } {
  const startMs = performance.now()
  const value = work()
  const elapsedMs = performance.now() - startMs
  // Browsers blur their clock: below a tenth there is nothing to read.
  const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 }
  const time =
    elapsedMs < 0.1 ? t('compare.underTenth') : t('cost.ms', { value: formatNumber(elapsedMs, digits) })
  return { value, time: t('compare.here', { time }) }
}
