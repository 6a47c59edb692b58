import { useEffect } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useSafety, useSentinel, useStatus } from '../../stores/context.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { AccountsPanel } from './AccountsPanel.tsx'
import { HistoryPanel } from './HistoryPanel.tsx'
import { QuestionsPanel } from './QuestionsPanel.tsx'
import { SentinelPanel } from './SentinelPanel.tsx'
import { SwitchPanel } from './SwitchPanel.tsx'
import './safety.css'

export function SafetyPage() {
  const { t } = useTranslation('safety')
  useFreshViews()
  return (
    <div className="safety-page">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p className="muted">{t('lead')}</p>
      </header>
      <SentinelPanel />
      <SwitchPanel />
      <QuestionsPanel />
      <AccountsPanel />
      <HistoryPanel />
    </div>
  )
}

/** Read when the page opens, now and then, and whenever the host says that something has changed. */
function useFreshViews(): void {
  const offline = useConnection((state) => state.phase === 'offline')
  const status = useStatus((state) => state.status)
  const loadSentinel = useSentinel((state) => state.load)
  const loadSafety = useSafety((state) => state.load)
  const refreshSentinel = useSentinel((state) => state.refresh)
  const refreshSafety = useSafety((state) => state.refresh)

  useEffect(() => {
    if (offline) return
    return readNowAndThen(() => {
      void loadSentinel()
      void loadSafety()
    }, document)
  }, [offline, loadSentinel, loadSafety])

  useEffect(() => {
    if (status === null) return
    refreshSentinel()
    refreshSafety()
  }, [status, refreshSentinel, refreshSafety])
}
