import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import type { AxeResults } from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright'
import { describe, expect } from 'vitest'
import { PATIENCE_MS, root } from './host.ts'

/** A browser for the window's tests; without one they are skipped, but not on CI. */
const executablePath = process.env.TIRAMI_CHROMIUM
// On CI a machine without a browser is a broken machine, not a reason to skip.
export const withBrowser = executablePath || process.env.CI ? describe : describe.skip
/** A folder, relative to the repository, for what the tests see on the way. */
const shots = process.env.TIRAMI_SCREENSHOTS
const WIDTHS = [900, 1440]

export async function openBrowser(): Promise<Browser> {
  if (!executablePath) throw new Error('No Chromium was found on this CI machine.')
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] })
}

/** Collects what the page complains about: errors of scripts, and what its policy forbids. */
export async function openPage(
  browser: Browser,
  problems: string[],
  {
    reducedMotion = 'reduce',
    locale = 'en-GB',
  }: Pick<BrowserContextOptions, 'reducedMotion' | 'locale'> = {},
): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, reducedMotion, locale })
  page.setDefaultTimeout(PATIENCE_MS)
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  return page
}

export async function inEveryLook(page: Page, look: (name: string) => Promise<void>): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await look(`${colorScheme}-${width}`)
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 })
}

export async function shoot(page: Page, name: string): Promise<void> {
  if (!shots) return
  mkdirSync(resolve(root, shots), { recursive: true })
  await page.screenshot({ path: resolve(root, shots, `${name}.png`), fullPage: true })
}

/** Presses `key` until `target` has the focus; a page whose controls cannot be reached fails here. */
export async function pressUntilFocused(
  page: Page,
  key: 'Tab' | 'Shift+Tab' | 'ArrowDown',
  target: Locator,
): Promise<void> {
  await target.waitFor()
  for (let presses = 0; presses < 120; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return
    await page.keyboard.press(key)
  }
  throw new Error(`the keyboard does not reach ${target}`)
}

export const hasFocus = (target: Locator) => target.evaluate((element) => element === document.activeElement)

/** Texts whose contrast with what lies behind them is below WCAG AA. Disabled controls are exempt there. */
export function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = 1
    const context = canvas.getContext('2d', { willReadFrequently: true })
    if (context === null) throw new Error('no canvas')
    const paint = (colors: string[]): number[] => {
      context.clearRect(0, 0, 1, 1)
      for (const color of colors) {
        context.fillStyle = color
        context.fillRect(0, 0, 1, 1)
      }
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
    }
    const luminance = (rgb: number[]): number => {
      const [r = 0, g = 0, b = 0] = rgb.map((channel) => {
        const share = channel / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const backgrounds = (element: Element | null): string[] =>
      element === null
        ? []
        : [...backgrounds(element.parentElement), getComputedStyle(element).backgroundColor]
    const faint: string[] = []
    for (const element of document.querySelectorAll('main *, .rail *')) {
      const text = [...element.childNodes].some(
        ({ nodeType, textContent }) => nodeType === Node.TEXT_NODE && textContent?.trim() !== '',
      )
      const style = getComputedStyle(element)
      if (!text || !element.checkVisibility() || style.clipPath !== 'none') continue
      if (element.closest(':disabled, .visually-hidden, [aria-hidden="true"]') !== null) continue
      const behind = backgrounds(element)
      const [front, back] = [luminance(paint([...behind, style.color])), luminance(paint(behind))]
      const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05)
      const large = Number.parseFloat(style.fontSize) >= 24
      if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${element.textContent?.slice(0, 60)}`)
    }
    return faint
  })
}

export const sidewaysScroll = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

export async function expectReadable(page: Page, name: string): Promise<void> {
  await inEveryLook(page, async (look) => {
    expect(await sidewaysScroll(page)).toBe(0)
    // Colours take a moment to follow the theme.
    await expect.poll(() => faintTexts(page), { timeout: PATIENCE_MS }).toEqual([])
    await shoot(page, `${name}-${look}`)
  })
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What axe-core finds serious or critical against WCAG 2.2 A and AA, one line for each element.
 *
 * @param rules only these; all of them where none is named
 */
export async function accessibilityFindings(page: Page, rules: readonly string[] = []): Promise<string[]> {
  // Over the debugger, which the page's policy does not bind; half a megabyte, so once for a page.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeSource)
  const results = await page.evaluate(
    (named) => {
      const { axe } = globalThis as unknown as {
        axe: { run(context: Document, options: object): Promise<AxeResults> }
      }
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
      return axe.run(document, {
        runOnly: named.length === 0 ? { type: 'tag', values: tags } : { type: 'rule', values: named },
        resultTypes: ['violations'],
      })
    },
    [...rules],
  )
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html.slice(0, 160)}`))
}
