import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CONTENT_SECURITY_POLICY } from '../../src-preload/contract/index.ts'
import { answerAppRequest, isAppUrl, resolveAppPath, SECURITY_HEADERS } from './app-request.ts'
import { listBundleFiles } from './bundle-files.ts'

const files = new Set(['/index.html', '/assets/main-a1.js', '/assets/main-a1.css', '/assets/with space.svg'])

describe('isAppUrl', () => {
  it.each([
    'app://tirami',
    'app://tirami/',
    'app://tirami/index.html',
    'app://tirami/#/earnings',
    'app://tirami/?a=1',
  ])('accepts %s', (url) => expect(isAppUrl(url)).toBe(true))
  it.each([
    '',
    'app:',
    'app:tirami',
    'app:///index.html',
    'app://other/index.html',
    'app://tirami.evil/index.html',
    'app://tirami:80/index.html',
    'app://user@tirami/index.html',
    'app://user:pass@tirami/',
    'app://TIRAMI/index.html',
    'app://tirami%2eevil/',
    'app://evil/app://tirami/',
    'apps://tirami/',
    'https://tirami/index.html',
    'https://example.invalid/?next=app://tirami/',
    'https://example.invalid/#app://tirami/',
    'file:///tirami/index.html',
    'about:blank',
    'about:srcdoc',
    'blob:app://tirami/3f2a',
    'data:text/html,app://tirami/',
    'javascript:app://tirami/',
    'view-source:app://tirami/',
    'filesystem:app://tirami/temporary/x',
    'devtools://devtools/bundled/inspector.html',
  ])('refuses %s', (url) => expect(isAppUrl(url)).toBe(false))
})

describe('resolveAppPath', () => {
  it.each([
    ['app://tirami', '/index.html'],
    ['app://tirami/', '/index.html'],
    ['app://tirami/index.html?v=2#/trades', '/index.html'],
    ['app://tirami/assets/main-a1.js', '/assets/main-a1.js'],
    ['app://tirami/assets/with%20space.svg', '/assets/with space.svg'],
  ])('%s is %s', (url, name) => expect(resolveAppPath(url, files)).toBe(name))

  it.each([
    'app://tirami/../package.json',
    'app://tirami/assets/../../package.json',
    'app://tirami/%2e%2e/package.json',
    'app://tirami/%2E%2E%2Fpackage.json',
    'app://tirami/..%2fpackage.json',
    'app://tirami/..%5cpackage.json',
    'app://tirami/..\\package.json',
    'app://tirami/assets%5c..%5c..%5cmain%5cmain.js',
    'app://tirami/%252e%252e/package.json',
    'app://tirami/.%2e/package.json',
    'app://tirami/index.html%00.js',
    'app://tirami/index.html%0a',
    'app://tirami/%ff',
    'app://tirami/%c0%ae%c0%ae/package.json',
    'app://tirami//etc/passwd',
    'app://tirami/C:/Windows/win.ini',
    'app://tirami//server/share',
    'app://tirami/INDEX.HTML',
    'app://tirami/index.html/',
    'app://tirami/index.html.',
    'app://tirami/assets',
    'app://tirami/assets/',
    'app://tirami/__proto__',
    'app://other/index.html',
    'file:///index.html',
  ])('%s is nothing', (url) => expect(resolveAppPath(url, files)).toBeNull())

  it('never leaves the list, whatever the path', () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '%2e',
      '%2E%2e',
      '%5c',
      '\\',
      '/',
      '%2f',
      '%00',
      'assets',
      'index.html',
      '~',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((p) => p.join('/')),
          fc.string(),
        ),
        (path) => {
          const name = resolveAppPath(`app://tirami/${path}`, files)
          expect(name === null || files.has(name)).toBe(true)
        },
      ),
    )
  })
})

describe('answerAppRequest', () => {
  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'get'])('refuses %s', (method) => {
    expect(answerAppRequest(method, 'app://tirami/index.html', files).status).toBe(405)
  })
  it('answers with the file and its type', () => {
    expect(answerAppRequest('GET', 'app://tirami/assets/main-a1.js', files)).toEqual({
      status: 200,
      file: '/assets/main-a1.js',
      contentType: 'text/javascript; charset=utf-8',
    })
  })
  it('refuses other hosts and unknown files', () => {
    expect(answerAppRequest('GET', 'app://other/index.html', files).status).toBe(403)
    expect(answerAppRequest('GET', 'app://tirami/nothing.js', files).status).toBe(404)
  })
})

describe('listBundleFiles', () => {
  it('lists what the page loads and nothing that lies outside', () => {
    const outside = mkdtempSync(join(tmpdir(), 'outside-'))
    writeFileSync(join(outside, 'secret.json'), '{}')
    const bundle = mkdtempSync(join(tmpdir(), 'bundle-'))
    mkdirSync(join(bundle, 'assets'))
    for (const name of ['index.html', 'assets/a.js', 'assets/a.js.map', 'assets/run.exe', '.env']) {
      writeFileSync(join(bundle, name), 'x')
    }
    symlinkSync(join(outside, 'secret.json'), join(bundle, 'link.json'))
    symlinkSync(outside, join(bundle, 'folder'))
    expect([...listBundleFiles(bundle)].sort()).toEqual(['/assets/a.js', '/index.html'])
  })
})

describe('the policy', () => {
  const directives = new Map(
    CONTENT_SECURITY_POLICY.split('; ').map((part) => [part.split(' ')[0], part.split(' ').slice(1)]),
  )
  it('allows our own files only', () => {
    expect(Object.fromEntries(directives)).toEqual({
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'", 'data:'],
      'font-src': ["'self'"],
      'connect-src': ["'self'"],
      'base-uri': ["'none'"],
      'form-action': ["'none'"],
      'frame-ancestors': ["'none'"],
    })
  })
  it('comes with nosniff', () => expect(SECURITY_HEADERS['X-Content-Type-Options']).toBe('nosniff'))
})
