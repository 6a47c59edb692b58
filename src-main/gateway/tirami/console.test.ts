import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Caller, Stewardship } from '../../host/index.ts'
import { createEarningRules, openStewardship } from '../../host/stewardship.ts'
import { TiramiError } from '../../kernel/index.ts'
import { type Ledger, openLedger } from '../../ledger/index.ts'
import { FAST_PARENT, ManualClock, withDirectory, workerUrl } from '../../ledger/test-support.ts'
import { asTiramiError } from '../http-server.ts'
import { openAiError } from '../openai/errors.ts'
import { registerConsole } from './console.ts'

const RIGHTS: Record<string, string[]> = {
  owner: ['ledger.read', 'host.write', 'safety.write'],
  reader: ['ledger.read'],
  chat: [],
}
const JOB = { latencyMs: 5, amountTrm: 9n, flop: 9n, energyJ: null, depth: 1, ok: true, ownKey: false }

let directory: string
let ledger: Ledger
let stewardship: Stewardship
let app: FastifyInstance
let leave: () => void
let gone: Promise<void>

beforeEach(async () => {
  await new Promise<void>((ready, failed) => {
    gone = withDirectory(async (path) => {
      directory = path
      const clock = new ManualClock()
      const rules = createEarningRules()
      ledger = await openLedger({
        directory: join(path, 'ledger'),
        clock,
        projectionWorkerUrl: workerUrl,
        observer: { events: (events) => events.forEach(rules.observe) },
      })
      stewardship = await openStewardship({ dataDirectory: path, ledger, rules, clock })
      app = Fastify()
      app.setErrorHandler((error, _request, reply) => {
        const known = asTiramiError(error)
        void reply.status(known.httpStatus).send(openAiError(known))
      })
      const earning = {
        pause: async (source: 'api' | 'window' | 'file') => stewardship.setPaused(true, source),
        resume: async (source: 'api' | 'window' | 'file') => stewardship.setPaused(false, source),
      }
      registerConsole(app, { stewardship, earning }, (request, action) => {
        const rights = RIGHTS[String(request.headers.authorization)] ?? []
        if (rights.includes(action)) return {} as Caller
        throw new TiramiError('SCOPE_INSUFFICIENT', 'Not with this key.', {
          nextStep: 'Ask.',
          httpStatus: 403,
        })
      })
      ready()
      await new Promise<void>((resolve) => {
        leave = resolve
      })
      await app.close()
      await stewardship.close()
      await ledger.close()
    }, FAST_PARENT)
    gone.catch(failed)
  })
})
afterEach(async () => {
  leave()
  await gone
})

type Method = 'GET' | 'POST' | 'PATCH'
const call = (method: Method, path: string, body?: object, headers: Record<string, string> = {}) =>
  app.inject({
    method,
    url: `/v1/tirami/${path}`,
    headers: { authorization: 'owner', ...headers },
    ...(body ? { payload: body } : {}),
  })

it('reads need ledger.read, changes host.write, the sentinel safety.write', async () => {
  const writes: [Method, string, object?][] = [
    ['PATCH', 'console', { serving: { paused: true } }],
    ['POST', 'console/pause'],
    ['POST', 'console/resume'],
    ['POST', 'console/full-depth', { active: true }],
    ['POST', 'sentinel/resume'],
  ]
  const reads = ['console', 'sentinel', 'telemetry', 'telemetry?format=csv']
  for (const path of reads) {
    expect((await call('GET', path, undefined, { authorization: 'chat' })).statusCode).toBe(403)
    expect((await call('GET', path, undefined, { authorization: 'reader' })).statusCode).toBe(200)
  }
  const before = readFileSync(join(directory, 'owner.yaml'), 'utf8')
  for (const [method, path, body] of writes) {
    expect((await call(method, path, body, { authorization: 'reader' })).statusCode).toBe(403)
  }
  expect(readFileSync(join(directory, 'owner.yaml'), 'utf8')).toBe(before)
  for (const [method, path, body] of writes) expect((await call(method, path, body)).statusCode).toBe(200)
})

