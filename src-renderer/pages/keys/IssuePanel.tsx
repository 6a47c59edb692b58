import { KeyRound } from 'lucide-react'
import { type FormEvent, useId, useRef, useState } from 'react'
import { useKeys } from '../../stores/context.tsx'
import {
  Button,
  Card,
  CopyButton,
  ErrorState,
  Notice,
  QuestionBar,
  useQuestion,
} from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'
import { expiries, type Scope, scopes } from './words.ts'

interface Issued {
  label: string
  token: string
}

/** The token lives in this component only: leaving the page forgets it. */
export function IssuePanel() {
  const [issued, setIssued] = useState<Issued | null>(null)
  return (
    <Card id="issue" title="Give a key">
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
        <label htmlFor={labelId}>For whom or what</label>
        <input
          id={labelId}
          className="field"
          type="text"
          autoComplete="off"
          maxLength={128}
          placeholder="Anna’s laptop"
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
        Make the key
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open ? (
        <QuestionBar question={confirming} yes="Make it" no="Not now" onYes={() => void issue()}>
          Whoever has this key can do everything that you can, stop this host and make more keys included.
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
  const name = useId()
  return (
    <fieldset className="scopes" disabled={disabled}>
      <legend>What it may do</legend>
      {scopes.map((option) => (
        <label key={option.value} className="scopes__scope">
          <input
            type="radio"
            name={name}
            checked={option.value === scope}
            onChange={() => onChange(option.value)}
          />
          <span>
            <strong>{option.name}</strong> <code className="muted">{option.value}</code>
            <span className="scopes__may">{option.may}</span>
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
  const id = useId()
  return (
    <div className="issue__label">
      <label htmlFor={id}>Ends</label>
      <select
        id={id}
        className="field"
        value={String(days)}
        disabled={disabled}
        onChange={(event) => onChange(event.target.value === 'null' ? null : Number(event.target.value))}
      >
        {expiries.map((expiry) => (
          <option key={expiry.name} value={String(expiry.days)}>
            {expiry.days === null ? expiry.name : `after ${expiry.name}`}
          </option>
        ))}
      </select>
    </div>
  )
}

function Token({ issued: { label, token }, onDone }: { issued: Issued; onDone: () => void }) {
  const focused = useRef(false)
  return (
    <div className="token">
      <Notice title={`The key for ${label} is shown only now.`}>
        Copy it and hand it over in a way that you trust. It is kept nowhere in readable form; once you leave
        this page it cannot be shown again.
      </Notice>
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
        <CopyButton what="key" text={token} />
      </div>
      <Button onClick={onDone}>I have stored it</Button>
    </div>
  )
}
