import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { proposalBytes, voteBytes } from '../../economy/governance.ts'
import { DAY, EconomyHouse, HOUR, NODE, OWNER, signHex, stranger } from '../../host/testing/economy-house.ts'
import { TiramiError } from '../../kernel/index.ts'
import { FAST_PARENT, withDirectory } from '../../ledger/test-support.ts'
import { asTiramiError } from '../http-server.ts'
import { openAiError } from '../openai/errors.ts'
import { registerEconomy } from './economy.ts'

const ME = NODE.publicKeyHex
const HEX64 = expect.stringMatching(/^[0-9a-f]{64}$/)
const RIGHTS: Record<string, string[]> = {
  owner: ['ledger.read', 'economy.write', 'host.write'],
  agent: ['ledger.read', 'economy.write'],
  reader: ['ledger.read'],
  chat: [],
  guest: ['ledger.read', 'economy.write'],
}
/** Whose key a guest's request carries. */
let guest = stranger(1)

let house: EconomyHouse
let app: FastifyInstance
let leave: () => void
let gone: Promise<void>

function server(): FastifyInstance {
  const fastify = Fastify({ routerOptions: { maxParamLength: 200 } })
  fastify.setErrorHandler((error, _request, reply) => {
    const known = asTiramiError(error)
    void reply.status(known.httpStatus).send(openAiError(known))
  })
  registerEconomy(fastify, {
    economy: house.economy,
    nodeId: ME,
    authorise: (request, action) => {
      const rights = RIGHTS[String(request.headers.authorization)]
      const nextStep = 'Ask the owner.'
      if (!rights) throw new TiramiError('API_KEY_MISSING', 'Who is it?', { nextStep, httpStatus: 401 })
      if (!rights.includes(action))
        throw new TiramiError('SCOPE_INSUFFICIENT', 'Not with this key.', { nextStep, httpStatus: 403 })
      return { consumer: String(request.headers.authorization) === 'guest' ? guest : OWNER }
    },
  })
  return fastify
}

beforeEach(async () => {
  await new Promise<void>((ready, failed) => {
    gone = withDirectory(async (directory) => {
      house = await new EconomyHouse(directory).open()
      app = server()
      ready()
      await new Promise<void>((resolve) => {
        leave = resolve
      })
      await app.close()
      await house.close()
    }, FAST_PARENT)
    gone.catch(failed)
  })
})
afterEach(async () => {
  leave()
  await gone
})

interface Options {
  as?: keyof typeof RIGHTS | 'nobody'
  headers?: Record<string, string>
}

async function call(method: 'GET' | 'POST', path: string, body?: unknown, { as, headers }: Options = {}) {
  const response = await app.inject({
    method,
    url: `/v1/tirami/${path}`,
    headers: { ...(as === 'nobody' ? {} : { authorization: as ?? 'owner' }), ...headers },
    ...(body === undefined ? {} : { payload: body as object }),
  })
  return { status: response.statusCode, json: response.json() }
}
const get = async (path: string) => (await call('GET', path)).json
const post = (path: string, body?: unknown, options?: Options) => call('POST', path, body, options)

const ROUTES = {
  read: [
    'su/supply',
    'su/stake',
    'su/referrals',
    'credit',
    'pool',
    'loans',
    'governance/proposals',
    'governance/tally/1',
    'governance/heard',
    'loan-offers',
    `reputation/${ME}`,
    'governance/proof-policy',
    `collusion/${ME}`,
    'slash-events',
    'reputation-gossip-status',
  ],
  write: [
    'su/stake',
    'su/extend',
    'su/unstake',
    'su/refer',
    'lend',
    'lend-to',
    'loan-offers/answer',
    'withdraw',
    'borrow',
    'repay',
    'governance/propose',
    'governance/vote',
    'governance/execute/1',
    'agent/claim-welcome',
  ],
}

