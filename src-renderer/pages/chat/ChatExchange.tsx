import { memo } from 'react'
import type { EventData } from '../../../src-preload/contract/index.ts'
import { formatDuration, formatFlop, formatNumber, formatTrm, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import type { Exchange } from '../../stores/chat.ts'
import { CopyButton, ErrorState } from '../../widgets/index.ts'
import { Answer } from './Answer.tsx'

/** Only the last one changes while an answer is written; the others are drawn once. */
export const ChatExchange = memo(({ exchange }: { exchange: Exchange }) => {
  const { t } = useTranslation('chat')
  const { question, answer, state, outcome, error } = exchange
  return (
    <article className="exchange">
      <p className="exchange__question">
        <span className="visually-hidden">{t('youAsked')} </span>
        {question}
      </p>
      {state === 'asking' ? (
        <p className="exchange__thinking">
          <span className="visually-hidden">{t('thinking')}</span>
        </p>
      ) : null}
      {answer === '' ? null : <Answer text={answer} streaming={state === 'answering'} />}
      {outcome === null ? null : (
        <div className="exchange__foot">
          <Cost outcome={outcome} />
          {answer === '' ? null : <CopyButton what={t('answer')} text={answer} />}
        </div>
      )}
      {error === null ? null : <ErrorState error={error} />}
    </article>
  )
})

function Cost({ outcome }: { outcome: EventData<'chat.done'> }) {
  const { t } = useTranslation('chat')
  const endings = { stop: null, length: t('cutAtLimit'), cancelled: t('stoppedByYou') }
  const ending = endings[outcome.finishReason]
  const rate = tokensPerSecond(outcome)
  return (
    <p className="exchange__cost figures">
      {ending === null ? null : <span>{ending}</span>}
      <strong>{formatTrm(outcome.amountTrm)}</strong>
      <span>{formatFlop(outcome.flop)}</span>
      {outcome.depth === 0 ? null : (
        <span>
          {t('cost.depth', { depth: formatNumber(outcome.depth, { maximumSignificantDigits: 3 }) })}
        </span>
      )}
      <span>
        {t('cost.tokens', {
          prompt: groupDigits(outcome.promptTokens),
          completion: groupDigits(outcome.completionTokens),
        })}
      </span>
      {rate === null ? null : (
        <span>{t('cost.speed', { rate: formatNumber(rate, { maximumSignificantDigits: 3 }) })}</span>
      )}
      <span>{t('cost.first', { time: formatDuration(outcome.timeToFirstTokenMs) })}</span>
      <span>{t('cost.all', { time: formatDuration(outcome.latencyMs) })}</span>
    </p>
  )
}

/** Of the tokens after the first, which the prompt's own time would distort. Null where there was but one. */
function tokensPerSecond(outcome: EventData<'chat.done'>): number | null {
  const seconds = (outcome.latencyMs - outcome.timeToFirstTokenMs) / 1_000
  return outcome.completionTokens < 2 || seconds <= 0 ? null : (outcome.completionTokens - 1) / seconds
}
