import { useEffect } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useDepth, useTradeLog } from '../../stores/context.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { DepthPanel } from './DepthPanel.tsx'
import { TelemetryPanel } from './TelemetryPanel.tsx'
import { TradeLogPanel } from './TradeLogPanel.tsx'
import './activity.css'

export function ActivityPage() {
  const { t } = useTranslation('activity')
  const offline = useConnection((state) => state.phase === 'offline')
  const loadDepth = useDepth((state) => state.load)
  const loadTrades = useTradeLog((state) => state.load)

  useEffect(() => {
    if (offline) return
    return readNowAndThen(() => {
      void loadDepth()
      void loadTrades()
    }, document)
  }, [offline, loadDepth, loadTrades])

  return (
    <div className="activity">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p className="muted">{t('lead')}</p>
      </header>
      <DepthPanel />
      <TradeLogPanel />
      <TelemetryPanel />
    </div>
  )
}
