import { ArrowUp, Square } from 'lucide-react'
import { type KeyboardEvent, type RefObject, useId, useState } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { isBusy, QUESTION_MAX_LENGTH } from '../../stores/chat.ts'
import { useChat, useConnection } from '../../stores/context.tsx'
import { Button, Spinner } from '../../widgets/index.ts'

export function Composer({ box }: { box: RefObject<HTMLTextAreaElement | null> }) {
  const { t } = useTranslation('chat')
  const [draft, setDraft] = useState('')
  const ask = useChat((state) => state.ask)
  const busy = useChat(isBusy)
  const offline = useConnection((state) => state.phase === 'offline')
  const hintId = useId()
  const question = draft.trim()
  const ready = !offline && !busy && question !== ''

  function send() {
    if (!ready) return
    setDraft('')
    void ask(question)
  }

  function onKeyDown(event: KeyboardEvent) {
    // Enter also ends the composition of a word in Japanese or Chinese: that one does not send.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <textarea
        ref={box}
        aria-label={t('box')}
        aria-describedby={hintId}
        placeholder={offline ? t('waiting') : t('placeholder')}
        rows={1}
        maxLength={QUESTION_MAX_LENGTH}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {busy ? <StopButton box={box} /> : <SendButton disabled={!ready} />}
      <p id={hintId} className="composer__hint">
        {t('hint')}
      </p>
    </form>
  )
}

function StopButton({ box }: { box: RefObject<HTMLTextAreaElement | null> }) {
  const { t } = useTranslation('chat')
  const stop = useChat((state) => state.stop)
  const stopping = useChat((state) => state.stopping)
  return (
    <Button
      icon
      className="composer__button"
      aria-label={t('stop')}
      disabled={stopping}
      onClick={() => {
        box.current?.focus()
        void stop()
      }}
    >
      {stopping ? <Spinner /> : <Square size={13} fill="currentColor" aria-hidden="true" />}
    </Button>
  )
}

function SendButton({ disabled }: { disabled: boolean }) {
  const { t } = useTranslation('chat')
  return (
    <Button
      icon
      look="accent"
      className="composer__button"
      type="submit"
      aria-label={t('send')}
      disabled={disabled}
    >
      <ArrowUp size={18} aria-hidden="true" />
    </Button>
  )
}