describe('every endpoint of the economy', () => {
  it('answers only those who may ask', async () => {
    for (const path of ROUTES.read) {
      expect((await call('GET', path, undefined, { as: 'nobody' })).status).toBe(401)
      expect((await call('GET', path, undefined, { as: 'chat' })).status).toBe(403)
      expect([200, 404]).toContain((await call('GET', path, undefined, { as: 'reader' })).status)
    }
    const before = house.records()
    for (const path of ROUTES.write) {
      expect((await post(path, {}, { as: 'nobody' })).status).toBe(401)
      expect((await post(path, {}, { as: 'reader' })).status).toBe(403)
    }
    expect(house.records()).toBe(before)
  })

  it('refuses a body of another shape with the name of the field, and changes nothing', async () => {
    const bad: [string, unknown, string | null][] = [
      ['su/stake', { amount: 1.5, duration: '7d' }, 'amount'],
      ['su/stake', { amount: -1, duration: '7d' }, 'amount'],
      ['su/stake', { amount: '99999999999999999999', duration: '7d' }, 'amount'],
      ['su/stake', { amount: 100, duration: '8d' }, 'duration'],
      ['su/stake', { amount: 100, duration: '7d', extra: 1 }, null],
      ['su/unstake', { force: true }, null],
      ['su/refer', { referred_hex: 'AB'.repeat(32) }, 'referred_hex'],
      ['lend', { amount: 1, min_interest_rate: -1 }, 'min_interest_rate'],
      ['borrow', { amount: 1, term_hours: 0, collateral: 1 }, 'term_hours'],
      ['repay', { loan_id: 'x' }, 'loan_id'],
      ['lend-to', { borrower: 'x', amount: 1, term_hours: 1, collateral: 1 }, 'borrower'],
      ['lend-to', { borrower: ME, amount: 1, term_hours: 1, collateral: 1, extra: 1 }, null],
      ['governance/propose', { proposer: ME, kind: 'coup', deadline_ms: 1 }, 'kind'],
      ['governance/vote', { voter: ME, proposal_id: 17, approve: true }, 'proposal_id'],
      ['agent/claim-welcome', { bucket: 7 }, 'bucket'],
    ]
    const before = house.records()
    for (const [path, body, param] of bad) {
      const { status, json } = await post(path, body)
      expect([path, status]).toEqual([path, 400])
      expect(json.error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_request', param })
    }
    expect((await post('su/stake')).status).toBe(400)
    expect(house.records()).toBe(before)
    expect((await call('GET', 'collusion/xyz')).status).toBe(400)
  })
})

describe('staking over HTTP', () => {
  it('stakes real TRM, extends it, shows it and gives it back', async () => {
    const fresh = { eligibility: 'bootstrap-window', welcome_loan: 'available' }
    expect(await get('su/stake')).toEqual({
      staked: 0,
      ...fresh,
      next_step: expect.stringContaining('welcome loan'),
    })
    const poor = await post('su/stake', { amount: 100, duration: '7d' })
    expect(poor).toMatchObject({ status: 402, json: { error: { code: 'insufficient_balance' } } })
    await house.trade(NODE, stranger(0), 400n)
    const done = await post('su/stake', { amount: '100', duration: '7d' }, { as: 'agent' })
    const unlocks_at_ms = house.clock.ms + 7 * DAY
    expect(done.json).toEqual({ ok: true, multiplier: 1.2, unlocks_at_ms })
    expect((await post('su/extend', { amount: 50, duration: '7d' })).json).toMatchObject({ ok: true })
    const shown = { staked: 150, duration: '7d', multiplier: 1.2, locked: true, unlocks_at_ms }
    const staked = { eligibility: 'staked', welcome_loan: 'unavailable', next_step: null }
    expect(await get('su/stake')).toEqual({ ...shown, ...staked })
    expect(await post('su/unstake')).toMatchObject({ status: 409, json: { error: { code: 'stake_locked' } } })
    house.clock.ms += 8 * DAY
    expect((await post('su/unstake')).json).toEqual({ ok: true, returned: 150 })
  })

  it('refers newcomers and tells the supply', async () => {
    const referred = stranger(1).publicKeyHex
    expect((await post('su/refer', { referred_hex: referred })).json).toEqual({ ok: true, referral_count: 1 })
    expect((await post('su/refer', { referred_hex: ME })).status).toBe(400)
    const entry = { referred, sponsored_at_ms: house.clock.ms, loan_repaid: false, earn_threshold_met: false }
    const referrals = [{ ...entry, bonus_paid: false }]
    expect(await get('su/referrals')).toEqual({ count: 1, total_bonus_earned: 0, referrals })
    expect(await get('su/supply')).toEqual({
      total_supply: 21_000_000_000,
      total_minted: 0,
      supply_factor: 1,
      current_epoch: 0,
      yield_rate: 0.001,
      transaction_fee_active: false,
      transaction_fee_rate: 0.01,
    })
  })

  it('grants a welcome loan to the node or to the caller’s own account, by the network that it sees', async () => {
    const granted = await post('agent/claim-welcome', { bucket: 'anything' }, { as: 'agent' })
    expect(granted.json).toEqual({
      node_id: ME,
      principal_trm: 1_000,
      granted_at_ms: house.clock.ms,
      expires_at_ms: house.clock.ms + 72 * HOUR,
    })
    expect((await post('agent/claim-welcome')).status).toBe(409)
    const claim = (number: number) => {
      guest = stranger(number)
      const headers = { 'x-tirami-node-id': guest.publicKeyHex }
      return post('agent/claim-welcome', { bucket: `elsewhere-${number}` }, { as: 'guest', headers })
    }
    for (let number = 1; number < 10; number++) {
      expect(await claim(number)).toMatchObject({
        status: 200,
        json: { node_id: stranger(number).publicKeyHex },
      })
    }
    expect(await claim(10)).toMatchObject({ status: 429, json: { error: { code: 'welcome_bucket_full' } } })
  })
})

describe('lending over HTTP', () => {
  it('deposits, borrows, repays and withdraws', async () => {
    await house.trade(NODE, stranger(0), 12_000n)
    expect((await post('lend', { amount: 10_000 })).json).toEqual({
      pool_total_trm: 10_000,
      pool_available_cu: 10_000,
      your_contribution_cu: 10_000,
      accepted_max_term_hours: 168,
      accepted_min_interest_rate: 0.001,
    })
    expect((await post('lend', { amount: 10, min_interest_rate: 0.5 })).json.error.code).toBe(
      'pool_terms_fixed',
    )
    const credit = await get('credit')
    expect(credit).toMatchObject({ node_id: ME, components: { trade: 0.12, repayment: 0.5, age: 0 } })
    const borrowed = await post('borrow', { amount: 100, term_hours: 24, collateral: 200, lender: ME })
    const rate = 0.001 + (1 - credit.score) * 0.005
    expect(borrowed.json).toEqual({
      loan_id: HEX64,
      principal_trm: 100,
      interest_rate_per_hour: rate,
      term_hours: 24,
      due_at: house.clock.ms + 24 * HOUR,
      total_due_cu: 100 + Math.floor(100 * rate * 24),
    })
    const { loan_id } = borrowed.json
    const loans = await get('loans')
    expect(loans).toMatchObject({
      count: 1,
      loans: [{ loan_id, role: 'borrower', counterparty: HEX64, collateral_trm: 200, status: 'Active' }],
    })
    expect(await get('pool')).toMatchObject({
      total_trm: 10_000,
      lent_cu: 100,
      available_cu: 9_900,
      reserve_ratio: 0.99,
      active_loan_count: 1,
      avg_interest_rate: rate,
    })
    const paid = { loan_id, status: 'Repaid', principal_trm: 100 }
    expect((await post('repay', { loan_id })).json).toMatchObject(paid)
    expect((await post('repay', { loan_id })).status).toBe(409)
    expect((await post('repay', { loan_id: '00'.repeat(32) })).status).toBe(404)
    expect((await post('withdraw', { amount: 10_000 })).json).toMatchObject({ ok: true, returned: 10_000 })
    expect((await post('withdraw', { amount: 100 })).status).toBe(402)
    expect((await post('borrow', { amount: 1, term_hours: 24, collateral: 100 })).status).toBe(409)
  })
})

describe('what stops a loan over HTTP', () => {
  const borrow = () => post('borrow', { amount: 1, term_hours: 1, collateral: 10 })
  const refused = async (attempt: ReturnType<typeof post>) => {
    const { status, json } = await attempt
    return `${status} ${json.error?.code}`
  }
  beforeEach(async () => {
    await house.trade(NODE, stranger(0), 2_000n)
    expect((await post('lend', { amount: 1_000 })).status).toBe(200)
  })

  it('ten a minute (V9)', async () => {
    for (let loan = 0; loan < 10; loan++) {
      house.clock.ms += 1
      expect((await borrow()).status).toBe(200)
    }
    expect(await refused(borrow())).toBe('429 lending_velocity')
    house.clock.ms += 60_000
    expect((await borrow()).status).toBe(200)
  })

  it('defaults: more than one in ten of the hour', async () => {
    expect((await borrow()).status).toBe(200)
    expect((await house.advance(HOUR + 1)).failures).toEqual([])
    expect(await refused(borrow())).toBe('503 lending_paused')
    const loans = await get('loans')
    expect(loans).toEqual({ count: 0, loans: [] })
    house.clock.ms += HOUR
    // The breaker is shut no more; the default has cost the credit.
    expect(await refused(borrow())).toBe('400 loan_credit')
  })

  it('the kill switch, and a borrower who cannot be asked to sign', async () => {
    const loan = { borrower: stranger(0).publicKeyHex, amount: 10, term_hours: 24, collateral: 5 }
    const before = house.records()
    expect(await refused(post('lend-to', loan))).toBe('503 mesh_off')
    expect(house.records()).toBe(before)
    const kill = { active: true, reason: 'test', operator: 'owner', atMs: house.clock.ms }
    await house.ledger.post([{ kind: 'safety.kill-switch', ...kill } as { kind: string }])
    expect(await refused(borrow())).toBe('503 kill_switch_active')
  })
})

describe('governance over HTTP', () => {
  const voters = [NODE, stranger(1), stranger(2)]
  beforeEach(async () => {
    for (const voter of voters) {
      for (let number = 0; number < 20; number++) {
        await house.economy.rewardTrade({ provider: voter.publicKeyHex, ownKey: false })
      }
      await house.trade(voter, stranger(0), 20_000n)
      await house.economy.staking.stake({ node: voter.publicKeyHex, amountTrm: 4_000n, days: 30 })
    }
  })

  it('votes on a parameter with signatures and carries it out after the deadline', async () => {
    const deadline_ms = house.clock.ms + 2 * DAY
    const body = { proposer: ME, kind: 'change_parameter', name: 'PROOF_POLICY', new_value: 2, deadline_ms }
    expect((await post('governance/propose', body, { as: 'agent' })).status).toBe(403)
    const { proposal_id } = (await post('governance/propose', body)).json
    expect(proposal_id).toMatch(/^\d{1,20}$/)
    const [shown] = (await get('governance/proposals')).proposals
    expect(shown).toMatchObject({ id: proposal_id, proposer: ME, deadline_ms, status: 'active' })
    const bySignature = (voter: typeof NODE) => {
      const bytes = voteBytes(voter.publicKeyHex, shown.digest, true)
      const vote = { voter: voter.publicKeyHex, proposal_id, approve: true }
      return post('governance/vote', { ...vote, signature: signHex(voter, bytes) }, { as: 'agent' })
    }
    const claimed = { voter: ME, proposal_id, approve: true, stake: 1e9, reputation: 1 }
    expect((await post('governance/vote', claimed, { as: 'agent' })).status).toBe(403)
    expect((await post('governance/vote', claimed)).json).toEqual({ ok: true })
    const unsigned = { voter: stranger(1).publicKeyHex, proposal_id, approve: true }
    expect((await post('governance/vote', unsigned)).json.error.code).toBe('signature_required')
    expect((await bySignature(stranger(1))).status).toBe(200)
    expect((await bySignature(stranger(2))).status).toBe(200)
    expect((await bySignature(stranger(0))).status).toBe(403)
    for (let look = 0; look < 2; look++) {
      expect(await get(`governance/tally/${proposal_id}`)).toEqual({
        proposal_id,
        status: 'active',
        deadline_ms,
        voters: 3,
        approve_weight: 12_000,
        reject_weight: 0,
        would_be: 'passed',
      })
    }
    expect((await post(`governance/execute/${proposal_id}`)).status).toBe(409)
    expect(await get('governance/proof-policy')).toEqual({ policy: 'optional', as_u8: 1, ratchet: true })
    house.clock.ms = deadline_ms
    expect((await post(`governance/execute/${proposal_id}`)).json).toEqual({
      ok: true,
      proposal_id,
      effect: { type: 'parameter', name: 'PROOF_POLICY', value: 2 },
      previous_policy: 'optional',
      new_policy: 'recommended',
      ratchet: true,
    })
    expect(await get('governance/proof-policy')).toMatchObject({ policy: 'recommended', as_u8: 2 })
    expect((await get('governance/proposals')).proposals).toEqual([])
  })

  it('takes a proposal that another node has signed, whole or not at all', async () => {
    const other = stranger(1)
    const deadline_ms = house.clock.ms + 3 * DAY
    const kind = { type: 'protocol_upgrade', description: 'Speak v3' } as const
    const terms = {
      proposer: other.publicKeyHex,
      sequence: 7,
      kind,
      createdAtMs: house.clock.ms,
      deadlineMs: deadline_ms,
    }
    const body = { proposer: other.publicKeyHex, kind: kind.type, description: 'Speak v3', deadline_ms }
    const signature = signHex(other, proposalBytes(terms))
    const whole = { ...body, sequence: 7, created_at_ms: house.clock.ms, signature }
    expect((await post('governance/propose', body)).json.error.code).toBe('signature_required')
    expect((await post('governance/propose', { ...body, signature })).json.error.code).toBe('invalid_request')
    expect((await post('governance/propose', { ...whole, sequence: 8 })).status).toBe(401)
    expect((await post('governance/propose', whole, { as: 'agent' })).status).toBe(200)
    expect((await post('governance/propose', whole)).status).toBe(409)
    expect((await call('GET', 'governance/tally/12345')).status).toBe(404)
    const immutable = { kind: 'change_parameter', name: 'FLOPS_PER_CU', new_value: 1, deadline_ms }
    expect((await post('governance/propose', { proposer: ME, ...immutable })).json.error.code).toBe(
      'parameter_immutable',
    )
  })
})

describe('conduct over HTTP', () => {
  it('shows reports, slashes and observations', async () => {
    for (let number = 0; number < 10; number++) await house.trade(NODE, stranger(0), 100n)
    for (const provider of [1, 2, 3]) await house.trade(stranger(provider), stranger(4), 10n)
    await house.economy.staking.stake({ node: ME, amountTrm: 200n, days: 7 })
    await house.advance(1)
    expect(await get(`collusion/${ME}`)).toEqual({
      subject: ME,
      trades_in_window: 10,
      unique_counterparties: 1,
      tight_cluster_score: 1,
      volume_spike_score: 0,
      steadiness_score: 0,
      round_robin_score: 0,
      trust_penalty: 0.5,
      flags: ['most trades are with one counterparty'],
    })
    const event = { node_id: ME, trust_penalty: 0.5, burned_trm: 100, timestamp_ms: house.clock.ms }
    const events = [{ ...event, reason: 'collusion' }]
    expect(await get('slash-events')).toEqual({ total: 1, total_burned_trm: 100, events })
    expect(await get('reputation-gossip-status')).toEqual({ subjects: {}, total_subjects: 0 })
  })
})
