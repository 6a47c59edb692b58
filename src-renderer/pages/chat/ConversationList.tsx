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
  const exchanges = useChat((state) => state.exchanges)
  const busy = useChat(isBusy)
  const { open, begin, forget } = useChat((state) => state)
  const after = (action: () => void) => () => {
    action()
    onOpened()
  }
  return (
    <nav className="talks" aria-label={t('conversations')}>
      <Button disabled={busy || exchanges.length === 0} onClick={after(begin)}>
        <MessageSquarePlus size={16} aria-hidden="true" />
        {t('new')}
      </Button>
      <ul>
        {conversations.map((conversation) => {
          const isOpen = conversation.id === openId
          const said = isOpen ? exchanges : conversation.exchanges
          const title = said[0]?.question ?? t('untitled')
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
                {said.length === 0 ? null : (
                  <span className="talk__size figures">{t('answers', { count: said.length })}</span>
                )}
              </button>
              {said.length === 0 ? null : (
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
