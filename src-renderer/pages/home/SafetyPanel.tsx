import { CircleCheck, OctagonX } from 'lucide-react'
import type { Approval } from '../../../src-preload/contract/index.ts'
import { formatRelative, formatTrm, shortHex } from '../../format/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Button, Card, ErrorState, useNow } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'

/** The kill switch, and the questions that guests' expensive requests put to the owner. */
export function SafetyPanel() {
  const { t } = useTranslation('home')
  const { status, loadError, load, deciding, decideError, setKillSwitch, answerApproval } = useStatus(
    (state) => state,
  )
  const now = useNow(10_000)
  const stopped = status?.safety.killSwitch ?? null
  return (
    <Card id="safety" title={t('safety.title')}>
      {status === null ? (
        <Pending what={t('safety.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <div className="safety">
          {decideError === null ? null : <ErrorState error={decideError} />}
          <div className="safety__switch">
            <p aria-live="polite">
              {stopped === null ? (
                <>
                  <CircleCheck size={16} aria-hidden="true" /> {t('safety.nothing')}
                </>
              ) : (
                <>
                  <OctagonX size={16} aria-hidden="true" /> {t('safety.stopped', { why: stopped })}
                </>
              )}
            </p>
            <Button
              look={stopped === null ? 'quiet' : 'accent'}
              disabled={deciding}
              busy={deciding}
              onClick={() => void setKillSwitch(stopped === null)}
            >
              {stopped === null ? t('safety.stop') : t('safety.goOn')}
            </Button>
          </div>
          {status.safety.approvals.length === 0 ? (
            <p className="safety__none">{t('safety.noQuestion')}</p>
          ) : (
            <ul className="safety__questions">
              {status.safety.approvals.map((approval) => (
                <Question
                  key={approval.approvalId}
                  approval={approval}
                  now={now}
                  disabled={deciding}
                  answer={(approved) => void answerApproval(approval.approvalId, approved)}
                />
              ))}
            </ul>
          )}
        </div>
      )}
    </Card>
  )
}

interface QuestionProps {
  approval: Approval
  now: number
  disabled: boolean
  answer(approved: boolean): void
}

function Question({ approval, now, disabled, answer }: QuestionProps) {
  const { t } = useTranslation('home')
  return (
    <li className="safety__question figures">
      <span>
        <Trans
          t={t}
          i18nKey="safety.question"
          values={{
            amount: formatTrm(approval.amountTrm),
            caller: shortHex(approval.caller),
            when: formatRelative(approval.requestedAtMs, now),
          }}
          components={{ b: <strong />, id: <code /> }}
        />
      </span>
      <span className="safety__answers">
        <Button look="accent" disabled={disabled} onClick={() => answer(true)}>
          {t('safety.approve')}
        </Button>
        <Button disabled={disabled} onClick={() => answer(false)}>
          {t('safety.refuse')}
        </Button>
      </span>
    </li>
  )
}
