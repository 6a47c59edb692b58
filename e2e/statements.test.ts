import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keyPairFromSeed } from '../src-main/kernel/index.ts'
import { EMPTY_ROOT, historySignal } from '../src-main/market/testing/crafted-signals.ts'
import { createLibp2pNet } from '../src-main/mesh/index.ts'
import { writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, temporaryDirectory } from './support/host.ts'
import {
  networkName,
  openToGuests,
  remoteTrades,
  sendPrompts,
  startMeshHost,
  whenServing,
} from './support/mesh.ts'

const data = temporaryDirectory()
const network = networkName()
const [OF_LENDER, OF_BORROWER] = ['assistant-one', 'assistant-two']
let lender: HostProcess
let borrower: HostProcess
let late: HostProcess | undefined

const read = async <Answer>(host: HostProcess, path: string) =>
  (await (await host.api(`/tirami/${path}`)).json()) as Answer
const post = async <Answer>(host: HostProcess, path: string, body: object) => {
  const answer = await host.api(`/tirami/${path}`, { method: 'POST', body: JSON.stringify(body) })
  return { status: answer.status, json: (await answer.json()) as Answer }
}
const ask = async (host: HostProcess, model: string, key = host.apiKey) => {
  const answer = await host.api('/chat/completions', {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'tell me' }], temperature: 0 }),
  })
  expect(answer.status).toBe(200)
}
interface Loans {
  loans: { loan_id: string; role: string; status: string; counterparty: string }[]
}

beforeAll(async () => {
  const serve = (name: string) => writeAssistantModel(join(data.path, `${name}.gguf`))
  lender = await startMeshHost(join(data.path, 'lender'), network, [], '--model', serve(OF_LENDER))
  borrower = await startMeshHost(
    join(data.path, 'borrower'),
    network,
    [lender],
    '--model',
    serve(OF_BORROWER),
  )
  await Promise.all([openToGuests(lender), openToGuests(borrower), sendPrompts(lender)])
})
afterAll(async () => {
  await Promise.all([lender, borrower, late].map((host) => host?.end('SIGKILL')))
  data.remove()
})

describe('lend-to', () => {
  it('is held for the borrower’s owner, booked by both when he agrees, and repaid in both', async () => {
    const { json: guest } = await post<{ token: string }>(lender, 'tokens/issue', { scope: 'inference' })
    await ask(lender, OF_LENDER, guest.token)
    await ask(lender, OF_LENDER, guest.token)
    await whenServing(lender, OF_BORROWER)
    await ask(lender, OF_BORROWER)
    await eventually(async () => (await remoteTrades(borrower, lender.ready.nodeId)).length === 1)

    const terms = { borrower: borrower.ready.nodeId, amount: 1, term_hours: 1, collateral: 1 }
    const offered = await post<{ loan_id: string; status: string }>(lender, 'lend-to', terms)
    expect(offered).toMatchObject({ status: 200, json: { status: 'Offered' } })
    const { loan_id } = offered.json
    expect(await read<Loans>(lender, 'loans')).toMatchObject({ loans: [] })
    expect(await read(borrower, 'loan-offers')).toMatchObject({
      count: 1,
      offers: [{ loan_id, lender: lender.ready.nodeId, principal_trm: 1 }],
    })

    const agreed = await post(borrower, 'loan-offers/answer', { loan_id, accept: true })
    expect(agreed).toMatchObject({ status: 200, json: { loan_id, status: 'Active' } })
    const loan = (role: string, status: string) => ({ loans: [{ loan_id, role, status }] })
    expect(await read(lender, 'loans')).toMatchObject(loan('lender', 'Active'))
    expect(await read(borrower, 'loans')).toMatchObject(loan('borrower', 'Active'))

    expect(await post(borrower, 'repay', { loan_id })).toMatchObject({
      status: 200,
      json: { status: 'Repaid' },
    })
    expect(await read(lender, 'loans')).toMatchObject(loan('lender', 'Repaid'))
    expect(await read(borrower, 'loans')).toMatchObject(loan('borrower', 'Repaid'))
    // What the other host does not cover is refused by name.
    const tooMuch = await post<{ error: { code: string } }>(lender, 'lend-to', {
      ...terms,
      amount: 1_000_000,
      collateral: 1_000_000,
    })
    expect([tooMuch.status, tooMuch.json.error.code]).toEqual([402, 'insufficient_balance'])
  })
})

describe('proof of two histories', () => {
  it('convicts whoever signed them, also at a host that comes when all is over', async () => {
    const seed = new Uint8Array(randomBytes(32))
    const forger = keyPairFromSeed(seed)
    const net = await createLibp2pNet({
      seed,
      network,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: [lender.ready.mesh?.[0] ?? '', borrower.ready.mesh?.[0] ?? ''],
      localDiscovery: false,
      natTraversal: false,
      maxConnections: 20,
      isBanned: () => false,
      score: () => 0,
    })
    net.subscribe('signals', () => 'accept')
    await eventually(async () => net.peers().length === 2)
    const signal = (rootHex: string) => historySignal(forger, rootHex, Date.now())
    interface Faults {
      events: { node_id: string; reason: string }[]
    }
    const faults = async (host: HostProcess) =>
      (await read<Faults>(host, 'slash-events')).events.filter(
        ({ node_id }) => node_id === forger.publicKeyHex,
      )
    const knows = async (host: HostProcess) =>
      (await read<{ peers: { node_id: string }[] }>(host, 'peers')).peers.some(
        ({ node_id }) => node_id === forger.publicKeyHex,
      )
    await eventually(async () => {
      await net.publish('signals', signal(EMPTY_ROOT))
      return (await knows(lender)) && (await knows(borrower))
    })
    await eventually(async () => {
      await net.publish('signals', signal('0'.repeat(64)))
      return (await faults(lender)).length === 1 && (await faults(borrower)).length === 1
    })
    await net.close()
    late = await startMeshHost(join(data.path, 'late'), network, [lender])
    const host = late
    const [fault] = await eventually(async () => {
      const found = await faults(host)
      return found.length > 0 && found
    })
    expect(fault).toMatchObject({ reason: 'equivocation' })
  })
})
