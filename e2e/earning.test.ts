import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { Weekday } from '../src-preload/contract/index.ts'
import {
  endProcess,
  engineProcess,
  eventually,
  type HostProcess,
  startHeadless,
  temporaryDirectory,
} from './support/host.ts'

interface View {
  mode: string
  decision: { action: string; code: string; sentence: string; params: Record<string, unknown> }
  snooze: { until_ms: number } | null
  finishing: boolean
  rules: { name: string; verdict: string }[]
  sensors: { name: string; known: boolean }[]
}

const data = temporaryDirectory()
const directory = join(data.path, 'host')
let host: HostProcess
let model: string
let guest: OpenAI
let guestKey: string

const question = { messages: [{ role: 'user' as const, content: 'go' }] }
const earning = async (): Promise<View> => (await (await host.api('/tirami/earning')).json()) as View
const say = async (word: string, body: unknown = {}): Promise<View> => {
  const response = await host.api(`/tirami/earning/${word}`, { method: 'POST', body: JSON.stringify(body) })
  expect(response.status).toBe(200)
  return (await response.json()) as View
}
const change = async (policy: unknown): Promise<void> => {
  const response = await host.api('/tirami/earning', { method: 'PATCH', body: JSON.stringify(policy) })
  expect([response.status, response.ok ? '' : await response.text()]).toEqual([200, ''])
}
const asGuest = () =>
  host.api('/chat/completions', {
    method: 'POST',
    headers: { authorization: `Bearer ${guestKey}` },
    body: JSON.stringify({ ...question, max_tokens: 2 }),
  })
const refusal = async (): Promise<{ code: string; message: string; retryAfter: number }> => {
  const response = await asGuest()
  expect(response.status).toBe(503)
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  return { ...error, retryAfter: Number(response.headers.get('retry-after')) }
}
const served = () => eventually(async () => (await asGuest()).status === 200)

const start = async () => {
  host = await startHeadless(directory, '--model', model)
}

beforeAll(async () => {
  // A model that never stops by itself.
  model = writeTinyGguf(join(data.path, 'endless.gguf'), {
    script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
  })
  await start()
  const issued = await host.api('/tirami/tokens/issue', {
    method: 'POST',
    body: JSON.stringify({ scope: 'inference', label: 'a guest' }),
  })
  guestKey = ((await issued.json()) as { token: string }).token
  guest = new OpenAI({ baseURL: host.ready.api, apiKey: guestKey, maxRetries: 0 })
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

describe('the owner’s word', () => {
  it('finish lets a running answer end, takes no new one, and then pauses', async () => {
    const ask = async () => {
      const stream = await guest.chat.completions.create({
        ...question,
        model: host.ready.model,
        max_tokens: 1_000,
        stream: true,
      })
      const pieces = stream[Symbol.asyncIterator]()
      await pieces.next()
      return pieces
    }
    let pieces = await ask()
    let view = await say('finish')
    // A machine with much else to do may have written the whole answer before the word came: then once more.
    while (view.decision.action !== 'drain') {
      await say('resume')
      await served()
      pieces = await ask()
      view = await say('finish')
    }
    expect([view.finishing, view.decision.code]).toEqual([true, 'finishing'])
    expect((await refusal()).code).toBe('host_paused')
    let reason: string | null = null
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next())
      reason = piece.value.choices[0]?.finish_reason ?? reason
    expect(reason).toBe('length')
    await eventually(async () => (await earning()).mode === 'paused')
    await eventually(async () => (await engineProcess(host)) === null)
    expect((await earning()).finishing).toBe(false)
  })

  it('resume goes on where it was', async () => {
    expect((await say('resume')).decision.action).toBe('serve')
    await served()
  })

  it('a snooze outlives a kill, and ends with a word', async () => {
    const { snooze } = await say('snooze', { minutes: 60 })
    expect((await refusal()).retryAfter).toBeGreaterThan(3_000)
    await host.end('SIGKILL')
    await start()
    const view = await earning()
    expect([view.decision.code, view.snooze]).toEqual(['snoozed', snooze])
    expect((await refusal()).code).toBe('host_paused')
    expect((await say('wake')).snooze).toBeNull()
    await served()
  })

  it('a pause cannot be snoozed, for a snooze would end it', async () => {
    await say('pause')
    const response = await host.api('/tirami/earning/snooze', { method: 'POST', body: '{"minutes":15}' })
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ error: { code: 'earning_paused' } })
    await say('resume')
    await served()
  })
})

