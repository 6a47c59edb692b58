import { join } from 'node:path'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { FakeHost, type FakeState } from '../src-renderer/testing/fake-host.ts'
import { type HostProcess, PATIENCE_MS, root, startHeadless, temporaryDirectory } from './support/host.ts'
import {
  faintTexts,
  inEveryLook,
  openBrowser,
  openPage,
  pressUntilFocused,
  shoot,
  sidewaysScroll,
  withBrowser,
} from './support/window.ts'

const part = (page: Page, name: string) => page.getByRole('region', { name, exact: true })
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
const scrubber = (page: Page) => page.getByRole('slider', { name: 'Step of the thought' })
const threshold = (page: Page) => page.getByRole('slider', { name: /Halting threshold/ })
const shownDigits = (page: Page) =>
  part(page, 'Thought')
    .locator('.sudoku .cell')
    .evaluateAll((cells) => cells.map((cell) => Number(cell.firstChild?.textContent)))

/** A grid of six by six with boxes of two by three. */
function isSolved(cells: readonly number[]): boolean {
  const groups = cells.map((digit, cell) => {
    const [row, column] = [Math.floor(cell / 6), cell % 6]
    const box = Math.floor(row / 2) * 2 + Math.floor(column / 3)
    return [`row ${row} ${digit}`, `column ${column} ${digit}`, `box ${box} ${digit}`]
  })
  return cells.length === 36 && new Set(groups.flat()).size === 3 * 36
}

