import { APP_START_URL, isAppUrl } from './app-request.ts'

/** Web sites that the page may ask to open in the owner's browser. */
export const EXTERNAL_HOSTS: ReadonlySet<string> = new Set([
  'github.com',
  'huggingface.co',
  // Licences of models in the catalogue.
  'www.apache.org',
  'www.llama.com',
])

const MAX_URL_LENGTH = 2048

/** The window shows one document; it may only be loaded again. */
export function navigationAllowed(url: string, isMainFrame: boolean): boolean {
  if (!isMainFrame || !isAppUrl(url)) return false
  const parsed = new URL(url)
  const start = new URL(APP_START_URL)
  return parsed.pathname === start.pathname || parsed.pathname === '/' || parsed.pathname === ''
}

/**
 * What to hand to the system's browser for a link, or null for nothing. The URL is written anew from its
 * parsed parts, so the browser sees what was judged.
 */
export function externalTarget(url: string): string | null {
  if (url.length > MAX_URL_LENGTH || !URL.canParse(url)) return null
  const parsed = new URL(url)
  const allowed =
    parsed.protocol === 'https:' &&
    EXTERNAL_HOSTS.has(parsed.hostname) &&
    parsed.port === '' &&
    parsed.username === '' &&
    parsed.password === ''
  return allowed ? parsed.href : null
}

/** The page has no business on the network: it talks to the host over IPC only. */
export function requestAllowed(url: string, packaged: boolean): boolean {
  if (isAppUrl(url)) return true
  if (!URL.canParse(url)) return false
  const { protocol } = new URL(url)
  return protocol === 'data:' || (!packaged && protocol === 'devtools:')
}
