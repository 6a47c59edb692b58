import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEXT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, root, temporaryDirectory } from './support/host.ts'
import {
  meshPort,
  networkName,
  openToGuests,
  remoteTrades,
  sendPrompts,
  startMeshHost,
  whenServing,
} from './support/mesh.ts'

const data = temporaryDirectory()
const network = networkName()
const MODEL = 'assistant'
const LONG_MS = 180_000
const cutDirectory = join(data.path, 'cut')
const hosts: HostProcess[] = []
let buyer: HostProcess
let seller: HostProcess

beforeAll(async () => {
  const [model, other] = [MODEL, 'other'].map((name) => writeAssistantModel(join(data.path, `${name}.gguf`)))
  mkdirSync(cutDirectory)
  process.env.TIRAMI_CUT = cutDirectory
  process.env.NODE_OPTIONS = `--import ${pathToFileURL(join(root, 'e2e/support/cut.mjs'))}`
  const start = async (name: string, served = '', bootstrap: HostProcess[] = []) => {
    const nat = ['--mesh-nat', '--model', served]
    const host = await startMeshHost(join(data.path, name), network, bootstrap, ...nat)
    hosts.push(host)
    return host
  }
  const relay = await start('relay', other)
  ;[seller, buyer] = [await start('seller', model, [relay]), await start('buyer', other, [relay])]
  // Nobody can connect to either of the two: that is what a home router does.
  const closed = JSON.stringify([meshPort(seller), meshPort(buyer)])
  for (const name of ['relay', 'seller', 'buyer']) writeFileSync(join(cutDirectory, name), closed)
  await openToGuests(seller)
  await sendPrompts(buyer)
}, 600_000)
afterAll(async () => {
  delete process.env.TIRAMI_CUT
  delete process.env.NODE_OPTIONS
  await Promise.all(hosts.map((host) => host.end('SIGKILL')))
  data.remove()
})

describe('a host that nobody can connect to', () => {
  it('is bought from through a host that relays, and both book the trade', async () => {
    await whenServing(buyer, MODEL)
    const answer = await eventually(async () => {
      const request = {
        model: MODEL,
        messages: [{ role: 'user' as const, content: 'tell me' }],
        temperature: 0,
      }
      return buyer.client.chat.completions.create(request).catch(() => null)
    }, LONG_MS)
    expect(answer.choices[0]?.message.content).toBe(TEXT_ANSWER.join(''))
    const [here] = await eventually(async () => {
      const trades = await remoteTrades(buyer, seller.ready.nodeId)
      return trades.length === 1 && trades
    }, LONG_MS)
    const [there] = await eventually(async () => {
      const trades = await remoteTrades(seller, buyer.ready.nodeId)
      return trades.length === 1 && trades
    }, LONG_MS)
    expect(there?.trade_id).toBe(here?.trade_id)
  })
})
