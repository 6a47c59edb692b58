import { useEffect } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useKeys } from '../../stores/context.tsx'
import { Card, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { IssuePanel } from './IssuePanel.tsx'
import { KeysPanel } from './KeysPanel.tsx'
import { UsePanel } from './UsePanel.tsx'
import './keys.css'

export function KeysPage() {
  const { t } = useTranslation('keys')
  const view = useKeys((state) => state.view)
  const loadError = useKeys((state) => state.loadError)
  const load = useKeys((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (!offline) return readNowAndThen(() => void load(), document)
  }, [load, offline])

  return (
    <div className="keys">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p>{t('intro')}</p>
      </header>
      <IssuePanel />
      {view === null ? (
        <Card id="keys" title={t('list')}>
          <Pending what={t('what')} error={loadError} onRetry={() => void load()} />
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
