/** The whole window by keyboard alone: every stop has a visible ring, and every page's main action can be done. */
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PageName, pageNames } from '../src-renderer/app/pages.ts'
import { type HostProcess, PATIENCE_MS, startHeadless, temporaryDirectory } from './support/host.ts'
import { hasFocus, openBrowser, openPage, pressUntilFocused, withBrowser } from './support/window.ts'

const STOPS_MAX = 200

/** What has the focus, in words, and whether it shows: by an outline, or an inset frame in a menu. */
function focusNow(page: Page): Promise<{ what: string; shown: boolean } | null> {
  return page.evaluate(() => {
    const element = document.activeElement
    if (element === null || element === document.body) return null
    const label = element.closest('label')
    const drawn = [
      ...[element, label, element.closest('figure, form, tr')],
      ...(label === null ? [] : label.querySelectorAll('*')),
    ]
    const outlined = (each: Element | null | undefined) => {
      if (!each) return false
      return [undefined, '::after'].some((part) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(each, part)
        return outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0
      })
    }
    const framed =
      element.matches('[role="menuitem"], [role="option"]') && getComputedStyle(element).boxShadow !== 'none'
    const name = element.getAttribute('aria-label') ?? element.textContent?.trim().slice(0, 40)
    return {
      what: `${element.tagName.toLowerCase()}.${element.className} “${name}”`,
      shown: framed || drawn.some(outlined),
    }
  })
}

/** Tabs through what is on the page once. @returns the stops that show no ring, and how many there were */
async function walk(page: Page): Promise<{ hidden: string[]; stops: number }> {
  const hidden: string[] = []
  await page.evaluate(() => {
    ;(document.activeElement as HTMLElement | null)?.blur()
    document.getElementById('main')?.focus()
  })
  for (let stops = 0; stops < STOPS_MAX; stops += 1) {
    await page.keyboard.press('Tab')
    const now = await focusNow(page)
    // Behind the last stop the browser's own frame has the focus, or the page begins again.
    if (now === null || now.what.includes('.skip')) return { hidden, stops }
    if (!now.shown) hidden.push(now.what)
  }
  throw new Error(`more than ${STOPS_MAX} stops`)
}

