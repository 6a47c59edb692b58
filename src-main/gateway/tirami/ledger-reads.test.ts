import Fastify, { type FastifyInstance } from 'fastify'
import { expect, test } from 'vitest'
import { createSettlement } from '../../host/economy-settlement.ts'
import type { HostServices } from '../../host/index.ts'
import { EconomyHouse, HOUR, NODE, OWNER, stranger } from '../../host/testing/economy-house.ts'
import { MerkleLog, TiramiError } from '../../kernel/index.ts'
import { FAST_PARENT, T0, withDirectory } from '../../ledger/test-support.ts'
import { asTiramiError } from '../http-server.ts'
import { registerMetrics } from '../metrics.ts'
import { openAiError } from '../openai/errors.ts'
import type { Authorise } from '../requests.ts'
import { registerTirami } from './routes.ts'
import { registerSettlement } from './settlement.ts'

const ME = NODE.publicKeyHex

interface Desk {
  house: EconomyHouse
  app: FastifyInstance
  /** The actions that were asked for, in order. */
  asked: string[]
  get(path: string): Promise<{ status: number; text: string; json: Record<string, unknown> }>
}

function serverOf(house: EconomyHouse, directory: string, asked: string[]): FastifyInstance {
  const authorise: Authorise = (request, action) => {
    asked.push(action)
    if (request.headers.authorization === undefined) {
      throw new TiramiError('API_KEY_MISSING', 'Who is it?', { nextStep: 'Say so.', httpStatus: 401 })
    }
    const consumer = { ...OWNER, label: 'owner', ownKey: true, creditLimitTrm: 1_000n }
    return { consumer } as ReturnType<Authorise>
  }
  const status = () => {
    const { records, bytes, headHashHex, writable } = house.ledger.journal()
    return {
      startedAtMs: T0,
      ledger: {
        trades: house.ledger.tradeCount(),
        journalRecords: records,
        journalBytes: bytes,
        headHash: headHashHex,
        writable,
      },
      jobs: { running: 0, queued: 0 },
      engine: { state: 'ready', restarts: 0 },
      safety: { killSwitch: null, approvals: [] },
    }
  }
  const services = {
    ledger: house.ledger,
    economy: house.economy,
    energy: { totals: () => ({ measuredJ: 0, declaredJ: 12.5, unknownJobs: 1 }) },
    settlement: createSettlement({ directory, ledger: house.ledger, clock: house.clock }),
    nodeId: ME,
    status,
    model: () => null,
  } as unknown as HostServices
  const app = Fastify()
  app.setErrorHandler((error, _request, reply) => {
    const known = asTiramiError(error)
    void reply.status(known.httpStatus).send(openAiError(known))
  })
  registerTirami(app, services, authorise)
  registerSettlement(app, services, authorise)
  registerMetrics(app, services, authorise)
  return app
}

function withDesk(body: (desk: Desk) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    const house = await new EconomyHouse(directory).open()
    const asked: string[] = []
    const app = serverOf(house, directory, asked)
    const get: Desk['get'] = async (path) => {
      const response = await app.inject({ method: 'GET', url: path, headers: { authorization: 'owner' } })
      const { body: text, statusCode: status } = response
      return { status, text, json: text.startsWith('{') ? response.json() : {} }
    }
    try {
      await body({ house, app, asked, get })
    } finally {
      await app.close()
      await house.close()
    }
  }, FAST_PARENT)
}

test('a fresh node has 1000 TRM to spend (V4.1); after earning 9 it has 1009 and tokens cost 0.999001 of their price (V5)', () =>
  withDesk(async ({ house, get }) => {
    const before = (await get('/v1/tirami/balance')).json
    expect(before).toMatchObject({ node_id: ME, effective_balance: 1_000, reputation: 0.5 })
    expect((await get('/v1/tirami/network')).json).toEqual({
      total_nodes: 0,
      total_contributed_cu: 0,
      total_consumed_cu: 0,
      total_trades: 0,
      avg_reputation: 0,
      merkle_root: '00'.repeat(32),
    })
    await house.trade(NODE, stranger(0), 9n)
    expect((await get('/v1/tirami/balance')).json).toMatchObject({
      contributed: 9,
      effective_balance: 1_009,
      income: { from_others: 9, on_credit: 9, own_use: 0 },
    })
    expect((await get('/v1/tirami/network')).json).toMatchObject({ total_nodes: 2, avg_reputation: 0.505 })
    expect((await get('/v1/tirami/pricing')).json).toMatchObject({ deflation_factor: 0.999001 })
  }))

