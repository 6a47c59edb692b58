import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startFaultyServer } from '../src-main/models/download/testing/faulty-server.ts'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { pageNames, pages } from '../src-renderer/app/pages.ts'
import { FakeHost } from '../src-renderer/testing/fake-host.ts'
import { eventually, type HostProcess, root, startHeadless, temporaryDirectory } from './support/host.ts'
import { startHostHere } from './support/host-here.ts'
import {
  accessibilityFindings,
  expectReadable,
  openBrowser,
  openPage,
  pressUntilFocused,
  sidewaysScroll,
  withBrowser,
} from './support/window.ts'

const data = temporaryDirectory()
const problems: string[] = []
let browser: Browser

const newPage = async (): Promise<Page> => {
  browser ??= await openBrowser()
  return openPage(browser, problems)
}

const pageAt = (host: HostProcess, hash: string) => `${new URL(host.ready.dashboard).origin}/${hash}`

afterAll(async () => {
  await browser?.close()
  data.remove()
})

withBrowser('the Safety page watches a real host', () => {
  let host: HostProcess
  let page: Page
  const directory = join(data.path, 'safety')
  const part = (name: string) => page.getByRole('region', { name, exact: true })
  const tirami = (path: string, method: string, body: unknown) =>
    host.api(`/tirami/${path}`, { method, body: JSON.stringify(body) })

  beforeAll(async () => {
    // A model that never stops by itself, so that an answer takes its time.
    const model = writeTinyGguf(join(data.path, 'endless.gguf'), {
      script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
    })
    host = await startHeadless(directory, '--model', model)
    page = await newPage()
    await page.goto(host.ready.dashboard)
    await page.goto(pageAt(host, '#/safety'))
  })
  afterAll(async () => {
    await page?.close()
    await host?.end('SIGKILL')
  })

  it('goes red when a job breaks a limit, says why, and sells again when the owner resumes it', async () => {
    await part('Sentinel').getByText('All guardrails are within their limits.').waitFor()
    await tirami('console', 'PATCH', { sentinel: { max_latency_ms: 1 } })
    await host.client.chat.completions.create({
      model: host.ready.model,
      messages: [{ role: 'user', content: 'go' }],
      max_tokens: 64,
    })
    await part('Sentinel')
      .getByText(/^A job took .*; at most .* are allowed\.$/)
      .waitFor()
    await part('Sentinel').getByText('past it').waitFor()
    const refused = await host.api('/chat/completions', {
      method: 'POST',
      body: JSON.stringify({ model: host.ready.model, messages: [{ role: 'user', content: 'go' }] }),
    })
    expect(refused.status).toBe(503)
    await tirami('console', 'PATCH', { sentinel: { max_latency_ms: 900_000 } })
    await part('Sentinel').getByRole('button', { name: 'Resume selling' }).click()
    await part('Sentinel').getByText('All guardrails are within their limits.').waitFor()
    await part('What happened').getByText('You resumed the sentinel.').waitFor()
    await part('What happened').getByText('sentinel.max_latency_ms').first().waitFor()
  })

  it('asks the owner before somebody spends much: approved is answered, refused is not', async () => {
    const issued = await tirami('tokens/issue', 'POST', { scope: 'inference', label: 'Anna' })
    const { token } = (await issued.json()) as { token: string }
    const guest = new OpenAI({ baseURL: host.ready.api, apiKey: token, maxRetries: 0 })
    const own = await host.api('/tirami/safety', { headers: { authorization: `Bearer ${token}` } })
    const { node_id } = (await own.json()) as { node_id: string }
    await tirami('policy', 'POST', { node_id, human_approval_threshold: 0 })
    const ask = () =>
      guest.chat.completions
        .create(
          { model: host.ready.model, messages: [{ role: 'user', content: 'go' }], max_tokens: 4 },
          { headers: { 'X-Tirami-Approval': 'wait' } },
        )
        .then(
          () => 'answered',
          (error: { code?: string }) => error.code,
        )
    const first = ask()
    await part('Waiting for your answer')
      .getByRole('button', { name: /^Approve .* for Anna$/ })
      .click()
    expect(await first).toBe('answered')
    const second = ask()
    await part('Waiting for your answer')
      .getByRole('button', { name: /^Refuse .* for Anna$/ })
      .click()
    expect(await second).toBe('approval_denied')
    await part('Waiting for your answer').getByText('No request waits for you').waitFor()
    await part('Who may spend, and how much').getByRole('listitem', { name: 'Anna' }).waitFor()
  })

  it('stops everything only when asked twice', async () => {
    const stop = part('Emergency stop').getByRole('button', { name: 'Stop everything', exact: true })
    await stop.click()
    await page.keyboard.press('Escape')
    await part('Emergency stop').getByText('Nothing is stopped.').waitFor()
    await stop.click()
    await part('Emergency stop').getByRole('button', { name: 'Stop everything now' }).click()
    await part('Emergency stop').getByText('Everything is stopped.').waitFor()
    await part('Emergency stop').getByRole('button', { name: 'Let it go on' }).click()
    await part('Emergency stop').getByText('Nothing is stopped.').waitFor()
  })
})

