import { Download, FileCheck2, KeyRound } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import type { BackupSummary, SettingsView } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatMoment, shortHex } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useBackupCheck, useConnection, useSettings } from '../../stores/context.tsx'
import { Badge, Button, Card, ErrorState, Notice, QuestionBar, useQuestion } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { RestartButton } from '../RestartButton.tsx'
import { useSubject } from '../use-subject.ts'

/** As the host takes it over this way; what carries a ledger is larger. */
const FILE_BYTES_MAX = 200_000

export function BackupPanel() {
  const { t } = useTranslation('settings')
  const { view, loadError, load } = useSettings((state) => state)
  return (
    <>
      <Card
        id="backup"
        title={t('backup.title')}
        aside={view === null ? null : <LastBackup backup={view.backup} />}
      >
        {view === null ? (
          <Pending what={t('backup.what')} error={loadError} onRetry={() => void load()} />
        ) : (
          <>
            <p className="hint">{t('backup.text')}</p>
            <CreateForm least={view.backup.passwordLengthMin} />
            <p className="muted hint">{t('backup.ledger')}</p>
          </>
        )}
      </Card>
      <Card id="restore" title={t('restore.title')}>
        {view === null ? (
          <Pending what={t('backup.what')} error={loadError} onRetry={() => void load()} />
        ) : view.backup.pending === null ? (
          <RestoreForm />
        ) : (
          <PendingRestore pending={view.backup.pending} />
        )}
      </Card>
    </>
  )
}

function LastBackup({ backup: { lastAtMs } }: { backup: SettingsView['backup'] }) {
  const { t } = useTranslation('settings')
  return lastAtMs === null ? (
    <Badge tone="warn">{t('backup.never')}</Badge>
  ) : (
    <Badge tone="earning">{t('backup.last', { date: formatMoment(lastAtMs) })}</Badge>
  )
}

function CreateForm({ least }: { least: number }) {
  const { t } = useTranslation('settings')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const [made, setMade] = useState<string | null>(null)
  const { blocked, running, error, run, forgive } = useSubject(useSettings, 'backup')
  const short = password !== '' && [...password].length < least
  const differs = again !== '' && again !== password
  const ready = !short && password !== '' && again === password && !blocked

  async function create(event: FormEvent) {
    event.preventDefault()
    if (!ready) return
    const answer = await run('backup.create', { password })
    if (answer === null) return
    save(answer.fileName, answer.text)
    setMade(answer.fileName)
    setPassword('')
    setAgain('')
  }
  return (
    <form className="backup" onSubmit={(event) => void create(event)} noValidate>
      <PasswordField
        label={t('backup.password')}
        autoComplete="new-password"
        value={password}
        problem={short ? t('backup.short', { least }) : null}
        onChange={(text) => {
          setPassword(text)
          setMade(null)
          forgive()
        }}
      />
      <PasswordField
        label={t('backup.again')}
        autoComplete="new-password"
        value={again}
        problem={differs ? t('backup.differs') : null}
        onChange={setAgain}
      />
      <Button type="submit" look="accent" busy={running !== null} disabled={!ready}>
        {running === null ? <Download size={15} aria-hidden="true" /> : null}
        {t('backup.create')}
      </Button>
      <p role="status" className="backup__made">
        {made === null ? '' : t('backup.made', { file: made })}
      </p>
      {error === null ? null : <ErrorState error={error} />}
    </form>
  )
}

/** Hands a text to the browser as a file; nothing is opened by its path. */
function save(fileName: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'application/octet-stream' }))
  const link = document.createElement('a')
  link.href = address
  link.download = fileName
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}

interface PasswordFieldProps {
  label: string
  autoComplete: 'new-password' | 'off'
  value: string
  problem: string | null
  onChange: (text: string) => void
}

function PasswordField({ label, autoComplete, value, problem, onChange }: PasswordFieldProps) {
  const id = useId()
  return (
    <div className="amount">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="field"
        type="password"
        autoComplete={autoComplete}
        maxLength={1_024}
        value={value}
        aria-invalid={problem !== null}
        aria-describedby={`${id}-problem`}
        onChange={({ target }) => onChange(target.value)}
      />
      <span id={`${id}-problem`} className="amount__problem" role="status">
        {problem}
      </span>
    </div>
  )
}

