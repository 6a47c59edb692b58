import { Brain, ChevronLeft, ChevronRight, X } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, usePlayground } from '../../stores/context.tsx'
import { Button } from '../../widgets/index.ts'

/** Each stop, and the part of the page that it is about. */
const stops = [
  { name: 'choose', part: 'puzzle' },
  { name: 'think', part: 'puzzle' },
  { name: 'steps', part: 'thought' },
  { name: 'threshold', part: 'thought' },
  { name: 'compare', part: 'compare' },
] as const

/** A walk through the page in five short steps. It says what to do and does nothing by itself. */
export function Tour({ onEnd }: { onEnd: () => void }) {
  const { t } = useTranslation('playground')
  const [at, setAt] = useState(0)
  const thinking = usePlayground((state) => state.thinking)
  const hasThought = usePlayground((state) => state.thought !== null)
  const setEffort = usePlayground((state) => state.setEffort)
  const think = usePlayground((state) => state.think)
  const offline = useConnection(({ phase }) => phase === 'offline')
  const heading = useRef<HTMLHeadingElement>(null)
  const stop = stops[at] ?? stops[0]

  useEffect(() => {
    heading.current?.focus({ preventScroll: true })
    const part = document.getElementById(stop.part)
    part?.classList.add('playground__toured')
    return () => part?.classList.remove('playground__toured')
  }, [stop.part])

  function thinkFully(): void {
    setEffort('full')
    void think()
  }

  return (
    <section className="tour" aria-label={t('tour.label')}>
      <p className="tour__progress figures">{t('tour.progress', { step: at + 1, count: stops.length })}</p>
      <h2 ref={heading} tabIndex={-1}>
        {t(`tour.${stop.name}.title`)}
      </h2>
      <p className="playground__prose">{t(`tour.${stop.name}.text`)}</p>
      <div className="playground__actions">
        {stop.name === 'think' ? (
          <Button look="accent" busy={thinking} disabled={thinking || offline} onClick={thinkFully}>
            {thinking ? null : <Brain size={16} aria-hidden="true" />}
            {t('tour.think.do')}
          </Button>
        ) : null}
        <Button disabled={at === 0} onClick={() => setAt(at - 1)}>
          <ChevronLeft size={16} aria-hidden="true" />
          {t('tour.back')}
        </Button>
        {at + 1 < stops.length ? (
          <Button
            look={stop.name === 'think' ? 'quiet' : 'accent'}
            // What comes after is about a thought.
            disabled={stop.name === 'think' && !hasThought}
            onClick={() => setAt(at + 1)}
          >
            {t('tour.next')}
            <ChevronRight size={16} aria-hidden="true" />
          </Button>
        ) : null}
        <Button onClick={onEnd}>
          <X size={15} aria-hidden="true" />
          {t('tour.end')}
        </Button>
      </div>
    </section>
  )
}
