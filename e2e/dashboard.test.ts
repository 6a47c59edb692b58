import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, type HostProcess, root, startHeadless, temporaryDirectory } from './support/host.ts'

const executablePath = process.env.TIRAMI_CHROMIUM
// On CI a machine without a browser is a broken machine, not a reason to skip.
const run = executablePath || process.env.CI ? describe : describe.skip
const shots = process.env.TIRAMI_SCREENSHOTS

run('the dashboard in Chromium', () => {
  const data = temporaryDirectory()
  let host: HostProcess
  let browser: Browser
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    if (!executablePath) throw new Error('No Chromium was found on this CI machine.')
    host = await startHeadless(data.path)
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-background-networking'],
    })
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    page.on('pageerror', (error) => problems.push(error.message))
    await page.goto(host.ready.dashboard)
  })
  afterAll(async () => {
    await browser?.close()
    await host?.end('SIGKILL')
    data.remove()
  })

  const shot = async (name: string) => {
    if (!shots) return
    mkdirSync(resolve(root, shots), { recursive: true })
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
      await page.screenshot({ path: resolve(root, shots, `${name}-${scheme}.png`), fullPage: true })
    }
  }
  const ask = async (content: string) => {
    await host.client.chat.completions.create({
      model: host.ready.model,
      messages: [{ role: 'user', content }],
    })
  }

  /** The window says it, wherever. */
  const says = (words: RegExp) => page.getByText(words).first().waitFor()
  /** Resumes in the window; clients are answered again. */
  const resume = async () => {
    await page.getByRole('button', { name: /^resume/i }).click()
    await says(/Ready to earn/)
    await eventually(() => ask('hello').then(() => true))
  }

  it('takes the session key out of the address', () => {
    expect(page.url()).not.toContain('session')
  })

  it('says that it is ready to earn, with which model', async () => {
    await says(/Ready to earn/)
    await page.getByText('Tirami Concierge').first().waitFor()
  })

  it('shows a trade of an API client as it happens', async () => {
    await ask('What is TRM?')
    await page.getByRole('row').filter({ hasText: 'Local API key' }).first().waitFor()
    await page.getByText('Both signed').first().waitFor()
  })

  it('answers a question asked at home on the page Chat, and says what it cost', async () => {
    const box = page.getByRole('textbox', { name: 'Your question' })
    await box.fill('How do I pause?')
    await box.press('Enter')
    await page.getByRole('heading', { name: 'Chat', level: 1 }).waitFor()
    await page
      .getByRole('log')
      .getByText(/^\d+ TRM$/)
      .waitFor()
    await page.getByRole('link', { name: 'Home' }).click()
    await page.getByRole('row').filter({ hasText: 'This window' }).first().waitFor()
    await shot('dashboard')
  })

  it('says what was earned, and what it takes to know the return', async () => {
    const earned = page.getByRole('region', { name: 'Earned' })
    await earned.getByText('Tonight').waitFor()
    await earned.getByText('no price per TRM set').first().waitFor()
    await page.getByRole('button', { name: 'Set prices' }).click()
    const dialog = page.getByRole('dialog', { name: 'Your prices' })
    await dialog.getByLabel('One kilowatt-hour costs').fill('0.31')
    await dialog.getByLabel('One TRM is worth to you').fill('0.00002')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    // The owner's own use is no income: no job is judged yet, and that is said.
    await page.getByText('Judged from 10 jobs on; 0 so far').waitFor()
    await page.getByRole('button', { name: 'Change prices' }).waitFor()
    await shot('priced')
  })

  it('proves a trade’s signatures on request', async () => {
    await page.getByRole('row').filter({ hasText: 'Local API key' }).first().getByRole('button').click()
    await page.getByRole('dialog').waitFor()
    await page.getByRole('button', { name: /check/i }).click()
    await page.getByRole('dialog').getByText(/valid/i).first().waitFor()
    await shot('trade')
    await page.keyboard.press('Escape')
  })

  it('pauses: requests are refused, memory is given back; resumes: they are answered', async () => {
    await page.getByRole('button', { name: /^pause/i }).click()
    await says(/Paused by you/)
    await expect(ask('hello')).rejects.toMatchObject({ status: 503 })
    await shot('paused')
    await resume()
  })

  it('snoozes with an end of its own, and goes on before it when it is told to', async () => {
    await page.getByRole('button', { name: 'More ways to stop' }).click()
    await page.getByRole('menuitem', { name: 'Snooze for an hour' }).click()
    await says(/Snoozed by you/)
    await page.getByText(/Goes on by itself at .*20\d\d/).waitFor()
    // A snooze keeps guests away; the owner's own use goes on.
    const issued = await host.api('/tirami/tokens/issue', {
      method: 'POST',
      body: JSON.stringify({ scope: 'inference', label: 'a night owl' }),
    })
    const { token } = (await issued.json()) as { token: string }
    const refused = await host.api('/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'hello' }] }),
    })
    expect(refused.status).toBe(503)
    await shot('snoozed')
    await resume()
  })

  it('finishes: with nothing to finish it pauses at once', async () => {
    await page.getByRole('button', { name: 'More ways to stop' }).click()
    await page.getByRole('menuitem', { name: 'Finish, then pause' }).click()
    await says(/Paused by you/)
    await resume()
  })

  it('asks the owner about a guest’s expensive request, who gets his answer when it is approved', async () => {
    const post = async (path: string, body: unknown) =>
      (await (await host.api(`/tirami/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()) as {
        token: string
        token_hash_hex: string
      }
    const { token } = await post('tokens/issue', { scope: 'inference', label: 'a friend' })
    const asGuest = { headers: { authorization: `Bearer ${token}`, 'x-tirami-approval': 'wait' } }
    const safety = (await (await host.api('/tirami/safety', asGuest)).json()) as { node_id: string }
    await post('policy', { node_id: safety.node_id, human_approval_threshold: 0 })
    const answer = host.api('/chat/completions', {
      ...asGuest,
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'What is TRM?' }] }),
    })
    await page.getByRole('button', { name: 'Approve' }).waitFor()
    await shot('approval')
    await page.getByRole('button', { name: 'Approve' }).click()
    expect((await answer).status).toBe(200)
    await page.getByRole('row').filter({ hasText: 'a friend' }).first().waitFor()
    await page.getByText('No request waits for your answer').waitFor()
  })

  it('stops everything with one button, and lets it go on with the same', async () => {
    await page.getByRole('button', { name: 'Stop everything' }).click()
    await says(/kill switch is on/)
    await expect(ask('hello')).rejects.toMatchObject({ status: 503, code: 'kill_switch_active' })
    await page.getByRole('button', { name: 'Let it go on' }).click()
    await says(/Ready to earn/)
    await ask('hello')
  })

  it('loads nothing from elsewhere and breaks no rule of its policy', async () => {
    const response = await page.reload()
    expect(response?.headers()['content-security-policy']).toContain("default-src 'none'")
    await page.getByText('Tirami Concierge').first().waitFor()
    // The 503 above is an answer to our own client, not to the page.
    expect(problems).toEqual([])
    const blocked = await page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'globalThis.injected = true'
      document.body.append(script)
      return !('injected' in globalThis)
    })
    expect(blocked).toBe(true)
  })

  it('has no power outside its contract, and nothing without the session', async () => {
    const stranger = await browser.newContext()
    const other = await stranger.newPage()
    const base = new URL(host.ready.dashboard).origin
    expect((await other.goto(base))?.status()).toBe(401)
    for (const path of [
      '/index.html',
      '/events',
      '/rpc/status.get',
      '/?session=wrong',
      '/..%2f..%2fapi-key',
    ]) {
      const response = await fetch(
        `${base}${path}`,
        path.startsWith('/rpc')
          ? { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
          : {},
      )
      expect([401, 404]).toContain(response.status)
    }
    const answer = await page.evaluate(async () => {
      const call = (procedure: string, body: string) =>
        fetch(`/rpc/${procedure}`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json' },
        }).then((response) => response.json())
      return [
        await call('host.shutdown', '{}'),
        await call('trades.list', '{"limit":1e9}'),
        await call('__proto__', '{}'),
      ]
    })
    expect(answer).toMatchObject([
      { ok: false, error: { code: 'PROCEDURE_UNKNOWN' } },
      { ok: false, error: { code: 'INPUT_INVALID' } },
      { ok: false, error: { code: 'PROCEDURE_UNKNOWN' } },
    ])
    await stranger.close()
  })

  it('says so when the host is gone', async () => {
    await host.end('SIGKILL')
    await page
      .getByText(/offline|connection/i)
      .first()
      .waitFor()
  })
})
