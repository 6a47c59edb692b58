import { CircleAlert, Pause, Play, RotateCw, X } from 'lucide-react'
import type { Download } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatDuration, formatPercent } from '../../format/index.ts'
import { errorWords, i18n, useTranslation } from '../../i18n/index.ts'
import { Button, Card, ErrorState, QuestionBar, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useCommand } from './command.ts'
import { hashWords } from './words.ts'

export function DownloadsPanel({ downloads }: { downloads: Download[] }) {
  const { t } = useTranslation('models')
  return (
    <Card id="downloads" title={t('downloads.title')}>
      {downloads.length === 0 ? (
        <p className="muted">{t('downloads.none')}</p>
      ) : (
        <ul className="rows">
          {downloads.map((download) => (
            <DownloadRow key={download.id} download={download} />
          ))}
        </ul>
      )}
    </Card>
  )
}

function DownloadRow({ download }: { download: Download }) {
  const { t } = useTranslation('models')
  const { id, modelId, state, error, doneBytes } = download
  const { running, error: refused, offline, run } = useCommand(`download ${id}`)
  const cancelling = useQuestion()
  const busy = running !== null
  const byId = { id }
  const cancel = () => void run('downloads.cancel', byId).then((done) => done && focusIfLost('downloads'))
  return (
    <li
      className="row row--download"
      data-state={offline ? undefined : state}
      aria-label={t('downloads.of', { model: modelId })}
    >
      <div className="row__name">
        <h3>{modelId}</h3>
        {download.source === modelId ? null : <code className="row__id muted">{download.source}</code>}
      </div>
      <p className="download__state" role="status">
        {offline ? t('downloads.lastHeard', { state: stateWords(download) }) : stateWords(download)}
      </p>
      <div className="row__actions">
        <Switch state={state} busy={busy} disabled={offline || busy} run={(name) => void run(name, byId)} />
        <Button
          ref={cancelling.trigger}
          disabled={offline || busy}
          aria-expanded={cancelling.open}
          onClick={doneBytes === 0 ? cancel : cancelling.ask}
        >
          <X size={15} aria-hidden="true" />
          {t('downloads.cancel')}
        </Button>
      </div>
      <Progress download={download} offline={offline} />
      {error === null ? null : (
        <p className="download__why">
          <CircleAlert size={15} aria-hidden="true" />
          <span>
            <strong>{errorWords(error).message}</strong> {errorWords(error).nextStep}
          </span>
        </p>
      )}
      {refused === null ? null : <ErrorState error={refused} />}
      {cancelling.open ? (
        <QuestionBar
          question={cancelling}
          yes={t('downloads.cancelAndDelete')}
          no={t('downloads.keep')}
          onYes={cancel}
        >
          {t('downloads.cancelling', { bytes: formatBytes(doneBytes) })}
        </QuestionBar>
      ) : null}
    </li>
  )
}

interface SwitchProps {
  state: Download['state']
  busy: boolean
  disabled: boolean
  run: (procedure: 'downloads.pause' | 'downloads.resume') => void
}

/** One button in every state, so that the keyboard keeps its place. */
function Switch({ state, busy, disabled, run }: SwitchProps) {
  const pauses = state === 'queued' || state === 'running' || state === 'verifying'
  const { icon: Icon, words } = pauses
    ? { icon: Pause, words: i18n.t('models:downloads.pause') }
    : goingOn(state)
  return (
    <Button
      busy={busy}
      disabled={disabled || state === 'verifying'}
      onClick={() => run(pauses ? 'downloads.pause' : 'downloads.resume')}
    >
      {busy ? null : <Icon size={15} aria-hidden="true" />}
      {words}
    </Button>
  )
}

function goingOn(state: Download['state']) {
  if (state === 'paused') return { icon: Play, words: i18n.t('models:downloads.resume') }
  return {
    icon: RotateCw,
    words: state === 'quarantined' ? i18n.t('models:downloads.again') : i18n.t('models:downloads.tryAgain'),
  }
}

function stateWords({ state, waitingFor }: Download): string {
  if (state !== 'waiting') return i18n.t(`models:downloads.states.${state}`)
  return i18n.t(
    waitingFor === 'disk' ? 'models:downloads.states.waitingDisk' : 'models:downloads.states.waitingNetwork',
  )
}

function Progress({ download, offline }: { download: Download; offline: boolean }) {
  const { t } = useTranslation('models')
  const { modelId, state, sizeBytes, doneBytes, attempt, bytesPerSecond, secondsLeft, hashOrigin } = download
  const percent = sizeBytes === null || sizeBytes === 0 ? null : Math.floor((doneBytes / sizeBytes) * 100)
  const live = state === 'running' && !offline
  const parts = [
    sizeBytes === null
      ? formatBytes(doneBytes)
      : t('downloads.share', { done: formatBytes(doneBytes), total: formatBytes(sizeBytes) }),
    percent === null ? null : formatPercent(percent / 100),
    live && bytesPerSecond !== null ? `${formatBytes(Math.floor(bytesPerSecond))}/s` : null,
    live && secondsLeft !== null
      ? t('downloads.left', { time: formatDuration(Math.ceil(secondsLeft) * 1_000) })
      : null,
    attempt > 1 ? t('downloads.attempt', { number: attempt }) : null,
    hashOrigin === null ? null : hashWords(hashOrigin).short,
  ].filter((part) => part !== null)
  return (
    <div className="download__progress">
      <progress
        aria-label={t('downloads.progress', { model: modelId })}
        max={100}
        {...(percent === null ? {} : { value: percent })}
        aria-valuetext={parts.slice(0, 2).join(', ')}
      />
      <p className="figures muted">{parts.join(' · ')}</p>
    </div>
  )
}
