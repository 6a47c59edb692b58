import { ArrowLeft, ArrowRight } from 'lucide-react'
import { type ReactNode, useEffect, useRef } from 'react'
import type { GuideStep } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useSettings } from '../../stores/context.tsx'
import { Button, ErrorState } from '../../widgets/index.ts'
import { readNowAndThen } from '../read-now-and-then.ts'
import { useSubject } from '../use-subject.ts'
import { EarnStep } from './EarnStep.tsx'
import { HoursStep } from './HoursStep.tsx'
import { MachineStep } from './MachineStep.tsx'
import { ModelStep } from './ModelStep.tsx'
import './first-run.css'

const steps: readonly GuideStep[] = ['machine', 'model', 'hours', 'earn']

const contents: Record<GuideStep, () => ReactNode> = {
  machine: () => <MachineStep />,
  model: () => <ModelStep />,
  hours: () => <HoursStep />,
  earn: () => <EarnStep />,
}

/** Detect, choose a model, choose hours, earn. The host keeps how far the owner has come. */
export function FirstRunPage() {
  const { t } = useTranslation('first-run')
  const step = useSettings((state) => state.view?.guide.step ?? 'machine')
  const { blocked, error, run } = useSubject(useSettings, 'guide')
  const load = useSettings((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')
  const heading = useRef<HTMLHeadingElement>(null)
  const shown = useRef(step)
  const index = steps.indexOf(step)
  const [before, after] = [steps[index - 1], steps[index + 1]]

  useEffect(() => {
    if (!offline) return readNowAndThen(() => void load(), document)
  }, [load, offline])

  // The next step takes the keyboard along.
  useEffect(() => {
    if (shown.current === step) return
    shown.current = step
    heading.current?.focus()
  }, [step])

  const goTo = (next: GuideStep) => void run('settings.guide', { state: 'open', step: next })
  const end = (state: 'done' | 'skipped') => {
    location.hash = '#/'
    void run('settings.guide', { state, step })
  }
  return (
    <div className="guide">
      <header className="guide__head">
        <ol className="guide__steps" aria-label={t('steps')}>
          {steps.map((name, at) => (
            <li
              key={name}
              className="guide__step"
              data-state={at < index ? 'past' : at === index ? 'now' : 'ahead'}
              aria-current={at === index ? 'step' : undefined}
            >
              <span className="guide__number" aria-hidden="true">
                {at + 1}
              </span>
              {t(`${name}.name`)}
            </li>
          ))}
        </ol>
        <Button look="bare" className="guide__skip" disabled={blocked} onClick={() => end('skipped')}>
          {t('skip')}
        </Button>
      </header>
      <section className="guide__card" aria-labelledby="guide-title">
        <h1 id="guide-title" ref={heading} tabIndex={-1}>
          {t(`${step}.title`)}
        </h1>
        <p className="muted guide__lead">{t(`${step}.lead`)}</p>
        {contents[step]()}
        {error === null ? null : <ErrorState error={error} />}
      </section>
      <footer className="guide__foot">
        {before === undefined ? (
          <span />
        ) : (
          <Button disabled={blocked} onClick={() => goTo(before)}>
            <ArrowLeft size={15} aria-hidden="true" />
            {t('back')}
          </Button>
        )}
        {after === undefined ? (
          <Button look="accent" disabled={blocked} onClick={() => end('done')}>
            {t('finish')}
          </Button>
        ) : (
          <Button look="accent" disabled={blocked} onClick={() => goTo(after)}>
            {t('next')}
            <ArrowRight size={15} aria-hidden="true" />
          </Button>
        )}
      </footer>
    </div>
  )
}
