import { Brain, ChevronLeft, ChevronRight, CircleCheck, CircleHelp, CircleX, Pause, Play } from 'lucide-react'
import { useEffect, useId, useState } from 'react'
import { formatFlop, formatTrm, groupDigits, plural, shortHex } from '../../format/index.ts'
import { usePlayground } from '../../stores/context.tsx'
import type { Thought } from '../../stores/playground.ts'
import { Badge, Button, Card, EmptyState, Skeleton, Stat } from '../../widgets/index.ts'
import { HaltChart } from './HaltChart.tsx'
import { MazeAnswer } from './MazeBoard.tsx'
import { faults } from './maze.ts'
import { type Answer, asksSeveral, type Question, readAnswer, readQuestion } from './questions.ts'
import { SudokuAnswer, sudokuFaults } from './SudokuBoard.tsx'
import { changedCells, percent, sameAnswer, savingOf, stopAt } from './thought.ts'

const STEP_MS = 800
/** Above this the host takes the network at its word, where no rules can be checked. */
const HOST_THRESHOLD = 0.5

export function ThoughtPanel() {
  const thought = usePlayground((state) => state.thought)
  const thinking = usePlayground((state) => state.thinking)
  const stale = usePlayground(
    (state) => state.thought !== null && !sameAnswer(state.input, state.thought.input),
  )
  return (
    <Card
      id="thought"
      title="Thought"
      aside={thought === null ? null : <Verdict verified={thought.verified} />}
    >
      {thought === null ? (
        thinking ? (
          <Skeleton label="The model is thinking" />
        ) : (
          <EmptyState icon={Brain} title="No thought yet">
            Press Think: every step of the answer appears here, with how sure the network was.
          </EmptyState>
        )
      ) : (
        <>
          {stale ? (
            <p className="playground__warning" role="status">
              You have changed the question since. This thought is about the one before.
            </p>
          ) : null}
          <ThoughtBody key={thought.tradeId} thought={thought} />
        </>
      )}
    </Card>
  )
}

function Verdict({ verified }: { verified: boolean | null }) {
  if (verified === null) {
    return (
      <Badge>
        <CircleHelp size={13} aria-hidden="true" /> Cannot be checked by rules
      </Badge>
    )
  }
  return verified ? (
    <Badge tone="earning">
      <CircleCheck size={13} aria-hidden="true" /> Verified by the rules
    </Badge>
  ) : (
    <Badge tone="bad">
      <CircleX size={13} aria-hidden="true" /> Not a right answer
    </Badge>
  )
}

function prefersStillness(): boolean {
  return typeof matchMedia === 'function' && matchMedia('(prefers-reduced-motion: reduce)').matches
}

function ThoughtBody({ thought }: { thought: Thought }) {
  const { steps } = thought
  const last = steps.length - 1
  const [still] = useState(prefersStillness)
  const [shown, setShown] = useState(still ? last : 0)
  const [playing, setPlaying] = useState(!still && last > 0)
  const [threshold, setThreshold] = useState(HOST_THRESHOLD)
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
          <StepView thought={thought} step={shown} />
          <div className="scrubber">
            <Button icon aria-label="Step back" disabled={shown === 0} onClick={() => go(shown - 1)}>
              <ChevronLeft size={16} aria-hidden="true" />
            </Button>
            <input
              type="range"
              aria-label="Step of the thought"
              aria-valuetext={`Step ${shown + 1} of ${steps.length}`}
              min={1}
              max={Math.max(1, steps.length)}
              value={shown + 1}
              disabled={last <= 0}
              onChange={(event) => go(event.target.valueAsNumber - 1)}
            />
            <Button icon aria-label="Step forward" disabled={shown >= last} onClick={() => go(shown + 1)}>
              <ChevronRight size={16} aria-hidden="true" />
            </Button>
            <Button
              icon
              aria-label={playing ? 'Pause the steps' : 'Play the steps'}
              disabled={last <= 0}
              onClick={play}
            >
              {playing ? <Pause size={15} aria-hidden="true" /> : <Play size={15} aria-hidden="true" />}
            </Button>
          </div>
        </div>
        <div className="thought__halt">
          <h3>How sure it was of being done</h3>
          <HaltChart
            probabilities={steps.map(({ haltProbability }) => haltProbability)}
            shown={shown}
            stop={stop}
            threshold={threshold}
            onThreshold={setThreshold}
          />
          <Threshold thought={thought} threshold={threshold} stop={stop} onChange={setThreshold} />
        </div>
      </div>
      <Cost thought={thought} />
    </>
  )
}

