import { formatBytes, formatDate } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useOwner, useSettings } from '../../stores/context.tsx'
import { Card, CopyField, Notice, Stat } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { Fields } from './FieldsPanel.tsx'
import { fieldsOf } from './fields.ts'

export function StoragePanel() {
  const { t } = useTranslation('settings')
  const { view, loadError, load } = useSettings((state) => state)
  const fields = useOwner((state) => state.view?.fields)
  const storage = view?.storage
  return (
    <Card id="storage" title={t('storage.title')}>
      {storage === undefined ? (
        <Pending what={t('storage.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          <dl className="copy-list">
            <CopyField name={t('storage.directory')} what={t('storage.path')} value={storage.dataDirectory} />
          </dl>
          <dl className="stats">
            <Stat label={t('storage.models')}>{formatBytes(storage.modelBytes)}</Stat>
            <Stat label={t('storage.journal')}>{formatBytes(storage.journalBytes)}</Stat>
            <Stat label={t('storage.telemetry')}>
              {formatBytes(storage.telemetryBytes)}
              {storage.telemetrySinceMs === null ? null : (
                <span className="stat__note">
                  {t('storage.since', { date: formatDate(storage.telemetrySinceMs) })}
                </span>
              )}
            </Stat>
            <Stat label={t('storage.free')}>{formatBytes(storage.freeBytes)}</Stat>
          </dl>
          {storage.telemetryLost === 0 ? null : (
            <Notice title={t('storage.lost', { count: storage.telemetryLost })}>
              {t('storage.lostText')}
            </Notice>
          )}
          <p className="muted hint">
            {t('storage.keeps')} <a href="#/models">{t('storage.toModels')}</a>
          </p>
          {fields === undefined ? null : <Fields fields={fieldsOf('storage', fields)} />}
        </>
      )}
    </Card>
  )
}
