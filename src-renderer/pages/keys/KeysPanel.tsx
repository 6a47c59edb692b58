import { CircleAlert, KeyRound, RotateCw, Trash2 } from 'lucide-react'
import { useId, useState } from 'react'
import type { ApiKey } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatTrm, plural, shortHex } from '../../format/index.ts'
import { useKeys } from '../../stores/context.tsx'
import {
  Badge,
  Button,
  Card,
  EmptyState,
  ErrorState,
  QuestionBar,
  Share,
  Stat,
  useQuestion,
} from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useSubject } from '../use-subject.ts'
import { LimitsForm } from './LimitsForm.tsx'
import { balanceWords, scopeOf } from './words.ts'

export function KeysPanel({ keys }: { keys: ApiKey[] }) {
  return (
    <Card
      id="keys"
      title="Keys that you gave"
      aside={<p className="muted figures keys__count">{plural(keys.length, 'key')}</p>}
    >
      {keys.length === 0 ? (
        <EmptyState icon={KeyRound} title="Nobody has a key yet">
          Make one above. Your own key, in the api-key file, is not in this list.
        </EmptyState>
      ) : (
        <ul className="keys__list">
          {[...keys].sort(newestFirst).map((apiKey) => (
            <KeyRow key={apiKey.tokenHash} apiKey={apiKey} />
          ))}
        </ul>
      )}
    </Card>
  )
}

const newestFirst = (a: ApiKey, b: ApiKey): number =>
  b.createdAtMs - a.createdAtMs || a.tokenHash.localeCompare(b.tokenHash)

function KeyRow({ apiKey }: { apiKey: ApiKey }) {
  const { label, scope, spentTrm, balanceTrm, stopped } = apiKey
  const nameId = useId()
  const name = label === '' ? 'Without a name' : label
  return (
    <li className="key" aria-labelledby={nameId}>
      <div className="key__name">
        <h3 id={nameId}>{name}</h3>
        <p className="key__scope">
          <Badge tone={scope === 'admin' ? 'warn' : 'plain'}>{scopeOf(scope).name}</Badge>
          <Life apiKey={apiKey} />
        </p>
        <p className="muted key__may">{scopeOf(scope).may}</p>
        <p className="muted key__may">
          Account <code title={apiKey.nodeId}>{shortHex(apiKey.nodeId)}</code>
        </p>
      </div>
      <dl className="key__stats">
        <Stat label="Spent so far">{formatTrm(spentTrm)}</Stat>
        <Stat label="Balance">{balanceWords(balanceTrm)}</Stat>
        <Gauge label="Within an hour" gauge={apiKey.hourTrm} />
        <Gauge label="Ever" gauge={apiKey.lifetimeTrm} />
      </dl>
      <KeyActions apiKey={apiKey} name={name} />
      {stopped === null ? null : <Stopped apiKey={apiKey} sentence={stopped} name={name} />}
    </li>
  )
}

function Life({ apiKey: { expiresAtMs, retiring } }: { apiKey: ApiKey }) {
  if (expiresAtMs === null) return <span className="muted">never ends</span>
  const words = `${retiring ? 'replaced; ends' : 'ends'} ${formatDateTime(expiresAtMs)}`
  return retiring ? <Badge tone="warn">{words}</Badge> : <span className="muted">{words}</span>
}

function Gauge({ label, gauge: { used, limit, fullness } }: { label: string; gauge: ApiKey['hourTrm'] }) {
  return (
    <div className="stat gauge" data-full={fullness >= 1}>
      <dt>{label}</dt>
      <dd>
        {formatTrm(used)} of {formatTrm(limit)}
        {fullness >= 1 ? <span className="gauge__full"> used up</span> : null}
        <Share of={fullness} total={1} />
      </dd>
    </div>
  )
}

function Stopped({ apiKey, sentence, name }: { apiKey: ApiKey; sentence: string; name: string }) {
  const { tokenHash } = apiKey
  const { blocked, running, error, run } = useSubject(useKeys, `reset ${tokenHash}`)
  return (
    <div className="key__stopped">
      <CircleAlert size={16} aria-hidden="true" />
      <p>{sentence}</p>
      <Button
        aria-label={`Let ${name} go on`}
        busy={running !== null}
        disabled={blocked}
        onClick={() => void run('keys.reset', { tokenHash }).then((done) => done && focusIfLost('keys'))}
      >
        {running === null ? <RotateCw size={15} aria-hidden="true" /> : null}
        Let it go on
      </Button>
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}

function KeyActions({ apiKey, name }: { apiKey: ApiKey; name: string }) {
  const { tokenHash } = apiKey
  const [editing, setEditing] = useState(false)
  const { blocked, running, error, run } = useSubject(useKeys, `revoke ${tokenHash}`)
  const revoking = useQuestion()
  return (
    <>
      <div className="key__actions">
        <Button aria-label={`Limits of ${name}`} aria-expanded={editing} onClick={() => setEditing(!editing)}>
          Limits
        </Button>
        <Button
          ref={revoking.trigger}
          aria-label={`Revoke ${name}`}
          busy={running !== null}
          disabled={blocked}
          aria-expanded={revoking.open}
          onClick={revoking.ask}
        >
          {running === null ? <Trash2 size={15} aria-hidden="true" /> : null}
          Revoke
        </Button>
      </div>
      {error === null ? null : <ErrorState error={error} />}
      {revoking.open ? (
        <QuestionBar
          question={revoking}
          yes="Revoke it"
          no="Keep it"
          onYes={() => void run('keys.revoke', { tokenHash }).then((done) => done && focusIfLost('keys'))}
        >
          This key stops working at once and cannot be brought back. What it has paid stays in the ledger.
        </QuestionBar>
      ) : null}
      {editing ? <LimitsForm apiKey={apiKey} name={name} /> : null}
    </>
  )
}
