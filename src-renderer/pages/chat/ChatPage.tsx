import { MessageCircleQuestion } from 'lucide-react'
import { memo, useDeferredValue, useEffect, useRef } from 'react'
import { formatFlop, formatTrm } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { type Exchange, isBusy } from '../../stores/chat.ts'
import { useChat, useConnection, useStatus } from '../../stores/context.tsx'
import { Button, EmptyState } from '../../widgets/index.ts'
import { ChatExchange } from './ChatExchange.tsx'
import { Composer } from './Composer.tsx'
import { ConversationList } from './ConversationList.tsx'
import { ModelChoice } from './ModelChoice.tsx'
import './chat.css'

export function ChatPage() {
  const { t } = useTranslation('chat')
  const busy = useChat(isBusy)
  const box = useRef<HTMLTextAreaElement>(null)

  // The button that was pressed to ask may be gone now; the keyboard goes on in the box.
  useEffect(() => {
    if (busy) box.current?.focus({ preventScroll: true })
  }, [busy])

  return (
    <div className="chat">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p>{t('intro')}</p>
      </header>
      <aside className="chat__side">
        <ModelChoice />
        <ConversationList onOpened={() => box.current?.focus({ preventScroll: true })} />
      </aside>
      <section className="chat__main" aria-label={t('log')}>
        <Conversation />
        <Composer box={box} />
      </section>
    </div>
  )
}

/** Words may come faster than frames: what is drawn may lag behind what is known, and skip what was overtaken. */
function Conversation() {
  const exchanges = useDeferredValue(useChat((state) => state.exchanges))
  return (
    <>
      {exchanges.length === 0 ? <Welcome /> : <Log exchanges={exchanges} />}
      <Total exchanges={exchanges} />
    </>
  )
}

const suggestions = ['trm', 'pause', 'private'] as const

function Welcome() {
  const { t } = useTranslation('chat')
  const ask = useChat((state) => state.ask)
  const model = useStatus((state) => state.status?.model)
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <div className="chat__welcome">
      <EmptyState icon={MessageCircleQuestion} title={t('welcome.title')}>
        {model?.demonstration ? t('welcome.demonstration') : t('welcome.other')}
      </EmptyState>
      <ul className="chat__suggestions">
        {suggestions.map((name) => (
          <li key={name}>
            <Button disabled={offline} onClick={() => void ask(t(`suggestions.${name}`))}>
              {t(`suggestions.${name}`)}
            </Button>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** How far above the end the reader may be and still want to follow it. */
const FOLLOW_PX = 80

export const Log = memo(({ exchanges }: { exchanges: Exchange[] }) => {
  const { t } = useTranslation('chat')
  const busy = useChat(isBusy)
  const log = useRef<HTMLDivElement>(null)
  const following = useRef(true)

  // biome-ignore lint/correctness/useExhaustiveDependencies: the log grows whenever the exchanges change
  useEffect(() => {
    // In the frame that lays the new words out anyway.
    const frame = requestAnimationFrame(() => {
      const element = log.current
      if (element !== null && following.current) element.scrollTop = element.scrollHeight
    })
    return () => cancelAnimationFrame(frame)
  }, [exchanges])

  return (
    <div
      ref={log}
      className="chat__log"
      role="log"
      aria-label={t('log')}
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
})

export const Total = memo(({ exchanges }: { exchanges: Exchange[] }) => {
  const { t } = useTranslation('chat')
  const outcomes = exchanges.flatMap(({ outcome }) => outcome ?? [])
  if (outcomes.length < 2) return null
  const sum = (amounts: string[]) => amounts.reduce((total, amount) => total + BigInt(amount), 0n).toString()
  return (
    <p className="chat__total figures">
      {t('total', {
        amount: formatTrm(sum(outcomes.map(({ amountTrm }) => amountTrm))),
        flop: formatFlop(sum(outcomes.map(({ flop }) => flop))),
      })}
    </p>
  )
})
