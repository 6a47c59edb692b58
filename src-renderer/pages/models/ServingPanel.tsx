import { FlaskConical } from 'lucide-react'
import type { HostStatus, InstalledModel, ModelsView } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatMemory, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useModels, useStatus } from '../../stores/context.tsx'
import { describeHost } from '../../stores/host-state.ts'
import {
  Badge,
  Button,
  Card,
  EmptyState,
  ErrorState,
  OptionalNumber,
  Spinner,
  Stat,
} from '../../widgets/index.ts'
import { computesOn, engineState } from '../engine-words.ts'
import { Pending } from '../Pending.tsx'
import { isLoadingModel, useCommand } from './command.ts'

/** What the engine holds, or will hold. */
export function ServingPanel({ view }: { view: ModelsView }) {
  const { t } = useTranslation('models')
  const { status, loadError, load } = useStatus((state) => state)
  return (
    <Card
      id="serving"
      title={t('serving.title')}
      aside={
        <Button onClick={() => document.getElementById('installed')?.focus()}>{t('serving.another')}</Button>
      }
    >
      {status === null ? (
        <Pending what={t('serving.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <Serving status={status} chosen={view.installed.find(({ chosen }) => chosen) ?? null} />
      )}
      <IdleUnload minutes={view.settings.idleUnloadMinutes} />
    </Card>
  )
}

function Serving({ status, chosen }: { status: HostStatus; chosen: InstalledModel | null }) {
  const { t } = useTranslation('models')
  const { model, engine } = status
  const loading = useModels(isLoadingModel)
  const offline = useConnection(({ phase }) => phase === 'offline')
  const { tone, label } = engineState(engine.state)
  if (model === null && chosen === null) {
    return (
      <EmptyState icon={FlaskConical} title={t('serving.none.title')}>
        {t('serving.none.text')}
      </EmptyState>
    )
  }
  return (
    <div className="serving">
      <div className="serving__name">
        <h3>{model?.name ?? chosen?.name}</h3>
        {offline ? null : <Badge tone={tone}>{label}</Badge>}
        {model?.demonstration ? (
          <Badge tone="warn">
            <FlaskConical size={12} aria-hidden="true" />
            {t('serving.demonstration')}
          </Badge>
        ) : null}
      </div>
      <div role="status" className="serving__state">
        {loading ? (
          <p className="serving__loading">
            <Spinner /> {t('serving.loading')}
          </p>
        ) : (
          <p className="muted">
            {offline
              ? t('serving.offline')
              : unloaded(status)
                ? t('serving.unloaded')
                : describeHost('online', { status, loadError: null }).reason}
          </p>
        )}
      </div>
      {engine.error === null ? null : <ErrorState error={engine.error} />}
      <dl className="stats figures">
        <Stat label={t('serving.context')}>
          {model === null
            ? t('serving.notKnownYet')
            : t('serving.tokens', { count: groupDigits(model.contextTokens) })}
        </Stat>
        <Stat label={t('serving.memory')}>
          {chosen?.fit.needBytes == null ? t('serving.notKnown') : formatMemory(chosen.fit.needBytes)}
        </Stat>
        <Stat label={t('serving.computesOn')}>{computesOn(engine)}</Stat>
        <Stat label={t('serving.slots')}>{engine.slots ?? '–'}</Stat>
        {model === null ? null : <Stat label={t('serving.file')}>{formatBytes(model.sizeBytes)}</Stat>}
      </dl>
    </div>
  )
}

const unloaded = ({ state, engine }: HostStatus): boolean =>
  state === 'serving' && engine.state === 'unloaded'

function IdleUnload({ minutes }: { minutes: number | null }) {
  const { t } = useTranslation('models')
  const { running, error, offline, run } = useCommand('setting idle-unload')
  return (
    <OptionalNumber
      label={t('idle.label')}
      hint={t('idle.hint')}
      none={t('idle.none')}
      some={t('idle.some')}
      unit={t('idle.unit')}
      min={1}
      max={1440}
      step={1}
      proposal={15}
      value={minutes}
      busy={running !== null}
      disabled={offline}
      error={error}
      onSave={(idleUnloadMinutes) => void run('models.configure', { idleUnloadMinutes })}
    />
  )
}
