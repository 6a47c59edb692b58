/**
 * Pictures of every page for docs/screens, from a real headless host with real trades:
 * `npm run screenshots [-- --out DIR]`. Needs a build and Chromium (`TIRAMI_CHROMIUM`).
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Browser, chromium, type Page } from 'playwright'
import { pageNames, pages } from '../src-renderer/app/pages.ts'
import { writeAssistantModel } from './support/assistant-model.ts'
import { type HostProcess, root, temporaryDirectory } from './support/host.ts'
import { networkName, openToGuests, sendPrompts, startMeshHost, whenServing } from './support/mesh.ts'

const { values } = parseArgs({ options: { out: { type: 'string', default: 'docs/screens' } } })
const out = resolve(root, values.out)
const WIDTHS = [900, 1440]
const THEMES = ['light', 'dark'] as const
/** What a page needs after its last answer to be drawn to the end. */
const SETTLE_MS = 900
const QUESTIONS = [
  'What is TRM?',
  'How do I pause?',
  'Is my data private?',
  'What is a stake?',
  'How do I earn?',
]
const OTHER_MODEL = 'assistant'
const GUESTS = ['Anna’s laptop', 'CI runner', 'Night reader']

async function guestToken(host: HostProcess, label: string): Promise<string> {
  const body = JSON.stringify({ scope: 'inference', label })
  const issued = await host.api('/tirami/tokens/issue', { method: 'POST', body })
  return ((await issued.json()) as { token: string }).token
}

async function ask(host: HostProcess, content: string, token?: string): Promise<void> {
  const answer = await host.api('/chat/completions', {
    method: 'POST',
    body: JSON.stringify({ messages: [{ role: 'user', content }] }),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  })
  await answer.text()
}

/** Guests and the owner ask, so that there is something to see. */
async function work(host: HostProcess): Promise<void> {
  const tokens = await Promise.all(GUESTS.map((label) => guestToken(host, label)))
  for (const [at, question] of [...QUESTIONS, ...QUESTIONS].entries()) {
    await ask(host, question)
    await ask(host, question, tokens[at % tokens.length])
  }
}

/** Another host serves a model, and answers one question. */
async function buy(host: HostProcess, other: HostProcess): Promise<void> {
  await openToGuests(other)
  await sendPrompts(host)
  await whenServing(host, OTHER_MODEL)
  const body = JSON.stringify({ model: OTHER_MODEL, messages: [{ role: 'user', content: 'tell me' }] })
  await (await host.api('/chat/completions', { method: 'POST', body })).text()
}

async function setPrices(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Set prices' }).click()
  const dialog = page.getByRole('dialog', { name: 'Your prices' })
  await dialog.getByLabel('One kilowatt-hour costs').fill('0.31')
  await dialog.getByLabel('One TRM is worth to you').fill('0.00002')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
}

/** What the pages show only after somebody has used them. */
async function use(page: Page): Promise<void> {
  await page.getByRole('region', { name: 'Earned' }).waitFor()
  await setPrices(page)
  await page.evaluate(() => {
    location.hash = '#/chat'
  })
  await page.getByRole('button', { name: 'What is TRM?' }).click()
  await page
    .getByRole('log')
    .getByText(/^\d+ TRM$/)
    .waitFor()
  await page.evaluate(() => {
    location.hash = '#/playground'
  })
  await page.getByText('Sudoku 9×9').click()
  await page.getByRole('button', { name: 'Think', exact: true }).click()
  await page.getByText('No thought yet').waitFor({ state: 'detached' })
}

async function open(browser: Browser, host: HostProcess, locale: string): Promise<Page> {
  const page = await browser.newPage({
    locale,
    reducedMotion: 'reduce',
    viewport: { width: 1440, height: 900 },
  })
  await page.goto(host.ready.dashboard)
  await page.locator('main h1').first().waitFor()
  return page
}

async function shoot(
  page: Page,
  names: readonly (typeof pageNames)[number][],
  suffix: string,
): Promise<void> {
  for (const name of names) {
    await page.evaluate((hash) => {
      location.hash = hash
    }, pages[name].href)
    await page.locator('main h1').first().waitFor()
    for (const width of WIDTHS) {
      // As high as the page is, so that nothing is drawn anew when the picture is taken.
      await page.setViewportSize({ width, height: 900 })
      for (const colorScheme of THEMES) {
        await page.emulateMedia({ colorScheme })
        await page.waitForTimeout(SETTLE_MS)
        await page.screenshot({
          path: join(out, `${name}-${colorScheme}-${width}${suffix}.png`),
          fullPage: true,
        })
      }
    }
  }
}

const executablePath = process.env.TIRAMI_CHROMIUM
if (!executablePath) throw new Error('Set TIRAMI_CHROMIUM to the path of a Chromium.')
const data = temporaryDirectory()
const group = networkName()
const host = await startMeshHost(join(data.path, 'host'), group, [])
const modelPath = writeAssistantModel(join(data.path, `${OTHER_MODEL}.gguf`))
const other = await startMeshHost(join(data.path, 'other'), group, [host], '--model', modelPath)
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  await work(host)
  await buy(host, other)
  const page = await open(browser, host, 'en-GB')
  await use(page)
  await shoot(page, pageNames, '')
  await shoot(await open(browser, host, 'ja-JP'), ['home', 'chat', 'wallet', 'safety'], '-ja')
} finally {
  await browser.close()
  await Promise.all([host.end('SIGTERM'), other.end('SIGTERM')])
  data.remove()
}
const files = readdirSync(out)
// A palette does for a window of few colours; without pngquant the pictures are larger, not worse.
spawnSync('pngquant', ['--force', '--ext', '.png', '--skip-if-larger', '--speed', '1', '128', ...files], {
  cwd: out,
})
const bytes = files.reduce((sum, file) => sum + statSync(join(out, file)).size, 0)
console.log(`${files.length} pictures, ${(bytes / 1e6).toFixed(1)} MB, in ${values.out}`)
