import { useEffect, useState } from 'react'
import type { MeshPeer, MeshView, SettingsView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useMesh, useSettings } from '../../stores/context.tsx'
import { ErrorState, Switch } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { useSubject } from '../use-subject.ts'
import { AuditsPanel } from './AuditsPanel.tsx'
import { DealsPanel } from './DealsPanel.tsx'
import { HeardPanel } from './HeardPanel.tsx'
import { HostDialog, HostsPanel } from './HostsPanel.tsx'
import { LoansPanel } from './LoansPanel.tsx'
import { MapPanel } from './MapPanel.tsx'
import './market.css'
import { OffersPanel } from './OffersPanel.tsx'
import { OffPanel } from './OffPanel.tsx'
import { RulesPanel } from './RulesPanel.tsx'
import { SetupPanel } from './SetupPanel.tsx'
import { StandingPanel } from './StandingPanel.tsx'
import { TroublePanel } from './TroublePanel.tsx'

export function MarketPage() {
  const { t } = useTranslation('market')
  const { view, loadError, load } = useMesh((state) => state)
  const network = useSettings((state) => state.view?.network)
  const loadSettings = useSettings((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (offline) return
    return readNowAndThen(() => {
      void load()
      void loadSettings()
    }, document)
  }, [offline, load, loadSettings])

  return (
    <div className="market">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p className="muted">{t('lead')}</p>
      </header>
      {view === null || network === undefined ? (
        <Pending what={t('what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <PartSwitch mesh={network.mesh} />
          <Parts view={view} mesh={network.mesh} />
        </>
      )}
    </div>
  )
}

function Parts({ view, mesh }: { view: MeshView; mesh: SettingsView['network']['mesh'] }) {
  const [opened, setOpened] = useState<MeshPeer | null>(null)
  if (!view.enabled) {
    return (
      <>
        <OffPanel />
        <SetupPanel mesh={mesh} />
        {view.trades.length === 0 ? null : (
          <>
            <DealsPanel view={view} />
            <LoansPanel />
          </>
        )}
      </>
    )
  }
  return (
    <>
      <MapPanel view={view} onOpen={setOpened} />
      <OffersPanel view={view} onOpen={setOpened} />
      <HostsPanel view={view} onOpen={setOpened} />
      <div className="market__pair">
        <StandingPanel view={view} />
        <RulesPanel view={view} />
      </div>
      <DealsPanel view={view} />
      <LoansPanel />
      <AuditsPanel />
      <TroublePanel view={view} />
      <HeardPanel view={view} />
      <SetupPanel mesh={mesh} />
      {opened === null ? null : <HostDialog peer={opened} onClose={() => setOpened(null)} />}
    </>
  )
}

/** Takes effect at once. */
function PartSwitch({ mesh }: { mesh: SettingsView['network']['mesh'] }) {
  const { t } = useTranslation('market')
  const { blocked, running, error, run } = useSubject(useSettings, 'mesh-switch')
  const { setup, fixed, on, problem } = mesh
  return (
    <div className="market__switch">
      <Switch
        label={t('switch.label')}
        hint={t(
          fixed ? 'switch.fixed' : running !== null ? 'switch.changing' : on ? 'switch.on' : 'switch.off',
        )}
        on={on}
        disabled={blocked || fixed}
        onChange={(enabled) => void run('settings.setMesh', { ...setup, enabled })}
      />
      {problem === null || on ? null : <ErrorState error={problem} />}
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}