it('the console changes the file and answers with the whole view', async () => {
  const patched = await call('PATCH', 'console', { sentinel: { daily_budget: 3 }, prices: { per_kwh: 0.3 } })
  expect(patched.json()).toMatchObject({
    values: { sentinel: { daily_budget: 3 }, prices: { per_kwh: 0.3 } },
    problem: null,
    thermostat: { forced: false },
  })
  expect(readFileSync(join(directory, 'owner.yaml'), 'utf8')).toContain('daily_budget: 3')
  expect((await call('POST', 'console/pause')).json().values.serving.paused).toBe(true)
  expect(() => stewardship.assertMayServe()).toThrow(expect.objectContaining({ code: 'HOST_PAUSED' }))
  expect((await call('POST', 'console/resume')).json().values.serving.paused).toBe(false)
  const full = (await call('POST', 'console/full-depth', { active: true })).json()
  expect(full.thermostat).toMatchObject({ forced: true, inner_cycles: 8, outer_steps: 16 })
  const { fields } = (await call('GET', 'console')).json()
  expect(fields).toContainEqual(
    expect.objectContaining({
      key: 'sentinel.failure_streak',
      type: 'integer',
      minimum: 1,
      maximum: 100,
      value: 15,
    }),
  )
})

it.each([
  [{}, 'INVALID_REQUEST'],
  [{ sentinel: 5 }, 'INVALID_REQUEST'],
  [{ sentinel: { daily_budget: [1] } }, 'INVALID_REQUEST'],
  [{ sentinel: { daily_budget: -1 } }, 'OWNER_VALUE_INVALID'],
  [{ sentinel: { daily_budget: '1' } }, 'OWNER_VALUE_INVALID'],
  [{ wallet: { keys: 1 } }, 'OWNER_KEY_UNKNOWN'],
  [{ serving: { paused: true }, sentinel: { failure_streak: 0 } }, 'OWNER_VALUE_INVALID'],
])('refuses %j whole', async (body, code) => {
  const before = readFileSync(join(directory, 'owner.yaml'), 'utf8')
  const response = await call('PATCH', 'console', body)
  expect(response.statusCode).toBe(400)
  expect(JSON.stringify(response.json()).toUpperCase()).toContain(code)
  expect(readFileSync(join(directory, 'owner.yaml'), 'utf8')).toBe(before)
})

it('the sentinel says why it is red, and is resumed', async () => {
  for (let i = 0; i < 15; i++) stewardship.jobDone({ ...JOB, ok: false })
  expect((await call('GET', 'sentinel')).json()).toMatchObject({
    level: 'red',
    reason: '15 jobs in a row have failed.',
    next_step: expect.stringContaining('resume'),
    paused_at_ms: expect.any(Number),
  })
  expect((await call('POST', 'sentinel/resume')).json()).toMatchObject({ level: 'green', paused_at_ms: null })
})

it('the explorer pages, filters and exports', async () => {
  for (let i = 0; i < 25; i++) stewardship.jobDone(JOB)
  await call('POST', 'console/pause')
  const first = (await call('GET', 'telemetry?kinds=JobServed&limit=20')).json()
  expect(first.events).toHaveLength(20)
  const second = (
    await call('GET', `telemetry?kinds=JobServed&limit=20&before_seq=${first.next_before_seq}`)
  ).json()
  expect(second).toMatchObject({ events: { length: 5 }, next_before_seq: null })
  expect((await call('GET', 'telemetry?text=PAUSED')).json().events).toMatchObject([
    { event_type: 'OwnerAction' },
  ])
  for (const [path, headers] of [
    ['telemetry?format=csv', {}],
    ['telemetry', { accept: 'text/csv' }],
  ] as const) {
    const csv = await call('GET', path, undefined, headers)
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8')
    expect(csv.body.trimEnd().split('\r\n')).toHaveLength(27)
  }
  for (const bad of [
    'limit=0',
    'limit=501',
    'kinds=Nothing',
    'from_ms=-1',
    'before_seq=0',
    'text=',
    'format=xml',
    'who=me',
  ]) {
    expect((await call('GET', `telemetry?${bad}`)).statusCode, bad).toBe(400)
  }
})
