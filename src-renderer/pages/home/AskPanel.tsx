import { ArrowRight } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { isBusy, QUESTION_MAX_LENGTH } from '../../stores/chat.ts'
import { useChat, useConnection } from '../../stores/context.tsx'
import { Button, Card } from '../../widgets/index.ts'

/** A question here is answered on the page Chat. */
export function AskPanel() {
  const { t } = useTranslation('home')
  const [draft, setDraft] = useState('')
  const ask = useChat((state) => state.ask)
  const busy = useChat(isBusy)
  const answers = useChat((state) => state.exchanges.length)
  const offline = useConnection((state) => state.phase === 'offline')
  const question = draft.trim()
  const ready = !offline && !busy && question !== ''
  return (
    <Card id="ask" title={t('ask.title')}>
      <form
        className="ask"
        onSubmit={(event) => {
          event.preventDefault()
          if (!ready) return
          void ask(question)
          location.hash = '#/chat'
        }}
      >
        <input
          className="field"
          type="text"
          aria-label={t('ask.box')}
          placeholder={offline ? t('ask.waiting') : t('ask.placeholder')}
          autoComplete="off"
          maxLength={QUESTION_MAX_LENGTH}
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
        <Button type="submit" look="accent" disabled={!ready}>
          {t('ask.send')}
        </Button>
      </form>
      <a className="more" href="#/chat">
        {answers === 0 ? t('ask.chat') : t('ask.open', { count: answers })}
        <ArrowRight size={15} aria-hidden="true" />
      </a>
    </Card>
  )
}
