import { Brain, ChevronLeft, ChevronRight, CircleCheck, CircleHelp, CircleX, Pause, Play } from 'lucide-react'
import { useEffect, useId, useState } from 'react'
import { formatFlop, formatPercent, formatTrm, groupDigits, shortHex } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { usePlayground } from '../../stores/context.tsx'
import type { Thought } from '../../stores/playground.ts'
import { Badge, Button, Card, EmptyState, Segmented, Skeleton, Stat } from '../../widgets/index.ts'
import { HaltChart, LatentChart } from './HaltChart.tsx'
import { MazeAnswer } from './MazeBoard.tsx'
import { faults } from './maze.ts'
import { type Answer, asksSeveral, type Question, readAnswer, readQuestion } from './questions.ts'
import { SudokuAnswer, sudokuFaults } from './SudokuBoard.tsx'
import { changedCells, heatOf, movements, percent, sameAnswer, savingOf, stopAt } from './thought.ts'
import type { Words } from './words.ts'

const STEP_MS = 800
/** Above this the host takes the network at its word, where no rules can be checked. */
const HOST_THRESHOLD = 0.5

export function ThoughtPanel() {
  const { t } = useTranslation('playground')
  const thought = usePlayground((state) => state.thought)
  const thinking = usePlayground((state) => state.thinking)
  const stale = usePlayground(
    (state) => state.thought !== null && !sameAnswer(state.input, state.thought.input),
  )
  return (
    <Card
      id="thought"
      title={t('thought.title')}
      aside={thought === null ? null : <Verdict verified={thought.verified} />}
    >
      {thought === null ? (
        thinking ? (
          <Skeleton label={t('thought.loading')} />
        ) : (
          <EmptyState icon={Brain} title={t('thought.empty.title')}>
            {t('thought.empty.text')}
          </EmptyState>
        )
      ) : (
        <>
          {stale ? (
            <p className="playground__warning" role="status">
              {t('thought.stale')}
            </p>
          ) : null}
          <ThoughtBody key={thought.tradeId} thought={thought} />
        </>
      )}
    </Card>
  )
}

function Verdict({ verified }: { verified: boolean | null }) {
  const { t } = useTranslation('playground')
  if (verified === null) {
    return (
      <Badge>
        <CircleHelp size={13} aria-hidden="true" /> {t('thought.unchecked')}
      </Badge>
    )
  }
  return verified ? (
    <Badge tone="earning">
      <CircleCheck size={13} aria-hidden="true" /> {t('thought.verified')}
    </Badge>
  ) : (
    <Badge tone="bad">
      <CircleX size={13} aria-hidden="true" /> {t('thought.wrong')}
    </Badge>
  )
}

function prefersStillness(): boolean {
  return typeof matchMedia === 'function' && matchMedia('(prefers-reduced-motion: reduce)').matches
}