withBrowser('with the keyboard alone', () => {
  const data = temporaryDirectory()
  const problems: string[] = []
  let host: HostProcess
  let browser: Browser
  let page: Page
  const button = (name: string | RegExp, exact = true): Locator => page.getByRole('button', { name, exact })
  const part = (name: string) => page.getByRole('region', { name, exact: true })

  /** As a person does: through the menu. */
  async function goTo(name: PageName): Promise<void> {
    const entry = page.getByRole('navigation', { name: 'Pages' }).locator(`a[href="${hrefOf(name)}"]`)
    await pressUntilFocused(page, 'Shift+Tab', entry)
    await page.keyboard.press('Enter')
    await expect.poll(() => entry.getAttribute('aria-current'), { timeout: PATIENCE_MS }).toBe('page')
    await page.locator('main h1').first().waitFor()
  }
  const hrefOf = (name: PageName) => (name === 'home' ? '#/' : `#/${name}`)

  const gotBack = (target: Locator) =>
    expect.poll(() => hasFocus(target), { timeout: PATIENCE_MS }).toBe(true)

  async function press(target: Locator, key = 'Enter'): Promise<void> {
    await pressUntilFocused(page, 'Tab', target)
    expect(await focusNow(page)).toMatchObject({ shown: true })
    await page.keyboard.press(key)
  }

  beforeAll(async () => {
    host = await startHeadless(join(data.path, 'host'))
    browser = await openBrowser()
    page = await openPage(browser, problems)
    await page.goto(host.ready.dashboard)
    await part('Earned').waitFor()
    // A trade, so that there is something to open.
    await host.client.chat.completions.create({
      model: host.ready.model,
      messages: [{ role: 'user', content: 'What is TRM?' }],
    })
  })
  afterAll(async () => {
    await browser?.close()
    await host?.end('SIGTERM')
    data.remove()
  })

  it('the skip button leads past the menu', async () => {
    await page.keyboard.press('Tab')
    const skip = button('Skip to the content')
    expect(await hasFocus(skip)).toBe(true)
    expect(await focusNow(page)).toMatchObject({ shown: true })
    await page.keyboard.press('Enter')
    expect(await hasFocus(page.locator('main'))).toBe(true)
  })

  it.each(pageNames)('every stop of %s shows where the keyboard is', async (name) => {
    await goTo(name)
    // What is still being read has no stops yet.
    await page.locator('main .skeleton').first().waitFor({ state: 'detached' })
    const { hidden, stops } = await walk(page)
    expect(hidden).toEqual([])
    expect(stops).toBeGreaterThan(1)
  })

  it('pauses, looks at the ways to stop, and sets prices; each gives the focus back', async () => {
    await goTo('home')
    await press(button('Pause'))
    await press(button('Resume'))
    await button('Pause').waitFor()
    const more = button('More ways to stop')
    await press(more)
    await page.getByRole('menuitem', { name: /Snooze for an hour/ }).waitFor()
    await page.keyboard.press('ArrowDown')
    expect(await focusNow(page)).toMatchObject({ shown: true })
    await page.keyboard.press('Escape')
    await gotBack(more)
    const prices = button('Set prices')
    await press(prices)
    const dialog = page.getByRole('dialog', { name: 'Your prices' })
    await pressUntilFocused(page, 'Tab', dialog.getByLabel('One kilowatt-hour costs'))
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await gotBack(prices)
  })

  it('reads the picture of depth, and opens a trade and an event', async () => {
    await goTo('activity')
    for (const kind of [/^Trade of /, /^Event \d+ of /]) {
      const row = button(kind, false).first()
      await press(row)
      const dialog = page.getByRole('dialog')
      await dialog.waitFor()
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
      await gotBack(row)
    }
  })

  it('filters the catalogue, and gives the memory back when idle', async () => {
    await goTo('models')
    const idle = part('Serving now').getByRole('radio', { name: 'Never' })
    await pressUntilFocused(page, 'Tab', idle)
    await page.keyboard.press('ArrowRight')
    await pressUntilFocused(page, 'Tab', part('Serving now').getByRole('spinbutton'))
    await page.keyboard.press('Enter')
    await expect
      .poll(() => part('Serving now').getByRole('button', { name: 'Save' }).isDisabled(), {
        timeout: PATIENCE_MS,
      })
      .toBe(true)
    await pressUntilFocused(page, 'Tab', page.getByLabel('Filter the catalogue'))
    await page.keyboard.type('smol')
    await part('Catalogue')
      .getByText(/^1 of \d+ shown$/)
      .waitFor()
  })

  it('asks in the chat with Enter', async () => {
    await goTo('chat')
    await pressUntilFocused(page, 'Tab', page.getByLabel('Your question'))
    await page.keyboard.type('What is TRM?')
    await page.keyboard.press('Enter')
    await page
      .getByRole('log')
      .getByText(/^\d+ TRM$/)
      .waitFor()
  })

  it('thinks, and moves the threshold', async () => {
    await goTo('playground')
    await press(button('Think'))
    const slider = part('Thought').getByRole('slider', { name: /Halting threshold/ })
    await pressUntilFocused(page, 'Tab', slider)
    expect(await focusNow(page)).toMatchObject({ shown: true })
    const before = await slider.getAttribute('aria-valuetext')
    await page.keyboard.press('ArrowLeft')
    expect(await slider.getAttribute('aria-valuetext')).not.toBe(before)
  })

  it('chooses a term for a stake', async () => {
    await goTo('wallet')
    await pressUntilFocused(page, 'Tab', page.getByRole('radio', { name: /^7 days/ }))
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('radio', { name: /^30 days/ }).isChecked()).toBe(true)
  })

  it('makes a key, chooses when it ends, and revokes it after a question', async () => {
    await goTo('keys')
    await pressUntilFocused(page, 'Tab', page.getByLabel('For whom or what'))
    await page.keyboard.type('Anna')
    const ends = button(/Ends/, false)
    await press(ends)
    await page.getByRole('option', { name: 'after 7 days' }).waitFor()
    await page.keyboard.press('ArrowUp')
    expect(await focusNow(page)).toMatchObject({ shown: true })
    await page.keyboard.press('Enter')
    await gotBack(ends)
    await press(button('Make the key'))
    await press(button('I have stored it'))
    const revoke = button('Revoke Anna')
    await press(revoke)
    await button('Revoke it').waitFor()
    await page.keyboard.press('Escape')
    await button('Revoke it').waitFor({ state: 'detached' })
    await gotBack(revoke)
  })

  it('asks before everything stops, and takes the question back', async () => {
    await goTo('safety')
    const stop = part('Emergency stop').getByRole('button', { name: 'Stop everything', exact: true })
    await press(stop)
    await button('Stop everything now').waitFor()
    await page.keyboard.press('Escape')
    await button('Stop everything now').waitFor({ state: 'detached' })
    await gotBack(stop)
  })

  it('moves an hour of the week, saves a number with Enter, and turns the pages of Settings with arrows', async () => {
    await goTo('settings')
    const from = page.getByLabel('Monday, window 1, from')
    await pressUntilFocused(page, 'Tab', from)
    expect(await focusNow(page)).toMatchObject({ shown: true })
    await page.keyboard.press('ArrowDown')
    expect(await from.inputValue()).toBe('21:00')
    await press(button('Save the hours'))
    await part('When to earn').getByText('Saved in owner.yaml.').waitFor()
    const idle = page.getByRole('spinbutton', { name: 'Idle after' })
    await pressUntilFocused(page, 'Tab', idle)
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    // There is nothing to save any more.
    await button('Save Idle after').waitFor({ state: 'hidden' })
    expect(await idle.inputValue()).toBe('601')
    const hours = page.getByRole('tab', { name: 'When to earn' })
    await pressUntilFocused(page, 'Shift+Tab', hours)
    await page.keyboard.press('ArrowRight')
    await page.getByRole('tab', { name: 'Prices and limits', selected: true }).waitFor()
    expect(await focusNow(page)).toMatchObject({ shown: true })
  })

  it('and nothing complained on the way', () => {
    expect(problems).toEqual([])
  })
})
