import { KeyRound } from 'lucide-react'
import { type FormEvent, useId, useRef, useState } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { useKeys } from '../../stores/context.tsx'
import {
  Button,
  Card,
  CopyButton,
  ErrorState,
  Notice,
  QuestionBar,
  Select,
  useQuestion,
} from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'
import { expiries, type Scope, scopes, scopeWords } from './words.ts'

interface Issued {
  label: string
  token: string
}

/** The token lives in this component only: leaving the page forgets it. */
export function IssuePanel() {
  const { t } = useTranslation('keys')
  const [issued, setIssued] = useState<Issued | null>(null)
  return (
    <Card id="issue" title={t('issue.title')}>
      {issued === null ? (
        <IssueForm onIssued={setIssued} />
      ) : (
        <Token
          issued={issued}
          onDone={() => {
            document.getElementById('issue')?.focus()
            setIssued(null)
          }}
        />
      )}
    </Card>
  )
}

function IssueForm({ onIssued }: { onIssued: (issued: Issued) => void }) {
  const { t } = useTranslation('keys')
  const [label, setLabel] = useState('')
  const [scope, setScope] = useState<Scope>('inference')
  const [days, setDays] = useState<number | null>(30)
  const { blocked, running, error, run, forgive } = useSubject(useKeys, 'issue')
  const confirming = useQuestion()
  const labelId = useId()
  const name = label.trim()
  const ready = name !== '' && !blocked

  async function issue() {
    const answer = await run('keys.issue', { label: name, scope, days })
    if (answer !== null) onIssued({ label: name, token: answer.token })
  }

  function submit(event: FormEvent) {
    event.preventDefault()
    if (!ready) return
    if (scope === 'admin') confirming.ask()
    else void issue()
  }

  return (
    <form className="issue" onSubmit={submit} noValidate>
      <div className="issue__label">
        <label htmlFor={labelId}>{t('issue.for')}</label>
        <input
          id={labelId}
          className="field"
          type="text"
          autoComplete="off"
          maxLength={128}
          placeholder={t('issue.placeholder')}
          value={label}
          disabled={confirming.open}
          onChange={(event) => {
            setLabel(event.target.value)
            forgive()
          }}
        />
      </div>
      <Expiry days={days} disabled={confirming.open} onChange={setDays} />
      <Scopes scope={scope} disabled={confirming.open} onChange={setScope} />
      <Button
        ref={confirming.trigger}
        type="submit"
        look="accent"
        busy={running !== null}
        disabled={!ready}
        aria-expanded={scope === 'admin' ? confirming.open : undefined}
      >
        {running === null ? <KeyRound size={15} aria-hidden="true" /> : null}
        {t('issue.make')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open ? (
        <QuestionBar
          question={confirming}
          yes={t('issue.makeIt')}
          no={t('notNow')}
          onYes={() => void issue()}
        >
          {t('issue.adminQuestion')}
        </QuestionBar>
      ) : null}
    </form>
  )
}

interface ScopesProps {
  scope: Scope
  disabled: boolean
  onChange: (scope: Scope) => void
}

function Scopes({ scope, disabled, onChange }: ScopesProps) {
  const { t } = useTranslation('keys')
  const name = useId()
  return (
    <fieldset className="scopes" disabled={disabled}>
      <legend>{t('issue.may')}</legend>
      {scopes.map((option) => (
        <label key={option} className="option-card">
          <input type="radio" name={name} checked={option === scope} onChange={() => onChange(option)} />
          <span>
            <strong>{scopeWords(option).name}</strong> <code className="muted">{option}</code>
            <span className="scopes__may">{scopeWords(option).may}</span>
          </span>
        </label>
      ))}
    </fieldset>
  )
}

interface ExpiryProps {
  days: number | null
  disabled: boolean
  onChange: (days: number | null) => void
}

function Expiry({ days, disabled, onChange }: ExpiryProps) {
  const { t } = useTranslation('keys')
  return (
    <Select
      label={t('issue.ends')}
      options={expiries.map((expiry) => ({
        value: String(expiry),
        label: t(`issue.after.${expiry ?? 'never'}`),
      }))}
      value={String(days)}
      disabled={disabled}
      onChange={(value) => onChange(value === 'null' ? null : Number(value))}
    />
  )
}

function Token({ issued: { label, token }, onDone }: { issued: Issued; onDone: () => void }) {
  const { t } = useTranslation('keys')
  const focused = useRef(false)
  return (
    <div className="token">
      <Notice title={t('issue.onceTitle', { label })}>{t('issue.once')}</Notice>
      <div
        className="token__line"
        tabIndex={-1}
        ref={(element) => {
          // Once: what had the keyboard is gone.
          if (element === null || focused.current) return
          focused.current = true
          element.focus()
        }}
      >
        <code>{token}</code>
        <CopyButton what={t('issue.key')} text={token} />
      </div>
      <Button onClick={onDone}>{t('issue.stored')}</Button>
    </div>
  )
}
