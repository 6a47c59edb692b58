import type { EventData } from '../../../src-preload/contract/index.ts'
import { formatDuration, formatFlop, formatTrm, groupDigits } from '../../format/index.ts'
import type { Exchange } from '../../stores/chat.ts'
import { ErrorState } from '../../widgets/index.ts'

export function ChatExchange({ exchange }: { exchange: Exchange }) {
  const { question, answer, state, outcome, error } = exchange
  return (
    <article className="exchange">
      <p className="exchange__question">
        <span className="visually-hidden">You asked: </span>
        {question}
      </p>
      {state === 'asking' ? (
        <p className="exchange__thinking">
          <span className="visually-hidden">The model is thinking</span>
        </p>
      ) : null}
      {answer === '' ? null : (
        <p className="exchange__answer" data-streaming={state === 'answering'}>
          {answer}
        </p>
      )}
      {outcome === null ? null : <Cost outcome={outcome} />}
      {error === null ? null : <ErrorState error={error} />}
    </article>
  )
}

const endings = { stop: null, length: 'Cut at the length limit', cancelled: 'Stopped by you' } as const

function Cost({ outcome }: { outcome: EventData<'chat.done'> }) {
  const ending = endings[outcome.finishReason]
  return (
    <p className="exchange__cost figures">
      {ending === null ? null : <span>{ending}</span>}
      <strong>{formatTrm(outcome.amountTrm)}</strong>
      <span>{formatFlop(outcome.flop)}</span>
      <span>
        {groupDigits(outcome.promptTokens)} in, {groupDigits(outcome.completionTokens)} out
      </span>
      <span>first token {formatDuration(outcome.timeToFirstTokenMs)}</span>
      <span>{formatDuration(outcome.latencyMs)} in all</span>
    </p>
  )
}