function StepView({ thought, step }: { thought: Thought; step: number }) {
  const { task, input, steps } = thought
  const current = steps[step]
  const question = readQuestion(task, input)
  const answer = readAnswer(task, current?.answer)
  const before = step === 0 ? null : readAnswer(task, steps[step - 1]?.answer)
  if (current === undefined || question === null || answer === null) {
    return (
      <p className="playground__warning" role="alert">
        This window cannot show the answer of this step.
      </p>
    )
  }
  const changed = changedCells(answer, before)
  return (
    <>
      <StepBoard question={question} answer={answer} changed={changed} />
      <p className="thought__words figures" aria-live="polite">
        <strong>
          Step {step + 1} of {steps.length}
        </strong>{' '}
        {stepWords(question, answer, before === null ? null : changed.size)} Sure:{' '}
        {percent(current.haltProbability)}.
      </p>
      {answer.kind === 'said' ? null : (
        <p className="legend muted">
          <span className="legend__changed">changed in this step</span>
          <span className="legend__wrong">breaks a rule</span>
        </p>
      )}
    </>
  )
}

interface StepBoardProps {
  question: Question
  answer: Answer
  changed: ReadonlySet<number>
}

function StepBoard({ question, answer, changed }: StepBoardProps) {
  if (question.kind === 'sudoku' && answer.kind === 'cells') {
    const { side, cells } = question
    return <SudokuAnswer side={side} question={cells} answer={answer.cells} changed={changed} />
  }
  if (question.kind === 'maze' && answer.kind === 'path') {
    return <MazeAnswer maze={question} path={answer.path} changed={changed} />
  }
  return answer.kind === 'said' ? <p className="thought__said">{answer.sentence}</p> : null
}

/** `changed` is null for the first answer, which nothing came before. */
function stepWords(question: Question, answer: Answer, changed: number | null): string {
  const wrong = faultCount(question, answer)
  const parts = [
    changed === null ? 'The first answer.' : `${plural(changed, 'cell')} changed.`,
    wrong === 0
      ? 'No cell breaks a rule.'
      : `${plural(wrong, 'cell')} ${wrong === 1 ? 'breaks' : 'break'} a rule.`,
  ]
  if (answer.kind === 'said') return changed === null ? 'The first answer.' : ''
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
  const sliderId = useId()
  return (
    <div className="threshold">
      <label htmlFor={sliderId}>
        Halting threshold <strong className="figures">{Math.round(threshold * 100)} %</strong>
      </label>
      <input
        id={sliderId}
        type="range"
        min={0}
        max={100}
        value={Math.round(threshold * 100)}
        aria-valuetext={`${Math.round(threshold * 100)} %`}
        onChange={(event) => onChange(event.target.valueAsNumber / 100)}
      />
      <p className="threshold__words figures" role="status">
        {thresholdWords(thought, stop)}
      </p>
    </div>
  )
}

/** What would have been, had the network's own certainty alone decided when to stop. */
export function thresholdWords(thought: Thought, stop: number | null): string {
  const { steps, answer, task } = thought
  if (stop === null) return 'By itself it would not have stopped in these steps.'
  const same = sameAnswer(steps[stop]?.answer, answer)
  const verdict = same ? 'with the same answer as the final one' : 'with another answer than the final one'
  if (stop === steps.length - 1)
    return `By itself it would have stopped at step ${stop + 1}, the last: nothing saved.`
  const saving = savingOf(thought, stop, { several: asksSeveral(task) })
  const saved =
    saving === null
      ? 'What that would have saved is not known: more was computed than these steps.'
      : `It would have saved ${formatFlop(saving.flop)}, ${formatTrm(saving.amountTrm)}.`
  return `By itself it would have stopped at step ${stop + 1} of ${steps.length}, ${verdict}. ${saved}`
}

function Cost({ thought }: { thought: Thought }) {
  const { steps, verified, councilSteps, cycles, flop, amountTrm, latencyMs, tradeId } = thought
  return (
    <>
      <dl className="thought__stats">
        <Stat label="Council">{councilSteps === 0 ? 'not needed' : plural(councilSteps, 'step')}</Stat>
        <Stat label="Network calls">{groupDigits(cycles)}</Stat>
        <Stat label="Work">{formatFlop(flop)}</Stat>
        <Stat label="You paid">{formatTrm(amountTrm)}</Stat>
        <Stat label="Time on the host">{groupDigits(Math.round(latencyMs))} ms</Stat>
        <Stat label="Trade, on Home">
          <a href="#trades">
            <code>{shortHex(tradeId)}</code>
          </a>
        </Stat>
      </dl>
      {steps.length > 1 || councilSteps > 0 || verified === null ? null : (
        <p className="muted playground__hint">
          One step was enough. A harder question may take more: clear digits, or move walls and ends.
        </p>
      )}
      {councilSteps === 0 ? null : (
        <p className="muted playground__hint">
          Its first try did not suffice, so several noisy ones ran side by side. The steps shown are those of
          the one that was chosen.
        </p>
      )}
    </>
  )
}
