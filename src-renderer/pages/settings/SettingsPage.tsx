import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import {
  useApp,
  useConnection,
  useEarningPolicy,
  useOwner,
  useSettings,
  useStatus,
} from '../../stores/context.tsx'
import { Tabs } from '../../widgets/index.ts'
import { readNowAndThen } from '../read-now-and-then.ts'
import { AppPanel } from './AppPanel.tsx'
import { BackupPanel } from './BackupPanel.tsx'
import { FieldsPanel } from './FieldsPanel.tsx'
import { FilePanel } from './FilePanel.tsx'
import { GpusPanel } from './GpusPanel.tsx'
import { HoursPanel } from './HoursPanel.tsx'
import { LookPanel } from './LookPanel.tsx'
import { StoragePanel } from './MachinePanels.tsx'
import { NetworkPanel } from './NetworkPanel.tsx'
import './settings.css'

const tabNames = ['hours', 'money', 'app', 'machine', 'backup', 'file'] as const
type TabName = (typeof tabNames)[number]

const contents: Record<TabName, () => ReactNode> = {
  hours: () => (
    <>
      <HoursPanel />
      <FieldsPanel id="idle" />
      <FieldsPanel id="conditions" />
      <FieldsPanel id="caps" />
      <GpusPanel />
    </>
  ),
  money: () => (
    <>
      <FieldsPanel id="prices" />
      <FieldsPanel id="limits" />
      <FieldsPanel id="depth" />
    </>
  ),
  app: () => (
    <>
      <LookPanel />
      <AppPanel />
    </>
  ),
  machine: () => (
    <>
      <StoragePanel />
      <NetworkPanel />
    </>
  ),
  backup: () => <BackupPanel />,
  file: () => <FilePanel />,
}

export function SettingsPage() {
  const { t } = useTranslation('settings')
  const [tab, setTab] = useState<TabName>('hours')
  useFreshViews()
  return (
    <div className="settings-page">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p className="muted">{t('lead')}</p>
      </header>
      <Tabs
        label={t('title')}
        tabs={tabNames.map((id) => ({
          id,
          name: t(`tabs.${id}`),
          content: <div className="settings__panels">{contents[id]()}</div>,
        }))}
        selected={tab}
        onSelect={setTab}
      />
    </div>
  )
}

/** The owner's file may be changed in an editor, the schedule turns by itself: read now and then. */
function useFreshViews(): void {
  const offline = useConnection((state) => state.phase === 'offline')
  const status = useStatus((state) => state.status)
  const loadOwner = useOwner((state) => state.load)
  const loadPolicy = useEarningPolicy((state) => state.load)
  const loadSettings = useSettings((state) => state.load)
  const loadApp = useApp((state) => state.load)
  const refreshOwner = useOwner((state) => state.refresh)
  const refreshPolicy = useEarningPolicy((state) => state.refresh)

  useEffect(() => {
    if (offline) return
    return readNowAndThen(() => {
      for (const load of [loadOwner, loadPolicy, loadSettings, loadApp]) void load()
    }, document)
  }, [offline, loadOwner, loadPolicy, loadSettings, loadApp])

  useEffect(() => {
    if (status === null) return
    refreshOwner()
    refreshPolicy()
  }, [status, refreshOwner, refreshPolicy])
}