withBrowser('the Settings page changes what the owner’s file says', () => {
  let host: HostProcess
  let page: Page
  const directory = join(data.path, 'settings')
  const file = join(directory, 'owner.yaml')
  const part = (name: string) => page.getByRole('region', { name, exact: true })

  beforeAll(async () => {
    host = await startHeadless(directory)
    page = await newPage()
    await page.goto(host.ready.dashboard)
    await page.goto(pageAt(host, '#/settings'))
    await part('When to earn').getByText('Hours of the week').waitFor()
  })
  afterAll(async () => {
    await page?.close()
    await host?.end('SIGTERM')
  })

  it('sets the hours with the keyboard alone, and keeps the owner’s comments', async () => {
    writeFileSync(file, readFileSync(file, 'utf8').replace('  monday:', '  # my own note\n  monday:'))
    const mode = part('When to earn').getByRole('radio', { name: 'Always' })
    await pressUntilFocused(page, 'Tab', mode)
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await eventually(async () => /^ {2}mode: schedule$/m.test(readFileSync(file, 'utf8')))
    await part('When to earn')
      .getByText(/(Opens|Closes) .* \(.*\)\./)
      .waitFor()
    const from = page.getByLabel('Monday, window 1, from')
    await pressUntilFocused(page, 'Tab', from)
    // One hour earlier; digits would depend on how this system writes the time.
    await page.keyboard.press('ArrowDown')
    expect(await from.inputValue()).toBe('21:00')
    await pressUntilFocused(page, 'Tab', page.getByRole('button', { name: 'Add a window to Sunday' }))
    await page.keyboard.press('Enter')
    const second = page.getByLabel('Sunday, window 2, from')
    await second.waitFor()
    await part('When to earn').getByText('Two windows lie over each other.').waitFor()
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await second.waitFor({ state: 'detached' })
    await pressUntilFocused(page, 'Tab', page.getByRole('button', { name: 'Save the hours' }))
    await page.keyboard.press('Enter')
    await part('When to earn').getByText('Saved in owner.yaml.').waitFor()
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('  # my own note\n  monday: 21:00-07:00')
    expect(text).toContain('  sunday: 22:00-07:00')
  })

  it('refuses a value out of its bounds before it is sent, and shows the file with its fault', async () => {
    await page.getByRole('tab', { name: 'Prices and limits' }).click()
    const row = part('Limits of the sentinel').locator('form', { hasText: 'sentinel.failure_streak' })
    await row.getByRole('spinbutton').fill('0')
    await row.getByText('Give a number from 1 to 100.').waitFor()
    await row.getByRole('spinbutton').fill('7')
    await row.getByRole('button', { name: 'Save Failures in a row' }).click()
    await eventually(async () => readFileSync(file, 'utf8').includes('failure_streak: 7'))
    await page.getByRole('tab', { name: 'File', exact: true }).click()
    const good = readFileSync(file, 'utf8')
    writeFileSync(file, good.replace('failure_streak: 7', 'failure_streak: many'))
    await page.getByRole('button', { name: 'Read again' }).click()
    await part('owner.yaml').getByText('failure_streak: many').waitFor()
    await part('owner.yaml').getByText('The file has a fault.').waitFor()
    await page.locator('[data-wrong="true"]', { hasText: 'failure_streak: many' }).waitFor()
    writeFileSync(file, good)
    await part('owner.yaml').getByText('The file has a fault.').waitFor({ state: 'detached' })
  })

  it('speaks the chosen language and takes the chosen theme', async () => {
    await page.getByRole('tab', { name: 'App and look' }).click()
    await part('Desktop app').getByText('These belong to the desktop app').waitFor()
    const look = part('Look and language')
    await look.getByText('Dark', { exact: true }).click()
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    await look.getByRole('button', { name: /Language of this window/ }).click()
    await page.getByRole('option', { name: '日本語' }).click()
    await page.getByRole('heading', { name: '設定', level: 1 }).waitFor()
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('ja')
    await page.getByRole('region', { name: '表示と言語' }).getByRole('button', { name: /言語/ }).click()
    await page.getByRole('option', { name: 'English' }).click()
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor()
  })

  it('backs the keys up, and another host becomes this node', async () => {
    await page.getByRole('tab', { name: 'Backup' }).click()
    const backup = part('Backup of the keys')
    await backup.getByText('No backup yet').waitFor()
    await backup.getByLabel('Password of the file').fill('short')
    await backup.getByText('At least 10 characters.').waitFor()
    await backup.getByLabel('Password of the file').fill('correct horse battery')
    await backup.getByLabel('Once more').fill('correct horse battery')
    const arriving = page.waitForEvent('download')
    await backup.getByRole('button', { name: 'Save a backup' }).click()
    const saved = join(data.path, 'mine.tirami-backup')
    await (await arriving).saveAs(saved)
    await backup.getByText(/^Last /).waitFor()

    const other = join(data.path, 'other')
    let fresh = await startHeadless(other)
    expect(fresh.ready.nodeId).not.toBe(host.ready.nodeId)
    const there = await newPage()
    await there.goto(fresh.ready.dashboard)
    await there.goto(pageAt(fresh, '#/settings'))
    await there.getByRole('tab', { name: 'Backup' }).click()
    const restore = there.getByRole('region', { name: 'Put a backup back' })
    await restore.locator('input[type="file"]').setInputFiles(saved)
    await restore.getByLabel('Password of the backup').fill('wrong horse battery')
    await restore.getByRole('button', { name: 'Check it' }).click()
    await restore.getByText(/does not open this backup/).waitFor()
    await restore.getByLabel('Password of the backup').fill('correct horse battery')
    await restore.getByRole('button', { name: 'Check it' }).click()
    await restore.getByRole('button', { name: 'Put it back' }).click()
    await restore.getByRole('button', { name: 'Put it back at the next start' }).click()
    await restore.getByText('A restore waits for the next start of the host.').waitFor()
    await there.close()
    expect(await fresh.end('SIGTERM')).toBe(0)
    fresh = await startHeadless(other)
    expect(fresh.ready.nodeId).toBe(host.ready.nodeId)
    expect(await fresh.end('SIGTERM')).toBe(0)
  })
})

