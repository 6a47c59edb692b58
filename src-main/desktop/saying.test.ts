import { describe, expect, it } from 'vitest'
import { pages } from '../../src-renderer/app/pages.ts'
import japanese from '../../src-renderer/i18n/ja/host.json' with { type: 'json' }
import { LINKED_PAGES } from './deep-link.ts'
import { SENTENCES, say } from './saying.ts'

const codes = Object.keys(SENTENCES) as (keyof typeof SENTENCES)[]
const names = (text: string) => [...text.matchAll(/\{+(\w+)\}+/g)].map((match) => match[1]).sort()

describe('what the shell tells the window', () => {
  it.each(codes)('%s is said in Japanese, with the same parameters', (code) => {
    const [group, name] = code.split('.') as [string, string]
    const words = (japanese as unknown as Record<string, Record<string, string> | undefined>)[group]?.[name]
    expect(words).toMatch(/[぀-ヿ一-鿿]/u)
    expect(new Set(names(words ?? ''))).toEqual(new Set(names(SENTENCES[code])))
  })
  it('says its parameters', () => {
    expect(say('update.ready', { version: '1.3.0' })).toEqual({
      code: 'update.ready',
      sentence: 'Version 1.3.0 is downloaded and checked; it is installed when the app quits.',
      parameters: { version: '1.3.0' },
    })
  })
})

describe('links from outside', () => {
  it('lead to the pages of the window, by their own addresses', () => {
    expect([...LINKED_PAGES].sort()).toEqual(Object.keys(pages).sort())
    for (const page of LINKED_PAGES) expect(pages[page].href).toBe(page === 'home' ? '#/' : `#/${page}`)
  })
})
