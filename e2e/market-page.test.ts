import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TEXT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import {
  endProcess,
  eventually,
  type HostProcess,
  type Ready,
  root,
  temporaryDirectory,
} from './support/host.ts'
import { networkName, openToGuests, startMeshHost } from './support/mesh.ts'
import {
  accessibilityFindings,
  expectReadable,
  openBrowser,
  openPage,
  pressUntilFocused,
  withBrowser,
} from './support/window.ts'

const MODEL = 'assistant'

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

withBrowser('the Market page between two real hosts', () => {
  const data = temporaryDirectory()
  const group = networkName()
  const problems: string[] = []
  let serving: HostProcess
  let browser: Browser
  let page: Page
  let stop = async () => {}
  const ready: Ready[] = []
  const part = (name: string) => page.getByRole('region', { name, exact: true })
  const goTo = (hash: string) =>
    page.evaluate((to) => {
      location.hash = to
    }, hash)

  /** A host of which nothing is given on the command line: all of it is chosen in its window. */
  async function startPlain(): Promise<void> {
    const directory = join(data.path, 'plain')
    mkdirSync(directory)
    const api = { address: '127.0.0.1', port: 0 }
    writeFileSync(
      join(directory, 'settings.json'),
      JSON.stringify({ api, guide: { state: 'skipped', step: 'machine' } }),
    )
    const child = spawn(process.execPath, [join(root, 'out/main/headless.js'), '--data-dir', directory], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    stop = async () => void (await endProcess(child, 'SIGTERM'))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) ready.push(JSON.parse(line) as Ready)
    })
    await eventually(async () => ready[0], 90_000)
  }

  async function ask(): Promise<Response> {
    const { api = '', apiKeyFile = '' } = ready[0] ?? {}
    return fetch(`${api}/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${readFileSync(apiKeyFile, 'utf8').trim()}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        model: MODEL,
        messages: [{ role: 'user', content: 'tell me' }],
        temperature: 0,
      }),
    })
  }

  beforeAll(async () => {
    const modelPath = writeAssistantModel(join(data.path, `${MODEL}.gguf`))
    ;[serving, browser] = await Promise.all([
      startMeshHost(join(data.path, 'serving'), group, [], '--model', modelPath),
      openBrowser(),
      startPlain(),
    ])
    await openToGuests(serving)
    page = await openPage(browser, problems)
    await page.goto(ready[0]?.dashboard ?? '')
    await goTo('#/market')
  })
  afterAll(async () => {
    await browser?.close()
    await Promise.all([serving?.end('SIGKILL'), stop()])
    data.remove()
  })

  it('says what taking part means before anybody does, and joins by the keyboard', async () => {
    await part('Not taking part').getByText('Whoever answers reads the question').waitFor()
    const setup = part('How others reach this host')
    await setup.getByRole('button', { name: /Who can reach it/ }).click()
    await page.getByRole('option', { name: 'This machine only' }).click()
    await setup.getByLabel('Port for other hosts').fill('0')
    await setup.getByLabel('Group').fill(group)
    await setup.getByLabel('Hosts to begin with').fill('nowhere')
    const take = page.getByRole('switch', { name: 'Take part in the market' })
    await setup.getByRole('button', { name: 'Save how others reach this host' }).click()
    await pressUntilFocused(page, 'Shift+Tab', take)
    await page.keyboard.press('Space')
    await page.getByText('“nowhere” is not the address of a host.').waitFor()
    expect(await take.isChecked()).toBe(false)
    await setup.getByLabel('Hosts to begin with').fill(serving.ready.mesh?.[0] ?? '')
    await setup.getByRole('button', { name: 'Save how others reach this host' }).click()
    await eventually(async () => setup.getByRole('button', { name: /^Save/ }).isDisabled())
    await pressUntilFocused(page, 'Shift+Tab', take)
    await page.keyboard.press('Space')
    await part('Not taking part').waitFor({ state: 'detached' })
  })

  it('shows the other host with its model and its price', async () => {
    const other = `Host ${serving.ready.nodeId.slice(0, 6)}`
    const hosts = part('Hosts')
    await hosts
      .getByRole('row', { name: new RegExp(`${other}.*connected.*${MODEL}`) })
      .first()
      .waitFor()
    const offer = part('Who serves what, at which price').getByRole('row', { name: new RegExp(`^${MODEL}`) })
    expect(await offer.first().textContent()).toMatch(new RegExp(`${other}[\\s\\S]*\\d[\\s\\S]*×1`))
    await hosts
      .getByRole('button', { name: `All about ${other}` })
      .first()
      .click()
    await page.getByRole('dialog', { name: other }).getByText(serving.ready.nodeId).waitFor()
    await page.keyboard.press('Escape')
  })

  it('says what a host with nothing at stake may earn, and to whom it could lend', async () => {
    await part('How this host stands')
      .getByText(/guests and other hosts may pay this host 10 TRM in all; 0 TRM so far/)
      .waitFor()
    const loans = part('Loans between hosts')
    await loans.getByText('No loans yet').waitFor()
    await loans.getByText('To nobody can be lent yet').waitFor()
  })

  it('sends a question to it once that is allowed, and the trade appears with its proof', async () => {
    expect((await ask()).status).toBe(404)
    const rules = part('Whose questions may leave')
    await rules
      .getByRole('switch', { name: 'My own questions may be answered by other hosts' })
      .press('Space')
    const answer = await eventually(async () => {
      const given = await ask()
      return given.status === 200 && ((await given.json()) as { choices: [{ message: { content: string } }] })
    })
    expect(answer.choices[0].message.content).toBe(TEXT_ANSWER.join(''))
    const deals = part('Trades with other hosts')
    await deals.getByText('bought').first().waitFor()
    await deals
      .getByRole('button', { name: /^Trade of/ })
      .first()
      .click()
    const dialog = page.getByRole('dialog', { name: /^Bought from Host/ })
    await dialog.getByRole('button', { name: 'Check' }).click()
    await expect.poll(() => dialog.locator('.proof__verdicts .signed').count()).toBe(2)
    expect(await dialog.locator('.signed--bad').count()).toBe(0)
    await page.keyboard.press('Escape')
  })

  it('could lend to the host that has earned here, and not to itself', async () => {
    const borrower = part('Loans between hosts').getByRole('button', { name: /Borrower/ })
    await borrower.press('Enter')
    const options = page.getByRole('option')
    await options.first().waitFor()
    expect(await options.allTextContents()).toEqual([`Host ${serving.ready.nodeId.slice(0, 6)} · 1 TRM`])
    await page.keyboard.press('Escape')
  })

  it('asks nobody above the price limit', async () => {
    const rules = part('Whose questions may leave')
    await rules.getByText('At most').click()
    await rules.getByLabel(/Price limit/).fill('0.01')
    await rules.getByRole('button', { name: 'Save' }).click()
    await expect.poll(() => rules.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
    const answer = await ask()
    expect(await answer.json()).toMatchObject({ error: { code: 'mesh_too_dear' } })
  })

  it('reads well in every look, and in Japanese', async () => {
    await expectReadable(page, 'market')
    expect(await accessibilityFindings(page)).toEqual([])
    const japanese = await openPage(browser, problems, { locale: 'ja-JP' })
    await japanese.goto(ready[0]?.dashboard ?? '')
    await japanese.goto(`${new URL(ready[0]?.dashboard ?? '').origin}/#/market`)
    await japanese.getByRole('heading', { level: 1, name: 'マーケット' }).waitFor()
    await japanese.getByRole('heading', { name: 'まわりのホスト' }).waitFor()
    expect(await accessibilityFindings(japanese)).toEqual([])
    await japanese.close()
  })

  it('leaves when it is told to, and restarts from its settings at the port that was chosen', async () => {
    await page.getByRole('switch', { name: 'Take part in the market' }).press('Space')
    await part('Not taking part').waitFor()
    await goTo('#/settings')
    await page.getByRole('tab', { name: 'Storage and network' }).click()
    const network = part('Network')
    const free = await freePort()
    await network.getByLabel('Port').fill(String(free))
    await network.getByRole('button', { name: 'Save where the API listens' }).click()
    await network.getByText('Takes effect with a restart').waitFor()
    await network.getByRole('button', { name: 'Restart', exact: true }).click()
    await network.getByRole('button', { name: 'Restart now' }).click()
    await eventually(async () => ready[1], 90_000)
    expect(ready[1]?.api).toBe(`http://127.0.0.1:${free}/v1`)
    await network.getByText(`http://127.0.0.1:${free}/v1`).waitFor()
    await network.getByText('Takes effect with a restart').waitFor({ state: 'detached' })
  })
})