function ThoughtBody({ thought }: { thought: Thought }) {
  const { t } = useTranslation('playground')
  const { steps } = thought
  const last = steps.length - 1
  const [still] = useState(prefersStillness)
  const [shown, setShown] = useState(still ? last : 0)
  const [playing, setPlaying] = useState(!still && last > 0)
  const [threshold, setThreshold] = useState(HOST_THRESHOLD)
  const [view, setView] = useState<View>('answer')
  const stop = stopAt(steps, threshold)

  useEffect(() => {
    if (!playing) return
    const timer = setTimeout(() => {
      setShown(shown + 1)
      if (shown + 1 >= last) setPlaying(false)
    }, STEP_MS)
    return () => clearTimeout(timer)
  }, [playing, shown, last])

  function go(step: number): void {
    setPlaying(false)
    setShown(Math.min(last, Math.max(0, step)))
  }

  function play(): void {
    if (shown >= last) setShown(0)
    setPlaying(!playing)
  }

  return (
    <>
      <div className="thought">
        <div className="thought__board">
          {hasBoard(t, thought) ? (
            <Segmented
              label={t('thought.view')}
              options={[
                { value: 'answer', content: t('thought.viewAnswer') },
                { value: 'latent', content: t('thought.viewLatent') },
              ]}
              value={view}
              onChange={setView}
            />
          ) : null}
          <StepView thought={thought} step={shown} view={view} />
          <div className="scrubber">
            <Button icon aria-label={t('thought.back')} disabled={shown === 0} onClick={() => go(shown - 1)}>
              <ChevronLeft size={16} aria-hidden="true" />
            </Button>
            <input
              type="range"
              aria-label={t('thought.scrubber')}
              aria-valuetext={t('thought.stepOf', { step: shown + 1, count: steps.length })}
              min={1}
              max={Math.max(1, steps.length)}
              value={shown + 1}
              disabled={last <= 0}
              onChange={(event) => go(event.target.valueAsNumber - 1)}
            />
            <Button
              icon
              aria-label={t('thought.forward')}
              disabled={shown >= last}
              onClick={() => go(shown + 1)}
            >
              <ChevronRight size={16} aria-hidden="true" />
            </Button>
            <Button
              icon
              aria-label={t(playing ? 'thought.pause' : 'thought.play')}
              disabled={last <= 0}
              onClick={play}
            >
              {playing ? <Pause size={15} aria-hidden="true" /> : <Play size={15} aria-hidden="true" />}
            </Button>
          </div>
        </div>
        <div className="thought__halt">
          <h3>{t('halt.title')}</h3>
          <HaltChart
            probabilities={steps.map(({ haltProbability }) => haltProbability)}
            shown={shown}
            stop={stop}
            threshold={threshold}
            onThreshold={setThreshold}
          />
          <Threshold thought={thought} threshold={threshold} stop={stop} onChange={setThreshold} />
          <h3>{t('halt.latent')}</h3>
          <LatentChart movements={movements(steps)} shown={shown} />
        </div>
      </div>
      <Cost thought={thought} />
    </>
  )
}

type View = 'answer' | 'latent'

const hasBoard = (t: Words, { task, input }: Thought): boolean =>
  readQuestion(t, task, input)?.kind !== 'facts'

function StepView({ thought, step, view }: { thought: Thought; step: number; view: View }) {
  const { t } = useTranslation('playground')
  const { task, input, steps } = thought
  const current = steps[step]
  const question = readQuestion(t, task, input)
  const answer = readAnswer(t, task, current?.answer)
  const before = step === 0 ? null : readAnswer(t, task, steps[step - 1]?.answer)
  if (current === undefined || question === null || answer === null) {
    return (
      <p className="playground__warning" role="alert">
        {t('thought.unreadable')}
      </p>
    )
  }
  const changed = changedCells(answer, before)
  return (
    <>
      <StepBoard
        question={question}
        answer={answer}
        changed={changed}
        heat={view === 'latent' ? heatOf(steps, step) : null}
      />
      <p className="thought__words figures" aria-live="polite">
        <strong>{t('thought.stepIs', { step: step + 1, count: steps.length })}</strong>{' '}
        {stepWords(t, question, answer, before === null ? null : changed.size)}{' '}
        {t('thought.sure', { share: percent(t, current.haltProbability) })}
      </p>
      {answer.kind === 'said' ? null : (
        <p className="legend muted">
          {view === 'latent' ? <span className="legend__moves">{t('thought.legendMoves')}</span> : null}
          <span className="legend__changed">{t('thought.legendChanged')}</span>
          <span className="legend__wrong">{t('thought.legendWrong')}</span>
        </p>
      )}
    </>
  )
}

interface StepBoardProps {
  question: Question
  answer: Answer
  changed: ReadonlySet<number>
  heat: readonly number[] | null
}

function StepBoard({ question, answer, changed, heat }: StepBoardProps) {
  if (question.kind === 'sudoku' && answer.kind === 'cells') {
    const { side, cells } = question
    return <SudokuAnswer side={side} question={cells} answer={answer.cells} changed={changed} heat={heat} />
  }
  if (question.kind === 'maze' && answer.kind === 'path') {
    return <MazeAnswer maze={question} path={answer.path} changed={changed} heat={heat} />
  }
  return answer.kind === 'said' ? <p className="thought__said">{answer.sentence}</p> : null
}

