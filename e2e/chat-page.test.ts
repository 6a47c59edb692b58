import { join } from 'node:path'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { eventually, type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'
import { expectReadable, openBrowser, openPage, shoot, withBrowser } from './support/window.ts'
import { XSS_CORPUS } from './support/xss-corpus.ts'

/** Ends a prompt that asks for an attack with a tab, any other with a line feed. */
const TEMPLATE = `{% for message in messages %}{{ message.content }}{% endfor %}{% if 'attack' in messages[-1].content %}{{ '\t' }}{% else %}{{ '\n' }}{% endif %}`

withBrowser('the Chat page with a real host', () => {
  const data = temporaryDirectory()
  const problems: string[] = []
  let host: HostProcess
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    // A model that never ends by itself, and attacks when it is asked to.
    const model = writeTinyGguf(join(data.path, 'hostile.gguf'), {
      chatTemplate: TEMPLATE,
      contextTokens: 4096,
      script: { bytes: new TextEncoder().encode('abcdefg '), ending: 'repeat' },
      answers: [{ after: '\t', pieces: XSS_CORPUS.map((attack) => `${attack}\n\n`) }],
    })
    host = await startHeadless(join(data.path, 'host'), '--model', model)
    browser = await openBrowser()
    page = await openPage(browser, problems)
    await page.goto(host.ready.dashboard)
    await page.getByRole('link', { name: 'Chat', exact: true }).click()
    await page.getByRole('heading', { name: 'Chat', level: 1 }).waitFor()
  })
  afterAll(async () => {
    await browser?.close()
    await host?.end('SIGKILL')
    data.remove()
  })
  beforeEach(() => {
    problems.length = 0
  })

  const log = () => page.getByRole('log')
  const box = () => page.getByRole('textbox', { name: 'Your question' })
  const ask = async (question: string) => {
    await box().fill(question)
    await box().press('Enter')
  }

  it('shows what a hostile model writes as text: nothing of it runs, loads or leads anywhere', async () => {
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await ask('attack')
    await log()
      .getByText(/^\d+ TRM$/)
      .waitFor()
    for (const sign of [
      '<script>globalThis.pwned=1</script>',
      '[click](javascript:',
      '<https://example.com/leak>',
    ])
      await log().getByText(sign).first().waitFor()
    const answer = await log().evaluate((element) => ({
      pwned: 'pwned' in globalThis,
      elements: [
        ...new Set([...element.querySelectorAll('.answer *')].map(({ tagName }) => tagName.toLowerCase())),
      ],
      addresses: element.querySelectorAll('.answer :is([href], [src], [action], [data])').length,
      handlers: [...element.querySelectorAll('.answer *')].filter(({ attributes }) =>
        [...attributes].some(({ name }) => name.startsWith('on')),
      ).length,
    }))
    expect(answer).toMatchObject({ pwned: false, addresses: 0, handlers: 0 })
    const drawn = [
      'p',
      'br',
      'ul',
      'ol',
      'li',
      'pre',
      'code',
      'strong',
      'div',
      'span',
      'button',
      'svg',
      'path',
      'rect',
    ]
    expect(answer.elements.filter((name) => !drawn.includes(name))).toEqual([])
    expect(requests.filter((url) => !url.startsWith(new URL(host.ready.dashboard).origin))).toEqual([])
    expect(problems).toEqual([])
  })

  it('streams, and stops when it is told to; what came until then stays and is paid', async () => {
    await page.getByRole('button', { name: 'New conversation' }).click()
    // The model is fast: the button is pressed as soon as it is there, and again if the answer was faster still.
    await eventually(async () => {
      await page.evaluate(() => {
        const observer = new MutationObserver(() => {
          const button = document.querySelector<HTMLButtonElement>('[aria-label="Stop the answer"]')
          if (button === null) return
          observer.disconnect()
          button.click()
        })
        observer.observe(document.body, { childList: true, subtree: true })
      })
      await ask('go')
      await page.getByRole('button', { name: 'Send' }).waitFor()
      return (await log().getByText('Stopped by you').count()) > 0
    }, 60_000)
    await log()
      .getByText(/^\d+ TRM$/)
      .first()
      .waitFor()
    expect(await box().evaluate((element) => element === document.activeElement)).toBe(true)
  })

  it('keeps conversations apart and forgets one on request', async () => {
    const talks = page.getByRole('navigation', { name: 'Conversations' })
    await talks.getByRole('button', { name: /^attack/ }).click()
    await log().getByText('<script>globalThis.pwned=1</script>').first().waitFor()
    expect(await log().getByText('Stopped by you').count()).toBe(0)
    await talks.getByRole('button', { name: 'Forget “attack”' }).click()
    await page.getByText('Try what you sell').waitFor()
    expect(await talks.getByRole('button', { name: /^attack/ }).count()).toBe(0)
    await talks.getByRole('button', { name: /^go/ }).click()
    await log().getByText('Stopped by you').first().waitFor()
  })

  it('loads another model when it is chosen, for guests too, and talks to that one', async () => {
    await page.getByRole('button', { name: 'New conversation' }).click()
    await page
      .getByRole('button', { name: /^Model/ })
      .or(page.getByLabel('Model'))
      .first()
      .click()
    await page.getByRole('option', { name: /Concierge/ }).click()
    await page.getByText('This is the concierge').waitFor()
    await page.getByRole('button', { name: 'What is TRM?' }).click()
    await log()
      .getByText(/^\d+ TRM$/)
      .waitFor()
    await log().getByText(/TRM/).first().waitFor()
    const models = (await (await host.api('/models')).json()) as { data: { id: string }[] }
    expect(models.data.some(({ id }) => id.includes('concierge'))).toBe(true)
    await expectReadable(page, 'chat')
    expect(problems).toEqual([])
  })

  it('says that it waits for the host when that is gone, and goes on when it is back', async () => {
    await page.getByRole('link', { name: 'Home' }).click()
    await page.getByRole('link', { name: 'Chat', exact: true }).click()
    await log().getByText('What is TRM?').first().waitFor()
    await host.end('SIGKILL')
    await page.getByPlaceholder('Waiting for the host…').waitFor()
    await eventually(async () => (await page.getByRole('button', { name: 'Send' }).isDisabled()) === true)
    await shoot(page, 'chat-offline')
  })
})
