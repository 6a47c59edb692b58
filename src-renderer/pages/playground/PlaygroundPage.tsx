import { BrainCircuit } from 'lucide-react'
import { useEffect } from 'react'
import { useConnection, usePlayground } from '../../stores/context.tsx'
import { Card, EmptyState, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { ComparePanel } from './ComparePanel.tsx'
import { QuestionPanel } from './QuestionPanel.tsx'
import { ThoughtPanel } from './ThoughtPanel.tsx'
import './playground.css'

export function PlaygroundPage() {
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
        <h1>Playground</h1>
        <p className="muted">Watch the Tiny Recursive Model think.</p>
      </header>
      {tasks === null ? (
        <Card id="puzzle" title="Question">
          <Pending what="the tasks" error={loadError} onRetry={() => void load()} />
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
  if (tasks.length === 0) {
    return (
      <Card id="puzzle" title="Question">
        <EmptyState icon={BrainCircuit} title="This host has no recursive model">
          It comes with the app: install the app again, or run it from a complete checkout.
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
  return (
    <Card id="about-playground" title="What this is">
      <p className="playground__prose">
        A small network, far smaller than a language model, that learned each task by practice on examples. It
        gives an answer, looks at it again and improves it, step by step, and says after each step how sure it
        is of being done. Where rules can check an answer, the host stops at the first right one; elsewhere it
        stops when the network is sure. You are charged for the work that was done, from your own account:
        that is use, not income, and the trade is booked like any other.
      </p>
    </Card>
  )
}
