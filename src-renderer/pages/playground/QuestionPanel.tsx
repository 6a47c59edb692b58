import { Brain, RotateCcw, Shuffle } from 'lucide-react'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, usePlayground } from '../../stores/context.tsx'
import type { Effort } from '../../stores/playground.ts'
import { Button, Card, ErrorState, Segmented } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { MazeEditor } from './MazeBoard.tsx'
import { inOrder, type Question, questionInput, readQuestion, wordsOf } from './questions.ts'
import { SudokuEditor } from './SudokuBoard.tsx'
import { sameAnswer } from './thought.ts'
import type { Words } from './words.ts'

const efforts: readonly Effort[] = ['host', 'low', 'medium', 'high', 'full']

export function QuestionPanel({ tasks }: { tasks: readonly string[] }) {
  const { t } = useTranslation('playground')
  const { task, example, input, drawing, effort, thinking, choose, draw, edit, setEffort, think } =
    usePlayground((state) => state)
  const offline = useConnection(({ phase }) => phase === 'offline')
  const held = thinking || offline
  if (task === null) return null
  return (
    <Card
      id="puzzle"
      title={t('question')}
      aside={
        <div className="playground__actions">
          {sameAnswer(example, input) ? null : (
            <Button disabled={held} onClick={() => edit(example)}>
              <RotateCcw size={15} aria-hidden="true" />
              {t('undoAll')}
            </Button>
          )}
          <Button disabled={held} busy={drawing} onClick={() => void draw()}>
            {drawing ? null : <Shuffle size={15} aria-hidden="true" />}
            {t('newPuzzle')}
          </Button>
        </div>
      }
    >
      <fieldset className="playground__fields" disabled={held} aria-label={t('task.kinds')}>
        <Segmented
          label={t('task.label')}
          options={inOrder(tasks).map((name) => ({ value: name, content: wordsOf(t, name).label }))}
          value={task}
          onChange={(name) => void choose(name)}
        />
      </fieldset>
      <p className="muted playground__hint">{wordsOf(t, task).says}</p>
      <QuestionBody />
      <fieldset className="playground__fields" disabled={held} aria-label={t('effort.group')}>
        <span className="playground__label" aria-hidden="true">
          {t('effort.label')}
        </span>
        <Segmented
          label={t('effort.label')}
          options={efforts.map((value) => ({ value, content: t(`effort.${value}.label`) }))}
          value={effort}
          onChange={setEffort}
        />
        <span className="muted playground__hint">{t(`effort.${effort}.says`)}</span>
      </fieldset>
      <div className="playground__think">
        <Button
          look="accent"
          busy={thinking}
          disabled={held || drawing || input === null}
          onClick={() => void think()}
        >
          {thinking ? null : <Brain size={16} aria-hidden="true" />}
          {t(thinking ? 'thinking' : 'think')}
        </Button>
        <p className="muted playground__hint" role="status">
          {footnote(t, thinking, offline)}
        </p>
      </div>
      <ThinkError />
    </Card>
  )
}

function footnote(t: Words, thinking: boolean, offline: boolean): string {
  if (offline) return t('note.offline')
  return thinking ? t('note.thinking') : t('note.pays')
}

function ThinkError() {
  const error = usePlayground((state) => state.thinkError)
  return error === null ? null : <ErrorState error={error} />
}

function QuestionBody() {
  const { t } = useTranslation('playground')
  const { task, example, input, drawError, thinking, draw, edit } = usePlayground((state) => state)
  const offline = useConnection(({ phase }) => phase === 'offline')
  if (input === null || task === null) {
    return <Pending what={t('aQuestion')} error={drawError} onRetry={() => void draw()} />
  }
  const question = readQuestion(t, task, input)
  const given = readQuestion(t, task, example)
  return (
    <>
      {drawError === null ? null : <ErrorState error={drawError} onRetry={() => void draw()} />}
      {question === null || given === null ? (
        <p className="playground__warning" role="alert">
          {t('unreadable')}
        </p>
      ) : (
        <fieldset className="playground__board" disabled={thinking || offline} aria-label={t('question')}>
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
