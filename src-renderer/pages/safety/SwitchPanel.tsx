import { CircleCheck, OctagonX } from 'lucide-react'
import { formatMoment } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useSafety, useStatus } from '../../stores/context.tsx'
import { Button, Card, ErrorState, QuestionBar, useQuestion } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'

export function SwitchPanel() {
  const { t } = useTranslation('safety')
  const { status, loadError, load, deciding, decideError, setKillSwitch } = useStatus((state) => state)
  const details = useSafety((state) => state.view?.killSwitch)
  const offline = useConnection((state) => state.phase === 'offline')
  const stopping = useQuestion()
  const reason = status?.safety.killSwitch ?? null
  const stopped = reason !== null
  return (
    <Card id="kill-switch" title={t('kill.title')}>
      {status === null ? (
        <Pending what={t('kill.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          <div className="kill" data-stopped={stopped}>
            {stopped ? (
              <OctagonX size={24} aria-hidden="true" />
            ) : (
              <CircleCheck size={24} aria-hidden="true" />
            )}
            <p role="status">
              <strong>{stopped ? t('kill.stopped') : t('kill.running')}</strong>
              <span className="kill__why">
                {stopped
                  ? t('kill.because', {
                      reason: reason === 'stopped in the window' ? t('kill.here') : reason,
                    })
                  : t('kill.explain')}
                {stopped && details?.activatedAtMs != null
                  ? ` ${t('kill.since', { date: formatMoment(details.activatedAtMs) })}`
                  : ''}
              </span>
            </p>
          </div>
          <p>
            <Button
              ref={stopping.trigger}
              look={stopped ? 'accent' : 'quiet'}
              busy={deciding}
              disabled={deciding || offline}
              aria-expanded={stopped ? undefined : stopping.open}
              onClick={() => (stopped ? void setKillSwitch(false) : stopping.ask())}
            >
              {stopped ? t('kill.goOn') : t('kill.stop')}
            </Button>
          </p>
          {stopping.open && !stopped ? (
            <QuestionBar
              question={stopping}
              yes={t('kill.yes')}
              no={t('kill.no')}
              onYes={() => void setKillSwitch(true)}
            >
              {t('kill.question')}
            </QuestionBar>
          ) : null}
          {decideError === null ? null : <ErrorState error={decideError} />}
        </>
      )}
    </Card>
  )
}
