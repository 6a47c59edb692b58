import { CircleAlert, KeyRound, RotateCw, Trash2 } from 'lucide-react'
import { useId, useState } from 'react'
import type { ApiKey } from '../../../src-preload/contract/index.ts'
import { formatMoment, formatTrm, groupDigits, shortHex } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
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
import { balanceWords, scopeWords } from './words.ts'

export function KeysPanel({ keys }: { keys: ApiKey[] }) {
  const { t } = useTranslation('keys')
  return (
    <Card
      id="keys"
      title={t('list')}
      aside={<p className="muted figures">{t('count', { count: keys.length })}</p>}
    >
      {keys.length === 0 ? (
        <EmptyState icon={KeyRound} title={t('empty.title')}>
          {t('empty.text')}
        </EmptyState>
      ) : (
        <ul className="rows">
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
  const { t } = useTranslation('keys')
  const { label, scope, spentTrm, balanceTrm, stopped } = apiKey
  const nameId = useId()
  const name = label === '' ? t('unnamed') : label
  return (
    <li className="row key" aria-labelledby={nameId}>
      <div className="row__name">
        <h3 id={nameId}>{name}</h3>
        <p className="key__scope">
          <Badge tone={scope === 'admin' ? 'warn' : 'plain'}>{scopeWords(scope).name}</Badge>
          <Life apiKey={apiKey} />
        </p>
        <p className="muted hint">
          {t('account')} <code title={apiKey.nodeId}>{shortHex(apiKey.nodeId)}</code>
        </p>
      </div>
      <dl className="key__stats">
        <Stat label={t('spent')}>{formatTrm(spentTrm)}</Stat>
        <Stat label={t('balance')}>{balanceWords(balanceTrm)}</Stat>
        <Gauge label={t('hour')} gauge={apiKey.hourTrm} />
        <Gauge label={t('ever')} gauge={apiKey.lifetimeTrm} />
      </dl>
      <KeyActions apiKey={apiKey} name={name} />
      {stopped === null ? null : <Stopped apiKey={apiKey} sentence={stopped} name={name} />}
    </li>
  )
}

function Life({ apiKey: { expiresAtMs, retiring } }: { apiKey: ApiKey }) {
  const { t } = useTranslation('keys')
  if (expiresAtMs === null) return <span className="muted">{t('neverEnds')}</span>
  const when = formatMoment(expiresAtMs)
  const words = retiring ? t('replacedEnds', { when }) : t('ends', { when })
  return retiring ? <Badge tone="warn">{words}</Badge> : <span className="muted">{words}</span>
}

function Gauge({ label, gauge: { used, limit, fullness } }: { label: string; gauge: ApiKey['hourTrm'] }) {
  const { t } = useTranslation('keys')
  return (
    <div className="stat gauge" data-full={fullness >= 1}>
      <dt>{label}</dt>
      <dd>
        {t('usedOf', { used: groupDigits(used), limit: formatTrm(limit) })}
        {fullness >= 1 ? <span className="gauge__full"> {t('usedUp')}</span> : null}
        <Share of={fullness} total={1} />
      </dd>
    </div>
  )
}

function Stopped({ apiKey, sentence, name }: { apiKey: ApiKey; sentence: string; name: string }) {
  const { t } = useTranslation('keys')
  const { tokenHash } = apiKey
  const { blocked, running, error, run } = useSubject(useKeys, `reset ${tokenHash}`)
  return (
    <div className="key__stopped">
      <CircleAlert size={16} aria-hidden="true" />
      <p>{sentence}</p>
      <Button
        aria-label={t('goOnOf', { name })}
        busy={running !== null}
        disabled={blocked}
        onClick={() => void run('keys.reset', { tokenHash }).then((done) => done && focusIfLost('keys'))}
      >
        {running === null ? <RotateCw size={15} aria-hidden="true" /> : null}
        {t('goOn')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}

function KeyActions({ apiKey, name }: { apiKey: ApiKey; name: string }) {
  const { t } = useTranslation('keys')
  const { tokenHash } = apiKey
  const [editing, setEditing] = useState(false)
  const { blocked, running, error, run } = useSubject(useKeys, `revoke ${tokenHash}`)
  const revoking = useQuestion()
  return (
    <>
      <div className="row__actions">
        <Button
          aria-label={t('limitsOf', { name })}
          aria-expanded={editing}
          onClick={() => setEditing(!editing)}
        >
          {t('limits')}
        </Button>
        <Button
          ref={revoking.trigger}
          aria-label={t('revokeOf', { name })}
          busy={running !== null}
          disabled={blocked}
          aria-expanded={revoking.open}
          onClick={revoking.ask}
        >
          {running === null ? <Trash2 size={15} aria-hidden="true" /> : null}
          {t('revoke')}
        </Button>
      </div>
      {error === null ? null : <ErrorState error={error} />}
      {revoking.open ? (
        <QuestionBar
          question={revoking}
          yes={t('revokeIt')}
          no={t('keepIt')}
          onYes={() => void run('keys.revoke', { tokenHash }).then((done) => done && focusIfLost('keys'))}
        >
          {t('revokeQuestion')}
        </QuestionBar>
      ) : null}
      {editing ? <LimitsForm apiKey={apiKey} name={name} /> : null}
    </>
  )
}
