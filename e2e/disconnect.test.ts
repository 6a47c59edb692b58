import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { eventually, type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'

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

it('a reader that goes away mid-stream stops the work and pays nothing, again and again', async () => {
  const before = await balance()
  for (let round = 0; round < 12; round++) {
    const stream = await host.client.chat.completions.create({
      ...request,
      model: host.ready.model,
      stream: true,
    })
    let pieces = 0
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content && ++pieces === 3) break
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
  const engine = await eventually(async () => engineProcess(host.child.pid ?? 0))
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

const costOf = (answer: unknown) => (answer as { x_tirami: { trm_cost: number } }).x_tirami.trm_cost

/** The engine is the host's only child process. */
async function engineProcess(hostPid: number): Promise<number | null> {
  const { readFile } = await import('node:fs/promises')
  const children = await readFile(`/proc/${hostPid}/task/${hostPid}/children`, 'utf8').catch(() => '')
  return Number(children.trim().split(' ')[0]) || null
}