withBrowser('the first-run guide', () => {
  const directory = join(data.path, 'first')
  const resources = join(data.path, 'resources')
  const content = readFileSync(writeTinyGguf(join(data.path, 'small.gguf'), { seed: 3 }))
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })

  /** Every download comes from a server of this test. */
  async function startWithDownloads(server: Awaited<ReturnType<typeof startFaultyServer>>) {
    const { host, openPage: openWindow } = await startHostHere({
      dataDirectory: directory,
      resourcesDirectory: resources,
      modelNet: server.net(),
      guide: true,
    })
    return { host, dashboard: await openWindow() }
  }

  beforeAll(() => {
    mkdirSync(resources)
    symlinkSync(join(root, 'resources/models'), join(resources, 'models'))
    symlinkSync(join(root, 'resources/recursion'), join(resources, 'recursion'))
    const model = {
      id: 'tiny:1m',
      family: 'tiny',
      name: 'Tiny 1M',
      publisher: 'Test',
      license: 'MIT',
      licenseUrl: 'https://example.org/mit',
      chatFormat: 'chatml',
      contextTokens: 256,
      attention: { layers: 1, kvHeads: 1, headLength: 32 },
      builds: [
        {
          quantisation: 'F16',
          repository: 'test/tiny',
          revision: '0'.repeat(40),
          file: 'tiny.gguf',
          sizeBytes: content.length,
          sha256: createHash('sha256').update(content).digest('hex'),
        },
      ],
    }
    writeFileSync(join(resources, 'catalogue.json'), JSON.stringify({ version: 1, models: [model] }))
  })

  it('leads a new owner from the machine to the first answer, with a model that is downloaded', async () => {
    const server = await startFaultyServer(content)
    server.behave = () => ({ kind: 'hold', afterBytes: 20_000, until: held })
    const { host, dashboard } = await startWithDownloads(server)
    const page = await newPage()
    await page.goto(dashboard.url)
    await page.getByRole('heading', { name: 'This is your machine.' }).waitFor()
    await page.getByText(/core/).first().waitFor()
    await page.getByRole('button', { name: 'Next' }).click()

    await page.getByRole('heading', { name: 'Choose what you serve.' }).waitFor()
    // How far one has come is kept by the host, not by the browser.
    await page.reload()
    await page.getByRole('heading', { name: 'Choose what you serve.' }).waitFor()
    await page.getByRole('button', { name: 'Download Tiny 1M F16' }).click()
    await page.getByText(/^Downloading/).waitFor()
    letGo()
    await page.getByRole('button', { name: 'Serve this one: Tiny' }).click()
    await eventually(async () => host.status().model?.id === 'tiny:1m-f16')
    await page.getByRole('button', { name: 'Next' }).click()

    await page.getByRole('radio', { name: /^At night/ }).check()
    await eventually(async () =>
      /^ {2}mode: schedule$/m.test(readFileSync(join(directory, 'owner.yaml'), 'utf8')),
    )
    await page.getByRole('radio', { name: /^Always/ }).check()
    await eventually(async () => /^ {2}mode: now$/m.test(readFileSync(join(directory, 'owner.yaml'), 'utf8')))
    await page.getByRole('button', { name: 'Next' }).click()

    await page.getByText('Open it to guests with the welcome loan').waitFor()
    await page.getByRole('button', { name: 'Claim the welcome loan' }).click()
    await page.getByText('This host is open to guests').waitFor()
    await page.getByRole('button', { name: 'Go to Home' }).click()
    await page.getByRole('navigation', { name: 'Pages' }).waitFor()
    await page.reload()
    await page.getByRole('navigation', { name: 'Pages' }).waitFor()
    expect(await page.getByText('This is your machine.').count()).toBe(0)
    await page.close()
    await host.stop()
    await dashboard.close()
    await server.close()
  })
})

