import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'csv-parse/sync'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, type HostProcess, root, startHeadless, temporaryDirectory } from './support/host.ts'

const executablePath = process.env.TIRAMI_CHROMIUM
// On CI a machine without a browser is a broken machine, not a reason to skip.
const run = executablePath || process.env.CI ? describe : describe.skip
const shots = process.env.TIRAMI_SCREENSHOTS

/** Two equal digits in a row: nothing can be right, so that every step is done. */
const HARD = { task: 'sudoku-4x4', input: { cells: [1, 1, ...Array(14).fill(0)] } }
const EASY = { task: 'sudoku-4x4', input: { cells: [1, 2, 3, 4, 3, 4, 1, 2, 2, 1, 4, 3, 4, 3, 2, 0] } }

async function post(host: HostProcess, path: string, body: unknown, key = host.apiKey) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const response = await fetch(`${host.ready.api}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  const json = await response.json()
  if (!response.ok) throw new Error(JSON.stringify(json))
  return json
}
const patch = async (host: HostProcess, values: unknown) => {
  const response = await host.api('/tirami/console', { method: 'PATCH', body: JSON.stringify(values) })
  expect(response.status).toBe(200)
}
const get = async (host: HostProcess, path: string) => (await host.api(path)).json()

describe('the thermostat over HTTP', () => {
  const data = temporaryDirectory()
  let host: HostProcess
  let guest: string

  beforeAll(async () => {
    mkdirSync(data.path, { recursive: true })
    writeFileSync(join(data.path, 'settings.json'), JSON.stringify({ declaredPowerW: 100 }))
    host = await startHeadless(data.path)
    guest = (await post(host, '/tirami/tokens/issue', { scope: 'inference' })).token
    await post(host, '/tirami/agent/claim-welcome', {})
    const limits = { max_cu_per_request: 1e6, max_cu_per_hour: 1e9, max_cu_lifetime: 1e9 }
    const asks = { human_approval_threshold: null, max_requests_per_minute: 1_000 }
    const headers = { authorization: `Bearer ${guest}` }
    const { node_id } = await (await fetch(`${host.ready.api}/tirami/safety`, { headers })).json()
    await post(host, '/tirami/policy', { node_id, ...limits, ...asks })
  })
  afterAll(async () => {
    await host?.end('SIGKILL')
    data.remove()
  })
  const think = (more: object = {}) => post(host, '/tirami/reason', { ...HARD, ...more }, guest)
  const settings = async () => (await get(host, '/tirami/console')).thermostat

  it('settings are what a thought runs with, and what bounds it', async () => {
    await patch(host, {
      thermostat: { min_inner_cycles: 2, max_inner_cycles: 3, min_outer_steps: 2, max_outer_steps: 4 },
    })
    const { inner_cycles, outer_steps, halt_threshold } = await settings()
    const thought = await think()
    expect(thought).toMatchObject({
      effort: 'host',
      thermostat: { inner_cycles, outer_steps, halt_threshold },
    })
    expect(thought.steps).toHaveLength(outer_steps)
    await post(host, '/tirami/console/full-depth', { active: true })
    const full = await think()
    expect(full.thermostat).toMatchObject({ inner_cycles: 3, outer_steps: 4 })
    expect(full.cycles).toBeGreaterThan(thought.cycles)
    expect(full.x_tirami.flops).toBeGreaterThan(thought.x_tirami.flops)
    await post(host, '/tirami/console/full-depth', { active: false })
    expect(await think({ effort: 'full' })).toMatchObject({ effort: 'full', thermostat: null })
    expect((await think({ steps: 3 })).steps).toHaveLength(3)
  })

  it('never goes past the sentinel’s cap, whoever chose the depth', async () => {
    await patch(host, { sentinel: { max_cycles: 60 } })
    for (const how of [{}, { effort: 'high' }, { effort: 'full' }, { steps: 64 }]) {
      expect((await think(how)).cycles).toBeLessThanOrEqual(60)
    }
    expect((await get(host, '/tirami/sentinel')).level).not.toBe('red')
    await patch(host, { sentinel: { max_cycles: 40_000 } })
  })

  it('a lower return makes thoughts shallower and cheaper, a higher one deeper, and each change is explained', async () => {
    await patch(host, {
      thermostat: {
        window_jobs: 5,
        min_inner_cycles: 2,
        max_inner_cycles: 4,
        min_outer_steps: 2,
        max_outer_steps: 4,
        min_halt_threshold: 0.5,
        max_halt_threshold: 0.5,
        max_concurrency: 1,
      },
      sentinel: { roi_floor: -1, daily_budget: null },
      prices: { per_kwh: 1 },
    })
    /** Windows of jobs whose value is `perTrm`, until the settings stand at one end. @returns a thought there */
    const work = async (perTrm: number, goal: { inner_cycles: number; outer_steps: number }) => {
      await patch(host, { prices: { per_trm: perTrm } })
      for (let window = 0; window < 6; window++) {
        const before = await settings()
        if (before.inner_cycles === goal.inner_cycles && before.outer_steps === goal.outer_steps) break
        for (let i = 0; i < 5; i++) await think()
        // The energy of a job is known seconds after it.
        await eventually(async () => (await settings()).changed_at_ms !== before.changed_at_ms)
      }
      expect(await settings()).toMatchObject(goal)
      return think()
    }
    const middle = await think()
    const shallow = await work(1e-12, { inner_cycles: 2, outer_steps: 2 })
    const deep = await work(1e6, { inner_cycles: 4, outer_steps: 4 })
    for (const [less, more] of [
      [shallow, middle],
      [middle, deep],
    ]) {
      expect(less.cycles).toBeLessThan(more.cycles)
      expect(less.x_tirami.flops).toBeLessThan(more.x_tirami.flops)
    }
    const { events } = await get(host, '/tirami/telemetry?kinds=ThermostatUpdate&limit=500')
    for (const { payload } of events) {
      expect(payload.sentence).toMatch(/^(Inner cycles|Outer steps|Halting|Thoughts) .+\.$/)
    }
    const money = await get(host, '/tirami/money')
    const hour = money.windows.find(({ name }: { name: string }) => name === 'hour')
    expect(hour.roi_net.amount).toBeCloseTo(hour.roi_gross.amount - 1, 6)
    expect(hour.net.amount).toBeCloseTo(hour.value.amount - hour.cost.amount, 6)
    expect(['measured', 'declared', 'mixed']).toContain(hour.energy.label)
  })
})

run('the Activity page with a real host', () => {
  const data = temporaryDirectory()
  const problems: string[] = []
  let host: HostProcess
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    host = await startHeadless(data.path)
    if (!executablePath) throw new Error('No Chromium was found here.')
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-background-networking'],
    })
    page = await browser.newPage({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' })
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    page.on('pageerror', (error) => problems.push(error.message))
    await page.goto(host.ready.dashboard)
    await page.getByRole('navigation').getByRole('link', { name: 'Activity', exact: true }).click()
    await page.getByRole('heading', { name: 'Activity', level: 1 }).waitFor()
  })
  afterAll(async () => {
    await browser?.close()
    await host?.end('SIGKILL')
    data.remove()
  })
  const part = (name: string) => page.getByRole('region', { name, exact: true }).first()
  const figure = (name: string) => part('Depth of thought').locator('.stat', { hasText: name }).locator('dd')
  const events = () =>
    readdirSync(join(data.path, 'telemetry'))
      .filter((name) => name.endsWith('.jsonl'))
      .toSorted()
      .flatMap((name) =>
        readFileSync(join(data.path, 'telemetry', name), 'utf8')
          .trim()
          .split('\n'),
      )
      .map((line) => JSON.parse(line))

  it('says that nothing was thought or sold yet', async () => {
    await part('Depth of thought').getByText('No thoughts in this time').waitFor()
    await part('Jobs and trades').getByText('Nothing sold yet').waitFor()
    await part('Telemetry')
      .getByText(/Nothing written yet/)
      .waitFor()
  })

  it('shows the thoughts that were sold, by step, in a picture that the keys can read and in a table', async () => {
    for (let i = 0; i < 3; i++) await post(host, '/tirami/reason', { ...HARD, effort: 'low' })
    await post(host, '/tirami/reason', { ...EASY, effort: 'low' })
    await part('Jobs and trades').getByText('trm-sudoku-4x4').first().waitFor()
    // Read again when the range changes.
    await part('Depth of thought').getByText('1 h', { exact: true }).click()
    await eventually(async () => (await figure('Thoughts').textContent()) === '4')
    expect(await figure('Right by the rules').textContent()).toBe('1 / 4')
    const picture = part('Depth of thought').getByRole('region', {
      name: /^Picture of 4 thoughts, at most 4 steps/,
    })
    await picture.focus()
    const words = part('Depth of thought').getByRole('status')
    const said: string[] = []
    for (let step = 0; step < 4; step++) {
      await page.keyboard.press('ArrowDown')
      said.push((await words.textContent()) ?? '')
    }
    expect(said[0]).toMatch(/step 1: 4 still computing/)
    expect(said[3]).toMatch(/step 4: 3 still computing, [\d.]+ % sure/)
    await part('Depth of thought').getByText('Table', { exact: true }).click()
    await part('Depth of thought')
      .getByRole('cell', { name: /4: 3 \([\d.]+ %\)/ })
      .waitFor()
    await part('Depth of thought').getByText('Still computing', { exact: true }).click()
  })

  it('opens a trade and checks its signatures', async () => {
    await part('Jobs and trades')
      .getByRole('button', { name: /^Trade of/ })
      .first()
      .click()
    await page.getByRole('dialog').getByRole('button', { name: /Check/ }).click()
    await page
      .getByRole('dialog')
      .getByText(/ valid$/)
      .first()
      .waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  it('filters, follows what is written, and shows an event with its hash one click deeper', async () => {
    const telemetry = part('Telemetry')
    await telemetry.getByRole('button', { name: /Kind/ }).click()
    await page.getByRole('option', { name: 'Thought', exact: true }).click()
    const rows = telemetry.getByRole('button', { name: /^Event/ })
    await eventually(async () => (await rows.count()) === 4)
    await telemetry.getByRole('searchbox').fill('"success":true')
    await eventually(async () => (await rows.count()) === 1)
    await telemetry.getByRole('searchbox').fill('nowhere to be found')
    await telemetry.getByText('Nothing fits').waitFor()
    await telemetry.getByRole('searchbox').fill('')
    await eventually(async () => (await rows.count()) === 4)
    await post(host, '/tirami/reason', { ...EASY, effort: 'low' })
    await eventually(async () => (await rows.count()) === 5)
    await rows.first().click()
    const last = events().findLast(({ event_type }) => event_type === 'TRMInference')
    await page.getByRole('dialog').getByText(last.hash.slice(0, 8)).first().waitFor()
    await page.keyboard.press('Escape')
  })

  it('exports exactly what is in the file, as filtered and as a whole', async () => {
    const download = async () => {
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        part('Telemetry').getByRole('button', { name: 'Export CSV' }).click(),
      ])
      expect(file.suggestedFilename()).toBe('telemetry.csv')
      const rows: Record<string, string>[] = parse(readFileSync(await file.path(), 'utf8'), { columns: true })
      return rows.map(({ seq, ts, event_type, payload, hash }) => ({
        seq: Number(seq),
        ts,
        event_type,
        payload: JSON.parse(payload ?? ''),
        hash,
      }))
    }
    const written = () =>
      events().map(({ seq, ts, event_type, payload, hash }) => ({ seq, ts, event_type, payload, hash }))
    expect(await download()).toEqual(written().filter(({ event_type }) => event_type === 'TRMInference'))
    await part('Telemetry').getByRole('button', { name: /Kind/ }).click()
    await page.getByRole('option', { name: 'All kinds' }).click()
    // Measurements of the last thoughts may still come.
    await eventually(async () => {
      const [before, csv, after] = [written().length, await download(), written().length]
      return before === after && csv.length === after && JSON.stringify(csv) === JSON.stringify(written())
    })
  })

  it('checks the chain, and names the line that somebody changed', async () => {
    const telemetry = part('Telemetry')
    await telemetry.getByRole('button', { name: 'Check the chain' }).click()
    await telemetry.getByText(/^Whole: \d+ events$/).waitFor()
    const name = join(data.path, 'telemetry', readdirSync(join(data.path, 'telemetry'))[0] ?? '')
    writeFileSync(name, readFileSync(name, 'utf8').replace('"halted":true', '"halted":null'))
    await telemetry.getByRole('button', { name: 'Check the chain' }).click()
    await telemetry.getByText(/fault.*line \d+/).waitFor()
  })

  it('fits every width in both themes, and axe finds nothing serious', async () => {
    for (const width of [900, 1440]) {
      await page.setViewportSize({ width, height: 900 })
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect(sideways).toBeLessThanOrEqual(0)
        if (!shots) continue
        mkdirSync(resolve(root, shots), { recursive: true })
        await page.screenshot({
          path: resolve(root, shots, `activity-${colorScheme}-${width}.png`),
          fullPage: true,
        })
      }
    }
    await page.evaluate(readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8'))
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } }
      return (await axe.run()).violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
    })
    expect(found).toEqual([])
  })

  it('stays readable when the host is gone, and complains of nothing else', async () => {
    expect(problems).toEqual([])
    await host.end('SIGKILL')
    await page.getByText('Connection to the host lost.').waitFor()
    await part('Jobs and trades').getByText('trm-sudoku-4x4').first().waitFor()
    expect(await part('Telemetry').getByRole('button', { name: 'Export CSV' }).isDisabled()).toBe(true)
  })
})

interface Finding {
  id: string
  impact: string
  nodes: { html: string }[]
}
