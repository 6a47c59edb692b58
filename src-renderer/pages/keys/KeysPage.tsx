import { useEffect } from 'react'
import { useConnection, useKeys } from '../../stores/context.tsx'
import { Card, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { IssuePanel } from './IssuePanel.tsx'
import { KeysPanel } from './KeysPanel.tsx'
import { UsePanel } from './UsePanel.tsx'
import './keys.css'

export function KeysPage() {
  const view = useKeys((state) => state.view)
  const loadError = useKeys((state) => state.loadError)
  const load = useKeys((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (!offline) return readNowAndThen(() => void load(), document)
  }, [load, offline])

  return (
    <div className="keys">
      <header className="keys__head">
        <h1>Keys</h1>
        <p className="muted">
          For your guests: whoever has a key has an account here, limits and a credit of his own. What a key
          pays in TRM is an account of compute, not money.
        </p>
      </header>
      <IssuePanel />
      {view === null ? (
        <Card id="keys" title="Keys that you gave">
          <Pending what="the keys" error={loadError} onRetry={() => void load()} />
        </Card>
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <KeysPanel keys={view.keys} />
        </>
      )}
      <UsePanel />
    </div>
  )
}
