import { ArrowUp, Eraser, MessageCircleQuestion, Square } from 'lucide-react'
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from 'react'
import { isBusy, QUESTION_MAX_LENGTH } from '../../stores/chat.ts'
import { useChat, useConnection, useStatus } from '../../stores/context.tsx'
import { Button, Card, EmptyState, Spinner, Tooltip } from '../../widgets/index.ts'
import { ChatExchange } from './ChatExchange.tsx'

const SUGGESTIONS = ['What is TRM?', 'How do I pause?', 'Is my data private?']

export function ChatPanel() {
  const exchanges = useChat((state) => state.exchanges)
  const busy = useChat(isBusy)
  const clear = useChat((state) => state.clear)
  const box = useRef<HTMLTextAreaElement>(null)

  // The button that was pressed to ask may be gone now; the keyboard goes on in the box.
  useEffect(() => {
    if (busy) box.current?.focus({ preventScroll: true })
  }, [busy])

  function startOver() {
    clear()
    box.current?.focus()
  }

  return (
    <Card
      id="ask"
      title="Ask the model"
      aside={
        exchanges.length === 0 ? null : (
          <Tooltip text="Start over">
            <Button icon look="bare" aria-label="Start over" disabled={busy} onClick={startOver}>
              <Eraser size={16} aria-hidden="true" />
            </Button>
          </Tooltip>
        )
      }
    >
      {exchanges.length === 0 ? <Welcome /> : <Log />}
      <Composer box={box} />
    </Card>
  )
}

function Welcome() {
  const ask = useChat((state) => state.ask)
  const model = useStatus((state) => state.status?.model)
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <div className="chat__welcome">
      <EmptyState icon={MessageCircleQuestion} title="Try what you sell">
        {model?.demonstration
          ? 'This small model runs on this machine and knows Tirami Host. Each answer is metered and booked.'
          : 'The model runs on this machine. Each answer is metered and booked like any other.'}
      </EmptyState>
      <ul className="chat__suggestions">
        {SUGGESTIONS.map((question) => (
          <li key={question}>
            <Button disabled={offline} onClick={() => void ask(question)}>
              {question}
            </Button>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** How far above the end the reader may be and still want to follow it. */
const FOLLOW_PX = 80

function Log() {
  const exchanges = useChat((state) => state.exchanges)
  const busy = useChat(isBusy)
  const log = useRef<HTMLDivElement>(null)
  const following = useRef(true)

  // biome-ignore lint/correctness/useExhaustiveDependencies: the log grows whenever the exchanges change
  useEffect(() => {
    const element = log.current
    if (element !== null && following.current) element.scrollTop = element.scrollHeight
  }, [exchanges])

  return (
    <div
      ref={log}
      className="chat__log"
      role="log"
      aria-label="Conversation"
      aria-busy={busy}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        following.current = scrollHeight - scrollTop - clientHeight < FOLLOW_PX
      }}
    >
      {exchanges.map((exchange) => (
        <ChatExchange key={exchange.id} exchange={exchange} />
      ))}
    </div>
  )
}

function Composer({ box }: { box: RefObject<HTMLTextAreaElement | null> }) {
  const [draft, setDraft] = useState('')
  const ask = useChat((state) => state.ask)
  const stop = useChat((state) => state.stop)
  const stopping = useChat((state) => state.stopping)
  const busy = useChat(isBusy)
  const offline = useConnection((state) => state.phase === 'offline')
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
        aria-label="Your question"
        placeholder={offline ? 'Waiting for the host…' : 'Ask something…'}
        rows={1}
        maxLength={QUESTION_MAX_LENGTH}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {busy ? (
        <Button
          icon
          className="composer__button"
          aria-label="Stop the answer"
          disabled={stopping}
          onClick={() => {
            box.current?.focus()
            void stop()
          }}
        >
          {stopping ? <Spinner /> : <Square size={13} fill="currentColor" aria-hidden="true" />}
        </Button>
      ) : (
        <Button
          icon
          look="accent"
          className="composer__button"
          type="submit"
          aria-label="Send"
          disabled={!ready}
        >
          <ArrowUp size={18} aria-hidden="true" />
        </Button>
      )}
    </form>
  )
}
