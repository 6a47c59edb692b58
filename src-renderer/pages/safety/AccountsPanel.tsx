import { CircleAlert, RotateCw } from 'lucide-react'
import { useId } from 'react'
import type { CallerSafety } from '../../../src-preload/contract/index.ts'
import { formatClock, formatTrm, groupDigits, shortHex } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useSafety } from '../../stores/context.tsx'
import { Badge, Button, Card, ErrorState, Notice, Share, Stat } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { Pending } from '../Pending.tsx'
import { useSubject } from '../use-subject.ts'

/** Budgets, haste and failures of every account that may spend here. */
export function AccountsPanel() {
  const { t } = useTranslation('safety')
  const view = useSafety((state) => state.view)
  const loadError = useSafety((state) => state.loadError)
  const load = useSafety((state) => state.load)
  return (
    <Card
      id="accounts"
      title={t('accounts.title')}
      aside={
        <a className="safety-link" href="#/keys">
          {t('accounts.toKeys')}
        </a>
      }
    >
      {view === null ? (
        <Pending what={t('accounts.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          <p className="muted hint">{t('accounts.hint')}</p>
          {view.clockBehindMs > 0 ? <ClockNotice behindMs={view.clockBehindMs} /> : null}
          <ul className="rows">
            {view.callers.map((caller) => (
              <Account key={caller.nodeId} caller={caller} />
            ))}
          </ul>
        </>
      )}
    </Card>
  )
}

function ClockNotice({ behindMs }: { behindMs: number }) {
  const { t } = useTranslation('safety')
  const { blocked, running, error, run } = useSubject(useSafety, 'clock')
  return (
    <>
      <Notice title={t('clock.title')}>
        {t('clock.text', { minutes: Math.ceil(behindMs / 60_000) })}{' '}
        <Button
          busy={running !== null}
          disabled={blocked}
          onClick={() => void run('safety.acceptClock', {}).then((done) => done && focusIfLost('accounts'))}
        >
          {t('clock.accept')}
        </Button>
      </Notice>
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}

function Account({ caller }: { caller: CallerSafety }) {
  const { t } = useTranslation('safety')
  const nameId = useId()
  const { kind, label, attempts, errors, heldTrm } = caller
  const name = kind === 'guest' ? label || t('accounts.unnamed') : t(`accounts.${kind}`)
  return (
    <li className="row account" aria-labelledby={nameId}>
      <div className="row__name">
        <h3 id={nameId}>{name}</h3>
        <p className="muted">
          <Badge>{t(kind === 'guest' ? 'accounts.guest' : 'accounts.own')}</Badge>{' '}
          <code title={caller.nodeId}>{shortHex(caller.nodeId)}</code>
        </p>
      </div>
      <dl className="account__stats">
        <Budget label={t('accounts.hour')} gauge={caller.hourTrm} />
        <Budget label={t('accounts.ever')} gauge={caller.lifetimeTrm} />
        <Stat label={t('accounts.attempts')}>
          {attempts.limit === null
            ? t('accounts.uncounted', { used: groupDigits(attempts.used) })
            : t('accounts.of', { used: groupDigits(attempts.used), limit: groupDigits(attempts.limit) })}
        </Stat>
        <Stat label={t('accounts.errors')}>
          {t('accounts.of', { used: groupDigits(errors.used), limit: groupDigits(errors.limit) })}
        </Stat>
        {heldTrm === '0' ? null : <Stat label={t('accounts.held')}>{formatTrm(heldTrm)}</Stat>}
      </dl>
      {caller.breaker === null ? null : <Tripped caller={caller} breaker={caller.breaker} name={name} />}
    </li>
  )
}

/** A limit that nobody can reach, as the host's own keys have it, is none to a person. */
const BOUNDLESS_TRM = 10n ** 15n

function Budget({ label, gauge }: { label: string; gauge: CallerSafety['hourTrm'] }) {
  const { t } = useTranslation('safety')
  return (
    <div className="stat gauge" data-full={gauge.fullness >= 1}>
      <dt>{label}</dt>
      <dd>
        {BigInt(gauge.limit) >= BOUNDLESS_TRM
          ? t('accounts.uncounted', { used: formatTrm(gauge.used) })
          : t('accounts.of', { used: groupDigits(gauge.used), limit: formatTrm(gauge.limit) })}
        {gauge.fullness >= 1 ? <span className="gauge__full"> {t('accounts.usedUp')}</span> : null}
        <Share of={gauge.fullness} total={1} />
      </dd>
    </div>
  )
}

interface TrippedProps {
  caller: CallerSafety
  breaker: NonNullable<CallerSafety['breaker']>
  name: string
}

function Tripped({ caller: { nodeId }, breaker, name }: TrippedProps) {
  const { t } = useTranslation('safety')
  const { blocked, running, error, run } = useSubject(useSafety, `reset ${nodeId}`)
  return (
    <div className="account__tripped">
      <CircleAlert size={16} aria-hidden="true" />
      <p>
        {t(`accounts.tripped.${breaker.cause}`)}{' '}
        {t('accounts.goesOn', { time: formatClock(breaker.resetsAtMs) })}
      </p>
      <Button
        aria-label={t('accounts.resetOf', { name })}
        busy={running !== null}
        disabled={blocked}
        onClick={() => void run('safety.reset', { nodeId }).then((done) => done && focusIfLost('accounts'))}
      >
        {running === null ? <RotateCw size={15} aria-hidden="true" /> : null}
        {t('accounts.reset')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}
