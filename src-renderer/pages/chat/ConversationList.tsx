import { MessageSquarePlus, Trash2 } from 'lucide-react'
import { useTranslation } from '../../i18n/index.ts'
import { isBusy } from '../../stores/chat.ts'
import { useChat } from '../../stores/context.tsx'
import { Button } from '../../widgets/index.ts'

/** The conversations of this window; while an answer is written, its conversation stays open. */
export function ConversationList({ onOpened }: { onOpened: () => void }) {
  const { t } = useTranslation('chat')
  const conversations = useChat((state) => state.conversations)
  const openId = useChat((state) => state.openId)
  // Of the open one only what is shown here: its answer grows many times a second.
  const saidCount = useChat((state) => state.exchanges.length)
  const firstQuestion = useChat((state) => state.exchanges[0]?.question)
  const busy = useChat(isBusy)
  const open = useChat((state) => state.open)
  const begin = useChat((state) => state.begin)
  const forget = useChat((state) => state.forget)
  const after = (action: () => void) => () => {
    action()
    onOpened()
  }
  return (
    <nav className="talks" aria-label={t('conversations')}>
      <Button disabled={busy || saidCount === 0} onClick={after(begin)}>
        <MessageSquarePlus size={16} aria-hidden="true" />
        {t('new')}
      </Button>
      <ul>
        {conversations.map((conversation) => {
          const isOpen = conversation.id === openId
          const count = isOpen ? saidCount : conversation.exchanges.length
          const title = (isOpen ? firstQuestion : conversation.exchanges[0]?.question) ?? t('untitled')
          return (
            <li key={conversation.id} className="talk" data-open={isOpen}>
              <button
                type="button"
                className="talk__open"
                aria-current={isOpen ? 'true' : undefined}
                disabled={busy && !isOpen}
                onClick={after(() => open(conversation.id))}
              >
                <span className="talk__title">{title}</span>
                {count === 0 ? null : <span className="talk__size figures">{t('answers', { count })}</span>}
              </button>
              {count === 0 ? null : (
                <Button
                  icon
                  look="bare"
                  aria-label={t('forget', { title })}
                  disabled={busy}
                  onClick={after(() => forget(conversation.id))}
                >
                  <Trash2 size={15} aria-hidden="true" />
                </Button>
              )}
            </li>
          )
        })}
      </ul>
      <p className="talks__note">{t('kept')}</p>
    </nav>
  )
}
