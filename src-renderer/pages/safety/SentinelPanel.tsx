import { RotateCw, ShieldAlert, ShieldCheck, ShieldX } from 'lucide-react'
import type { GuardrailView, SentinelView } from '../../../src-preload/contract/index.ts'
import { formatMoment, formatMoney, formatNumber } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useSentinel } from '../../stores/context.tsx'
import { Badge, Button, Card, ErrorState, Share, Stat } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { Pending } from '../Pending.tsx'
import { useSubject } from '../use-subject.ts'
import { guardFigure, guardSentence, guardTones, nearness, sentinelWords } from './words.ts'

const shields = { green: ShieldCheck, amber: ShieldAlert, red: ShieldX } as const

export function SentinelPanel() {
  const { t } = useTranslation('safety')
  const view = useSentinel((state) => state.view)
  const loadError = useSentinel((state) => state.loadError)
  const load = useSentinel((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <Card
      id="sentinel"
      title={t('sentinel.title')}
      aside={
        view === null ? null : (
          <Badge tone={guardTones[view.level]}>{t(`sentinel.level.${view.level}`)}</Badge>
        )
      }
    >
      {view === null ? (
        <Pending what={t('sentinel.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <Verdict view={view} />
          <Guards view={view} />
          <Money view={view} />
        </>
      )}
    </Card>
  )
}

function Verdict({ view }: { view: SentinelView }) {
  const { t } = useTranslation('safety')
  const { blocked, running, error, run } = useSubject(useSentinel, 'resume')
  const { reason, nextStep } = sentinelWords(view)
  const Shield = shields[view.level]
  return (
    <>
      <div className="sentinel" data-level={view.level}>
        <Shield size={40} strokeWidth={1.5} aria-hidden="true" />
        <div className="sentinel__words">
          <p className="sentinel__reason" role="status">
            {reason}
          </p>
          <p>{nextStep}</p>
          {view.pausedAtMs === null ? null : (
            <p className="muted">{t('sentinel.since', { date: formatMoment(view.pausedAtMs) })}</p>
          )}
        </div>
        {view.level === 'red' ? (
          <Button
            look="accent"
            busy={running !== null}
            disabled={blocked}
            onClick={() => void run('sentinel.resume', {}).then((done) => done && focusIfLost('sentinel'))}
          >
            {running === null ? <RotateCw size={15} aria-hidden="true" /> : null}
            {t('sentinel.resume')}
          </Button>
        ) : null}
      </div>
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}

function Guards({ view }: { view: SentinelView }) {
  const { t } = useTranslation('safety')
  return (
    <>
      <h3 className="guards__title">{t('guards.title')}</h3>
      <ul className="guards">
        {view.guardrails.map((guard) => (
          <Guard key={guard.name} guard={guard} currency={view.currency} />
        ))}
      </ul>
      <p className="muted guards__note">
        {t('guards.change')} <a href="#/settings">{t('guards.toSettings')}</a>
      </p>
    </>
  )
}

function Guard({ guard, currency }: { guard: GuardrailView; currency: string }) {
  const { t } = useTranslation('safety')
  const { name, level, value, limit } = guard
  const near = nearness(guard)
  const floor = name === 'roi_floor'
  // Where all is well the figures above say it all.
  const saysMore = level !== 'green' || value === null || name === 'metrics'
  return (
    <li className="guard" data-level={level}>
      <p className="guard__name">
        {t(`guards.${name}`)}
        <Badge tone={guardTones[level]}>{t(`guards.level.${level}`)}</Badge>
      </p>
      {name === 'metrics' ? null : (
        <>
          <p className="guard__figures figures">
            <strong>{guardFigure(name, value, currency)}</strong>
            <span className="muted">
              {limit === null
                ? t('guards.noLimit')
                : t(floor ? 'guards.atLeast' : 'guards.atMost', {
                    limit: guardFigure(name, limit, currency),
                  })}
            </span>
          </p>
          <Share of={near ?? 0} total={1} />
        </>
      )}
      {saysMore ? <p className="muted guard__sentence">{guardSentence(guard, currency)}</p> : null}
    </li>
  )
}

function Money({ view }: { view: SentinelView }) {
  const { t } = useTranslation('safety')
  const { roi, costToday, currency, unmeasuredJobsToday } = view
  return (
    <dl className="stats">
      <Stat label={t('money.return')}>
        {roi.net === null ? t('money.unknown') : formatNumber(roi.net, { maximumFractionDigits: 2 })}
        <span className="stat__note">
          {t('money.samples', { count: roi.samples })} · {t(`money.energy.${roi.energy}`)}
        </span>
      </Stat>
      <Stat label={t('money.costToday')}>
        {formatMoney(costToday, currency)}
        {unmeasuredJobsToday === 0 ? null : (
          <span className="stat__note">{t('money.unmeasured', { count: unmeasuredJobsToday })}</span>
        )}
      </Stat>
    </dl>
  )
}
