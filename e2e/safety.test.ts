import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import {
  engineProcess,
  eventually,
  type HostProcess,
  startHeadless,
  temporaryDirectory,
} from './support/host.ts'

const data = temporaryDirectory()
const directory = join(data.path, 'host')
let model: string
let host: HostProcess

beforeAll(async () => {
  // A model that never stops by itself, so that the longest answer is what it will be.
  model = writeTinyGguf(join(data.path, 'endless.gguf'), {
    script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
  })
  host = await startHeadless(directory, '--model', model)
  // Without a stake a host may earn only a little from strangers; a newcomer's welcome opens the gate for a while.
  expect((await post('agent/claim-welcome', {})).status).toBe(200)
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

const post = async (path: string, body: unknown, key = host.apiKey) => {
  const response = await host.api(`/tirami/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${key}` },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
/** Tokens of an answer that is still being written when this process looks, whatever else the machine does. */
const LONG = 3_900
const trades = async () =>
  ((await (await host.api('/tirami/network')).json()) as { total_trades: number }).total_trades

/** Somebody to whom the owner gave a token. */
class Guest {
  token = ''
  tokenHash = ''
  nodeId = ''

  static async with(scope: string): Promise<Guest> {
    const guest = new Guest()
    const { body } = await post('tokens/issue', { scope, label: 'a friend' })
    guest.token = String(body.token)
    guest.tokenHash = String(body.token_hash_hex)
    guest.nodeId = (await guest.safety()).node_id
    return guest
  }

  async safety(): Promise<{
    node_id: string
    circuit_tripped: boolean
    consecutive_errors: number
    lifetime_spend: number
    held: number
  }> {
    const response = await host.api('/tirami/safety', { headers: { authorization: `Bearer ${this.token}` } })
    return (await response.json()) as Awaited<ReturnType<Guest['safety']>>
  }

  policy(limits: Record<string, number | null>) {
    return post('policy', { node_id: this.nodeId, human_approval_threshold: null, ...limits })
  }

  /** Status and code of a refused streaming request, or `ok`. Refusals must come before the stream begins. */
  async chat(maxTokens: number, headers: Record<string, string> = {}): Promise<string> {
    const client = new OpenAI({
      baseURL: host.ready.api,
      apiKey: this.token,
      maxRetries: 0,
      defaultHeaders: headers,
    })
    try {
      const stream = await client.chat.completions.create({
        model: host.ready.model,
        messages: [{ role: 'user', content: 'go' }],
        max_tokens: maxTokens,
        stream: true,
      })
      for await (const _chunk of stream);
      return 'ok'
    } catch (error) {
      if (!(error instanceof OpenAI.APIError)) throw error
      return `${error.status} ${error.code}`
    }
  }
}

describe('every rule stops a real request before its first token', () => {
  let guest: Guest
  let before: number
  beforeEach(async () => {
    guest = await Guest.with('inference')
    before = await trades()
  })

  it('kill switch: everything stops, also what is under way, and stays stopped over a restart', async () => {
    const running = guest.chat(LONG)
    await eventually(async () => (await guest.safety()).held > 0)
    await post('kill', { activate: true, reason: 'smoke' })
    expect(await running).toMatch(/kill_switch_active|undefined/)
    expect(await guest.chat(4)).toBe('503 kill_switch_active')
    expect(await trades()).toBe(before)
    await host.end('SIGKILL')
    host = await startHeadless(directory, '--model', model)
    expect(await guest.chat(4)).toBe('503 kill_switch_active')
    await post('kill', { activate: false })
    expect(await guest.chat(4)).toBe('ok')
    expect(await trades()).toBe(before + 1)
  })

  it('request limit', async () => {
    await guest.policy({ max_cu_per_request: 1 })
    expect(await guest.chat(4)).toBe('ok')
    expect(await guest.chat(1000)).toBe('403 request_limit_exceeded')
    expect(await trades()).toBe(before + 1)
  })

  it('hourly limit, counted over answers that run side by side', async () => {
    await guest.policy({ max_cu_per_hour: 2 })
    const results = await Promise.all(Array.from({ length: 5 }, () => guest.chat(4)))
    expect(results.filter((result) => result === 'ok')).toHaveLength(2)
    expect(results.filter((result) => result === '429 hourly_limit_exceeded')).toHaveLength(3)
    expect(await trades()).toBe(before + 2)
  })

  it('lifetime limit, which a restart does not forget', async () => {
    await guest.policy({ max_cu_lifetime: 1 })
    expect(await guest.chat(4)).toBe('ok')
    expect(await guest.chat(4)).toBe('403 lifetime_cap_reached')
    await host.end('SIGKILL')
    host = await startHeadless(directory, '--model', model)
    expect(await guest.chat(4)).toBe('403 lifetime_cap_reached')
    expect(await guest.safety()).toMatchObject({ lifetime_spend: 1, held: 0 })
  })

  it('velocity, then the circuit breaker, until the owner resets it', async () => {
    await guest.policy({ max_requests_per_minute: 2 })
    expect(await guest.chat(4)).toBe('ok')
    expect(await guest.chat(4)).toBe('ok')
    expect(await guest.chat(4)).toBe('429 velocity_anomaly')
    expect(await guest.chat(4)).toBe('429 circuit_breaker_tripped')
    expect((await guest.safety()).circuit_tripped).toBe(true)
    await guest.policy({})
    await post('safety/reset', { node_id: guest.nodeId })
    expect(await guest.chat(4)).toBe('ok')
    expect(await trades()).toBe(before + 3)
  })

  it('circuit breaker, after five answers in a row that the host itself broke; others are served', async () => {
    const metric = async (name: string) => {
      const response = await host.api('/../metrics')
      return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await response.text())?.[1])
    }
    const crash = async (requests: number) => {
      const running = Array.from({ length: requests }, () => guest.chat(LONG))
      await eventually(async () => (await metric('tirami_jobs_running')) === requests)
      process.kill(await eventually(() => engineProcess(host)), 'SIGKILL')
      await Promise.all(running)
      await eventually(async () => (await metric('tirami_engine_ready')) === 1)
    }
    await guest.policy({})
    await crash(4)
    expect(await guest.safety()).toMatchObject({ consecutive_errors: 4, circuit_tripped: false, held: 0 })
    await crash(1)
    expect((await guest.safety()).circuit_tripped).toBe(true)
    expect(await guest.chat(4)).toBe('429 circuit_breaker_tripped')
    expect(await (await Guest.with('inference')).chat(4)).toBe('ok')
    expect(await trades()).toBe(before + 1)
  })

  it('human approval: asked, answered, spent once; or waited for', async () => {
    await guest.policy({ human_approval_threshold: 0 })
    expect(await guest.chat(4)).toBe('409 approval_required')
    const open = async () =>
      (
        (await (await host.api('/tirami/approvals')).json()) as {
          approvals: { approval_id: string; node_id: string }[]
        }
      ).approvals.filter((approval) => approval.node_id === guest.nodeId)
    const [question] = await open()
    const id = question?.approval_id ?? ''
    expect((await post(`approvals/${id}`, { approve: true }, guest.token)).status).toBe(403)
    expect((await post(`approvals/${id}`, { approve: true })).status).toBe(200)
    expect(await guest.chat(4, { 'X-Tirami-Approval': id })).toBe('ok')
    expect(await guest.chat(4, { 'X-Tirami-Approval': id })).toBe('403 approval_not_usable')

    const waiting = guest.chat(8, { 'X-Tirami-Approval': 'wait' })
    const second = await eventually(async () => (await open())[0])
    await post(`approvals/${second.approval_id}`, { approve: true })
    expect(await waiting).toBe('ok')

    const refused = guest.chat(12, { 'X-Tirami-Approval': 'wait' })
    const third = await eventually(async () => (await open())[0])
    await post(`approvals/${third.approval_id}`, { approve: false })
    expect(await refused).toBe('403 approval_denied')
    expect(await trades()).toBe(before + 2)
  })

  it('the guest’s credit, whatever the budget says', async () => {
    await guest.policy({ max_cu_per_request: 1_000_000, max_cu_per_hour: 1_000_000 })
    const { body } = await post('policy', { node_id: guest.nodeId })
    expect(body.status).toBe('policy set')
    const answer = await host.api('/tirami/balance', { headers: { authorization: `Bearer ${guest.token}` } })
    expect(await answer.json()).toMatchObject({ caller: { node_id: guest.nodeId, credit_limit: 1000 } })
  })
})

describe('lending stops too', () => {
  it('a loan is refused after ten in a minute, and while the kill switch is on', async () => {
    const guest = await Guest.with('inference')
    await guest.policy({ max_requests_per_minute: null })
    const earn = async (requests: number) => {
      for (let request = 0; request < requests; request++) expect(await guest.chat(2)).toBe('ok')
    }
    await earn(140)
    expect((await post('lend', { amount: 120 })).status).toBe(200)
    const borrow = async () => {
      const { status, body } = await post('borrow', { amount: 1, term_hours: 1, collateral: 1 })
      return `${status} ${(body.error as { code: string } | undefined)?.code ?? 'ok'}`
    }
    for (let loan = 0; loan < 10; loan++) expect(await borrow()).toBe('200 ok')
    expect(await borrow()).toBe('429 lending_velocity')
    await post('kill', { activate: true, reason: 'smoke' })
    expect(await borrow()).toBe('503 kill_switch_active')
    await post('kill', { activate: false })
    const alone = { borrower: guest.nodeId, amount: 1, term_hours: 1, collateral: 1 }
    expect((await post('lend-to', alone)).status).toBe(503)
    const loans = (await (await host.api('/tirami/loans')).json()) as { count: number }
    expect(loans.count).toBe(10)
  })
})

describe('the books over HTTP', () => {
  it('a settlement statement of the running host holds what was just booked, with its root', async () => {
    const guest = await Guest.with('inference')
    expect(await guest.chat(3)).toBe('ok')
    const statement = (await (await host.api('/tirami/settlement?reference_price_per_cu=0.5')).json()) as {
      trade_count: number
      merkle_root: string
      total_trm_transferred: number
      nodes: { node_id: string; gross_spent_cu: number; estimated_payout_value: number }[]
    }
    const network = (await (await host.api('/tirami/network')).json()) as Record<string, unknown>
    expect(statement.trade_count).toBe(network.total_trades)
    expect(statement.merkle_root).toBe(network.merkle_root)
    expect(statement.total_trm_transferred).toBe(network.total_contributed_cu)
    const line = statement.nodes.find(({ node_id }) => node_id === guest.nodeId)
    expect(line).toMatchObject({ gross_spent_cu: 1, estimated_payout_value: -0.5 })
    const url = host.ready.api.replace('/v1', '/settlement')
    expect((await fetch(url)).status).toBe(401)
    const asked = await fetch(url, { headers: { authorization: `Bearer ${guest.token}` } })
    expect(asked.status).toBe(403)
  })

  it('income on credit is told apart, and the average reputation is one', async () => {
    const balance = (await (await host.api('/tirami/balance')).json()) as {
      income: { from_others: number; on_credit: number; own_use: number }
    }
    expect(balance.income.from_others).toBeGreaterThan(0)
    // No guest of this host has earned anything: all of it stands on the owner's credit.
    expect(balance.income.on_credit).toBe(balance.income.from_others)
    const network = (await (await host.api('/tirami/network')).json()) as { avg_reputation: number }
    expect(network.avg_reputation).toBeGreaterThan(0.5)
    expect(network.avg_reputation).toBeLessThan(1)
  })
})

describe('a key does what its scope says and nothing else', () => {
  const paths: [method: string, path: string, body?: unknown][] = [
    ['GET', '/models'],
    ['GET', '/tirami/balance'],
    ['GET', '/tirami/trades'],
    ['GET', '/tirami/network'],
    ['GET', '/tirami/pricing'],
    ['GET', '/tirami/settlement'],
    ['GET', '/tirami/anchors'],
    ['GET', '/tirami/su/stake'],
    ['POST', '/tirami/admin/save-state', {}],
    ['GET', '/tirami/tokens'],
    ['GET', '/tirami/approvals'],
    ['POST', '/tirami/kill', { activate: false }],
    ['POST', '/tirami/tokens/issue', { scope: 'readonly' }],
    ['POST', '/chat/completions', { messages: [{ role: 'user', content: 'go' }], max_tokens: 2 }],
  ]
  const books = ['trades', 'network', 'pricing', 'settlement', 'anchors', 'su/stake']
  const readable = ['/models', '/tirami/balance', ...books.map((path) => `/tirami/${path}`)]
  const allowed: Record<string, string[]> = {
    readonly: readable,
    inference: ['/models', '/tirami/balance', '/chat/completions'],
    economy: [...readable, '/chat/completions'],
    admin: paths.map(([, path]) => path),
  }

  it.each(['readonly', 'inference', 'economy', 'admin'])('%s', async (scope) => {
    const guest = await Guest.with(scope)
    for (const [method, path, body] of paths) {
      const response = await host.api(path, {
        method,
        headers: { authorization: `Bearer ${guest.token}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect(`${path} ${response.status}`).toBe(`${path} ${allowed[scope]?.includes(path) ? 200 : 403}`)
    }
  })

  it('a revoked token opens nothing, a rotated one passes its rights on', async () => {
    const guest = await Guest.with('inference')
    const { body } = await post('tokens/rotate', { token_hash_hex: guest.tokenHash })
    expect(await guest.chat(2)).toBe('401 api_key_invalid')
    guest.token = String(body.token)
    expect(await guest.chat(2)).toBe('ok')
    await post('tokens/revoke', { token_hash_hex: body.token_hash_hex })
    expect(await guest.chat(2)).toBe('401 api_key_invalid')
  })

  it('nobody is charged by being named', async () => {
    const guest = await Guest.with('inference')
    expect(await guest.chat(2, { 'X-Tirami-Node-Id': host.ready.nodeId })).toBe('403 token_node_mismatch')
    expect(await guest.chat(2, { 'X-Tirami-Node-Id': guest.nodeId })).toBe('ok')
    const claim = await host.api('/tirami/agent/claim-welcome', {
      method: 'POST',
      headers: { 'X-Tirami-Node-Id': guest.nodeId },
    })
    expect(claim.status).toBe(403)
  })

  it('one caller’s flood does not slow another', async () => {
    const [loud, calm] = [await Guest.with('readonly'), await Guest.with('readonly')]
    const ask = (guest: Guest) =>
      host
        .api('/tirami/pricing', { headers: { authorization: `Bearer ${guest.token}` } })
        .then(({ status }) => status)
    const flood = () => Promise.all(Array.from({ length: 120 }, () => ask(loud)))
    // On a slow machine what one flood has used up may be back before its end.
    await eventually(async () => (await flood()).includes(429))
    expect(await ask(calm)).toBe(200)
  })
})

describe('the stake gate', () => {
  it('closes for strangers when a host without stake has earned its 10 TRM, never for the owner', async () => {
    const first = host
    host = await startHeadless(join(data.path, 'unstaked'), '--model', model)
    try {
      const standing = async () =>
        (await (await host.api('/tirami/su/stake')).json()) as Record<string, unknown>
      expect(await standing()).toMatchObject({
        eligibility: 'bootstrap-window',
        welcome_loan: 'available',
        next_step: expect.stringContaining('Claim the welcome loan'),
      })
      const guest = await Guest.with('inference')
      const results: string[] = []
      for (let request = 0; request < 12; request++) results.push(await guest.chat(4))
      expect(results.slice(0, 10)).toEqual(Array(10).fill('ok'))
      expect(results.at(-1)).toBe('403 stake_required')
      expect(await standing()).toMatchObject({ eligibility: 'stake-required', welcome_loan: 'available' })
      const own = await host.client.chat.completions.create({
        model: host.ready.model,
        messages: [{ role: 'user', content: 'go' }],
        max_tokens: 4,
      })
      expect(own.usage?.completion_tokens).toBe(4)
      // What the welcome loan is for: the way from 10 TRM to a stake of 100.
      expect((await post('agent/claim-welcome', {})).status).toBe(200)
      expect(await guest.chat(4)).toBe('ok')
    } finally {
      await host.end('SIGTERM')
      host = first
    }
  })
})

describe('metrics', () => {
  it('are Prometheus text, for keys that may read the ledger', async () => {
    const url = host.ready.api.replace('/v1', '/metrics')
    expect((await fetch(url)).status).toBe(401)
    const text = await (await fetch(url, { headers: { authorization: `Bearer ${host.apiKey}` } })).text()
    expect(text).toMatch(
      new RegExp(`^tirami_cu_contributed_total\\{node_id="${host.ready.nodeId}"\\} \\d+$`, 'm'),
    )
    expect(text).toMatch(/^# TYPE tirami_trade_count_total gauge$/m)
    expect(text).toContain(`tirami_trade_count_total ${await trades()}`)
  })
})