test('what belongs to a mesh is not made up', () =>
  withDesk(async ({ get }) => {
    expect((await get('/v1/tirami/anchors')).json).toEqual({ count: 0, anchors: [] })
    const { json } = await get('/v1/tirami/protocol')
    expect(json).toMatchObject({ transport: null, wire_codec: null, price_signal: null, compatibility: null })
    for (const path of ['providers', 'peers', 'route', 'schedule']) {
      expect((await get(`/v1/tirami/${path}`)).status).toBe(404)
    }
  }))

test('save-state tells how far the journal is on the disk, to the owner only', () =>
  withDesk(async ({ house, app, asked }) => {
    await house.trade(NODE, stranger(0), 9n)
    const { records, headHashHex } = house.ledger.journal()
    const url = '/v1/tirami/admin/save-state'
    const response = await app.inject({ method: 'POST', url, headers: { authorization: 'owner' } })
    expect(response.json()).toEqual({
      ok: true,
      saved: ['journal'],
      errors: [],
      journal_records: records,
      head_hash: headHashHex,
    })
    expect(asked.at(-1)).toBe('host.write')
    expect((await app.inject({ method: 'POST', url })).statusCode).toBe(401)
  }))

test('the settlement statement is that of its window, with exact sums and the root over its trades', () =>
  withDesk(async ({ house, app, asked, get }) => {
    for (const [amountTrm, hours] of [
      [5n, 0],
      [9_007_199_254_740_993n, 30],
      [7n, 40],
    ] as const) {
      house.clock.ms = T0 + hours * HOUR
      await house.trade(NODE, stranger(0), amountTrm)
    }
    const trades = await house.ledger.listTrades({ limit: 10 })
    const leaves = [...trades].reverse().map(({ tradeId }) => Buffer.from(tradeId, 'hex'))
    const rootOf = (some: Uint8Array[]) => {
      const tree = new MerkleLog()
      for (const leaf of some) tree.append(leaf)
      return Buffer.from(tree.root()).toString('hex')
    }
    const day = await get('/settlement')
    expect(day.status).toBe(200)
    expect(day.json).toMatchObject({
      window_start: T0 + 16 * HOUR,
      window_end: T0 + 40 * HOUR,
      trade_count: 2,
      merkle_root: rootOf(leaves.slice(1)),
      reference_price_per_cu: null,
    })
    expect(day.text).toMatch(/"total_trm_transferred":\s*9007199254741000\b/)

    const window = `window_start=${T0}&window_end=${T0 + HOUR}&reference_price_per_cu=0.5`
    const first = await get(`/v1/tirami/settlement?${window}`)
    expect(first.json).toMatchObject({
      trade_count: 1,
      total_trm_transferred: 5,
      merkle_root: rootOf(leaves.slice(0, 1)),
    })
    expect(first.json.nodes).toMatchObject([
      { node_id: ME, net_cu: 5, estimated_payout_value: 2.5 },
      { node_id: stranger(0).publicKeyHex, net_cu: -5, estimated_payout_value: -2.5 },
    ])
    expect((await get('/settlement?hours=9')).json).toMatchObject({
      trade_count: 1,
      total_trm_transferred: 7,
    })
    const empty = await get(`/settlement?window_start=${T0 + HOUR}&window_end=${T0 + 2 * HOUR}`)
    expect(empty.json).toMatchObject({ trade_count: 0 })
    expect(empty.json).not.toHaveProperty('merkle_root')
    expect(new Set(asked)).toEqual(new Set(['ledger.read']))
    expect((await app.inject({ method: 'GET', url: '/settlement' })).statusCode).toBe(401)
  }))

