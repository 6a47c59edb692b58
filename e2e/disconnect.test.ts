import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import {
  engineProcess,
  eventually,
  type HostProcess,
  startHeadless,
  temporaryDirectory,
} from './support/host.ts'

const data = temporaryDirectory()
let host: HostProcess

beforeAll(async () => {
  // A model that never stops by itself.
  const model = writeTinyGguf(join(data.path, 'endless.gguf'), {
    script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
  })
  host = await startHeadless(join(data.path, 'host'), '--model', model)
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

const balance = async () =>
  (await (await host.api('/tirami/balance')).json()) as {
    contributed: number
    caller: { net_balance: number; reserved: number }
  }
const trades = async () =>
  ((await (await host.api('/tirami/network')).json()) as { total_trades: number }).total_trades
const request = { messages: [{ role: 'user' as const, content: 'go' }], max_tokens: 1024 }

it('stops at max_tokens and charges for it', async () => {
  const answer = await host.client.chat.completions.create({
    ...request,
    model: host.ready.model,
    max_tokens: 20,
  })
  expect(answer.choices[0]?.finish_reason).toBe('length')
  expect(answer.usage?.completion_tokens).toBe(20)
  expect(await trades()).toBe(1)
})

/** `TIRAMI_ABORTS=1000` for a long run. */
const ABORTS = Number(process.env.TIRAMI_ABORTS ?? 30)

it('a reader that goes away mid-stream stops the work and pays nothing, again and again', async () => {
  const before = await balance()
  const openFiles = await openFileCount()
  for (let round = 0; round < ABORTS; round++) {
    const stream = await host.client.chat.completions.create({
      ...request,
      model: host.ready.model,
      stream: true,
      n: 1 + (round % 2),
    })
    // Before anything came, at once, and after a while.
    const wanted = [0, 1, 3][round % 3] ?? 0
    let pieces = 0
    for await (const chunk of stream) {
      if (pieces >= wanted) break
      if (chunk.choices[0]?.delta.content) pieces++
    }
    stream.controller.abort()
  }
  // Every slot is free again: a full set of answers at once gets through.
  const answers = await Promise.all(
    Array.from({ length: 6 }, () =>
      host.client.chat.completions.create({ ...request, model: host.ready.model, max_tokens: 4 }),
    ),
  )
  expect(answers).toHaveLength(6)
  expect(await trades()).toBe(7)
  expect((await balance()).contributed).toBe(
    before.contributed + answers.reduce((sum, answer) => sum + costOf(answer), 0),
  )
  expect((await balance()).caller.reserved).toBe(0)
  // What a request opens, its end closes; the journal and a few kept connections stay.
  await eventually(async () => (await openFileCount()) <= openFiles + 16)
})

it('a reader that goes away before the whole answer came (no stream) pays nothing', async () => {
  const count = await trades()
  const abort = new AbortController()
  const pending = host.client.chat.completions.create(
    { ...request, model: host.ready.model },
    { signal: abort.signal },
  )
  setTimeout(() => abort.abort(), 60)
  await expect(pending).rejects.toThrow()
  const next = await eventually(async () => {
    const answer = await host.client.chat.completions.create({
      ...request,
      model: host.ready.model,
      max_tokens: 2,
    })
    return answer
  })
  expect(next.usage?.completion_tokens).toBe(2)
  expect(await trades()).toBe(count + 1)
})

it('after SIGKILL of the engine the running job fails, nothing is charged, and the next one works', async () => {
  const count = await trades()
  const engine = await eventually(async () => engineProcess(host))
  const stream = await host.client.chat.completions.create({
    ...request,
    model: host.ready.model,
    stream: true,
  })
  let failure: unknown
  try {
    let pieces = 0
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content && ++pieces === 2) process.kill(engine, 'SIGKILL')
    }
  } catch (error) {
    failure = error
  }
  expect(String(failure)).toMatch(/engine/i)
  const answer = await eventually(async () =>
    host.client.chat.completions
      .create({ ...request, model: host.ready.model, max_tokens: 2 })
      .catch((error: { status?: number }) => {
        expect([502, 503]).toContain(error.status)
        return null
      }),
  )
  expect(answer.usage?.completion_tokens).toBe(2)
  expect(await trades()).toBe(count + 1)
})

it('draining finishes what was begun, refuses what is new, and ends well', async () => {
  const stream = await host.client.chat.completions.create({
    ...request,
    model: host.ready.model,
    max_tokens: 2000,
    stream: true,
  })
  let pieces = 0
  let refused: Response | null = null
  let ended: Promise<number | null> | null = null
  let last: { choices: { finish_reason: string | null }[]; x_tirami?: unknown } | null = null
  for await (const chunk of stream) {
    last = chunk
    if (!chunk.choices[0]?.delta.content || ++pieces !== 2) continue
    ended = host.end('SIGTERM')
    refused = await eventually(async () => {
      const response = await host.api('/chat/completions', {
        method: 'POST',
        body: JSON.stringify({ ...request, max_tokens: 1 }),
      })
      return response.status === 503 ? response : null
    })
  }
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused?.json()).toMatchObject({ error: { code: 'host_draining' } })
  expect(last?.choices[0]?.finish_reason).toBe('length')
  expect(last?.x_tirami).toBeDefined()
  expect(await ended).toBe(0)
})

const costOf = (answer: unknown) => (answer as { x_tirami: { trm_cost: number } }).x_tirami.trm_cost

async function openFileCount(): Promise<number> {
  const { readdir } = await import('node:fs/promises')
  return (await readdir(`/proc/${host.child.pid}/fd`)).length
}
