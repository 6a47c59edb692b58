import { BrainCircuit, Route } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, usePlayground } from '../../stores/context.tsx'
import { Button, Card, EmptyState, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { ComparePanel } from './ComparePanel.tsx'
import { QuestionPanel } from './QuestionPanel.tsx'
import { ThoughtPanel } from './ThoughtPanel.tsx'
import { Tour } from './Tour.tsx'
import './playground.css'

export function PlaygroundPage() {
  const { t } = useTranslation('playground')
  const [touring, setTouring] = useState(false)
  const tasks = usePlayground((state) => state.tasks)
  const loadError = usePlayground((state) => state.loadError)
  const load = usePlayground((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (!offline) void load()
  }, [load, offline])

  return (
    <div className="playground">
      <header className="playground__head">
        <div>
          <h1>{t('title')}</h1>
          <p className="muted">{t('lead')}</p>
        </div>
        {touring || tasks === null || tasks.length === 0 ? null : (
          <Button onClick={() => setTouring(true)}>
            <Route size={15} aria-hidden="true" />
            {t('takeTour')}
          </Button>
        )}
      </header>
      {touring ? <Tour onEnd={() => setTouring(false)} /> : null}
      {tasks === null ? (
        <Card id="puzzle" title={t('question')}>
          <Pending what={t('theTasks')} error={loadError} onRetry={() => void load()} />
        </Card>
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <Panels tasks={tasks} />
        </>
      )}
      <About />
    </div>
  )
}

function Panels({ tasks }: { tasks: readonly string[] }) {
  const { t } = useTranslation('playground')
  if (tasks.length === 0) {
    return (
      <Card id="puzzle" title={t('question')}>
        <EmptyState icon={BrainCircuit} title={t('noModel.title')}>
          {t('noModel.text')}
        </EmptyState>
      </Card>
    )
  }
  return (
    <>
      <QuestionPanel tasks={tasks} />
      <ThoughtPanel />
      <ComparePanel />
    </>
  )
}

function About() {
  const { t } = useTranslation('playground')
  return (
    <Card id="about-playground" title={t('about.title')}>
      <p className="playground__prose">{t('about.text')}</p>
    </Card>
  )
}