withBrowser('the Playground with a real host', () => {
  const data = temporaryDirectory()
  const problems: string[] = []
  let host: HostProcess
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    host = await startHeadless(join(data.path, 'host'))
    browser = await openBrowser()
    page = await openPage(browser, problems)
    await page.goto(host.ready.dashboard)
  })
  afterAll(async () => {
    await browser?.close()
    await host?.end('SIGKILL')
    data.remove()
  })

  const totalTrades = async () =>
    ((await (await host.api('/tirami/network')).json()) as { total_trades: number }).total_trades

  it('solves a puzzle that training never saw, by keyboard alone', async () => {
    const link = page.getByRole('navigation').getByRole('link', { name: 'Playground', exact: true })
    await pressUntilFocused(page, 'Tab', link)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Playground', level: 1 }).waitFor()
    expect(await page.getByRole('radio', { name: 'Sudoku 6×6' }).isChecked()).toBe(true)
    const first = button(page, /^row 1, column 1:/)
    await pressUntilFocused(page, 'Tab', first)
    await pressUntilFocused(page, 'Tab', button(page, 'Think'))
    await page.keyboard.press('Enter')
    await part(page, 'Thought').getByText('Verified by the rules').waitFor()
    expect(isSolved(await shownDigits(page))).toBe(true)
    expect(await totalTrades()).toBe(1)
  })

  it('says what it cost, and shows the trade on Home', async () => {
    const thought = part(page, 'Thought')
    const paid = await thought.getByText(/^\d+ TRM$/).textContent()
    await thought.getByRole('link').click()
    const trades = part(page, 'Latest trades')
    await trades.getByText('trm-sudoku-6x6').first().waitFor()
    await trades
      .getByText(String(paid?.replace(' TRM', '')), { exact: false })
      .first()
      .waitFor()
    await page.goBack()
    await thought.getByText('Verified by the rules').waitFor()
  })

  it('sets the exact solver beside it, and both agree', async () => {
    const compare = part(page, 'Beside other ways')
    await compare
      .getByRole('row', { name: /Backtracking/ })
      .getByText(/^Right, /)
      .waitFor()
    await compare.getByText(/an exact solver is better/).waitFor()
  })

  it('shows all the steps of a question that has no answer, and a stop that would have been too early', async () => {
    const cell = (row: number, column: number) => button(page, new RegExp(`^row ${row}, column ${column}:`))
    await cell(1, 1).focus()
    for (const digit of ['3', '3']) {
      await page.keyboard.press(digit)
      await page.keyboard.press('ArrowRight')
    }
    await part(page, 'Question')
      .getByText(/no answer can be right/)
      .waitFor()
    await part(page, 'Thought').getByText('You have changed the question since').waitFor()
    await page.getByRole('radio', { name: 'Low' }).check({ force: true })
    await button(page, 'Think').click()
    await part(page, 'Thought').getByText('Not a right answer').waitFor()
    await scrubber(page).focus()
    await page.keyboard.press('Home')
    await part(page, 'Thought').getByText('Step 1 of 4:', { exact: true }).waitFor()
    await page.keyboard.press('ArrowRight')
    await part(page, 'Thought').getByText('Step 2 of 4:', { exact: true }).waitFor()
    await threshold(page).focus()
    await page.keyboard.press('Home')
    await part(page, 'Thought')
      .getByText(/stopped at step 1 of 4, with .+ saved/)
      .waitFor()
    await page.keyboard.press('End')
    await part(page, 'Thought')
      .getByText(/would not have stopped/)
      .waitFor()
    await part(page, 'Beside other ways').getByText('Proved that there is no solution').waitFor()
  })

  it('says that a council was called, and claims no saving that nobody knows', async () => {
    await page.getByRole('radio', { name: 'Medium' }).check({ force: true })
    await button(page, 'Think').click()
    await part(page, 'Thought').getByText('Its first try did not suffice').waitFor()
    await threshold(page).focus()
    await page.keyboard.press('Home')
    await part(page, 'Thought').getByText('is not known: more was computed than these steps').waitFor()
    await shoot(page, 'playground-council')
  })

  it('lets a person draw in a maze, and finds the way', async () => {
    await page.getByRole('radio', { name: 'Maze' }).check({ force: true })
    const corner = button(page, 'row 1, column 1: wall')
    await corner.click()
    await button(page, 'row 1, column 1: open').waitFor()
    await page.keyboard.press('w')
    await corner.waitFor()
    await button(page, 'row 1, column 1: wall').hover()
    await page.mouse.down()
    await button(page, 'row 1, column 2: wall').hover()
    await button(page, 'row 1, column 3: wall').hover()
    await page.mouse.up()
    await button(page, 'row 1, column 3: open').waitFor()
    await button(page, 'Undo all').click()
    await button(page, 'row 1, column 3: wall').waitFor()
    await page.getByRole('radio', { name: 'Medium' }).check({ force: true })
    await button(page, 'Think').click()
    await part(page, 'Beside other ways').getByText('Breadth-first search').waitFor()
    await part(page, 'Thought')
      .getByRole('img', { name: /^The way of this step/ })
      .waitFor()
  })

  it('takes a person through the page: all the way, step by step, where to stop, and what else there is', async () => {
    await page.getByRole('radio', { name: 'Sudoku 6×6' }).check({ force: true })
    await button(page, 'Take the tour').click()
    const tour = part(page, 'Guided tour')
    await tour.getByRole('heading', { name: 'A question' }).waitFor()
    await button(page, 'Next').click()
    expect(await button(page, 'Next').isDisabled()).toBe(true)
    await tour.getByRole('button', { name: 'Think at full depth' }).click()
    await part(page, 'Thought').getByText('Step 16 of 16:', { exact: true }).waitFor()
    await button(page, 'Next').click()
    await page.getByRole('radio', { name: 'Where it still thinks' }).check({ force: true })
    await scrubber(page).focus()
    await page.keyboard.press('Home')
    // The first step moves most; at the end the latent has come to rest.
    const heat = () =>
      part(page, 'Thought')
        .locator('.sudoku .cell')
        .evaluateAll((cells) => cells.reduce((sum, cell) => sum + Number(cell.getAttribute('data-heat')), 0))
    const atFirst = await heat()
    await inEveryLook(page, async (look) => {
      expect(await sidewaysScroll(page)).toBe(0)
      await expect.poll(() => faintTexts(page), { timeout: PATIENCE_MS }).toEqual([])
      await shoot(page, `playground-tour-${look}`)
    })
    await page.keyboard.press('End')
    await part(page, 'Thought').getByText('Step 16 of 16:', { exact: true }).waitFor()
    expect(await heat()).toBeLessThan(atFirst)
    await button(page, 'Next').click()
    await part(page, 'Thought')
      .getByText(/stopped at step \d+ of 16, .+ of the work/)
      .waitFor()
    await button(page, 'Next').click()
    const compare = part(page, 'Beside other ways')
    await compare
      .getByRole('row', { name: /Always full depth/ })
      .getByText('16 steps', { exact: false })
      .waitFor()
    await button(page, 'End the tour').click()
    expect(await tour.count()).toBe(0)
  })

  it('sets simple rules beside a funnel, and runs it at full depth for comparison', async () => {
    await page.getByRole('radio', { name: 'Medium' }).check({ force: true })
    for (const task of ['Lead', 'Three candidates']) {
      await page.getByRole('radio', { name: task }).check({ force: true })
      await button(page, 'Think').click()
      const compare = part(page, 'Beside other ways')
      for (const who of [/Recursive model/, /Greedy rule/, /Logistic regression/]) {
        await compare.getByRole('row', { name: who }).waitFor()
      }
      await compare.getByRole('button', { name: 'Run it at full depth too' }).click()
      await compare.getByRole('row', { name: /Always full depth/ }).waitFor()
    }
    await shoot(page, 'playground-funnel')
  })

  it('asks every task that the host knows', async () => {
    const names = await page.getByRole('group', { name: 'Kind of question' }).getByRole('radio').count()
    for (let index = 0; index < names; index += 1) {
      await page
        .getByRole('group', { name: 'Kind of question' })
        .getByRole('radio')
        .nth(index)
        .check({ force: true })
      await button(page, 'Think').click()
      await scrubber(page).waitFor()
    }
    expect(await totalTrades()).toBe(9 + names)
  })

  it('says why a stopped host does not think, and what to do', async () => {
    await host.api('/tirami/kill', {
      method: 'POST',
      body: JSON.stringify({ activate: true, reason: 'test', operator: 'owner' }),
    })
    const complaints = problems.length
    await button(page, 'Think').click()
    await part(page, 'Question').getByRole('alert').waitFor()
    await shoot(page, 'playground-stopped')
    // The browser itself notes every answer that failed.
    problems.length = complaints
    await host.api('/tirami/kill', {
      method: 'POST',
      body: JSON.stringify({ activate: false, reason: 'test', operator: 'owner' }),
    })
    await button(page, 'Think').click()
    await part(page, 'Thought').getByText('You paid').waitFor()
    await button(page, 'Think').click({ trial: true })
    expect(await part(page, 'Question').getByRole('alert').count()).toBe(0)
  })

  it('can be read in both themes, at every width', async () => {
    for (const task of ['Maze', 'Sudoku 4×4', 'Sudoku 6×6']) {
      await page.getByRole('radio', { name: task }).check({ force: true })
      await button(page, 'Think').click()
      await scrubber(page).waitFor()
      await inEveryLook(page, async (look) => {
        expect(await sidewaysScroll(page)).toBe(0)
        // Colours take a moment to follow the theme.
        await expect.poll(() => faintTexts(page), { timeout: PATIENCE_MS }).toEqual([])
        await shoot(page, `playground-${task.replace('×', 'x').replace(' ', '-').toLowerCase()}-${look}`)
      })
    }
  })

  it('complains of nothing', () => {
    expect(problems).toEqual([])
  })
})

