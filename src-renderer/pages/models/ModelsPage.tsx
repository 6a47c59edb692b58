import { useEffect } from 'react'
import type { ModelsView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useModels } from '../../stores/context.tsx'
import { Card, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { AddPanel } from './AddPanel.tsx'
import { CataloguePanel } from './CataloguePanel.tsx'
import { DownloadsPanel } from './DownloadsPanel.tsx'
import { InstalledPanel } from './InstalledPanel.tsx'
import { RoomPanel } from './RoomPanel.tsx'
import { ServingPanel } from './ServingPanel.tsx'
import { SettingsPanel } from './SettingsPanel.tsx'
import { UpstreamPanel } from './UpstreamPanel.tsx'
import './models.css'

export function ModelsPage() {
  const { t } = useTranslation('models')
  const view = useModels((state) => state.view)
  const loadError = useModels((state) => state.loadError)
  const load = useModels((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (!offline) void load()
  }, [load, offline])

  return (
    <div className="models">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p>{t('intro')}</p>
      </header>
      {view === null ? (
        <Card id="models" title={t('machine')}>
          <Pending what={t('what')} error={loadError} onRetry={() => void load()} />
        </Card>
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <Panels view={view} />
        </>
      )}
    </div>
  )
}

function Panels({ view }: { view: ModelsView }) {
  return (
    <>
      <ServingPanel view={view} />
      <RoomPanel disk={view.disk} />
      <DownloadsPanel downloads={view.downloads} />
      <InstalledPanel installed={view.installed} />
      <AddPanel />
      <CataloguePanel offered={view.offered} downloads={view.downloads} />
      <UpstreamPanel upstream={view.upstream} />
      <SettingsPanel settings={view.settings} />
    </>
  )
}
