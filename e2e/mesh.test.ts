import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEXT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, temporaryDirectory } from './support/host.ts'
import {
  networkName,
  openToGuests,
  peersOf,
  remoteTrades,
  sendPrompts,
  startMeshHost,
  whenServing,
} from './support/mesh.ts'

const data = temporaryDirectory()
const network = networkName()
const MODEL = 'assistant'
let asking: HostProcess
let serving: HostProcess
let watching: HostProcess

beforeAll(async () => {
  const modelPath = writeAssistantModel(join(data.path, `${MODEL}.gguf`))
  serving = await startMeshHost(join(data.path, 'serving'), network, [], '--model', modelPath)
  ;[asking, watching] = await Promise.all([
    startMeshHost(join(data.path, 'asking'), network, [serving]),
    startMeshHost(join(data.path, 'watching'), network, [serving]),
  ])
  await openToGuests(serving)
})
afterAll(async () => {
  await Promise.all([asking, serving, watching].map((host) => host?.end('SIGKILL')))
  data.remove()
})

const question = { model: MODEL, messages: [{ role: 'user' as const, content: 'tell me' }], temperature: 0 }

describe('three hosts', () => {
  it('find each other from one address, and learn who serves what at which price', async () => {
    await whenServing(asking, MODEL)
    await eventually(async () => (await peersOf(asking)).count === 2 && (await peersOf(watching)).count === 2)
    const route = await asking.api(`/tirami/route?model=${MODEL}`)
    expect(await route.json()).toMatchObject({ provider: serving.ready.nodeId, model: MODEL })
  })

  it('send no prompt away before the owner has allowed it', async () => {
    await expect(asking.client.chat.completions.create(question)).rejects.toMatchObject({ status: 404 })
    await sendPrompts(asking)
    const { data: listed } = (await (await asking.api('/models')).json()) as { data: { id: string }[] }
    expect(listed.map(({ id }) => id)).toContain(MODEL)
  })

  it('answer for each other, streamed, with the trade in both ledgers and known to the third', async () => {
    const stream = await asking.client.chat.completions.create({ ...question, stream: true })
    const pieces: string[] = []
    let cost: { trm_cost: number; flops: number } | undefined
    for await (const chunk of stream) {
      const content = chunk.choices[0]?.delta.content
      if (content) pieces.push(content)
      cost = (chunk as { x_tirami?: typeof cost }).x_tirami ?? cost
    }
    expect(pieces).toEqual(TEXT_ANSWER)
    const [there] = await eventually(async () => {
      const trades = await remoteTrades(serving, asking.ready.nodeId)
      return trades.length === 1 && trades
    })
    const [here] = await remoteTrades(asking, serving.ready.nodeId)
    expect(here?.trade_id).toBe(there?.trade_id)
    expect(here).toMatchObject({
      provider: serving.ready.nodeId,
      consumer: asking.ready.nodeId,
      model_id: MODEL,
    })
    expect(cost?.trm_cost).toBe(here?.trm_amount)
    expect(cost?.flops).toBeGreaterThan(0)
    const known = await eventually(async () => {
      const { trades } = (await (await watching.api('/tirami/mesh/trades')).json()) as {
        trades: { trade_id: string }[]
      }
      return trades.find(({ trade_id }) => trade_id === here?.trade_id)
    })
    expect(known).toMatchObject({ trm_amount: here?.trm_amount })
    // It is not in the third's books: who owes whom elsewhere is not its to say.
    expect(await remoteTrades(watching, serving.ready.nodeId)).toEqual([])
  })
})
