import { CircleAlert, Pause, Play, RotateCw, X } from 'lucide-react'
import type { Download } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatDuration } from '../../format/index.ts'
import { Button, Card, ErrorState, QuestionBar, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useCommand } from './command.ts'
import { hashWords } from './words.ts'

export function DownloadsPanel({ downloads }: { downloads: Download[] }) {
  return (
    <Card id="downloads" title="Downloads">
      {downloads.length === 0 ? (
        <p className="muted">Nothing is being downloaded.</p>
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
      aria-label={`Download of ${modelId}`}
    >
      <div className="row__name">
        <h3>{modelId}</h3>
        {download.source === modelId ? null : <code className="muted">{download.source}</code>}
      </div>
      <p className="download__state" role="status">
        {offline ? `Last heard: ${stateWords(download)}` : stateWords(download)}
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
          Cancel
        </Button>
      </div>
      <Progress download={download} offline={offline} />
      {error === null ? null : (
        <p className="download__why">
          <CircleAlert size={15} aria-hidden="true" />
          <span>
            <strong>{error.message}</strong> {error.nextStep}
          </span>
        </p>
      )}
      {refused === null ? null : <ErrorState error={refused} />}
      {cancelling.open ? (
        <QuestionBar question={cancelling} yes="Cancel and delete" no="Keep it" onYes={cancel}>
          Cancelling deletes the {formatBytes(doneBytes)} that have come so far.
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
  const { icon: Icon, words } = pauses ? { icon: Pause, words: 'Pause' } : goingOn(state)
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
  if (state === 'paused') return { icon: Play, words: 'Resume' }
  return { icon: RotateCw, words: state === 'quarantined' ? 'Download again' : 'Try again' }
}

function stateWords({ state, waitingFor }: Download): string {
  switch (state) {
    case 'queued':
      return 'Waiting in line'
    case 'running':
      return 'Downloading'
    case 'paused':
      return 'Paused'
    case 'waiting':
      return waitingFor === 'disk'
        ? 'Waiting for room on the disk'
        : 'Waiting for a network that costs nothing'
    case 'verifying':
      return 'Checking the whole file'
    case 'failed':
      return 'Stopped; what has come is kept'
    case 'quarantined':
      return 'Set aside: the file is not what it should be'
    case 'done':
      return 'Done'
    case 'cancelled':
      return 'Cancelled'
  }
}

function Progress({ download, offline }: { download: Download; offline: boolean }) {
  const { modelId, state, sizeBytes, doneBytes, attempt, bytesPerSecond, secondsLeft, hashOrigin } = download
  const percent = sizeBytes === null || sizeBytes === 0 ? null : Math.floor((doneBytes / sizeBytes) * 100)
  const live = state === 'running' && !offline
  const parts = [
    sizeBytes === null ? formatBytes(doneBytes) : `${formatBytes(doneBytes)} of ${formatBytes(sizeBytes)}`,
    percent === null ? null : `${percent} %`,
    live && bytesPerSecond !== null ? `${formatBytes(Math.floor(bytesPerSecond))}/s` : null,
    live && secondsLeft !== null ? `${formatDuration(Math.ceil(secondsLeft) * 1_000)} left` : null,
    attempt > 1 ? `attempt ${attempt}` : null,
    hashOrigin === null ? null : hashWords[hashOrigin].short,
  ].filter((part) => part !== null)
  return (
    <div className="download__progress">
      <progress
        aria-label={`Progress of ${modelId}`}
        max={100}
        {...(percent === null ? {} : { value: percent })}
        aria-valuetext={parts.slice(0, 2).join(', ')}
      />
      <p className="figures muted">{parts.join(' · ')}</p>
    </div>
  )
}