describe('the owner’s rules', () => {
  it('outside the hours a guest is told when to come back, and the owner is answered', async () => {
    const hour = (new Date().getUTCHours() + 12) % 24
    const time = `${String(hour).padStart(2, '0')}:00`
    const windows = [{ from: time, to: `${String(hour).padStart(2, '0')}:30` }]
    const schedule = Object.fromEntries(Weekday.options.map((day) => [day, windows]))
    await change({ mode: 'schedule', time_zone: 'UTC', schedule })
    expect((await earning()).decision.code).toBe('schedule-closed')
    await eventually(async () => (await engineProcess(host)) === null)
    const refused = await refusal()
    expect(refused.code).toBe('host_out_of_hours')
    expect(refused.retryAfter).toBeGreaterThan(10 * 3_600)
    expect(refused.retryAfter).toBeLessThanOrEqual(12 * 3_600)
    const own = await host.client.chat.completions.create({
      ...question,
      model: host.ready.model,
      max_tokens: 2,
    })
    expect(own.usage?.completion_tokens).toBe(2)
    expect((await refusal()).code).toBe('host_out_of_hours')
    await change({ own_use: false })
    await expect(
      host.client.chat.completions.create(
        { ...question, model: host.ready.model, max_tokens: 2 },
        { maxRetries: 0 },
      ),
    ).rejects.toMatchObject({ status: 503, code: 'earning_schedule_closed' })
    await change({ mode: 'now', own_use: true })
    await served()
  })

  it.skipIf(process.platform !== 'linux')(
    'a program that the owner named gets the memory, no guest learns of it, and earning goes on after it',
    async () => {
      const program = join(data.path, 'tirami-game')
      copyFileSync('/bin/sleep', program)
      let game: ChildProcess | null = null
      try {
        await change({ exclusive_apps: ['Tirami-Game.exe'], settle_seconds: 0 })
        await served()
        game = spawn(program, ['600'], { stdio: 'ignore' })
        await eventually(async () => (await engineProcess(host)) === null)
        const view = await earning()
        expect([view.decision.code, view.decision.params.app]).toEqual(['exclusive-app', 'Tirami-Game.exe'])
        const refused = await refusal()
        expect(refused.code).toBe('host_not_earning')
        expect(refused.message).not.toMatch(/game/i)
      } finally {
        if (game) await endProcess(game, 'SIGKILL')
      }
      await served()
      await change({ exclusive_apps: [] })
    },
  )

  it('a model above the owner’s limit of memory is not loaded, and the reason says so', async () => {
    await change({ max_model_memory_gib: 0.001 })
    await say('pause')
    await eventually(async () => (await engineProcess(host)) === null)
    await say('resume')
    const response = await eventually(async () => {
      const answer = await asGuest()
      return answer.status === 503 ? answer : null
    })
    expect(await response.json()).toMatchObject({
      error: { code: expect.stringMatching(/^engine_|^model_/) },
    })
    expect(await engineProcess(host)).toBeNull()
    await change({ max_model_memory_gib: null })
    await say('resume')
    await served()
  })

  it('are the owner’s alone to see and to change', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['POST', '/pause'],
      ['POST', '/snooze'],
    ] as const) {
      const response = await host.api(`/tirami/earning${path}`, {
        method,
        headers: { authorization: `Bearer ${guestKey}` },
        ...(method === 'GET' ? {} : { body: '{"minutes":15}' }),
      })
      expect(response.status).toBe(403)
    }
  })

  it.each([
    [{}, 'invalid_request'],
    [{ idle_seconds: 1 }, 'invalid_request'],
    [{ idle_hours: 1 }, 'invalid_request'],
    [{ time_zone: 'Mars/Olympus' }, 'owner_value_invalid'],
    [{ schedule: { monday: [{ from: '25:00', to: '07:00' }] } }, 'invalid_request'],
  ])('refuse what they do not understand: %j', async (policy, code) => {
    const before = await earning()
    const response = await host.api('/tirami/earning', { method: 'PATCH', body: JSON.stringify(policy) })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code } })
    expect((await earning()).decision.code).toBe(before.decision.code)
  })
})
