import { MailQuestion } from 'lucide-react'
import type { Approval } from '../../../src-preload/contract/index.ts'
import { formatRelative, formatTrm, shortHex } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useSafety, useStatus } from '../../stores/context.tsx'
import { Badge, Button, Card, EmptyState, useNow } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { Pending } from '../Pending.tsx'

/** Requests that cost more than their key may spend unasked. */
export function QuestionsPanel() {
  const { t } = useTranslation('safety')
  const { status, loadError, load } = useStatus((state) => state)
  const approvals = status?.safety.approvals ?? []
  return (
    <Card
      id="questions"
      title={t('questions.title')}
      aside={approvals.length === 0 ? null : <Badge tone="warn">{approvals.length}</Badge>}
    >
      {status === null ? (
        <Pending what={t('questions.what')} error={loadError} onRetry={() => void load()} />
      ) : approvals.length === 0 ? (
        <EmptyState icon={MailQuestion} title={t('questions.none')}>
          {t('questions.noneText')}
        </EmptyState>
      ) : (
        <ul className="questions">
          {approvals.map((approval) => (
            <Question key={approval.approvalId} approval={approval} />
          ))}
        </ul>
      )}
    </Card>
  )
}

function Question({ approval }: { approval: Approval }) {
  const { t } = useTranslation('safety')
  const { deciding, answerApproval } = useStatus((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  const label = useSafety(
    (state) => state.view?.callers.find(({ nodeId }) => nodeId === approval.caller)?.label ?? '',
  )
  const now = useNow(10_000)
  const who = label === '' ? shortHex(approval.caller) : label
  const amount = formatTrm(approval.amountTrm)
  const answer = (approved: boolean) =>
    void answerApproval(approval.approvalId, approved).then(() => focusIfLost('questions'))
  return (
    <li className="question-row">
      <p>
        <strong className="figures">{amount}</strong> {t('questions.for', { who })}
        <span className="muted question-row__when">
          {t('questions.asked', { when: formatRelative(approval.requestedAtMs, now) })}{' '}
          {t('questions.expires', { minutes: minutesLeft(approval.expiresAtMs, now) })}
        </span>
      </p>
      <span className="question-row__answers">
        <Button
          look="accent"
          disabled={deciding || offline}
          aria-label={t('questions.approveOf', { amount, who })}
          onClick={() => answer(true)}
        >
          {t('questions.approve')}
        </Button>
        <Button
          disabled={deciding || offline}
          aria-label={t('questions.denyOf', { amount, who })}
          onClick={() => answer(false)}
        >
          {t('questions.deny')}
        </Button>
      </span>
    </li>
  )
}

const minutesLeft = (expiresAtMs: number, now: number): number =>
  Math.max(0, Math.ceil((expiresAtMs - now) / 60_000))
