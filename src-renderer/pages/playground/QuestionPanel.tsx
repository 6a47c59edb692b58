import { Brain, RotateCcw, Shuffle } from 'lucide-react'
import { useConnection, usePlayground } from '../../stores/context.tsx'
import type { Effort } from '../../stores/playground.ts'
import { Button, Card, ErrorState, Segmented } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { MazeEditor } from './MazeBoard.tsx'
import { inOrder, type Question, questionInput, readQuestion, wordsOf } from './questions.ts'
import { SudokuEditor } from './SudokuBoard.tsx'
import { sameAnswer } from './thought.ts'

const efforts: { value: Effort; content: string }[] = [
  { value: 'host', content: 'Host decides' },
  { value: 'low', content: 'Low' },
  { value: 'medium', content: 'Medium' },
  { value: 'high', content: 'High' },
  { value: 'full', content: 'Full depth' },
]

const effortWords: Record<Effort, string> = {
  host: 'As deep as the thermostat chose for work that is sold now.',
  low: 'A few steps, no second try.',
  medium: 'More steps; where they do not suffice, a council of noisy tries.',
  high: 'Most steps and the largest council: it can take long and cost much.',
  full: 'All 16 steps, right or wrong: what halting early is measured against.',
}

export function QuestionPanel({ tasks }: { tasks: readonly string[] }) {
  const { task, example, input, drawing, effort, thinking, choose, draw, edit, setEffort, think } =
    usePlayground((state) => state)
  const offline = useConnection(({ phase }) => phase === 'offline')
  const held = thinking || offline
  if (task === null) return null
  return (
    <Card
      id="puzzle"
      title="Question"
      aside={
        <div className="playground__actions">
          {sameAnswer(example, input) ? null : (
            <Button disabled={held} onClick={() => edit(example)}>
              <RotateCcw size={15} aria-hidden="true" />
              Undo all
            </Button>
          )}
          <Button disabled={held} busy={drawing} onClick={() => void draw()}>
            {drawing ? null : <Shuffle size={15} aria-hidden="true" />}
            New puzzle
          </Button>
        </div>
      }
    >
      <fieldset className="playground__fields" disabled={held} aria-label="Kind of question">
        <Segmented
          label="Task"
          options={inOrder(tasks).map((name) => ({ value: name, content: wordsOf(name).label }))}
          value={task}
          onChange={(name) => void choose(name)}
        />
      </fieldset>
      <p className="muted playground__hint">{wordsOf(task).says}</p>
      <QuestionBody />
      <fieldset className="playground__fields" disabled={held} aria-label="How long it may think">
        <span className="playground__label" aria-hidden="true">
          Effort
        </span>
        <Segmented label="Effort" options={efforts} value={effort} onChange={setEffort} />
        <span className="muted playground__hint">{effortWords[effort]}</span>
      </fieldset>
      <div className="playground__think">
        <Button
          look="accent"
          busy={thinking}
          disabled={held || drawing || input === null}
          onClick={() => void think()}
        >
          {thinking ? null : <Brain size={16} aria-hidden="true" />}
          {thinking ? 'Thinking…' : 'Think'}
        </Button>
        <p className="muted playground__hint" role="status">
          {footnote(thinking, offline)}
        </p>
      </div>
      <ThinkError />
    </Card>
  )
}

function footnote(thinking: boolean, offline: boolean): string {
  if (offline) return 'The host is out of reach; it can think again when it is back.'
  if (thinking) return 'A thought cannot be interrupted; the question stays as it is until it ends.'
  return 'You pay from your own account: this is use, not income.'
}

function ThinkError() {
  const error = usePlayground((state) => state.thinkError)
  return error === null ? null : <ErrorState error={error} />
}

function QuestionBody() {
  const { task, example, input, drawError, thinking, draw, edit } = usePlayground((state) => state)
  const offline = useConnection(({ phase }) => phase === 'offline')
  if (input === null || task === null) {
    return <Pending what="a question" error={drawError} onRetry={() => void draw()} />
  }
  const question = readQuestion(task, input)
  const given = readQuestion(task, example)
  return (
    <>
      {drawError === null ? null : <ErrorState error={drawError} onRetry={() => void draw()} />}
      {question === null || given === null ? (
        <p className="playground__warning" role="alert">
          This window cannot show the host’s question. Choose another task, or update the app.
        </p>
      ) : (
        <fieldset className="playground__board" disabled={thinking || offline} aria-label="Question">
          <Editor
            question={question}
            given={given}
            onChange={(changed) => edit(questionInput(changed, input))}
          />
        </fieldset>
      )}
    </>
  )
}

interface EditorProps {
  question: Question
  given: Question
  onChange: (question: Question) => void
}

function Editor({ question, given, onChange }: EditorProps) {
  if (question.kind === 'sudoku' && given.kind === 'sudoku') {
    const { side, cells } = question
    return (
      <SudokuEditor
        key={side}
        side={side}
        cells={cells}
        given={given.cells}
        onChange={(next) => onChange({ ...question, cells: next })}
      />
    )
  }
  if (question.kind === 'maze') {
    return <MazeEditor maze={question} onChange={(cells) => onChange({ ...question, cells })} />
  }
  return question.kind === 'facts' ? <Facts question={question} /> : null
}

function Facts({ question }: { question: Extract<Question, { kind: 'facts' }> }) {
  return (
    <dl className="facts-list figures">
      {question.facts.map(({ label, value }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
