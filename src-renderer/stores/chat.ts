import { createStore } from 'zustand/vanilla'
import type {
  ChatMessage,
  EventData,
  HostClient,
  HostEvent,
  PublicErrorData,
} from '../../src-preload/contract/index.ts'
import { HostCallError, toPublicError } from '../client/index.ts'

/** What went before is sent along, but only so much: a small model forgets the question behind a long past. */
const HISTORY_MESSAGES = 8
export const QUESTION_MAX_LENGTH = 8_000

type ChatEvent = Extract<HostEvent, { name: `chat.${string}` }>

export interface Exchange {
  id: number
  question: string
  answer: string
  state: 'asking' | 'answering' | 'done' | 'failed'
  outcome: EventData<'chat.done'> | null
  error: PublicErrorData | null
}

export interface Conversation {
  id: number
  /** As they were when it was last left; those of the open one are in `exchanges`. */
  exchanges: Exchange[]
}

export interface ChatState {
  /** Newest first, the open one among them. */
  conversations: Conversation[]
  openId: number
  /** Of the open conversation. */
  exchanges: Exchange[]
  stopping: boolean
  ask(question: string): Promise<void>
  stop(): Promise<void>
  /** Each of these does nothing while an answer is written. */
  begin(): void
  open(id: number): void
  forget(id: number): void
  onChatEvent(event: ChatEvent): void
  /** The rest of an answer is lost with the connection. */
  onDisconnected(): void
}

export const isBusy = ({ exchanges }: ChatState): boolean => {
  const last = exchanges.at(-1)
  return last?.state === 'asking' || last?.state === 'answering'
}

function toMessages(exchanges: readonly Exchange[], question: string): ChatMessage[] {
  const past = exchanges
    .filter(({ state, answer }) => state === 'done' && answer !== '')
    .flatMap((exchange): ChatMessage[] => [
      { role: 'user', content: exchange.question },
      { role: 'assistant', content: exchange.answer },
    ])
  return [...past.slice(-HISTORY_MESSAGES), { role: 'user', content: question }]
}

export const createChatStore = (client: HostClient) =>
  createStore<ChatState>()((set, get) => {
    let nextId = 1
    let nextConversation = 2
    let active: { exchange: number; chatId: string | null } | null = null
    /** Events may overtake the answer that names their chat. They wait here while a start is under way. */
    let early: ChatEvent[] = []

    function update(id: number, change: (exchange: Exchange) => Partial<Exchange>): void {
      set(({ exchanges }) => ({
        exchanges: exchanges.map((exchange) =>
          exchange.id === id ? { ...exchange, ...change(exchange) } : exchange,
        ),
      }))
    }

    function finish(id: number, change: Partial<Exchange>): void {
      active = null
      early = []
      update(id, () => change)
      set({ stopping: false })
    }

    function apply(id: number, event: ChatEvent): void {
      switch (event.name) {
        case 'chat.delta':
          update(id, ({ answer }) => ({ state: 'answering', answer: answer + event.data.text }))
          break
        case 'chat.done':
          finish(id, { state: 'done', outcome: event.data })
          break
        case 'chat.failed':
          finish(id, { state: 'failed', error: event.data.error })
          break
      }
    }

    async function cancel(chatId: string): Promise<void> {
      try {
        await client.call('chat.cancel', { chatId })
      } catch {
        // The answer runs on to its end, which is shown; the button may be pressed again.
        set({ stopping: false })
      }
    }

    /** The conversations with what was said in the open one; an open one without a word is dropped. */
    function left(): Conversation[] {
      const { conversations, openId, exchanges } = get()
      return conversations
        .map((conversation) => (conversation.id === openId ? { ...conversation, exchanges } : conversation))
        .filter((conversation) => conversation.exchanges.length > 0)
    }

    function enter(conversations: Conversation[], id: number): void {
      const exchanges = conversations.find((conversation) => conversation.id === id)?.exchanges ?? []
      set({ conversations, openId: id, exchanges })
    }

    function begin(others: Conversation[]): void {
      const id = nextConversation
      nextConversation += 1
      enter([{ id, exchanges: [] }, ...others], id)
    }

    return {
      conversations: [{ id: 1, exchanges: [] }],
      openId: 1,
      exchanges: [],
      stopping: false,
      ask: async (question) => {
        if (active !== null) return
        const id = nextId
        nextId += 1
        const started = { exchange: id, chatId: null as string | null }
        active = started
        const messages = toMessages(get().exchanges, question)
        const asked: Exchange = { id, question, answer: '', state: 'asking', outcome: null, error: null }
        set(({ exchanges }) => ({ exchanges: [...exchanges, asked] }))
        try {
          const { chatId } = await client.call('chat.start', { messages })
          if (active !== started) {
            await cancel(chatId)
            return
          }
          started.chatId = chatId
          const waiting = early.filter((event) => event.data.chatId === chatId)
          early = []
          for (const event of waiting) apply(id, event)
          if (active === started && get().stopping) await cancel(chatId)
        } catch (error) {
          if (active === started) finish(id, { state: 'failed', error: toPublicError(error) })
        }
      },
      stop: async () => {
        if (active === null || get().stopping) return
        set({ stopping: true })
        // Without an id yet, ask() cancels as soon as it has one.
        if (active.chatId !== null) await cancel(active.chatId)
      },
      begin: () => {
        if (active === null) begin(left())
      },
      open: (id) => {
        if (active === null && id !== get().openId) enter(left(), id)
      },
      forget: (id) => {
        if (active !== null) return
        const others = left().filter((conversation) => conversation.id !== id)
        if (id === get().openId) begin(others)
        else set(({ conversations }) => ({ conversations: conversations.filter((kept) => kept.id !== id) }))
      },
      onChatEvent: (event) => {
        if (active === null) return
        if (active.chatId === null) early.push(event)
        else if (active.chatId === event.data.chatId) apply(active.exchange, event)
      },
      onDisconnected: () => {
        if (active === null) return
        const lost = new HostCallError({
          code: 'CONNECTION_LOST',
          message: 'The connection to the host was lost while it answered.',
          nextStep: 'Ask again once the host is back.',
        })
        finish(active.exchange, { state: 'failed', error: toPublicError(lost) })
      },
    }
  })
