import { join } from 'node:path'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pageNames, pages } from '../src-renderer/app/pages.ts'
import { FakeHost } from '../src-renderer/testing/fake-host.ts'
import { PATIENCE_MS, root } from './support/host.ts'
import {
  accessibilityFindings,
  openBrowser,
  openPage,
  pressUntilFocused,
  withBrowser,
} from './support/window.ts'

/** Both languages meet every rule in one theme; what a theme changes, which is colour, is looked at in the other. */
const looks = [
  { locale: 'en-GB', colorScheme: 'light', other: 'dark' },
  { locale: 'ja-JP', colorScheme: 'dark', other: 'light' },
] as const

/** A machine at work looks at its pages late. */
const PATIENCE = { timeout: PATIENCE_MS }

withBrowser('every page, by axe-core', () => {
  /** Full of data, so that every part of every page is drawn. */
  const host = new FakeHost(join(root, 'out/renderer'))
  let address: string
  let browser: Browser

  beforeAll(async () => {
    host.enter('earning')
    address = `http://127.0.0.1:${await host.listen()}/?state=earning`
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await host.close()
  })

  describe.each(looks)('in $locale', ({ locale, colorScheme, other }) => {
    const problems: string[] = []
    let page: Page
    beforeAll(async () => {
      page = await openPage(browser, problems, { locale })
      await page.goto(address)
    })
    afterAll(() => page?.close())

    it.each(pageNames)(
      '%s has nothing serious in either theme, and no error in the console',
      async (name) => {
        await page.emulateMedia({ colorScheme })
        await page.evaluate((hash) => {
          location.hash = hash
        }, pages[name].href)
        await page.locator('main h1').first().waitFor()
        await page.locator('.skeleton').first().waitFor({ state: 'detached' })
        expect(await page.evaluate(() => document.documentElement.lang)).toBe(locale.slice(0, 2))
        // Colours take a moment to follow the theme.
        await expect.poll(() => accessibilityFindings(page), PATIENCE).toEqual([])
        await page.emulateMedia({ colorScheme: other })
        await expect.poll(() => accessibilityFindings(page, ['color-contrast']), PATIENCE).toEqual([])
        expect(problems).toEqual([])
      },
    )
  })

  it('the keyboard alone goes from page to page, opens a menu, changes the language and comes back', async () => {
    const problems: string[] = []
    const page = await openPage(browser, problems)
    await page.goto(address)
    await pressUntilFocused(page, 'Tab', page.getByRole('button', { name: 'Skip to the content' }))
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    const menu = page.getByRole('button', { name: 'More ways to stop' })
    await pressUntilFocused(page, 'Tab', menu)
    await page.keyboard.press('Enter')
    await page.getByRole('menuitem').first().waitFor()
    await page.keyboard.press('Escape')
    await expect
      .poll(() => menu.evaluate((element) => element === document.activeElement), PATIENCE)
      .toBe(true)
    const trade = page.getByRole('button', { name: /Trade of/ }).first()
    await pressUntilFocused(page, 'Tab', trade)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await expect
      .poll(() => trade.evaluate((element) => element === document.activeElement), PATIENCE)
      .toBe(true)
    for (const name of pageNames) {
      const link = page.locator(`.rail__page[href="${pages[name].href}"]`)
      await pressUntilFocused(page, 'Shift+Tab', link)
      await page.keyboard.press('Enter')
      await page.locator(`.rail__page[href="${pages[name].href}"][aria-current]`).waitFor()
    }
    const language = page.getByRole('button', { name: /Language/ })
    await pressUntilFocused(page, 'Shift+Tab', language)
    await page.keyboard.press('Enter')
    // The list takes the keyboard a moment after it is drawn.
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('role')), PATIENCE)
      .toBe('option')
    await pressUntilFocused(page, 'ArrowDown', page.getByRole('option', { name: '日本語' }))
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate(() => document.documentElement.lang), PATIENCE).toBe('ja')
    expect(problems).toEqual([])
    await page.close()
  })
})
