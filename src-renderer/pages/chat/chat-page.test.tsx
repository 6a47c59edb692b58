import fc from 'fast-check'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { XSS_CORPUS } from '../../../e2e/support/xss-corpus.ts'
import { StoresProvider } from '../../stores/context.tsx'
import { createStores } from '../../stores/index.ts'
import { FakeClient } from '../../testing/fake-client.ts'
import { Answer } from './Answer.tsx'
import { Log, Total } from './ChatPage.tsx'
import { parseMarkdown } from './plain-markdown.ts'

const ENTITIES: Record<string, string> = {
  '&lt;': '<',
  '&gt;': '>',
  '&amp;': '&',
  '&quot;': '"',
  '&#x27;': "'",
}
const unescaped = (html: string) =>
  html.replaceAll(/&(?:lt|gt|amp|quot|#x27);/g, (entity) => ENTITIES[entity] ?? '')

/** What an answer may become; the button that copies code has the rest. */
const ALLOWED = ['div', 'p', 'br', 'ul', 'ol', 'li', 'pre', 'code', 'strong']
const markupOf = (text: string) =>
  renderToStaticMarkup(<Answer text={text} streaming={false} />).replaceAll(
    /<span class="tooltip">.*?<\/button>.*?<\/span><\/span>/g,
    '',
  )

describe('what a model writes', () => {
  it.each(XSS_CORPUS)('becomes text: %j', (text) => {
    const html = markupOf(text)
    const elements = [...html.matchAll(/<(\w+)([^>]*)>/g)]
    expect(elements.filter(([, name]) => !ALLOWED.includes(name ?? ''))).toEqual([])
    for (const [, , attributes] of elements)
      expect(attributes?.replaceAll(/ (?:class|data-streaming|tabindex)="[^"]*"/g, '')).toMatch(/^\/?$/)
  })

  it('keeps every letter of it but the marks, and makes no element of anything else, for any text', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(
        '**',
        '`',
        '```',
        '\n',
        '\n\n',
        '# ',
        '- ',
        '1. ',
        '<b>',
        '</p>',
        '&amp;',
        '"',
        ...XSS_CORPUS,
      ),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('')
        const html = markupOf(text)
        expect([...html.matchAll(/<(\w+)/g)].filter(([, name]) => !ALLOWED.includes(name ?? ''))).toEqual([])
        const letters = (some: string) => some.replaceAll(/[^\p{L}]/gu, '')
        const written = unescaped(html.replaceAll(/<[^>]*>/g, ''))
        // The word behind an opening fence names a language and is not shown.
        const shown = text.split(/\r\n|\r|\n/).filter((line) => !/^ {0,3}```/.test(line))
        expect(letters(written)).toBe(letters(shown.join('')))
      }),
    )
  })

  it('is drawn as it grows: an open fence is code, and what closes it ends it', () => {
    expect(parseMarkdown('See:\n```ts\nconst a = 1')).toEqual([
      { kind: 'paragraph', lines: [[{ kind: 'text', text: 'See:' }]] },
      { kind: 'code', text: 'const a = 1' },
    ])
    expect(parseMarkdown('```\na\n```\n- **b** `c`\n- d').map(({ kind }) => kind)).toEqual(['code', 'list'])
  })
})

describe('the page', () => {
  const CHAT = 'c'.repeat(32)

  async function talk(questions: string[]) {
    const client = new FakeClient()
    const stores = createStores(client)
    for (const question of questions) {
      void stores.chat.getState().ask(question)
      await client.answer('chat.start', { chatId: CHAT })
      stores.chat
        .getState()
        .onChatEvent({ seq: 1, name: 'chat.delta', data: { chatId: CHAT, text: `On ${question}` } })
      stores.chat.getState().onChatEvent({
        seq: 2,
        name: 'chat.done',
        data: {
          ...{ chatId: CHAT, finishReason: 'stop', promptTokens: 12, completionTokens: 11, amountTrm: '30' },
          ...{ flop: '30000000000', depth: 1, timeToFirstTokenMs: 100, latencyMs: 600 },
        },
      })
    }
    return stores
  }

  it('says what each answer cost, how fast it came, and what the conversation cost', async () => {
    const stores = await talk(['one', 'two'])
    const { exchanges } = stores.chat.getState()
    const seen = renderToStaticMarkup(
      <StoresProvider stores={stores}>
        <Log exchanges={exchanges} />
        <Total exchanges={exchanges} />
      </StoresProvider>,
    ).replaceAll(/<[^>]+>/g, ' ')
    expect(seen).toContain('30 TRM')
    expect(seen).toContain('30 GFLOP')
    expect(seen).toContain('depth 1')
    expect(seen).toContain('12 in, 11 out')
    // Ten tokens after the first, in half a second.
    expect(seen).toContain('20 tokens/s')
    expect(seen).toContain('This conversation: 60 TRM, 60 GFLOP')
  })

  it('keeps conversations apart, and what one says is not sent in another', async () => {
    const stores = await talk(['one'])
    const { chat } = stores
    const [first] = chat.getState().conversations
    chat.getState().begin()
    expect(chat.getState().exchanges).toEqual([])
    expect(chat.getState().conversations).toHaveLength(2)
    chat.getState().open(first?.id ?? 0)
    expect(chat.getState().exchanges.map(({ question }) => question)).toEqual(['one'])
    // One without a word is not kept.
    expect(chat.getState().conversations.map(({ id }) => id)).toEqual([first?.id])
  })

  it('forgets a conversation, and none while an answer is written', async () => {
    const stores = await talk(['one'])
    const { chat } = stores
    const { openId } = chat.getState()
    void chat.getState().ask('two')
    chat.getState().forget(openId)
    chat.getState().begin()
    expect(chat.getState().exchanges.map(({ question }) => question)).toEqual(['one', 'two'])
    chat.getState().onDisconnected()
    chat.getState().forget(openId)
    expect(chat.getState().exchanges).toEqual([])
    expect(chat.getState().conversations).toHaveLength(1)
  })
})
