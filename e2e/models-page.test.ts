import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
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

withBrowser('the Models page with a real host', () => {
  const data = temporaryDirectory()
  const problems: string[] = []
  let host: HostProcess
  let browser: Browser
  let page: Page
  let file: string

  beforeAll(async () => {
    file = writeTinyGguf(join(data.path, 'fox.gguf'), {
      script: { bytes: new TextEncoder().encode('brisk fog'), ending: 'end' },
    })
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

  const part = (name: string) => page.getByRole('region', { name, exact: true })
  const row = (name: string | RegExp) => part('On this machine').getByRole('listitem', { name })
  const goTo = async (name: 'Home' | 'Models') => {
    await page.getByRole('navigation').getByRole('link', { name, exact: true }).click()
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('main')
  }

  it('is reached by keyboard, is named as the current page, and takes the keyboard along', async () => {
    const link = page.getByRole('link', { name: 'Models', exact: true })
    await pressUntilFocused(page, 'Tab', link)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor()
    expect(await link.getAttribute('aria-current')).toBe('page')
    expect(
      await page.getByRole('link', { name: 'Home', exact: true }).getAttribute('aria-current'),
    ).toBeNull()
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    expect(await page.title()).toContain('Models')
  })

  it('shows what is served, what is here, the catalogue and the free memory', async () => {
    await part('Serving now').getByText('Tirami Concierge').waitFor()
    await row(/Tirami Concierge/)
      .getByText('Serving')
      .waitFor()
    await part('Catalogue')
      .getByRole('button', { name: /^Download/ })
      .first()
      .waitFor()
    await part('Room on this machine')
      .getByText(/GiB free/)
      .waitFor()
    await part('Downloads').getByText('Nothing is being downloaded').waitFor()
  })

  it('says what is wrong with a path that leads nowhere, and what to do', async () => {
    const field = part('Add another').getByRole('textbox')
    await field.fill(join(data.path, 'nowhere.gguf'))
    await field.press('Enter')
    const alert = part('Add another').getByRole('alert')
    await alert.getByText(/nowhere\.gguf cannot be opened/).waitFor()
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    expect(await field.inputValue()).toContain('nowhere.gguf')
  })

  it('adds a file of the owner’s, loads it and serves it, by keyboard alone', async () => {
    const field = part('Add another').getByRole('textbox')
    await pressUntilFocused(page, 'Tab', field)
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type(file)
    await page.keyboard.press('Enter')
    const tiny = row(/Tiny|fox/)
    await tiny.getByText('your own file').waitFor()
    expect(await part('Add another').getByRole('alert').count()).toBe(0)
    await pressUntilFocused(page, 'Shift+Tab', tiny.getByRole('button', { name: /^Load/ }))
    await page.keyboard.press('Enter')
    await tiny.getByText('Serving').waitFor()
    await part('Serving now').getByText('Ready', { exact: true }).waitFor()
    expect(
      await row(/Tirami Concierge/)
        .getByText('Serving')
        .count(),
    ).toBe(0)
    const { data: served } = (await (await host.api('/models')).json()) as { data: { id: string }[] }
    expect(served.map(({ id }) => id).join()).toMatch(/tiny|fox/i)
  })

  it('answers with it on Home', async () => {
    await goTo('Home')
    const box = page.getByRole('textbox', { name: 'Your question' })
    await box.fill('What is in the garden?')
    await box.press('Enter')
    await page.getByRole('log').getByText('brisk fog').waitFor()
  })

  it('goes from one page to a section of the other and back with the browser’s buttons', async () => {
    await goTo('Models')
    await page.evaluate(() => {
      location.hash = '#machine'
    })
    await page.getByRole('heading', { name: 'Machine', exact: true }).waitFor()
    await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(0)
    await page.goBack()
    await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor()
  })

  it('goes back to the concierge and takes the file off the list; the file stays', async () => {
    await row(/Tirami Concierge/)
      .getByRole('button', { name: /^Load/ })
      .click()
    await row(/Tirami Concierge/)
      .getByText('Serving')
      .waitFor()
    const tiny = row(/Tiny|fox/)
    await tiny.getByRole('button', { name: /^Delete/ }).click()
    const question = tiny.getByRole('group', { name: /the file is yours and stays/ })
    await question.waitFor()
    await page.keyboard.press('Escape')
    await question.waitFor({ state: 'detached' })
    await page.keyboard.press('Enter')
    await question.getByRole('button', { name: 'Take it off the list' }).click()
    await tiny.waitFor({ state: 'detached' })
    expect(existsSync(file)).toBe(true)
  })

  it('keeps a setting over a reload, and refuses a number out of range', async () => {
    const setting = part('Settings').locator('form').first()
    await setting.getByText('Declared', { exact: true }).click()
    const number = setting.getByRole('spinbutton')
    await number.fill('0')
    await setting.getByText('Give a number from 1').waitFor()
    expect(await setting.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
    await number.fill('140')
    await number.press('Enter')
    await expect.poll(() => setting.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
    await page.reload()
    await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor()
    await expect.poll(() => number.inputValue()).toBe('140')
  })

  it('can be read in both themes, at every width', async () => {
    await inEveryLook(page, async (look) => {
      expect(await sidewaysScroll(page)).toBe(0)
      // Colours take a moment to follow the theme.
      await expect.poll(() => faintTexts(page), { timeout: PATIENCE_MS }).toEqual([])
      await shoot(page, `models-${look}`)
    })
  })

  it('complains of nothing', () => {
    expect(problems).toEqual([])
  })
})

withBrowser('the Models page in states that need a network', () => {
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
    await page?.close()
    page = await openPage(browser, problems)
  })
  afterAll(async () => {
    await browser?.close()
    await host.close()
  })

  const open = (state: FakeState, path = '#/models') => page.goto(`${base}/?state=${state}${path}`)
  const part = (name: string) => page.getByRole('region', { name, exact: true })
  const download = (name: string) => part('Downloads').getByRole('listitem', { name })

  it('follows a download, which never goes backwards within an attempt', async () => {
    await open('busy-models')
    const first = download('Download of qwen2.5:1.5b-q4_k_m')
    await first.getByText('36 %').waitFor()
    host.sendDownload('d1', { doneBytes: 900_000_000 })
    await first.getByText('80 %').waitFor()
    host.sendDownload('d1', { doneBytes: 500_000_000, bytesPerSecond: 1_000_000 })
    await first.getByText('1 MB/s').waitFor()
    expect(await first.getByRole('progressbar').getAttribute('value')).toBe('80')
    host.sendDownload('d1', { doneBytes: 0, attempt: 2 })
    await first.getByText('attempt 2').waitFor()
    expect(await first.getByRole('progressbar').getAttribute('value')).toBe('0')
  })

  it('pauses and resumes with one button that keeps the keyboard, and asks before it throws bytes away', async () => {
    await open('busy-models')
    const first = download('Download of qwen2.5:1.5b-q4_k_m')
    await first.getByRole('button', { name: 'Pause' }).focus()
    await page.keyboard.press('Enter')
    await first.getByText('Paused').waitFor()
    await first.getByRole('button', { name: 'Resume' }).click()
    await first.getByText('Downloading').waitFor()
    await first.getByRole('button', { name: 'Cancel' }).click()
    const question = first.getByRole('group', { name: /deletes the 402 MB/ })
    expect(
      await question.getByRole('button', { name: 'Keep it' }).evaluate((e) => e === document.activeElement),
    ).toBe(true)
    await question.getByRole('button', { name: 'Cancel and delete' }).click()
    await first.waitFor({ state: 'detached' })
  })

  it('warns of a licence with terms of its own before the download, in the list and in the field', async () => {
    await open('busy-models')
    await part('Catalogue').getByRole('button', { name: 'Download Qwen2.5 3B Instruct, Q4_K_M' }).click()
    await part('Catalogue')
      .getByText(/not an open-source licence/)
      .waitFor()
    await page.keyboard.press('Enter')
    await part('Catalogue')
      .getByText(/not an open-source licence/)
      .waitFor({ state: 'detached' })
    await part('Add another').getByRole('textbox').fill('qwen2.5:3b')
    await page.keyboard.press('Enter')
    await part('Add another').getByRole('button', { name: 'Download' }).click()
    await download('Download of qwen2.5:3b').waitFor()
  })

  it('filters the catalogue', async () => {
    await open('busy-models')
    await part('Catalogue').getByText('5 of 5 shown').waitFor()
    await page.getByRole('checkbox', { name: 'Only what fits this machine' }).check()
    await part('Catalogue').getByText('4 of 5 shown').waitFor()
    await page.getByRole('searchbox').fill('openai')
    await part('Catalogue').getByText('Nothing matches').waitFor()
  })

  it('says on every page that the engine computes with less than the machine has', async () => {
    await open('degraded', '#/')
    for (const name of ['Models', 'Home']) {
      await page.getByRole('link', { name, exact: true }).click()
      const notice = page.getByRole('status').filter({ hasText: 'the engine computes on the CPU' })
      await notice.getByText('Install or update the NVIDIA driver').waitFor()
      await expect
        .poll(() => notice.evaluate((element) => element.getBoundingClientRect().top))
        .toBeLessThan(200)
    }
    await inEveryLook(page, async (look) => shoot(page, `machine-${look}`))
  })

  it('is empty, failing and offline in words', async () => {
    await open('no-models')
    await page.getByText('No model is here').waitFor()
    await page.getByText('The catalogue is empty').waitFor()
    await shoot(page, 'models-empty')
    const complaints = problems.length
    await open('failing')
    await page.reload()
    await page.getByText('Try again in a few seconds.').first().waitFor()
    host.enter('busy-models')
    await page.getByRole('button', { name: 'Try again' }).first().click()
    const switchButton = download('Download of qwen2.5:1.5b-q4_k_m').getByRole('button', { name: 'Pause' })
    await switchButton.waitFor()
    await page.route('**/events', (route) => route.abort())
    host.cut()
    await page.getByText('Connection to the host lost').waitFor()
    expect(await switchButton.isDisabled()).toBe(true)
    expect(await download('Download of qwen2.5:1.5b-q4_k_m').getByText(/MB\/s/).count()).toBe(0)
    await page.getByText('No live figures').waitFor()
    await part('Serving now').getByText('not known').waitFor()
    expect(await part('On this machine').getByText('Serving', { exact: true }).count()).toBe(0)
    await shoot(page, 'models-offline')
    // The browser itself notes every answer that failed.
    problems.length = complaints
  })

  it('says so when its own code does not come, and Home stays whole', async () => {
    const complaints = problems.length
    await page.route('**/assets/ModelsPage-*', (route) => route.abort())
    await open('earning')
    await page.getByText('This page could not be loaded').waitFor()
    await page.getByRole('link', { name: 'Home', exact: true }).click()
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor()
    problems.length = complaints
  })

  it('shows why a model was not loaded, beside it, and keeps what was served', async () => {
    await open('busy-models')
    await page.route('**/rpc/models.load', (route) =>
      route.fulfill({
        json: {
          ok: false,
          error: { code: 'MODEL_TOO_LARGE', message: 'It needs 20 GiB.', nextStep: 'Choose a smaller one.' },
        },
      }),
    )
    const row = part('On this machine').getByRole('listitem', { name: /Mistral/ })
    await row.getByRole('button', { name: /^Load/ }).click()
    await row.getByRole('alert').getByText('It needs 20 GiB.').waitFor()
    await row.getByText('Choose a smaller one.').waitFor()
    await part('On this machine')
      .getByRole('listitem', { name: /Concierge/ })
      .getByText('Serving')
      .waitFor()
    await page.getByRole('button', { name: 'Load another' }).click()
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('installed')
  })

  it('can be read in every state, theme and width', async () => {
    await open('busy-models')
    await page.getByText('Checking the whole file').waitFor()
    await inEveryLook(page, async (look) => {
      expect(await sidewaysScroll(page)).toBe(0)
      // Colours take a moment to follow the theme.
      await expect.poll(() => faintTexts(page), { timeout: PATIENCE_MS }).toEqual([])
      await shoot(page, `models-busy-${look}`)
    })
  })

  it('complains of nothing', () => {
    expect(problems).toEqual([])
  })
})
