import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TiramiError } from '../kernel/index.ts'
import { loadCatalogue } from './catalogue.ts'
import { type ModelSource, parseSource } from './source.ts'

const catalogue = await loadCatalogue(
  fileURLToPath(new URL('../../resources/catalogue.json', import.meta.url)),
)
const parse = (typed: string): ModelSource => parseSource(typed, catalogue)

function code(typed: string): string {
  try {
    return `accepted as ${parse(typed).kind}`
  } catch (error) {
    if (error instanceof TiramiError && error.httpStatus === 400) return error.code
    throw error
  }
}

describe('what an owner types', () => {
  test.each([
    ['qwen2.5:0.5b', 'qwen2.5:0.5b-q4_k_m'],
    [' Qwen2.5:0.5B ', 'qwen2.5:0.5b-q4_k_m'],
    ['qwen2.5:0.5b-q8_0', 'qwen2.5:0.5b-q8_0'],
    ['gpt-oss:20b', 'gpt-oss:20b-mxfp4'],
  ])('%s is the catalogue model %s', (typed, id) => {
    expect(parse(typed)).toMatchObject({ kind: 'catalogue', entry: { id } })
  })

  test.each([
    ['hf:owner/repo/model.gguf', 'main', 'model.gguf'],
    ['hf://owner/repo/model.gguf', 'main', 'model.gguf'],
    ['hf:owner/repo/Q4_K_M/model.gguf', 'main', 'Q4_K_M/model.gguf'],
    ['huggingface.co/owner/repo/blob/main/model.gguf', 'main', 'model.gguf'],
    ['https://huggingface.co/owner/repo/resolve/main/model.gguf?download=true', 'main', 'model.gguf'],
    ['https://huggingface.co/owner/repo/resolve/0a1b2c/sub/model.gguf', '0a1b2c', 'sub/model.gguf'],
    ['https://www.huggingface.co/owner/repo/raw/main/my%20model.gguf', 'main', 'my%20model.gguf'],
    ['HTTPS://HuggingFace.co/owner/repo/resolve/main/model.gguf', 'main', 'model.gguf'],
  ])('%s is a file of a repository', (typed, revision, file) => {
    expect(parse(typed)).toMatchObject({
      kind: 'hub-file',
      repository: 'owner/repo',
      url: `https://huggingface.co/owner/repo/resolve/${revision}/${file}`,
    })
  })

  test.each(['hf:owner/repo:Q4_K_M', 'hf.co/owner/repo:Q4_K_M', 'https://huggingface.co/owner/repo:Q4_K_M'])(
    '%s is a quantisation of a repository',
    (typed) => {
      expect(parse(typed)).toEqual({
        kind: 'hub-quantisation',
        repository: 'owner/repo',
        quantisation: 'Q4_K_M',
      })
    },
  )

  test('another address counts with the hash that the owner vouches with', () => {
    const sha256 = 'AB'.repeat(32)
    expect(parse(`https://models.example/a/m.gguf?x=1#sha256=${sha256}`)).toEqual({
      kind: 'url',
      url: 'https://models.example/a/m.gguf?x=1',
      sha256: sha256.toLowerCase(),
    })
    expect(code('https://models.example/a/m.gguf')).toBe('MODEL_SOURCE_NEEDS_HASH')
    expect(code('https://models.example/a/m.gguf#sha256=abc')).toBe('MODEL_SOURCE_NEEDS_HASH')
  })

  test('a full path is a file', () => {
    expect(parse('/models/my model.gguf')).toEqual({ kind: 'file', path: '/models/my model.gguf' })
    expect(parse('~/m.gguf')).toEqual({ kind: 'file', path: join(homedir(), 'm.gguf') })
    expect(parse('file:///models/a%20b.gguf')).toEqual({ kind: 'file', path: '/models/a b.gguf' })
    expect(parse('C:\\models\\m.gguf')).toEqual({ kind: 'file', path: 'C:\\models\\m.gguf' })
  })

  test.each([
    ['', 'MODEL_SOURCE_INVALID'],
    ['no-such-model', 'MODEL_SOURCE_UNKNOWN'],
    ['model.gguf', 'MODEL_SOURCE_UNKNOWN'],
    ['../m.gguf', 'MODEL_SOURCE_UNKNOWN'],
    ['hf:owner/repo', 'MODEL_SOURCE_NEEDS_FILE'],
    ['https://huggingface.co/owner/repo', 'MODEL_SOURCE_NEEDS_FILE'],
    ['hf:owner/repo/model.safetensors', 'MODEL_SOURCE_NEEDS_FILE'],
    ['hf:owner', 'MODEL_SOURCE_INVALID'],
    ['hf:owner/repo:', 'MODEL_SOURCE_INVALID'],
    ['hf:owner/repo:Q4/../x', 'MODEL_SOURCE_INVALID'],
    ['hf:owner/repo/../../etc/m.gguf', 'MODEL_SOURCE_INVALID'],
    ['hf:owner/repo/%2e%2e%2fm.gguf', 'MODEL_SOURCE_INVALID'],
    ['hf:owner/repo/a%00b.gguf', 'MODEL_SOURCE_INVALID'],
    ['hf:../repo/m.gguf', 'MODEL_SOURCE_INVALID'],
    ['hf:owner/repo/m-00001-of-00003.gguf', 'MODEL_SOURCE_SPLIT'],
    ['http://huggingface.co/owner/repo/resolve/main/m.gguf', 'MODEL_SOURCE_INVALID'],
    ['https://huggingface.co./owner/repo/resolve/main/m.gguf', 'MODEL_SOURCE_INVALID'],
    [`https://me:x@models.example/m.gguf#sha256=${'a'.repeat(64)}`, 'MODEL_SOURCE_INVALID'],
    [`https://models.example:8443/m.gguf#sha256=${'a'.repeat(64)}`, 'MODEL_SOURCE_INVALID'],
    [`https://models.example/m.zip#sha256=${'a'.repeat(64)}`, 'MODEL_SOURCE_INVALID'],
    ['ftp://models.example/m.gguf', 'MODEL_SOURCE_INVALID'],
    ['javascript://x/m.gguf', 'MODEL_SOURCE_INVALID'],
    ['\\\\server\\share\\m.gguf', 'MODEL_SOURCE_INVALID'],
    ['//server/share/m.gguf', 'MODEL_SOURCE_INVALID'],
    ['file://server/share/m.gguf', 'MODEL_SOURCE_INVALID'],
    ['qwen2.5:0.5b\n', 'accepted as catalogue'],
    ['qwen2.5:\n0.5b', 'MODEL_SOURCE_INVALID'],
    ['x'.repeat(3_000), 'MODEL_SOURCE_INVALID'],
  ])('%j: %s', (typed, expected) => {
    expect(code(typed)).toBe(expected)
  })

  test('whatever it is, it is read or refused, and only https leads away from this machine', () => {
    const piece = fc.constantFrom(
      'hf:',
      'https://',
      'huggingface.co',
      'hf.co',
      '/',
      '..',
      ':',
      '#sha256=',
      '%2e',
      'a',
      '.gguf',
      '~',
      '\\',
      '@',
      '?',
    )
    const typed = fc.oneof(
      fc.string(),
      fc.array(fc.oneof(piece, fc.string({ maxLength: 4 }))).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(typed, (text) => {
        const outcome = code(text)
        if (!outcome.startsWith('accepted')) return
        const source = parse(text)
        if ('url' in source) {
          const url = new URL(source.url)
          expect(url.protocol).toBe('https:')
          expect(url.username).toBe('')
          if (source.kind === 'hub-file') expect(url.hostname).toBe('huggingface.co')
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
