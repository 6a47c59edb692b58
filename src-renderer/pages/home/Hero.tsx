import { AlarmClock, ChevronDown, Flag, Pause, Play, Sunrise } from 'lucide-react'
import { useEffect } from 'react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { formatMoment } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useEarningPolicy, useStatus } from '../../stores/context.tsx'
import { describeHost } from '../../stores/host-state.ts'
import { Button, ErrorState, Menu } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'

export function Hero() {
  const phase = useConnection((state) => state.phase)
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const switchError = useStatus((state) => state.switchError)
  const load = useStatus((state) => state.load)
  const { t } = useTranslation('home')
  const { label, tone, reason } = describeHost(phase, { status, loadError })
  const nextStep = phase === 'offline' || status === null ? null : engineNextStep(status)
  return (
    <section id="now" className="hero" data-tone={tone} aria-label={t('state')}>
      <div className="hero__main">
        <div role="status">
          <h1 className="hero__state">{label}</h1>
          <p className="hero__reason">{reason}</p>
          {nextStep === null ? null : <p className="hero__next">{nextStep}</p>}
        </div>
        <Controls />
        {switchError === null ? null : <ErrorState error={switchError} />}
        {loadError === null || loadError.code === 'HOST_UNREACHABLE' ? null : (
          <ErrorState error={loadError} onRetry={() => void load()} />
        )}
      </div>
      {status === null || phase === 'offline' ? null : <Slots status={status} />}
    </section>
  )
}

/** What the owner can do about an engine that is down, unless the reason says it already. */
function engineNextStep({ state, reason, engine }: HostStatus): string | null {
  if (state !== 'engine-down' || engine.error === null || reason.includes(engine.error.nextStep)) return null
  return engine.error.nextStep
}

function Controls() {
  const load = useEarningPolicy((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')
  useEffect(() => {
    if (!offline) void load()
  }, [load, offline])
  const { error } = useSubject(useEarningPolicy, REST)
  return (
    <>
      <div className="hero__controls">
        <PauseButton />
        <RestMenu />
      </div>
      <GoesOn />
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}

function PauseButton() {
  const { t } = useTranslation('home')
  const status = useStatus((state) => state.status)
  const switching = useStatus((state) => state.switching)
  const pause = useStatus((state) => state.pause)
  const resume = useStatus((state) => state.resume)
  const snoozed = useEarningPolicy(({ view }) => view?.snooze != null)
  const offline = useConnection((state) => state.phase === 'offline')
  const { running, run } = useSubject(useEarningPolicy, REST)
  const paused = status?.state === 'paused' || status?.state === 'draining'
  const resting = paused || snoozed
  const busy = switching !== null || running !== null
  const Icon = resting ? Play : Pause
  return (
    <Button
      look="bare"
      className={`hero__button ${resting ? 'hero__button--resume' : ''}`}
      disabled={offline || status === null || busy}
      busy={busy}
      onClick={() => void (snoozed ? run('earning.wake', {}) : paused ? resume() : pause())}
    >
      {busy ? null : <Icon size={20} fill="currentColor" strokeWidth={0} aria-hidden="true" />}
      {switching !== null ? t(switching) : resting ? t('resume') : t('pause')}
    </Button>
  )
}

/** Where what was asked about a snooze or a finish is kept. */
const REST = 'rest'
const MINUTES = { snoozeHalf: 30, snoozeHour: 60 } as const

/** The ways to stop that end by themselves, or waste no answer. */
function RestMenu() {
  const { t } = useTranslation('home')
  const view = useEarningPolicy((state) => state.view)
  const { blocked, run } = useSubject(useEarningPolicy, REST)
  if (view === null) return null
  const snoozeHint = t('rest.snoozeHint')
  const entries = [
    { id: 'snoozeHalf', name: t('rest.snoozeHalf'), hint: snoozeHint, icon: AlarmClock },
    { id: 'snoozeHour', name: t('rest.snoozeHour'), hint: snoozeHint, icon: AlarmClock },
    { id: 'snoozeMorning', name: t('rest.snoozeMorning'), hint: snoozeHint, icon: Sunrise },
    {
      id: 'finish',
      name: t('rest.finish'),
      hint: t('rest.finishHint'),
      icon: Flag,
      disabled: view.finishing || view.mode === 'paused',
    },
    ...(view.snooze === null ? [] : [{ id: 'wake', name: t('rest.wake'), icon: Play } as const]),
  ] as const
  return (
    <Menu
      label={t('rest.more')}
      className="hero__more"
      entries={entries}
      disabled={blocked}
      onChoose={(id) => {
        if (id === 'finish') void run('earning.finish', {})
        else if (id === 'wake') void run('earning.wake', {})
        else if (id === 'snoozeMorning') void run('earning.snooze', { until: 'morning' })
        else void run('earning.snooze', { minutes: MINUTES[id] })
      }}
    >
      <ChevronDown size={20} aria-hidden="true" />
    </Menu>
  )
}

/** When it goes on by itself, where that is known. */
function GoesOn() {
  const { t } = useTranslation('home')
  const view = useEarningPolicy((state) => state.view)
  const offline = useConnection((state) => state.phase === 'offline')
  if (view === null || offline || view.decision.action === 'serve') return null
  const atMs = view.snooze?.untilMs ?? view.decision.nextChangeAtMs
  return (
    <p className="hero__goes-on figures">
      {atMs === null ? null : `${t('rest.goesOn', { when: formatMoment(atMs) })} `}
      <a href="#/settings">{t('rest.toSettings')}</a>
    </p>
  )
}

const SLOTS_DRAWN = 8

/** One layer per slot of the engine; a layer is lit while it works. An engine that is not up has none. */
function Slots({ status }: { status: HostStatus }) {
  const { t } = useTranslation('home')
  const { jobs, engine } = status
  if (engine.slots === null && jobs.running + jobs.queued === 0) return null
  const layers = Array.from({ length: Math.min(engine.slots ?? 0, SLOTS_DRAWN) }, (_, layer) => layer)
  return (
    <div className="slots">
      <div className="slots__layers" aria-hidden="true">
        {layers.map((layer) => (
          <span key={layer} className="slots__layer" data-busy={layer < jobs.running} />
        ))}
      </div>
      <dl className="slots__counts figures">
        <div>
          <dd>{jobs.running}</dd>
          <dt>{engine.slots === null ? t('slots.running') : t('slots.working', { count: engine.slots })}</dt>
        </div>
        <div>
          <dd>{jobs.queued}</dd>
          <dt>{t('slots.waiting')}</dt>
        </div>
      </dl>
    </div>
  )
}