test.each([
  'hours=0',
  'hours=-1',
  'hours=1.5',
  'hours=87601',
  'hours=24&window_start=1',
  `window_start=${T0 + 1}&window_end=${T0}`,
  'window_start=1e3',
  'window_end=999999999999999',
  'reference_price_per_cu=NaN',
  'reference_price_per_cu=1e9',
  'who=me',
  'hours=1&hours=2',
])('a settlement of “%s” is refused', (query) =>
  withDesk(async ({ get }) => {
    const { status, json } = await get(`/settlement?${query}`)
    expect(status).toBe(400)
    expect(json).toMatchObject({
      error: { code: expect.stringMatching(/^(invalid_request|statement_invalid)$/) },
    })
  }),
)

test('one settlement at a time: the others are told to come back, and the next one is made', () =>
  withDesk(async ({ house, get }) => {
    await house.trade(NODE, stranger(0), 9n)
    const statuses = (await Promise.all([1, 2, 3].map(() => get('/settlement')))).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, 429, 429])
    expect((await get('/settlement')).status).toBe(200)
    expect((await get('/settlement?window_start=2&window_end=1')).status).toBe(400)
    expect((await get('/settlement')).status).toBe(200)
  }))

test('a ledger that would hold up the host is left to the command line', async () => {
  const settlement = createSettlement({
    directory: 'is not opened',
    ledger: { tradeCount: () => 20_001 },
    clock: { nowMs: () => T0 },
  })
  await expect(settlement({})).rejects.toMatchObject({ code: 'SETTLEMENT_TOO_LARGE', httpStatus: 400 })
})

/** Spec section 1.13. */
const METRICS_OF_THE_SPEC = [
  'tirami_cu_contributed_total',
  'tirami_cu_consumed_total',
  'tirami_reputation',
  'tirami_trade_count_total',
  'tirami_active_loan_count',
  'tirami_pool_total_trm',
  'tirami_pool_reserve_ratio',
  'tirami_collusion_tight_cluster_score',
  'tirami_collusion_volume_spike_score',
  'tirami_collusion_round_robin_score',
  'tirami_collusion_trust_penalty',
  'tirami_active_proposals',
  'tirami_total_votes',
  'tirami_total_minted',
  'tirami_supply_factor',
  'tirami_current_epoch',
  'tirami_yield_rate',
  'tirami_total_staked',
  'tirami_total_burned',
  'tirami_referral_bonus_minted',
  'tirami_process_started_at_secs',
  'tirami_process_uptime_secs',
  'tirami_protocol_version',
]

test('every metric of the spec is there, with its real number', () =>
  withDesk(async ({ house, get }) => {
    for (let trade = 0; trade < 20; trade++) await house.trade(NODE, stranger(trade % 4), 100n)
    await house.economy.staking.stake({ node: ME, amountTrm: 1_000n, days: 30 })
    const pause = { type: 'protocol_upgrade', description: 'Speak v3' } as const
    const id = await house.economy.governance.proposeOwn(pause, house.clock.ms + 48 * HOUR)
    await house.economy.governance.voteOwn(id, true)
    const { text } = await get('/metrics')
    const value = (name: string) => new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]
    for (const name of METRICS_OF_THE_SPEC) expect([name, value(name)]).toEqual([name, expect.any(String)])
    expect(value('tirami_trade_count_total')).toBe('20')
    expect(value('tirami_energy_declared_joules_total')).toBe('12.5')
    expect(value('tirami_total_staked')).toBe('1000')
    expect(value('tirami_active_proposals')).toBe('1')
    expect(value('tirami_total_votes')).toBe('1')
    expect(value('tirami_income_from_others')).toBe('2000')
    expect(value('tirami_income_on_credit')).toBe('2000')
    expect(Number(value('tirami_reputation'))).toBeCloseTo(0.7, 9)
  }))
