import { spawnSync } from 'node:child_process'
import { verify } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type HostProcess, root, startHeadless, temporaryDirectory } from './support/host.ts'

const data = temporaryDirectory()
let host: HostProcess

beforeAll(async () => {
  host = await startHeadless(data.path)
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

const question = { role: 'user', content: 'What is TRM?' } as const
interface Cost {
  trm_cost: number
  effective_balance: number
  flops: number
  depth: number
  trade_id: string
}

const costOf = (answer: unknown) => (answer as { x_tirami?: Cost }).x_tirami

it('lists the embedded model', async () => {
  const models = await host.client.models.list()
  expect(models.data.map((model) => model.id)).toEqual([host.ready.model])
})

it('answers the openai client and says what the answer cost', async () => {
  const answer = await host.client.chat.completions.create({ model: host.ready.model, messages: [question] })
  const choice = answer.choices[0]
  expect(choice?.message.content).toMatch(/TRM/)
  expect(choice?.finish_reason).toBe('stop')
  const cost = costOf(answer)
  expect(cost).toMatchObject({ depth: 1 })
  expect(cost?.trm_cost).toBe(Math.ceil((cost?.flops ?? 0) / 1e9))
  expect(answer.usage?.total_tokens).toBe(
    (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
  )
})

it('streams the same answer piece by piece, cost in the last chunk', async () => {
  const whole = await host.client.chat.completions.create({ model: host.ready.model, messages: [question] })
  const stream = await host.client.chat.completions.create({
    model: host.ready.model,
    messages: [question],
    stream: true,
    stream_options: { include_usage: true },
  })
  const pieces: string[] = []
  let last: unknown
  let finish: string | null = null
  for await (const chunk of stream) {
    const text = chunk.choices[0]?.delta.content
    if (text) pieces.push(text)
    finish = chunk.choices[0]?.finish_reason ?? finish
    last = chunk
  }
  expect(pieces.join('')).toBe(whole.choices[0]?.message.content)
  expect(pieces.length).toBeGreaterThan(5)
  expect(finish).toBe('stop')
  expect(costOf(last)?.trm_cost).toBe(costOf(whole)?.trm_cost)
  expect((last as { usage: unknown }).usage).toEqual(whole.usage)
})

it('books every answer as a trade that both parties signed', async () => {
  const before = (await (await host.api('/tirami/balance')).json()) as { contributed: number }
  const answer = await host.client.chat.completions.create({ model: host.ready.model, messages: [question] })
  const cost = costOf(answer)
  const { trades } = (await (await host.api('/tirami/trades?limit=1')).json()) as {
    trades: Record<string, unknown>[]
  }
  expect(trades[0]).toMatchObject({
    trade_id: cost?.trade_id,
    provider: host.ready.nodeId,
    trm_amount: cost?.trm_cost,
    flops_estimated: cost?.flops,
    model_id: host.ready.model,
    provider_signed: true,
    consumer_signed: true,
  })
  const after = (await (await host.api('/tirami/balance')).json()) as Record<string, number>
  expect(after).toMatchObject({ contributed: before.contributed + (cost?.trm_cost ?? 0), reserved: 0 })
  expect(after.effective_balance).toBe((after.net_balance ?? 0) + 1000)
})

it('proves that a trade is in the log, to a script that shares no code', async () => {
  const json = async (path: string) => (await host.api(`/tirami/${path}`)).json()
  const head = (await json('proof/head')) as { tree_size: number; root_hash: string }
  const { trades } = (await json('trades?limit=1')) as { trades: { trade_id: string }[] }
  const proof = await json(`proof/inclusion/${trades[0]?.trade_id}`)
  const verify = (input: unknown) =>
    spawnSync(process.execPath, [join(root, 'e2e/verify-proof.mjs')], {
      input: JSON.stringify(input),
      encoding: 'utf8',
    })
  expect(verify(proof).status).toBe(0)
  expect(verify({ ...(proof as object), index: 99 }).status).toBe(1)
  expect(verify(await json('proof/consistency?first=1')).status).toBe(0)
  expect(Object.values(head)).toContain(
    Object.values(proof as object).find((value) => value === Object.values(head)[1]),
  )
})

it('signs the head of its log, so that nobody can be shown another one', async () => {
  const head = await (await host.api('/tirami/proof/head')).json()
  const number = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return bytes
  }
  const message = Buffer.concat([
    Buffer.from('tirami-tree-head-v1\0'),
    number(head.tree_size),
    number(head.timestamp_ms),
    Buffer.from(head.root_hash, 'hex'),
  ])
  const spki = Buffer.concat([
    Buffer.from('302a300506032b6570032100', 'hex'),
    Buffer.from(head.node_id, 'hex'),
  ])
  const key = { key: spki, format: 'der', type: 'spki' } as const
  expect(head.node_id).toBe(host.ready.nodeId)
  expect(verify(null, message, key, Buffer.from(head.signature, 'hex'))).toBe(true)
})

it('keeps secrets readable by the owner alone', () => {
  for (const file of [
    host.ready.apiKeyFile,
    join(data.path, 'keys/node.key'),
    join(data.path, 'keys/local.key'),
  ]) {
    expect(statSync(file).mode & 0o777).toBe(0o600)
  }
})

it('writes a journal that a stranger’s script verifies, and drains on SIGTERM', async () => {
  const network = (await (await host.api('/tirami/network')).json()) as {
    merkle_root: string
    total_trades: number
  }
  expect(await host.end('SIGTERM')).toBe(0)
  const verifier = spawnSync(
    process.execPath,
    [join(root, 'e2e/verify-journal.mjs'), join(data.path, 'ledger/journal.log')],
    { encoding: 'utf8' },
  )
  expect(JSON.parse(verifier.stdout)).toMatchObject({
    ok: true,
    trades: network.total_trades,
    merkleRoot: network.merkle_root,
  })
})

it('finds everything again after a restart', async () => {
  const again = await startHeadless(data.path)
  try {
    expect(again.ready.nodeId).toBe(host.ready.nodeId)
    expect(again.apiKey).toBe(host.apiKey)
    const { total_trades } = (await (await again.api('/tirami/network')).json()) as { total_trades: number }
    expect(total_trades).toBeGreaterThanOrEqual(4)
  } finally {
    await again.end('SIGTERM')
  }
})
