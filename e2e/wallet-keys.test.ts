import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { FakeHost, type FakeState } from '../src-renderer/testing/fake-host.ts'
import { type HostProcess, root, startHeadless, temporaryDirectory } from './support/host.ts'
import {
  expectReadable,
  hasFocus,
  openBrowser,
  openPage,
  pressUntilFocused,
  shoot,
  withBrowser,
} from './support/window.ts'

/** What a caller of the API is refused with; `ok` when he is not. */
async function ask(host: HostProcess, apiKey: string): Promise<string> {
  const client = new OpenAI({ baseURL: host.ready.api, apiKey, maxRetries: 0 })
  try {
    await client.chat.completions.create({
      model: host.ready.model,
      messages: [{ role: 'user', content: 'What is TRM?' }],
    })
    return 'ok'
  } catch (error) {
    if (error instanceof OpenAI.APIError) return `${error.status} ${error.code}`
    throw error
  }
}

withBrowser('the Wallet and Keys pages with a real host', () => {
  const data = temporaryDirectory()
  const problems: string[] = []
  let host: HostProcess
  let browser: Browser
  let page: Page
  let token: string

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

  const part = (name: string) => page.getByRole('region', { name, exact: true })
  const key = (name: string) => part('Keys that you gave').getByRole('listitem', { name })
  const goTo = async (name: 'Wallet' | 'Keys' | 'Home') => {
    await page.getByRole('navigation').getByRole('link', { name, exact: true }).click()
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('main')
  }

  it('claims the welcome loan, the suggested step, by keyboard alone', async () => {
    const link = page.getByRole('link', { name: 'Wallet', exact: true })
    await pressUntilFocused(page, 'Tab', link)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Wallet', level: 1 }).waitFor()
    await part('Next step')
      .getByText(/^Claim the welcome loan: it opens/)
      .waitFor()
    await pressUntilFocused(
      page,
      'Tab',
      part('Next step').getByRole('button', { name: 'Claim the welcome loan' }),
    )
    await page.keyboard.press('Enter')
    await part('Next step').getByText('Welcome loan: running.').waitFor()
    await part('Next step').getByText('Open to guests for now').waitFor()
  })

  it('says before the stake what will be locked and until when, and why the host refused it', async () => {
    const stake = part('Stake')
    await pressUntilFocused(page, 'Tab', stake.getByRole('radio', { name: /^7 days/ }))
    await page.keyboard.press('ArrowDown')
    expect(await stake.getByRole('radio', { name: /^30 days/ }).isChecked()).toBe(true)
    await pressUntilFocused(page, 'Tab', stake.getByRole('textbox'))
    await page.keyboard.type('999')
    await stake.getByText('Give at least 1,000 TRM.').waitFor()
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type('5,000')
    const day = new Date(Date.now() + 30 * 86_400_000).toLocaleDateString('en-GB', { dateStyle: 'medium' })
    await stake.getByText(`5,000 TRM would be locked until ${day}`).waitFor()
    await page.keyboard.press('Enter')
    const question = stake.getByRole('group', { name: new RegExp(`5,000 TRM will be locked until ${day}`) })
    await question.waitFor()
    expect(await hasFocus(question.getByRole('button', { name: 'Not now' }))).toBe(true)
    await pressUntilFocused(page, 'Shift+Tab', question.getByRole('button', { name: 'Lock 5,000 TRM' }))
    await page.keyboard.press('Enter')
    const alert = stake.getByRole('alert')
    await alert.waitFor()
    expect(await alert.textContent()).toMatch(
      /This needs 5000 TRM and 0 TRM are available\..*earn TRM first\./,
    )
    await part('Stake').getByText('No stake', { exact: true }).waitFor()
  })

  it('makes a key and shows it exactly once', async () => {
    await goTo('Keys')
    await part('Keys that you gave').getByText('Nobody has a key yet').waitFor()
    await part('Give a key').getByRole('textbox', { name: 'For whom or what' }).fill('Anna')
    await page.keyboard.press('Enter')
    const shown = part('Give a key').locator('.token__line code')
    token = (await shown.textContent()) ?? ''
    expect(token).toMatch(/^[0-9a-f]{64}$/)
    await part('Give a key').getByText('The key for Anna is shown only now.').waitFor()
    await key('Anna').getByText('Ask for answers', { exact: true }).waitFor()
    await goTo('Home')
    await goTo('Keys')
    await key('Anna').waitFor()
    expect(await page.content()).not.toContain(token)
    expect(await part('Give a key').getByRole('textbox').inputValue()).toBe('')
  })

  it('shows what its owner spends with the openai client, in keys and wallet', async () => {
    await key('Anna').getByText('nothing owed').waitFor()
    expect(await ask(host, token)).toBe('ok')
    await key('Anna')
      .getByText(/^[1-9][\d,]* TRM on the credit you gave$/)
      .waitFor()
    await goTo('Wallet')
    await part('Balance')
      .getByText(/^[1-9][\d,]* TRM paid by others$/)
      .waitFor()
    await part('Balance')
      .getByText(/of it stands on the credit you gave them/)
      .waitFor()
    await part('Balance').getByText('0 TRM paid by your own keys: use, not income').waitFor()
    await goTo('Keys')
  })

  it('downloads the statement of a period, the same that the API gives, and its trades as CSV', async () => {
    await goTo('Wallet')
    const statement = part('Statement')
    const download = async (button: string) => {
      const begun = page.waitForEvent('download')
      await statement.getByRole('button', { name: button }).click()
      return readFileSync(await (await begun).path(), 'utf8')
    }
    const json = JSON.parse(await download('Statement (JSON)'))
    const window = `window_start=${json.window_start}&window_end=${json.window_end}`
    const answer = await fetch(`${new URL(host.ready.api).origin}/settlement?${window}`, {
      headers: { authorization: `Bearer ${host.apiKey}` },
    })
    expect({ ...json, generated_at: 0 }).toEqual({ ...(await answer.json()), generated_at: 0 })
    expect(json.trades).toHaveLength(1)
    const rows = (await download('Trades (CSV)')).split('\r\n')
    expect(rows[1]?.split(',')[0]).toBe(json.trades[0].trade_id)
    expect(rows).toHaveLength(3)
    const earned = `${json.trades[0].trm_amount.toLocaleString('en-GB')} TRM`
    await statement.getByText(earned, { exact: true }).waitFor()
    await goTo('Keys')
  })

  it('sets a limit, refuses one that could never ask, and the client is refused by it', async () => {
    await key('Anna').getByRole('button', { name: 'Limits of Anna' }).click()
    const form = key('Anna').getByRole('form', { name: 'Limits of Anna' })
    const request = form.getByRole('textbox', { name: 'Per request' })
    await request.fill('0')
    await form.getByText('It must be below the limit per request, or you would never be asked.').waitFor()
    const save = form.getByRole('button', { name: 'Save the limits' })
    expect(await save.isDisabled()).toBe(true)
    await form.getByRole('checkbox', { name: 'Ask me first' }).uncheck()
    await request.press('Enter')
    await form.getByText('Saved. They hold from the next request on.').waitFor()
    expect(await ask(host, token)).toBe('403 request_limit_exceeded')
    await request.fill('1,000')
    await request.press('Enter')
    await expect.poll(() => ask(host, token)).toBe('ok')
  })

  it('says when a key was stopped for its haste, and lets it go on', async () => {
    const form = key('Anna').getByRole('form', { name: 'Limits of Anna' })
    await form.getByRole('textbox', { name: 'Requests per minute' }).fill('0')
    await page.keyboard.press('Enter')
    await form.getByText('Saved. They hold from the next request on.').waitFor()
    expect(await ask(host, token)).toMatch(/^429 /)
    await form.getByRole('textbox', { name: 'Requests per minute' }).fill('30')
    await page.keyboard.press('Enter')
    await key('Anna').getByText('Stopped: it asked too often within a minute.').waitFor()
    await key('Anna').getByRole('button', { name: 'Let it go on: Anna' }).click()
    await key('Anna').getByText('Stopped: it asked too often within a minute.').waitFor({ state: 'detached' })
    expect(await ask(host, token)).toBe('ok')
  })

  it('revokes it only when asked twice; the client then gets 401', async () => {
    await key('Anna').getByRole('button', { name: 'Revoke Anna' }).click()
    await page.keyboard.press('Escape')
    expect(await ask(host, token)).toBe('ok')
    expect(await hasFocus(key('Anna').getByRole('button', { name: 'Revoke Anna' }))).toBe(true)
    await page.keyboard.press('Enter')
    await key('Anna').getByRole('button', { name: 'Revoke it' }).click()
    await key('Anna').waitFor({ state: 'detached' })
    expect(await ask(host, token)).toBe('401 api_key_invalid')
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('keys')
  })

  it('shows an example that has the host’s address and no key', async () => {
    const example = part('How a key is used').locator('pre')
    await example.getByText(host.ready.api).waitFor()
    expect(await example.textContent()).toContain('TIRAMI_KEY')
    expect(await example.textContent()).not.toContain(token)
  })

  it('complains of nothing', () => {
    expect(problems).toEqual([])
  })
})

