/**
 * Pictures of every page for docs/screens, from a real host with real trades: `npm run screenshots [-- --out DIR] [PAGE …]`;
 * `--japanese` takes every page in Japanese too. Needs a build and Chromium (`TIRAMI_CHROMIUM`). Its past of some days is lived in a minute, by a clock that is moved on
 * between the trades; the pictures are of the host that was started on its books afterwards.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Browser, chromium, type Page } from 'playwright'
import { quietMachine } from '../src-main/earning/testing/snapshots.ts'
import { pageNames, pages } from '../src-renderer/app/pages.ts'
import { writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, root, temporaryDirectory } from './support/host.ts'
import { type HostHere, startHostHere } from './support/host-here.ts'
import { networkName, openToGuests, sendPrompts, startMeshHost, whenServing } from './support/mesh.ts'
import { openWindow } from './support/window-calls.ts'

const { values, positionals } = parseArgs({
  options: {
    out: { type: 'string', default: 'docs/screens' },
    home: { type: 'string', default: '/home/maya' },
    japanese: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const chosen = pageNames.filter((name) => positionals.length === 0 || positionals.includes(name))
const out = resolve(root, values.out)
const WIDTHS = [900, 1440]
const THEMES = ['light', 'dark'] as const
/** What a page needs after its last answer to be drawn to the end. */
const SETTLE_MS = 900
const HOUR_MS = 3_600_000
const QUESTIONS = [
  'What is TRM?',
  'How do I pause?',
  'Is my data private?',
  'What is a stake?',
  'How do I earn?',
]
const OTHER_MODEL = 'assistant'
/** As many as it takes for none of them to seem to spend too fast: the past is lived in a minute. */
const GUESTS = ['Anna’s laptop', 'CI runner', 'Night reader', 'Kenji', 'Study group']
/** Hours before now at which somebody asks; the welcome loan, which opens the host to guests, runs for 72. */
const VISITS = [66, 58, 47, 44, 35, 30, 26, 22, 21, 19, 18, 16, 13, 12, 10, 9, 7, 6, 4, 3, 2, 1, 0]
const EFFORTS = ['high', 'medium', 'high', 'low'] as const
/** Of Sudokus with nine rows every twentieth or so takes more than two steps; the other tasks are done after one. */
const TASKS = ['sudoku-9x9', 'sudoku-9x9', 'maze'] as const

type Post = (path: string, body: unknown, key?: string) => Promise<Record<string, unknown>>

/** POST to the API, by the owner unless a guest's token is given. @throws Error with what was refused */
function poster({ host }: HostHere): Post {
  const { apiBaseUrl, apiKeyFile } = host.status()
  const owner = readFileSync(apiKeyFile, 'utf8').trim()
  return async (path, body, key = owner) => {
    const response = await fetch(`${apiBaseUrl}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = await response.text()
    if (!response.ok) throw new Error(`${path}: ${answer}`)
    return JSON.parse(answer)
  }
}

/** Guests and the owner ask, over days of which each passes in a moment, of a machine that nobody else uses. */
async function livePast(dataDirectory: string): Promise<void> {
  let behindMs = 0
  const clock = { nowMs: () => Date.now() - behindMs }
  const environment = { snapshot: () => quietMachine(clock.nowMs()), look: async () => undefined }
  const here = await startHostHere({ dataDirectory, clock, environment })
  await here.host.whenServing()
  const dashboard = await here.openPage()
  const window = await openWindow({ ready: { dashboard: dashboard.url } })
  const post = poster(here)
  const goTo = async (hoursAgo: number) => {
    behindMs = hoursAgo * HOUR_MS
    await eventually(async () => here.host.status().state === 'serving', 60_000)
  }
  await goTo(VISITS[0] ?? 0)
  await post('/tirami/agent/claim-welcome', {})
  const tokens: string[] = []
  for (const label of GUESTS) {
    const { token } = await post('/tirami/tokens/issue', { scope: 'inference', label })
    tokens.push(String(token))
  }
  for (const [visit, hoursAgo] of VISITS.entries()) {
    await goTo(hoursAgo)
    const token = tokens[visit % tokens.length]
    const messages = [{ role: 'user', content: QUESTIONS[visit % QUESTIONS.length] }]
    for (let again = 0; again <= visit % 2; again += 1) await post('/chat/completions', { messages }, token)
    if (visit % 4 === 0) await post('/chat/completions', { messages })
    for (const [turn, task] of TASKS.slice(visit % 3).entries()) {
      const seed = (VISITS.length - 1 - visit) * TASKS.length + turn
      const { input } = await window.call('reason.example', { task, seed })
      await post('/tirami/reason', { task, input, effort: EFFORTS[seed % EFFORTS.length] }, token)
    }
  }
  await here.host.stop()
  await dashboard.close()
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

async function open(browser: Browser, url: string, locale: string): Promise<Page> {
  const page = await browser.newPage({
    locale,
    reducedMotion: 'reduce',
    viewport: { width: 1440, height: 900 },
  })
  // A picture of a whole page takes its time on a machine at work.
  page.setDefaultTimeout(240_000)
  await page.goto(url)
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
      // Nothing is pointed at.
      await page.mouse.move(0, 0)
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

/** A home that was not there before, and is gone afterwards. */
function makeHome(wanted: string): { path: string; remove(): void } {
  if (existsSync(wanted)) throw new Error(`${wanted} is there already; name another with --home.`)
  try {
    mkdirSync(wanted)
  } catch {
    return temporaryDirectory()
  }
  return { path: wanted, remove: () => rmSync(wanted, { recursive: true, force: true }) }
}

const executablePath = process.env.TIRAMI_CHROMIUM
if (!executablePath) throw new Error('Set TIRAMI_CHROMIUM to the path of a Chromium.')
// Pictures show where the keys lie: in an owner's home, unless this system lets nobody make one.
const home = makeHome(values.home)
process.on('exit', home.remove)
const dataDirectory = join(home.path, '.tirami-host')
await livePast(dataDirectory)
const data = temporaryDirectory()
const group = networkName()
const host = await startMeshHost(dataDirectory, group, [])
const modelPath = writeAssistantModel(join(data.path, `${OTHER_MODEL}.gguf`))
const other = await startMeshHost(join(data.path, 'other'), group, [host], '--model', modelPath)
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  await buy(host, other)
  if (positionals.length === 0) rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const page = await open(browser, host.ready.dashboard, 'en-GB')
  await use(page)
  await shoot(page, chosen, '')
  const inJapanese = chosen.filter(
    (name) => values.japanese || ['home', 'chat', 'wallet', 'safety'].includes(name),
  )
  if (inJapanese.length > 0)
    await shoot(await open(browser, host.ready.dashboard, 'ja-JP'), inJapanese, '-ja')
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