interface ChosenFile {
  name: string
  /** Null: too large to be a file with keys alone. */
  text: string | null
}

function RestoreForm() {
  const { t } = useTranslation('settings')
  const [file, setFile] = useState<ChosenFile | null>(null)
  const [password, setPassword] = useState('')
  const checked = useBackupCheck((state) => state)
  const { blocked, running, error, run, forgive } = useSubject(useSettings, 'restore')
  const offline = useConnection((state) => state.phase === 'offline')
  const restoring = useQuestion()
  const text = file?.text ?? null
  const ready = text !== null && password !== '' && !blocked && !checked.busy

  async function choose(chosen: File | undefined) {
    checked.forget()
    forgive()
    if (chosen === undefined) return
    setFile({ name: chosen.name, text: chosen.size > FILE_BYTES_MAX ? null : await chosen.text() })
  }
  function check(event: FormEvent) {
    event.preventDefault()
    if (ready && text !== null) void checked.check({ text, password })
  }
  return (
    <form className="backup" onSubmit={check} noValidate>
      <p className="muted hint backup__wide">{t('restore.text')}</p>
      <label className="backup__file">
        <span className="button button--quiet">
          <FileCheck2 size={15} aria-hidden="true" />
          {t('restore.choose')}
        </span>
        <input
          className="visually-hidden"
          type="file"
          accept=".tirami-backup"
          onChange={({ target }) => void choose(target.files?.[0])}
        />
        <span>{file?.name ?? t('restore.noFile')}</span>
      </label>
      {file !== null && file.text === null ? (
        <p className="setting__invalid backup__wide" role="alert">
          {t('restore.large')}
        </p>
      ) : null}
      <PasswordField
        label={t('restore.password')}
        autoComplete="off"
        value={password}
        problem={null}
        onChange={(typed) => {
          setPassword(typed)
          checked.forget()
          forgive()
        }}
      />
      <div className="backup__buttons">
        <Button type="submit" busy={checked.busy} disabled={!ready}>
          {t('restore.check')}
        </Button>
        {checked.summary === null ? null : (
          <Button
            ref={restoring.trigger}
            look="accent"
            busy={running !== null}
            disabled={blocked || offline}
            aria-expanded={restoring.open}
            onClick={restoring.ask}
          >
            {t('restore.restore')}
          </Button>
        )}
      </div>
      {checked.error === null ? null : <ErrorState error={checked.error} />}
      {checked.summary === null ? null : <Summary summary={checked.summary} />}
      {restoring.open && text !== null ? (
        <QuestionBar
          question={restoring}
          yes={t('restore.yes')}
          no={t('restore.no')}
          onYes={() => void run('backup.restore', { text, password })}
        >
          {t('restore.question')}
        </QuestionBar>
      ) : null}
      {error === null ? null : <ErrorState error={error} />}
    </form>
  )
}

function Summary({ summary: { nodeId, createdAtMs, keys, journalBytes } }: { summary: BackupSummary }) {
  const { t } = useTranslation('settings')
  return (
    <p className="backup__wide hint" role="status">
      {t('restore.good', { date: formatMoment(createdAtMs), count: keys.length })}{' '}
      <code title={nodeId}>{shortHex(nodeId)}</code>.{' '}
      {journalBytes === null
        ? t('restore.noLedger')
        : t('restore.withLedger', { size: formatBytes(journalBytes) })}
    </p>
  )
}

function PendingRestore({ pending }: { pending: NonNullable<SettingsView['backup']['pending']> }) {
  const { t } = useTranslation('settings')
  const { blocked, running, error, run } = useSubject(useSettings, 'restore')
  return (
    <>
      <Notice title={t('restore.waiting')}>
        {t('restore.waitingText')} {pending.ledgerAside ? t('restore.ledgerAside') : ''}
      </Notice>
      <p className="hint">
        <KeyRound size={15} aria-hidden="true" /> {t('restore.node')}{' '}
        <code title={pending.nodeId}>{shortHex(pending.nodeId)}</code>, {formatMoment(pending.createdAtMs)}
      </p>
      <RestartButton />
      <p>
        <Button
          busy={running !== null}
          disabled={blocked}
          onClick={() => void run('backup.cancelRestore', {})}
        >
          {t('restore.takeBack')}
        </Button>
      </p>
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}
