import { Check, Download as DownloadIcon } from 'lucide-react'
import { useEffect } from 'react'
import type { Download, ModelsView, OfferedModel } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatDuration, formatLicense, formatPercent } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useModels } from '../../stores/context.tsx'
import { Badge, Button, ErrorState, Share } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { suggestions } from './suggestions.ts'

export function ModelStep() {
  const { t } = useTranslation('first-run')
  const { view, loadError, load } = useModels((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  useEffect(() => {
    if (!offline) return readNowAndThen(() => void load(), document)
  }, [load, offline])
  if (view === null) return <Pending what={t('model.what')} error={loadError} onRetry={() => void load()} />
  return (
    <>
      <ul className="guide__models">
        {view.installed
          .filter(({ error }) => error === null)
          .map((model) => (
            <li key={model.id} className="guide__model" data-chosen={model.chosen}>
              <div className="guide__model-name">
                <strong>{model.name}</strong>
                <span className="muted guide__note">
                  {model.embedded ? t('model.embedded') : formatBytes(model.sizeBytes)}
                </span>
              </div>
              {model.chosen ? (
                <Badge tone="earning">
                  <Check size={13} aria-hidden="true" /> {t('model.chosen')}
                </Badge>
              ) : (
                <Load id={model.id} name={model.name} />
              )}
              <CommandError subject={model.id} />
            </li>
          ))}
        {suggestions(view).map((offer) => (
          <Offer key={offer.id} offer={offer} view={view} />
        ))}
      </ul>
      <p className="muted guide__note">{t('model.more')}</p>
    </>
  )
}

function Load({ id, name }: { id: string; name: string }) {
  const { t } = useTranslation('first-run')
  const running = useModels(({ commands }) => commands[id]?.phase === 'running')
  const command = useModels((state) => state.command)
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <Button
      busy={running}
      disabled={running || offline}
      aria-label={t('model.useOf', { name })}
      onClick={() => void command(id, 'models.load', { id })}
    >
      {t('model.use')}
    </Button>
  )
}

function CommandError({ subject }: { subject: string }) {
  const state = useModels(({ commands }) => commands[subject])
  return state?.phase === 'failed' ? <ErrorState error={state.error} /> : null
}

function Offer({ offer, view }: { offer: OfferedModel; view: ModelsView }) {
  const { t } = useTranslation('first-run')
  const { id, name, quantisation, sizeBytes, license, fit } = offer
  const download = view.downloads.find(({ modelId }) => modelId === id)
  const running = useModels(({ commands }) => commands[id]?.phase === 'running')
  const command = useModels((state) => state.command)
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <li className="guide__model">
      <div className="guide__model-name">
        <strong>{name}</strong> <span className="muted">{quantisation}</span>
        <span className="muted guide__note">
          {sizeBytes === null ? t('model.sizeUnknown') : formatBytes(sizeBytes)} · {formatLicense(license)} ·{' '}
          {t(`model.fit.${fit.verdict}`)}
        </span>
      </div>
      {download === undefined ? (
        <Button
          busy={running}
          disabled={running || offline}
          aria-label={t('model.downloadOf', { name: `${name} ${quantisation}` })}
          onClick={() => void command(id, 'models.add', { source: id })}
        >
          {running ? null : <DownloadIcon size={15} aria-hidden="true" />}
          {t('model.download')}
        </Button>
      ) : null}
      {download === undefined ? null : <Progress download={download} />}
      <CommandError subject={id} />
    </li>
  )
}

function Progress({ download }: { download: Download }) {
  const { t } = useTranslation('first-run')
  const { id, state, sizeBytes, doneBytes, bytesPerSecond, secondsLeft, error } = download
  const command = useModels((models) => models.command)
  const stopped = state === 'paused' || state === 'failed' || state === 'quarantined'
  const share = sizeBytes === null || sizeBytes === 0 ? 0 : doneBytes / sizeBytes
  return (
    <div className="guide__progress">
      <Share of={share} total={1} />
      <p className="figures" role="status">
        {t(`model.state.${state}`)}{' '}
        {sizeBytes === null ? formatBytes(doneBytes) : formatPercent(share, { maximumFractionDigits: 0 })}
        {state === 'running' && bytesPerSecond !== null
          ? ` · ${formatBytes(Math.round(bytesPerSecond))}/s`
          : ''}
        {state === 'running' && secondsLeft !== null
          ? ` · ${t('model.left', { time: formatDuration(Math.ceil(secondsLeft) * 1_000) })}`
          : ''}
      </p>
      {stopped ? (
        <Button onClick={() => void command(id, 'downloads.resume', { id })}>{t('model.goOn')}</Button>
      ) : (
        <Button onClick={() => void command(id, 'downloads.cancel', { id })}>{t('model.cancel')}</Button>
      )}
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}
