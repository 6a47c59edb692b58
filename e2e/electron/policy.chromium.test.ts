import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SECURITY_HEADERS } from '../../src-main/desktop/app-request.ts'

const executablePath = [process.env.TIRAMI_CHROMIUM, '/usr/bin/chromium'].find(
  (path) => path !== undefined && existsSync(path),
)
const ORIGIN = 'http://tirami.test'
const ELSEWHERE = 'http://elsewhere.test'
const OWN_SCRIPT = `
  window.ran = (window.ran ?? []).concat('own')
  window.compiled = [
    () => new Function('return 1')(),
    () => eval('1'),
    () => new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
  ].map((attempt) => {
    try {
      return String(attempt())
    } catch (error) {
      return error.name
    }
  })`

/** Serves a page with the headers of the app protocol: what they block, any Chromium of the app blocks. */
describe.skipIf(executablePath === undefined)('the page’s policy, in Chromium', () => {
  let browser: Browser
  let page: Page
  const reached: string[] = []

  const html = `<!doctype html><title>t</title>
    <style>body { color: rgb(1, 2, 3) }</style>
    <script>window.ran = ['inline']</script>
    <script src="/own.js"></script>
    <script src="${ELSEWHERE}/remote.js"></script>
    <link rel="stylesheet" href="${ELSEWHERE}/remote.css">
    <body onload="window.ran.push('handler')"><img src="${ELSEWHERE}/remote.png">
    <img id="own" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">
    <iframe src="/index.html?frame"></iframe><object data="/index.html?object"></object>
    <form id="f" action="${ELSEWHERE}/form" method="post"></form>`

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] })
    page = await browser.newPage()
    await page.route('**/*', async (route) => {
      const { origin, pathname } = new URL(route.request().url())
      if (origin !== ORIGIN) {
        reached.push(route.request().url())
        return route.fulfill({ body: "window.ran?.push('remote')", contentType: 'text/javascript' })
      }
      if (pathname === '/own.js') {
        return route.fulfill({
          headers: SECURITY_HEADERS,
          contentType: 'text/javascript',
          body: OWN_SCRIPT,
        })
      }
      if (pathname === '/text.txt') {
        return route.fulfill({
          headers: SECURITY_HEADERS,
          contentType: 'text/plain',
          body: "window.ran.push('text')",
        })
      }
      return route.fulfill({ headers: SECURITY_HEADERS, contentType: 'text/html', body: html })
    })
    await page.goto(`${ORIGIN}/index.html`)
  })
  afterAll(async () => {
    await browser?.close()
  })

  const ran = () => page.evaluate(() => (window as unknown as { ran: string[] }).ran)
  /** Runs in the page's own world, as an injected script would; resolves whatever happens. */
  const inPage = <T>(probe: () => T | Promise<T>) => page.evaluate(probe)

  it('runs our own script only', async () => {
    expect(await ran()).toEqual(['own'])
  })

  it('shows images of ours and of data: URLs, and applies no inline style', async () => {
    const seen = await inPage(() => ({
      width: document.querySelector<HTMLImageElement>('#own')?.naturalWidth,
      color: getComputedStyle(document.body).color,
    }))
    expect(seen).toEqual({ width: 1, color: 'rgb(0, 0, 0)' })
  })

  it.each<[string, () => unknown]>([
    [
      'a script element with text',
      () => {
        const script = document.createElement('script')
        script.textContent = "window.ran.push('injected')"
        document.body.append(script)
      },
    ],
    [
      'markup with a handler',
      () => {
        document.body.insertAdjacentHTML('beforeend', `<img src="x:" onerror="window.ran.push('onerror')">`)
      },
    ],
    [
      'a javascript: link',
      () => {
        const link = Object.assign(document.createElement('a'), {
          href: "javascript:window.ran.push('link')",
        })
        document.body.append(link)
        link.click()
      },
    ],
    [
      'a data: script',
      () => {
        document.body.append(
          Object.assign(document.createElement('script'), {
            src: "data:text/javascript,window.ran.push('data')",
          }),
        )
      },
    ],
    [
      'a blob: script',
      () => {
        const src = URL.createObjectURL(new Blob(["window.ran.push('blob')"], { type: 'text/javascript' }))
        document.body.append(Object.assign(document.createElement('script'), { src }))
      },
    ],
    [
      'a text file as a script',
      () => {
        document.body.append(Object.assign(document.createElement('script'), { src: '/text.txt' }))
      },
    ],
    [
      'a changed base',
      () => {
        document.head.append(
          Object.assign(document.createElement('base'), { href: 'http://elsewhere.test/' }),
        )
        document.body.append(Object.assign(document.createElement('script'), { src: 'moved.js' }))
      },
    ],
    [
      'a worker',
      () => {
        try {
          new Worker(URL.createObjectURL(new Blob(["fetch('http://elsewhere.test/worker')"])))
        } catch {}
      },
    ],
  ])('%s does nothing', async (_name, attack) => {
    await inPage(attack)
    await page.waitForTimeout(150)
    expect(await ran()).toEqual(['own'])
    expect(reached).toEqual([])
  })

  // Asked by the page itself: what the debugger evaluates may compile.
  it('compiles no text', async () => {
    const compiled = await inPage(() => (window as unknown as { compiled: string[] }).compiled)
    expect(compiled).toEqual(['EvalError', 'EvalError', 'CompileError'])
  })

  it('talks to nobody else', async () => {
    const outcome = await inPage(async () => {
      const failed = (promise: Promise<unknown>) =>
        promise.then(
          () => 'reached',
          () => 'refused',
        )
      const socket = new Promise((resolve, reject) => {
        try {
          const opened = new WebSocket('ws://elsewhere.test/')
          opened.onopen = resolve
          opened.onerror = reject
        } catch (error) {
          reject(error)
        }
      })
      navigator.sendBeacon('http://elsewhere.test/beacon', 'x')
      document.body.append(Object.assign(new Image(), { src: 'http://elsewhere.test/pixel.png' }))
      return [await failed(fetch('http://elsewhere.test/fetch')), await failed(socket)]
    })
    expect(outcome).toEqual(['refused', 'refused'])
    expect(reached).toEqual([])
  })

  it('submits no form and frames nothing, not even itself', async () => {
    await inPage(() => document.querySelector<HTMLFormElement>('#f')?.submit())
    await page.waitForTimeout(200)
    expect(page.url()).toBe(`${ORIGIN}/index.html`)
    const framed = await Promise.all(
      page
        .frames()
        .slice(1)
        .map((frame) => frame.title().catch(() => '')),
    )
    expect(framed.every((title) => title !== 't')).toBe(true)
    expect(reached).toEqual([])
  })
})
