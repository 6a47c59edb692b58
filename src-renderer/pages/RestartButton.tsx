import { RotateCw } from 'lucide-react'
import { useTranslation } from '../i18n/index.ts'
import { useConnection, useRestart, useSettings } from '../stores/context.tsx'
import { Button, ErrorState, QuestionBar, useQuestion } from '../widgets/index.ts'

/** Starts the host anew, after a question; where it cannot do that itself, it says who can. */
export function RestartButton() {
  const { t } = useTranslation()
  const possible = useSettings((state) => state.view?.restart.possible ?? false)
  const offline = useConnection((state) => state.phase === 'offline')
  const { phase, error, restart } = useRestart((state) => state)
  const question = useQuestion()
  const restarting = phase === 'restarting'
  if (!possible) return <p className="muted restart__hint">{t('restart.notHere')}</p>
  return (
    <div className="restart">
      <Button
        ref={question.trigger}
        look="accent"
        busy={restarting}
        disabled={restarting || offline}
        aria-expanded={question.open}
        onClick={question.ask}
      >
        {restarting ? null : <RotateCw size={15} aria-hidden="true" />}
        {t(restarting ? 'restart.restarting' : 'restart.restart')}
      </Button>
      {question.open ? (
        <QuestionBar question={question} yes={t('restart.yes')} no={t('cancel')} onYes={() => void restart()}>
          {t('restart.question')}
        </QuestionBar>
      ) : null}
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}
