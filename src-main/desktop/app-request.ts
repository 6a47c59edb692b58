import { CONTENT_SECURITY_POLICY } from '../../src-preload/contract/index.ts'

export const APP_SCHEME = 'app'
export const APP_HOST = 'tirami'
export const APP_ORIGIN = `${APP_SCHEME}://${APP_HOST}`
export const APP_START_URL = `${APP_ORIGIN}/index.html`

/** Sent with every answer of the app protocol, refusals included. */
export const SECURITY_HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
} as const

/** Files of other kinds are not part of the page and are not served. */
const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
}

/** The content type for a bundle file's name, or null when files of its kind are not served. */
export function contentTypeOf(fileName: string): string | null {
  const dot = fileName.lastIndexOf('.')
  return dot === -1 ? null : (CONTENT_TYPES[fileName.slice(dot)] ?? null)
}

/**
 * Whether `url` lies under app://tirami. Parses, never searches the text: `https://x/?next=app://tirami`
 * does not match, nor does another host, a port or a user name.
 */
export function isAppUrl(url: string): boolean {
  return parseAppUrl(url) !== null
}

/**
 * Maps a URL to a name in `files`, the bundle's files as listed at start (`/index.html`, `/assets/a.js`).
 * The answer is always a member of `files`, so no spelling of a path reaches anything else.
 */
export function resolveAppPath(url: string, files: ReadonlySet<string>): string | null {
  const parsed = parseAppUrl(url)
  if (parsed === null) return null
  let path: string
  try {
    path = decodeURIComponent(parsed.pathname)
  } catch {
    return null
  }
  // What still needs decoding or normalising was not written by our own bundler.
  if (/[\\%\p{Cc}]/u.test(path) || path.split('/').some((part) => part === '.' || part === '..')) return null
  const name = path === '/' || path === '' ? '/index.html' : path
  return files.has(name) ? name : null
}

export type AppAnswer =
  | { status: 200; file: string; contentType: string }
  | { status: 403 | 404 | 405; file: null; contentType: null }

/** What the app protocol answers to a request. */
export function answerAppRequest(method: string, url: string, files: ReadonlySet<string>): AppAnswer {
  const refuse = (status: 403 | 404 | 405): AppAnswer => ({ status, file: null, contentType: null })
  if (method !== 'GET') return refuse(405)
  if (!isAppUrl(url)) return refuse(403)
  const file = resolveAppPath(url, files)
  const contentType = file === null ? null : contentTypeOf(file)
  if (file === null || contentType === null) return refuse(404)
  return { status: 200, file, contentType }
}

function parseAppUrl(url: string): URL | null {
  if (!URL.canParse(url)) return null
  const parsed = new URL(url)
  // `origin` is "null" for a scheme that Node does not know, so the parts are compared.
  const ours =
    parsed.protocol === `${APP_SCHEME}:` &&
    parsed.hostname === APP_HOST &&
    parsed.port === '' &&
    parsed.username === '' &&
    parsed.password === ''
  return ours ? parsed : null
}