withBrowser('in both themes and at both widths', () => {
  const fake = new FakeHost(join(root, 'out/renderer'))
  let page: Page
  let base: string
  beforeAll(async () => {
    base = `http://127.0.0.1:${await fake.listen()}`
    page = await newPage()
  })
  afterAll(async () => {
    await page?.close()
    await fake.close()
  })

  /** All of them when somebody wants the pictures; the most crowded ones always. */
  const every = process.env.TIRAMI_SCREENSHOTS !== undefined
  async function judge(name: string): Promise<void> {
    await expectReadable(page, name)
    expect(await accessibilityFindings(page)).toEqual([])
  }

  it('the Safety page can be read, stopped and fresh', async () => {
    await page.goto(`${base}/?state=earning#/safety`)
    await page.getByText('A job took 912 s').first().waitFor()
    await judge('safety')
    await page.goto(`${base}/?state=fresh#/safety`)
    await page.getByText('All guardrails are within their limits.').first().waitFor()
    if (every) await judge('safety-fresh')
  })

  it('every part of Settings can be read', async () => {
    await page.goto(`${base}/?state=earning#/settings`)
    const parts = ['Prices and limits', 'App and look', 'Storage and network', 'File']
    for (const name of ['When to earn', 'Backup', ...(every ? parts : [])]) {
      await page.getByRole('tab', { name, exact: true }).click()
      await page.getByRole('tabpanel').getByRole('region').first().waitFor()
      await judge(`settings-${name.toLowerCase().replaceAll(' ', '-')}`)
    }
  })

  it('no page is wider than a small window at twice its size', async () => {
    await page.setViewportSize({ width: 450, height: 300 })
    for (const name of pageNames) {
      await page.goto(`${base}/?state=earning${pages[name].href}`)
      await page.locator('main h1, main .hero').first().waitFor()
      await page.locator('main .skeleton').first().waitFor({ state: 'detached' })
      expect(`${name}: ${await sidewaysScroll(page)}`).toBe(`${name}: 0`)
    }
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  it('every step of the guide can be read', async () => {
    await page.goto(`${base}/?state=first-run`)
    for (const name of ['machine', 'model', 'hours']) {
      await page.getByRole('heading', { level: 1 }).waitFor()
      if (every || name === 'model') await judge(`guide-${name}`)
      await page.getByRole('button', { name: 'Next' }).click()
      await page.getByRole('button', { name: 'Back' }).waitFor()
    }
    await page.getByText('Open it to guests with the welcome loan').waitFor()
    await judge('guide-earn')
  })
})

withBrowser('all of these pages', () => {
  it('complain of nothing', () => {
    expect(problems).toEqual([])
  })
})
