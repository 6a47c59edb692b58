import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { afterEach, describe, expect, it } from 'vitest'
import { en } from './en/index.ts'
import { hostWords, i18n, preferred, speak } from './index.ts'
import { ja } from './ja/index.ts'

type Texts = { [key: string]: string | Texts }

const sources = join(import.meta.dirname, '..')
/** `a.b` → text, for every text of a namespace. */
function flat(texts: Texts, prefix = ''): Map<string, string> {
  const entries = Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'string' ? [[prefix + key, value] as const] : [...flat(value, `${prefix}${key}.`)],
  )
  return new Map(entries)
}

const PLURAL = /_(zero|one|two|few|many|other)$/
const placeholders = (text: string) => [...text.matchAll(/{{\s*(\w+)/g)].map(([, name]) => name)
const tags = (text: string) => [...text.matchAll(/<\/?(\w+)\/?>/g)].map(([tag]) => tag).sort()

/** The text in every form it has, by its key without the form. */
function forms(
  namespace: Texts,
): Map<string, { names: Set<string | undefined>; tags: Set<string>; suffixes: string[] }> {
  const found = new Map<string, { names: Set<string | undefined>; tags: Set<string>; suffixes: string[] }>()
  for (const [key, text] of flat(namespace)) {
    const stem = key.replace(PLURAL, '')
    const form = found.get(stem) ?? { names: new Set(), tags: new Set(), suffixes: [] }
    for (const name of placeholders(text)) form.names.add(name)
    for (const tag of tags(text)) form.tags.add(tag)
    form.suffixes.push(PLURAL.exec(key)?.[1] ?? '')
    found.set(stem, form)
  }
  return found
}

describe.each(Object.keys(en) as (keyof typeof en)[])('the namespace %s', (name) => {
  const english = forms(en[name])
  const japanese = forms(ja[name])

  it('has the same keys in both languages', () => {
    expect([...japanese.keys()].sort()).toEqual([...english.keys()].sort())
  })

  it('has the same placeholders and tags in both languages', () => {
    for (const [key, { names, tags: marks }] of english) {
      expect([key, [...(japanese.get(key)?.names ?? [])].sort()]).toEqual([key, [...names].sort()])
      expect([key, [...(japanese.get(key)?.tags ?? [])].sort()]).toEqual([key, [...marks].sort()])
    }
  })

  it('has the forms of number that the language needs, and no empty text', () => {
    for (const [language, texts] of [
      ['en', english],
      ['ja', japanese],
    ] as const) {
      const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories
      for (const [key, { suffixes }] of texts) {
        if (suffixes.some((suffix) => suffix !== ''))
          expect([key, suffixes.sort()]).toEqual([key, [...needed].sort()])
      }
    }
    for (const text of [...flat(en[name]).values(), ...flat(ja[name]).values()])
      expect(text.trim()).not.toBe('')
  })
})

describe('the words of the window', () => {
  /** Attributes that a person reads or hears. */
  const spokenAttributes = new Set([
    ...['aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext', 'alt', 'title'],
    ...['placeholder', 'label', 'hint', 'what', 'text', 'name'],
  ])
  const LETTERS = /\p{L}{2,}/u
  /** Units and proper names are the same in every language. */
  const universal =
    /^(?:[^\p{L}]|TRM|FLOP|GPU|CPU|KiB|MiB|GiB|kWh|Wh|W|ms|OpenAI|Python|Node|curl|YAML|UTF)+$/u

  function literalsOf(file: string): string[] {
    const source = ts.createSourceFile(
      file,
      readFileSync(file, 'utf8'),
      ts.ScriptTarget.Latest,
      true,
      ts.ScriptKind.TSX,
    )
    const found: string[] = []
    const note = (node: ts.Node, text: string) => {
      if (!LETTERS.test(text) || universal.test(text.trim())) return
      const { line } = source.getLineAndCharacterOfPosition(node.getStart())
      found.push(`${relative(sources, file)}:${line + 1} ${text.trim().slice(0, 60)}`)
    }
    const literal = (node: ts.Node | undefined): void => {
      if (node === undefined) return
      if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) note(node, node.text)
      if (ts.isTemplateExpression(node))
        note(node, node.head.text + node.templateSpans.map((span) => span.literal.text).join(' '))
      if (ts.isConditionalExpression(node)) {
        literal(node.whenTrue)
        literal(node.whenFalse)
      }
      if (ts.isJsxExpression(node)) literal(node.expression)
    }
    const visit = (node: ts.Node): void => {
      if (ts.isJsxText(node)) note(node, node.text)
      if (ts.isJsxElement(node) || ts.isJsxFragment(node))
        for (const child of node.children) if (ts.isJsxExpression(child)) literal(child)
      if (ts.isJsxAttribute(node) && spokenAttributes.has(node.name.getText())) literal(node.initializer)
      ts.forEachChild(node, visit)
    }
    visit(source)
    return found
  }

  const components = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.tsx') && !file.endsWith('.test.tsx'),
  )

  it('stand in no component', () => {
    expect(components.length).toBeGreaterThan(20)
    expect(components.flatMap((file) => literalsOf(join(sources, file)))).toEqual([])
  })

  it('come through one door, which has them ready', () => {
    const direct = components.filter((file) =>
      readFileSync(join(sources, file), 'utf8').includes("'react-i18next'"),
    )
    expect(direct).toEqual([])
  })
})

describe('a language', () => {
  afterEach(() => speak('en'))

  it.each([
    [['ja-JP', 'en'], 'ja'],
    [['fr', 'ja', 'en'], 'ja'],
    [['en-GB'], 'en'],
    [['fr-FR'], 'en'],
    [[], 'en'],
  ] as const)('for a person who reads %j is %s', (tags, language) => {
    expect(preferred(tags)).toBe(language)
  })

  it('counts as its speakers do', async () => {
    expect(i18n.t('trades', { count: 1 })).toBe('1 trade')
    expect(i18n.t('trades', { count: 2_000 })).toBe('2,000 trades')
    await speak('ja')
    expect(i18n.t('trades', { count: 1 })).toBe('1件の取引')
  })

  it('puts in what a text mentions as it is; React escapes it', () => {
    expect(i18n.t('copy', { what: '<b>&"' })).toBe('Copy <b>&"')
  })

  it('leaves the sentence of the host alone where it has none of its own', async () => {
    expect(hostWords('errors.NOT_KNOWN_HERE.message', 'As the host said.')).toBe('As the host said.')
    await speak('ja')
    expect(hostWords('errors.NOT_KNOWN_HERE.message', 'As the host said.')).toBe('As the host said.')
  })
})
