import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, temporaryDirectory } from './support/host.ts'
import { networkName, openToGuests, remoteTrades, startMeshHost, whenServing } from './support/mesh.ts'

const data = temporaryDirectory()
const network = networkName()
const MODEL = 'assistant'
let forwarding: HostProcess
let serving: HostProcess

beforeAll(async () => {
  const modelPath = writeAssistantModel(join(data.path, `${MODEL}.gguf`))
  serving = await startMeshHost(join(data.path, 'serving'), network, [], '--model', modelPath)
  forwarding = await startMeshHost(join(data.path, 'forwarding'), network, [serving])
  await Promise.all([openToGuests(serving), openToGuests(forwarding)])
})
afterAll(async () => {
  await Promise.all([forwarding, serving].map((host) => host?.end('SIGKILL')))
  data.remove()
})

const read = async <Answer>(host: HostProcess, path: string) =>
  (await (await host.api(path)).json()) as Answer
interface Balance {
  contributed: number
  consumed: number
  net_balance: number
  income: { from_others: number; own_use: number; passed_on: number }
}

it('what a guest pays for the answer of another host is no income of the host in between', async () => {
  await whenServing(forwarding, MODEL)
  const issued = await forwarding.api('/tirami/tokens/issue', {
    method: 'POST',
    body: JSON.stringify({ scope: 'inference', label: 'a guest' }),
  })
  const { token } = (await issued.json()) as { token: string }
  const asGuest = { authorization: `Bearer ${token}` }
  const seen = await forwarding.api('/tirami/balance', { headers: asGuest })
  const guest = ((await seen.json()) as { caller: { node_id: string } }).caller.node_id
  const allowed = { method: 'POST', body: JSON.stringify({ consumer: guest, allowed: true }) }
  expect((await forwarding.api('/tirami/mesh/allow', allowed)).status).toBe(200)
  const answer = await forwarding.api('/chat/completions', {
    method: 'POST',
    headers: asGuest,
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'tell me' }], temperature: 0 }),
  })
  expect(answer.status).toBe(200)
  const { x_tirami: cost } = (await answer.json()) as { x_tirami: { trm_cost: number } }
  const paidTrm = cost.trm_cost
  expect(paidTrm).toBeGreaterThan(0)

  const balance = await read<Balance>(forwarding, '/tirami/balance')
  expect(balance).toMatchObject({
    contributed: 0,
    consumed: 0,
    net_balance: 0,
    income: { from_others: 0, own_use: 0, passed_on: paidTrm },
  })
  // Whoever did the work has earned it.
  await eventually(async () => (await remoteTrades(serving, forwarding.ready.nodeId)).length === 1)
  expect((await read<Balance>(serving, '/tirami/balance')).income).toMatchObject({
    from_others: paidTrm,
    passed_on: 0,
  })
  const { trades } = await read<{ trades: { trm_amount: number; passed_on: number }[] }>(
    forwarding,
    '/tirami/trades',
  )
  expect(trades.map(({ trm_amount, passed_on }) => [trm_amount, passed_on])).toEqual([
    [paidTrm, paidTrm],
    [paidTrm, paidTrm],
  ])
  const statement = await read<{ nodes: Record<string, number | string>[] }>(forwarding, '/tirami/settlement')
  const own = statement.nodes.find(({ node_id }) => node_id === forwarding.ready.nodeId)
  expect(own).toMatchObject({
    gross_earned_cu: paidTrm,
    gross_spent_cu: paidTrm,
    passed_on_cu: paidTrm,
    net_cu: 0,
  })
  const metrics = await (
    await fetch(new URL('/metrics', forwarding.ready.api), {
      headers: { authorization: `Bearer ${forwarding.apiKey}` },
    })
  ).text()
  expect(metrics).toMatch(new RegExp(`tirami_passed_on_total\\{[^}]*\\} ${paidTrm}\n`))
  expect(metrics).toMatch(/tirami_income_from_others\{[^}]*\} 0\n/)
})
