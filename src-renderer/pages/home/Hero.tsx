import { Pause, Play } from 'lucide-react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useStatus } from '../../stores/context.tsx'
import { describeHost } from '../../stores/host-state.ts'
import { Button, ErrorState } from '../../widgets/index.ts'

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
        <PauseButton />
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

function PauseButton() {
  const { t } = useTranslation('home')
  const status = useStatus((state) => state.status)
  const switching = useStatus((state) => state.switching)
  const pause = useStatus((state) => state.pause)
  const resume = useStatus((state) => state.resume)
  const offline = useConnection((state) => state.phase === 'offline')
  const paused = status?.state === 'paused' || status?.state === 'draining'
  const Icon = paused ? Play : Pause
  return (
    <Button
      look="bare"
      className={`hero__button ${paused ? 'hero__button--resume' : ''}`}
      disabled={offline || status === null || switching !== null}
      busy={switching !== null}
      onClick={() => void (paused ? resume() : pause())}
    >
      {switching === null ? <Icon size={20} fill="currentColor" strokeWidth={0} aria-hidden="true" /> : null}
      {switching !== null ? t(switching) : paused ? t('resume') : t('pause')}
    </Button>
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
