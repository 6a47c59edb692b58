import { describe, expect, it } from 'vitest'
import { EXTERNAL_HOSTS, externalTarget, navigationAllowed, requestAllowed } from './navigation-rules.ts'

const FOREIGN = [
  '',
  'about:blank',
  'about:srcdoc',
  'https://example.invalid/',
  'https://example.invalid/?next=app://tirami/',
  'https://github.com/',
  'http://127.0.0.1:3000/',
  'http://localhost:5173/',
  'javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'file:///etc/passwd',
  'file:///home/me/dropped.html',
  'blob:app://tirami/0e0b',
  'app://other/index.html',
  'app://tirami.evil/index.html',
  'app://tirami@evil/index.html',
  'app://tirami/assets/main.js',
  'chrome://settings/',
  'devtools://devtools/bundled/inspector.html',
  'view-source:app://tirami/index.html',
  'ms-settings:',
  'smb://server/share',
]

describe('navigationAllowed', () => {
  it.each(FOREIGN)('refuses %s', (url) => {
    expect(navigationAllowed(url, true)).toBe(false)
  })
  it.each(['app://tirami/', 'app://tirami/index.html', 'app://tirami/index.html#/trades'])(
    'lets the window load %s again, but no frame in it',
    (url) => {
      expect(navigationAllowed(url, true)).toBe(true)
      expect(navigationAllowed(url, false)).toBe(false)
    },
  )
})

describe('externalTarget', () => {
  it.each([
    ['https://github.com/a/b', 'https://github.com/a/b'],
    ['https://huggingface.co/Qwen/Qwen2.5-0.5B?x=1#y', 'https://huggingface.co/Qwen/Qwen2.5-0.5B?x=1#y'],
    ['HTTPS://GitHub.com/a/../b', 'https://github.com/b'],
    ['https:\\\\github.com\\a', 'https://github.com/a'],
    ['  https://github.com/a\n', 'https://github.com/a'],
  ])('%j opens %s', (url, target) => expect(externalTarget(url)).toBe(target))

  it.each([
    ...FOREIGN.filter((url) => url !== 'https://github.com/'),
    'http://github.com/',
    'https://github.com.evil.example/',
    'https://evil.example/https://github.com/',
    'https://evil.example/?next=https://github.com/',
    'https://evil.example#github.com',
    'https://github.com@evil.example/',
    'https://me:secret@github.com/',
    'https://me@github.com/',
    'https://github.com:8443/',
    'https://github.com./',
    'https://xn--gthub-n4a.com/',
    'https://gıthub.com/',
    'https://evilgithub.com/',
    'https://raw.github.com/',
    '//github.com/',
    'github.com',
    'mailto:me@github.com',
    'tel:1',
    'vscode://github.com/',
    `https://github.com/${'a'.repeat(3000)}`,
  ])('refuses %s', (url) => expect(externalTarget(url)).toBeNull())

  it('knows each allowed host in the form that URLs give it', () => {
    for (const host of EXTERNAL_HOSTS) expect(new URL(`https://${host}/`).hostname).toBe(host)
  })
})

describe('requestAllowed', () => {
  it('lets the page load its own files and images in data: URLs', () => {
    expect(requestAllowed('app://tirami/assets/main.js', true)).toBe(true)
    expect(requestAllowed('data:image/png;base64,AA==', true)).toBe(true)
  })
  it.each(FOREIGN.filter((url) => !url.startsWith('app://tirami/') && !url.startsWith('data:')))(
    'cancels %s in a packaged app',
    (url) => expect(requestAllowed(url, true)).toBe(false),
  )
  it('lets developer tools load in development only', () => {
    expect(requestAllowed('devtools://devtools/bundled/inspector.html', false)).toBe(true)
    expect(requestAllowed('https://example.invalid/', false)).toBe(false)
  })
})