withBrowser('the Playground in states that are hard to come by', () => {
  const problems: string[] = []
  const host = new FakeHost(join(root, 'out/renderer'))
  let browser: Browser
  let page: Page
  let base: string

  beforeAll(async () => {
    base = `http://127.0.0.1:${await host.listen()}`
    browser = await openBrowser()
  })
  beforeEach(async () => {
    host.delayMs = 0
    await page?.close()
    page = await openPage(browser, problems)
  })
  afterAll(async () => {
    await browser?.close()
    await host.close()
  })

  const open = (state: FakeState, in_ = page) => in_.goto(`${base}/?state=${state}#/playground`)

  it('speaks Japanese throughout', async () => {
    const japanese = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: 'ja-JP' })
    await open('earning', japanese)
    await japanese.getByRole('heading', { name: 'お試し' }).waitFor()
    await japanese.getByRole('button', { name: 'ツアーを始める' }).click()
    await japanese.getByRole('button', { name: '考える', exact: true }).click()
    await japanese.getByText('規則で確認済み').waitFor()
    const main = await japanese.locator('main .playground').textContent()
    // Names of the field and units stay as they are.
    const rest = main?.replaceAll(/Tiny Recursive Model|GFLOP|TRM|CPU|Delete|ms|W|S|G/g, '') ?? ''
    expect(rest.match(/[A-Za-z]{3,}/g)?.filter((word) => !/^[0-9a-f]+$/i.test(word)) ?? []).toEqual([])
    await inEveryLook(japanese, async (look) => {
      expect(await sidewaysScroll(japanese)).toBe(0)
      await shoot(japanese, `playground-ja-${look}`)
    })
    await japanese.close()
  })

  it('steps through a thought, and moves the halting threshold by pointer and by keyboard', async () => {
    await open('earning')
    await button(page, 'Think').click()
    const thought = part(page, 'Thought')
    await thought.getByText('Step 5 of 5:', { exact: true }).waitFor()
    await thought
      .getByText(/stopped at step 3 of 5, with another answer .+ saved 2\.4 GFLOP, 2 TRM/)
      .waitFor()
    await button(page, 'Step back').click()
    await thought.getByText('1 cell changed.').waitFor()
    await button(page, 'Step back').click()
    await thought.getByText(/cells break a rule/).waitFor()
    await inEveryLook(page, async (look) => {
      expect(await sidewaysScroll(page)).toBe(0)
      await expect.poll(() => faintTexts(page), { timeout: PATIENCE_MS }).toEqual([])
      await shoot(page, `playground-steps-${look}`)
    })
    const chart = await thought.getByRole('img', { name: /^Halting probability/ }).boundingBox()
    if (chart === null) throw new Error('no chart')
    await page.mouse.move(chart.x + chart.width / 2, chart.y + chart.height / 2)
    await page.mouse.down()
    await page.mouse.move(chart.x + chart.width / 2, chart.y + chart.height * 0.1)
    await page.mouse.up()
    await thought.getByText(/stopped at step 4 of 5, with the same answer/).waitFor()
    await threshold(page).focus()
    await page.keyboard.press('End')
    await thought.getByText(/would not have stopped/).waitFor()
  })

  it('plays the steps by itself, except for those who prefer stillness', async () => {
    await open('earning')
    await button(page, 'Think').click()
    await part(page, 'Thought').getByText('Step 5 of 5:', { exact: true }).waitFor()
    const moving = await openPage(browser, problems, { reducedMotion: 'no-preference' })
    await open('earning', moving)
    await button(moving, 'Think').click()
    await part(moving, 'Thought').getByText('Step 1 of 5:', { exact: true }).waitFor()
    await part(moving, 'Thought').getByText('Step 5 of 5:', { exact: true }).waitFor()
    await button(moving, 'Play the steps').waitFor()
    await moving.close()
  })

  it('says that a thought cannot be interrupted, and holds the question meanwhile', async () => {
    await open('earning')
    await button(page, /^row 1, column 1:/).waitFor()
    host.delayMs = 1_500
    await button(page, 'Think').click()
    await page.getByText('A thought cannot be interrupted').waitFor()
    expect(await button(page, 'New puzzle').isDisabled()).toBe(true)
    expect(await button(page, /^row 1, column 1:/).isDisabled()).toBe(true)
    expect(await page.getByRole('radio', { name: 'Maze' }).isDisabled()).toBe(true)
    await shoot(page, 'playground-thinking')
    await part(page, 'Thought').getByText('Step 5 of 5:', { exact: true }).waitFor()
    expect(await button(page, 'New puzzle').isDisabled()).toBe(false)
  })

  it('says what is missing on a host without weights', async () => {
    await open('no-models')
    await page.getByText('This host has no recursive model').waitFor()
    await shoot(page, 'playground-no-tasks')
  })

  it('is failing and offline in words', async () => {
    const complaints = problems.length
    await open('failing')
    await page.getByText('Try again in a few seconds.').first().waitFor()
    host.enter('earning')
    await part(page, 'Question').getByRole('button', { name: 'Try again' }).click()
    await button(page, /^row 1, column 1:/).waitFor()
    await page.route('**/events', (route) => route.abort())
    host.cut()
    await page.getByText('The host is out of reach; it can think again').waitFor()
    expect(await button(page, 'Think').isDisabled()).toBe(true)
    await shoot(page, 'playground-offline')
    // The browser itself notes every answer that failed.
    problems.length = complaints
  })

  it('complains of nothing', () => {
    expect(problems).toEqual([])
  })
})
