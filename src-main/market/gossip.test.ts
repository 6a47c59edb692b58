import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Statement, Statements } from './gossip.ts'

const LIFE = 1_000_000

interface Word {
  author: string
  about: string
  version: number
  sound: boolean
}

function statements(taken: string[] = []) {
  return new Statements({
    describe: (json) => {
      const word = json as Word
      if (word.author === undefined) return null
      if (word.about === 'of a later version') return 'unknown'
      const { author, about, version } = word
      return { kind: 'word', key: `${author}:${about}`, version, author, keptUntilMs: LIFE, json: word }
    },
    isSound: ({ json }: Statement) => (json as Word).sound,
    take: ({ key, version }) => taken.push(`${key}@${version}`),
  })
}

const word = (author: string, about: string, version: number, sound = true): Word => ({
  author,
  about,
  version,
  sound,
})
const arbitraryWord = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y'), fc.nat(4))
  .map(([author, about, version]) => word(author, about, version))

describe('statements', () => {
  it('are the same set whatever came first and however often', () => {
    const orders = fc
      .array(arbitraryWord, { minLength: 1, maxLength: 30 })
      .chain((words) =>
        fc.tuple(
          fc.constant(words),
          fc.shuffledSubarray(words, { minLength: words.length }),
          fc.array(fc.constantFrom(...words), { maxLength: 10 }),
        ),
      )
    fc.assert(
      fc.property(orders, ([words, shuffled, again]) => {
        const [one, other] = [statements(), statements()]
        for (const said of words) one.hear(said, 0)
        for (const said of [...shuffled, ...again]) other.hear(said, 0)
        expect(other.rootHex()).toBe(one.rootHex())
        expect(other.size).toBe(new Set(words.map(({ author, about }) => `${author}:${about}`)).size)
      }),
      { seed: 20_260_714 },
    )
  })

  it('that one host lacks are just those that it fetches', () => {
    const both = fc.tuple(
      fc.array(arbitraryWord, { maxLength: 20 }),
      fc.array(arbitraryWord, { maxLength: 20 }),
    )
    fc.assert(
      fc.property(both, ([mine, theirs]) => {
        const [here, there] = [statements(), statements()]
        for (const said of mine) here.hear(said, 0)
        for (const said of theirs) there.hear(said, 0)
        for (const page of [...there.missing(here.digests())]) for (const said of page) here.hear(said, 0)
        for (const page of [...here.missing(there.digests())]) for (const said of page) there.hear(said, 0)
        expect(here.rootHex()).toBe(there.rootHex())
      }),
      { seed: 20_260_715 },
    )
  })

  it('are taken once, and only with sound signatures', () => {
    const taken: string[] = []
    const heard = statements(taken)
    expect(heard.hear(word('a', 'x', 1, false), 0)).toBe('unsound')
    expect(heard.hear(word('a', 'x', 1), 0)).toBe('new')
    expect(heard.hear(word('a', 'x', 1), 0)).toBe('known')
    expect(heard.hear(word('a', 'x', 3), 0)).toBe('new')
    expect(heard.hear(word('a', 'x', 2), 0)).toBe('known')
    expect(taken).toEqual(['a:x@1', 'a:x@3'])
    expect(heard.hear('nothing', 0)).toBe('unsound')
    expect(heard.hear(word('a', 'of a later version', 1), 0)).toBe('unknown')
    expect(heard.hear(word('b', 'x', 1), LIFE)).toBe('refused')
    heard.expire(LIFE)
    expect(heard.size).toBe(0)
  })

  it('of one author, and of one kind, are bounded', () => {
    const heard = statements()
    for (let about = 0; about < 200; about++) heard.hear(word('loud', String(about), 1), about * 2_000)
    expect(heard.of('word').filter(({ author }) => author === 'loud')).toHaveLength(128)
    expect(heard.hear(word('quiet', 'x', 1), 0)).toBe('new')
    for (let author = 0; author < 5_000; author++) heard.hear(word(`key ${author}`, 'x', 1), 0)
    expect(heard.size).toBe(4_096)
  })

  it('too long to be told to everybody are refused', () => {
    expect(statements().hear(word('a', 'x'.repeat(30_000), 1), 0)).toBe('unsound')
  })
})