withBrowser('the Wallet and Keys pages in every state', () => {
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

  const open = (state: FakeState, path: string) => page.goto(`${base}/?state=${state}${path}`)
  const part = (name: string) => page.getByRole('region', { name, exact: true })

  it('shows long amounts to the last digit, and says why a locked stake cannot be taken back', async () => {
    await open('earning', '#/wallet')
    await part('Balance').getByText('12,345,678,901,234,567,890').waitFor()
    const unstake = part('Stake').getByRole('button', { name: 'Unstake' })
    expect(await unstake.isDisabled()).toBe(true)
    const reason = await unstake.getAttribute('aria-describedby')
    await page
      .locator(`[id="${reason}"]`)
      .getByText(/can be taken back from/)
      .waitFor()
    await expectReadable(page, 'wallet')
  })

  it('adds to a stake, lends, borrows at a cost that is said first, repays and refers', async () => {
    await open('earning', '#/wallet')
    const stake = part('Stake')
    await stake.getByRole('radio', { name: /^7 days/ }).check()
    await stake.getByText('This term would end before the stake does').waitFor()
    await stake.getByRole('radio', { name: /^30 days/ }).check()
    await stake.getByRole('textbox', { name: 'Add' }).fill('500 TRM')
    await stake.getByRole('button', { name: 'Add to the stake' }).click()
    await shoot(page, 'wallet-question')
    await stake.getByRole('button', { name: 'Lock 500 TRM' }).click()
    await stake.getByText('25,500 TRM', { exact: true }).waitFor()
    const pool = part('Lending pool')
    await pool.getByRole('textbox', { name: 'Withdraw amount' }).fill('40000')
    await page.keyboard.press('Enter')
    await pool.getByText('50,000 TRM', { exact: true }).waitFor()
    await pool.getByRole('textbox', { name: 'Borrow amount' }).fill('1000')
    await pool.getByRole('textbox', { name: 'Collateral' }).fill('3000')
    await pool.getByText(/pay back 1,024 TRM by .*: 24 TRM of interest for 24 hours at 0.104 %/).waitFor()
    await pool.getByRole('button', { name: 'Borrow', exact: true }).click()
    await pool.getByRole('group').getByRole('button', { name: 'Borrow', exact: true }).click()
    await expect.poll(() => pool.getByRole('listitem').count()).toBe(2)
    await pool.getByRole('listitem').first().getByRole('button', { name: 'Repay' }).click()
    await pool.getByRole('group').getByRole('button', { name: 'Repay' }).click()
    await expect.poll(() => pool.getByRole('listitem').count()).toBe(1)
    await part('Referrals').getByRole('textbox').fill('abc')
    await part('Referrals').getByText('A node id is 64 digits').waitFor()
    await part('Referrals').getByRole('textbox').fill('ab'.repeat(32))
    await page.keyboard.press('Enter')
    await part('Referrals').getByText('You vouch for ababab…abab now.').waitFor()
  })

  it('shows gauges, stops, limits and a new key', async () => {
    await open('earning', '#/keys')
    await part('Keys that you gave').getByText('10,000 of 10,000 TRM used up').waitFor()
    await page.getByRole('button', { name: 'Limits of Anna’s laptop' }).click()
    await part('Give a key').getByRole('textbox').fill('Second laptop')
    await page.getByRole('radio', { name: /^Everything/ }).check()
    await page.getByRole('button', { name: 'Make the key' }).click()
    await part('Give a key').getByText('everything that you can').waitFor()
    await expectReadable(page, 'keys')
    await page.getByRole('button', { name: 'Make it' }).click()
    await part('Give a key').getByText('shown only now').waitFor()
    expect(await hasFocus(page.locator('.token__line'))).toBe(true)
    await expectReadable(page, 'keys-token')
    await page.getByRole('button', { name: 'I have stored it' }).click()
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('issue')
  })

  it('is empty in words', async () => {
    await open('fresh', '#/wallet')
    await page.getByText('No loan is open.').waitFor()
    await page.getByText('You have referred nobody yet.').waitFor()
    await expectReadable(page, 'wallet-empty')
    await page.getByRole('link', { name: 'Keys', exact: true }).click()
    await page.getByText('Nobody has a key yet').waitFor()
  })

  it.each([
    ['#/wallet', 'Stake', /^(Unstake|Add to the stake)$/],
    ['#/keys', 'Keys that you gave', /^Revoke/],
  ] as const)('fails and goes offline in words: %s', async (path, name, buttons) => {
    const complaints = problems.length
    await open('failing', path)
    await page.getByText('Try again in a few seconds.').first().waitFor()
    host.enter('earning')
    await page.getByRole('button', { name: 'Try again' }).first().click()
    await part(name).getByRole('button', { name: buttons }).first().waitFor()
    await page.route('**/events', (route) => route.abort())
    host.cut()
    await page.getByText('Connection to the host lost').waitFor()
    for (const button of await part(name).getByRole('button', { name: buttons }).all()) {
      expect(await button.isDisabled()).toBe(true)
    }
    // The browser itself notes every answer that failed.
    problems.length = complaints
  })

  it('complains of nothing', () => {
    expect(problems).toEqual([])
  })
})