/** `changed` is null for the first answer, which nothing came before. */
function stepWords(t: Words, question: Question, answer: Answer, changed: number | null): string {
  const wrong = faultCount(question, answer)
  const parts = [
    changed === null ? t('thought.first') : t('thought.cellsChanged', { count: changed }),
    wrong === 0 ? t('thought.noneWrong') : t('thought.cellsWrong', { count: wrong }),
  ]
  if (answer.kind === 'said') return changed === null ? t('thought.first') : ''
  return parts.join(' ')
}

function faultCount(question: Question, answer: Answer): number {
  if (question.kind === 'sudoku' && answer.kind === 'cells') {
    return sudokuFaults(question.side, question.cells, answer.cells).size
  }
  if (question.kind === 'maze' && answer.kind === 'path') return faults(question, answer.path).size
  return 0
}

interface ThresholdProps {
  thought: Thought
  threshold: number
  stop: number | null
  onChange: (threshold: number) => void
}

function Threshold({ thought, threshold, stop, onChange }: ThresholdProps) {
  const { t } = useTranslation('playground')
  const sliderId = useId()
  const shown = formatPercent(threshold, { maximumFractionDigits: 0 })
  return (
    <div className="threshold">
      <label htmlFor={sliderId}>
        {t('halt.threshold')} <strong className="figures">{shown}</strong>
      </label>
      <input
        id={sliderId}
        type="range"
        min={0}
        max={100}
        value={Math.round(threshold * 100)}
        aria-valuetext={shown}
        onChange={(event) => onChange(event.target.valueAsNumber / 100)}
      />
      <p className="threshold__words figures" role="status">
        {thresholdWords(t, thought, stop)}
      </p>
    </div>
  )
}

/** What would have been, had the network's own certainty alone decided when to stop. */
export function thresholdWords(t: Words, thought: Thought, stop: number | null): string {
  const { steps, answer, task, flop } = thought
  if (stop === null) return t('halt.never')
  const place = { step: stop + 1, count: steps.length }
  if (stop === steps.length - 1) return t('halt.last', { step: stop + 1 })
  const where = t(sameAnswer(steps[stop]?.answer, answer) ? 'halt.same' : 'halt.other', place)
  const saving = savingOf(thought, stop, { several: asksSeveral(task) && thought.effort !== 'full' })
  if (saving === null) return `${where} ${t('halt.unknown')}`
  const share = formatPercent(Number(saving.flop) / Number(flop), { maximumFractionDigits: 0 })
  const saved = { flop: formatFlop(saving.flop), amount: formatTrm(saving.amountTrm), share }
  return `${where} ${t('halt.saved', saved)}`
}

function Cost({ thought }: { thought: Thought }) {
  const { t } = useTranslation('playground')
  const { steps, verified, councilSteps, cycles, flop, amountTrm, latencyMs, tradeId } = thought
  return (
    <>
      <dl className="thought__stats">
        <Stat label={t('cost.council')}>
          {councilSteps === 0 ? t('cost.notNeeded') : t('cost.steps', { count: councilSteps })}
        </Stat>
        <Stat label={t('cost.calls')}>{groupDigits(cycles)}</Stat>
        <Stat label={t('cost.work')}>{formatFlop(flop)}</Stat>
        <Stat label={t('cost.paid')}>{formatTrm(amountTrm)}</Stat>
        <Stat label={t('cost.time')}>{t('cost.ms', { value: groupDigits(Math.round(latencyMs)) })}</Stat>
        <Stat label={t('cost.trade')}>
          <a href="#trades">
            <code>{shortHex(tradeId)}</code>
          </a>
        </Stat>
      </dl>
      {steps.length > 1 || councilSteps > 0 || verified === null ? null : (
        <p className="muted playground__hint">{t('cost.oneStep')}</p>
      )}
      {councilSteps === 0 ? null : <p className="muted playground__hint">{t('cost.councilNote')}</p>}
    </>
  )
}
